//! Checks of this repository that cargo itself does not make.
//!
//! They are a Rust program and no shell script, so that they run wherever the crates build. There are two tasks:
//!
//! ```text
//! cargo run --release -p xtask -- public-api [--write] [CRATE]...
//! cargo run --release -p xtask -- gpu-pack [FOLDER]
//! ```
//!
//! `public-api` documents every library with rustdoc's warnings as errors, refuses a public signature that names a type
//! of another project, and compares the list of public items with the one that is committed under `docs/api/`. It does
//! not see the bodies of macros, nor methods on a trait object (`impl dyn Trait { .. }`), which rustdoc leaves out.
//!
//! `gpu-pack` makes a folder from which a machine with a GPU and without Rust runs and checks this project.
#![deny(missing_docs)]
#![forbid(unsafe_code)]

mod api;
mod gpu_pack;
mod public_api;
mod rustdoc;
mod workspace;

pub use api::Api;
pub use gpu_pack::gpu_pack;
pub use public_api::{difference, public_api};
pub use rustdoc::be_rustdoc;
