//! What is here, what is missing, and every symbol that is used.
