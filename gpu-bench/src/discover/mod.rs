//! Where the libraries of CUDA are looked for, and how they are loaded.
