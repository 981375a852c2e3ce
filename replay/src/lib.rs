//! An engine without a device: an analytic GPU simulator.
//!
//! [`Simulated`] computes what a GPU of known data sheet would roughly take, so that everything above the engines runs,
//! and is tested, where the device is not. The price is that its numbers are not this machine's: each carries
//! [`netspec::Provenance::Simulated`] and never enters a live table.
//!
//! ```
//! use netspec::{ConvSpec, Provenance};
//! use replay::Simulated;
//! use timing::LatencySource;
//!
//! // What a T4 would roughly take.
//! let mut t4 = Simulated::named("t4")?;
//! let spec: ConvSpec = "n16 64>128 56x56 k3 p1 f16 bias relu".parse()?;
//! let simulated = t4.latency(&spec)?;
//! assert_eq!(simulated.provenance, Provenance::Simulated);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
#![deny(missing_docs)]
#![forbid(unsafe_code)]

mod played;
pub mod simulated;

pub use simulated::Simulated;
