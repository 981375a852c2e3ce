//! Honest timing: stop rules, interleaved comparison, and the traits that an engine implements.
//!
//! An engine knows how to run a convolution once and tell how long that took ([`Backend`], [`Prepared`]);
//! everything statistical lives here, once for all engines: warm-up, when to stop ([`StopRule`]),
//! medians with order-statistics intervals, taking turns so that drift cancels ([`compare`], [`interleave`]),
//! and anchors that tell when it did not ([`BackendSource`]).
//! The price of that split is one dynamic call per run, nanoseconds against the microseconds that are timed.
//! No logic reads a clock: time limits sum the readings, so every rule is tested on scripted samples.
//! The feature `conformance` adds a kit that tests any source or engine (`timing::conformance`).
//!
//! ```
//! use netspec::CacheState;
//! use timing::{Policy, Prepared, Reading, TimingError, compare, measure, stop};
//!
//! /// Adds numbers up, so many at a time.
//! struct Adds(Vec<u64>);
//! impl Prepared for Adds {
//!     fn run(&mut self, _: CacheState) -> Result<Reading, TimingError> {
//!         let start = std::time::Instant::now();
//!         std::hint::black_box(std::hint::black_box(&self.0).iter().fold(0, |sum: u64, &x| (sum ^ x).wrapping_mul(3)));
//!         Ok(Reading::new(start.elapsed().as_nanos() as f64))
//!     }
//! }
//!
//! let (mut once, mut ten_times) = (Adds(vec![1; 10_000]), Adds(vec![1; 100_000]));
//! let mut rule = stop::Relative::new(0.02).max_samples(100);
//! let alone = measure(&mut once, &mut rule, &Policy::warm())?;
//! assert!(alone.interval_ns[0] <= alone.median_ns && alone.median_ns <= alone.interval_ns[1]);
//!
//! // Which is slower, and by how much: runs in turns, never one after the other.
//! let both = compare(&mut once, &mut ten_times, &mut rule, &Policy::warm())?;
//! assert!(both.ratio > 2.0);
//! # Ok::<(), TimingError>(())
//! ```
#![deny(missing_docs)]
#![forbid(unsafe_code)]

mod ahead;
mod anchors;
mod backend;
mod chain;
mod chunks;
mod compare;
#[cfg(feature = "conformance")]
pub mod conformance;
mod door;
mod error;
mod from_fn;
mod interleave;
mod kept;
mod layers;
mod model;
mod policy;
mod sample;
mod sampling;
mod source;
pub mod stop;
mod turns;

pub use anchors::DriftReport;
pub use backend::{Backend, Prepared, Reading};
pub use compare::{Comparison, compare};
pub use door::{Answer, LatencySource, Request};
pub use error::{TimingError, Unavailable};
pub use from_fn::{FromFn, from_fn};
pub use interleave::interleave;
pub use layers::{Counted, Counts, Limited};
pub use model::{ModelBackend, ModelRun, NodeTime};
pub use policy::Policy;
pub use sample::{Samples, measure, sample};
pub use sampling::{Rule, Sampling};
pub use source::BackendSource;
/// Seeded randomness for what engines fill their tensors with.
pub use stats::Rng;
pub use stop::{StopRule, Verdict};
