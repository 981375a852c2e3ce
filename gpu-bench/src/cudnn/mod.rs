//! Convolutions by cuDNN's graph API.
