//! Named layers of well-known networks.
