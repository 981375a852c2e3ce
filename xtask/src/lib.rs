//! Checks of this repository that cargo itself does not make.
//!
//! They are a Rust program and no shell script, so that they run wherever the crates build; the price is one more
//! crate in the workspace. There are two tasks:
//!
//! ```text
//! cargo run --release -p xtask -- public-api [--write] [CRATE]...
//! cargo run --release -p xtask -- gpu-pack [FOLDER]
//! ```
//!
//! The second one makes a folder that a machine with a GPU and no Rust can run and check this project from. The first
//! one reads rustdoc's JSON of every library, refuses a public signature that names a type of another project, and
//! holds the list of public items against the one that is committed under `docs/api/`. What rustdoc leaves out of
//! its JSON escapes: the bodies of macros, and methods on a trait object (`impl dyn Trait { .. }`).
//!
//! ```
//! use xtask::{Document, leaks, walk};
//!
//! let json = r#"{
//!     "root": 0, "external_crates": {"1": {"name": "tract"}},
//!     "index": {
//!         "0": {"id": 0, "crate_id": 0, "name": "ours", "attrs": [], "inner": {"module": {"items": [1]}}},
//!         "1": {"id": 1, "crate_id": 0, "name": "ENGINE", "attrs": [],
//!               "inner": {"constant": {"type": {"resolved_path": {"path": "Tensor", "id": 2, "args": null}}}}}
//!     },
//!     "paths": {"2": {"crate_id": 1, "path": ["tract", "Tensor"], "kind": "struct"}}
//! }"#;
//! let document = Document::parse(json)?;
//! let found = leaks(&document, &walk(&document)?, &["std", "ours"])?;
//! assert_eq!(found[0].to_string(), "constant ours::ENGINE names tract::Tensor, of another project: wrap it");
//! # Ok::<(), anyhow::Error>(())
//! ```
#![deny(missing_docs)]
#![forbid(unsafe_code)]

mod document;
mod gpu_pack;
mod leaks;
mod listing;
mod public_api;
mod render;
mod render_item;
mod rustdoc;
mod walk;
mod workspace;

pub use document::{Document, Item, field, list};
pub use gpu_pack::gpu_pack;
pub use leaks::{Fault, Leak, leaks};
pub use listing::{difference, listing};
pub use public_api::public_api;
pub use rustdoc::be_rustdoc;
pub use walk::{Entry, walk};
