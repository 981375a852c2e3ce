//! The shared words of LOCP as plain data: conv specs, measurements, networks, plans.
//!
//! Every other crate speaks in these types, so that a stage can be swapped without touching its neighbors.
//! There is no IO here, no ONNX, no CUDA and no required dependency; the price is that a few conversions
//! (to files, to an engine's own types) live in the crates that need them.
//!
//! ```
//! use netspec::{ConvSpec, LatencySource, Measurement, Provenance, SourceError};
//!
//! // A latency source can be a closure ...
//! let mut by_macs = netspec::from_fn(|spec: &ConvSpec| Ok(Measurement::exact(spec.macs() as f64 / 100.0, Provenance::Simulated)));
//! let spec: ConvSpec = "64>128 56x56 k3 p1 relu".parse()?;
//! assert_eq!(spec.out_hw(), [56, 56]);
//! assert!(by_macs.latency(&spec)?.median_ns > 0.0);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Feature `serde` (off by default) derives serialization for the plain data.
#![deny(missing_debug_implementations, missing_docs)]
#![forbid(unsafe_code)]

mod constraint;
mod machine;
mod measurement;
mod modules;
mod network;
mod plan;
mod source;
mod spec;
mod tensor;
mod text;

pub use constraint::{Constraint, WidthError};
pub use machine::Machine;
pub use measurement::{CacheState, Measurement, Provenance, StopReason};
pub use modules::{ModuleKeep, Modules};
pub use network::{ChannelGroup, Frozen, GroupId, IndexMap, Layer, Member, Network, Operator, Part, Role, Width};
pub use plan::{GroupPlan, PlanError, PrunePlan};
pub use source::{FromFn, LatencySource, SourceError, from_fn};
pub use spec::{Activation, ConvSpec, DType, Epilogue, Layout, SpecError};
pub use tensor::{ElementType, Tensor, TensorError, TensorView, Weights};
