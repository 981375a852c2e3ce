//! The kernels of this crate: sources, launch shapes, and what their tiles make of a convolution.
