//! Engines without a device: recorded tables and an analytic GPU simulator.
//!
//! [`Recorded`] answers what somebody measured elsewhere and wrote down, and nothing else; [`Simulated`] computes what
//! a GPU of known data sheet would roughly take. Both let everything above the engines run, and be tested, where the
//! device is not. The price is that their numbers are not this machine's: each carries
//! [`netspec::Provenance::Recorded`] or [`netspec::Provenance::Simulated`], and must never enter a live table.
//!
//! ```
//! use netspec::{ConvSpec, Provenance};
//! use replay::{Recorded, Recorder, Simulated};
//! use timing::LatencySource;
//!
//! // What a T4 would roughly take, written down ...
//! let mut t4 = Simulated::named("t4")?;
//! let spec: ConvSpec = "n16 64>128 56x56 k3 p1 f16 bias relu".parse()?;
//! let simulated = t4.latency(&spec)?;
//! assert_eq!(simulated.provenance, Provenance::Simulated);
//!
//! let path = std::env::temp_dir().join(format!("t4-{}.jsonl", std::process::id()));
//! let mut recorder = Recorder::create(&path, t4.machine())?;
//! recorder.record(&spec, &simulated)?;
//!
//! // ... and read back: simulated it stays.
//! let mut recorded = Recorded::open(&path)?;
//! assert_eq!(recorded.latency(&spec)?, simulated);
//! assert!(recorded.latency(&ConvSpec::new(3, 8, [8, 8], [3, 3])).is_err());
//! # std::fs::remove_file(path)?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
#![deny(missing_docs)]
#![forbid(unsafe_code)]

mod error;
mod played;
mod recorded;
mod recorder;
pub mod simulated;

pub use error::RecordError;
pub use recorded::Recorded;
pub use recorder::Recorder;
pub use simulated::Simulated;
