//! The kernels of this crate: sources, launch shapes, and what their tiles make of a convolution.
//!
//! The sources include nothing, so the run-time compiler needs no header files; `portable.cuh` holds the inline PTX.

/// What timing needs besides the kernel that is timed: flush, touch, spin, busy, clocks, fill.
pub const HELPERS: &str = concat!(include_str!("portable.cuh"), include_str!("helpers.cu"));

/// Direct depthwise convolution.
pub const DEPTHWISE: &str = concat!(include_str!("portable.cuh"), include_str!("depthwise.cu"));

/// Convolution as a matrix product on tensor cores.
pub const IGEMM: &str = concat!(include_str!("portable.cuh"), include_str!("igemm.cu"));
