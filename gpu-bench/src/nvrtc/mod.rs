//! Compiling CUDA source at run time.
