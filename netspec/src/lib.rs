//! The shared words of LOCP as plain data: conv specs, measurements, networks, plans.
//!
//! Every other crate speaks in these types, so that a stage can be swapped without touching its neighbors.
//! There is no IO here, no ONNX, no CUDA and no required dependency; the price is that a few conversions
//! (to files, to an engine's own types) live in the crates that need them.
//!
//! ```
//! use netspec::ConvSpec;
//!
//! let spec: ConvSpec = "64>128 56x56 k3 p1 relu".parse()?;
//! assert_eq!((spec.out_hw(), spec.macs()), ([56, 56], 64 * 128 * 9 * 56 * 56));
//! assert_eq!(spec.to_string(), "64>128 56x56 k3 p1 relu");
//! # Ok::<(), netspec::SpecError>(())
//! ```
//!
//! Feature `serde` (off by default) derives serialization for the plain data.
#![deny(missing_debug_implementations, missing_docs)]
#![forbid(unsafe_code)]

mod constraint;
mod half;
mod inputs;
mod machine;
mod measurement;
mod network;
mod plan;
mod spec;
mod tensor;
mod text;
mod words;

pub use constraint::{Constraint, WidthError};
pub use inputs::{InputShape, InputSizes};
pub use machine::Machine;
pub use measurement::{CacheState, Measurement, Provenance, StopReason};
pub use network::{
    ChannelGroup, Frozen, GroupId, IndexMap, Layer, Member, Network, Operator, Part, Role, Untimed, Width,
};
pub use plan::{GroupPlan, PlanError, PrunePlan};
pub use spec::{Activation, Axis, ConvSpec, DType, Epilogue, Layout, SpecError};
pub use tensor::{ElementType, Tensor, TensorError, TensorView, Weights};
pub use words::WordError;
