//! The driver API behind handles that clean up after themselves.
