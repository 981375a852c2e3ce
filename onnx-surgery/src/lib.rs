//! Reads a CNN from ONNX, finds its channel groups, and writes it back with fewer channels.
//!
//! A model's weights stay in the memory map, and writing copies every byte that does not change from there:
//! fields that this crate has never heard of survive. The price is a writer at the level of protobuf's wire
//! format, beside the decoder. Nothing here knows of latency.
//!
//! ```
//! use netspec::{GroupPlan, PrunePlan};
//! use onnx_surgery::{Model, Patch};
//!
//! let model = Model::open(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/models/chain_ts.onnx"))?;
//! let network = model.network();
//! assert_eq!(network.layers[0].spec.to_string(), "3>8 32x32 k3 p1 bias relu");
//!
//! // Keep every second channel of the first group.
//! let group = network.groups.iter().find(|g| g.frozen.is_none()).expect("a group that can be pruned");
//! let plan = PrunePlan { groups: vec![GroupPlan::new(group, (0..group.channels).step_by(2).collect())] };
//! let patch = Patch::build(&model, &plan)?;
//! println!("{patch}");
//! let pruned = Model::from_bytes(patch.to_bytes())?;
//! assert_eq!(pruned.network().layers[0].spec.c_out, 4);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! What cannot be pruned is said, not guessed: [`netspec::Network::frozen`] lists nodes and reasons.
#![deny(missing_debug_implementations, missing_docs)]
#![deny(unsafe_code)]

mod assemble;
mod branch;
mod constant;
mod dependency;
mod error;
mod external;
mod file;
mod fold;
mod graph;
mod infer;
mod model;
mod new_file;
mod nodes;
mod observe;
mod outline;
mod packed;
mod patch;
mod proto;
mod rope;
mod size_error;
mod splice;
mod walk;
mod wire;
mod wiring;

pub use error::{ExternalProblem, ModelError, SurgeryError};
pub use graph::Port;
pub use model::Model;
pub use nodes::{NetworkPart, NodeNames};
pub use patch::{Change, Patch};
pub use size_error::{SizeError, SizedAxis};
pub use wiring::{Norm, Sum, Wiring};
