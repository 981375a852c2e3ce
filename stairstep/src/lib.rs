//! Finds the steps of a latency staircase from few measurements.
//!
//! Latency is a staircase in the number of channels: flat treads with steps between them.
//! Only the last width of a tread, an *edge*, is worth choosing: the most channels for that latency.
//! Nothing here measures: a [`Search`] asks for a width, takes its latency, and cannot fail, so that the
//! measuring may happen in this thread, in another process or in a table. The caller drives the loop ([`find_steps`] is
//! that loop for a closure).
//! Readings are noisy in one direction, because a run that is preempted takes longer and none takes less: latencies and
//! comparisons are those of the uncontaminated readings.
//!
//! ```
//! use stairstep::{Config, find_steps};
//!
//! // A step every 32 channels, and a slow kernel between 256 and 320: fewer channels would be faster *and* worse.
//! let latency_ns = |c: usize| 1000.0 * c.div_ceil(32) as f64 + if c > 256 && c <= 320 { 5000.0 } else { 0.0 };
//! let stairs = find_steps(&Config::new(512).exact(), latency_ns);
//!
//! assert_eq!(stairs.granularity().step, 32);
//! let edges: Vec<usize> = stairs.edges().iter().map(|edge| edge.channels).collect();
//! assert_eq!(edges, [32, 64, 96, 128, 160, 192, 224, 256, 352, 384, 416, 448, 480, 512]);
//! // 257 to 351 channels cost at least as much as 352.
//! assert!(stairs.dominated().contains(&(257, 351)));
//! assert!(stairs.probed().len() < 80);
//! ```
//!
//! Ask/tell, where measuring is elsewhere: several probes may be outstanding, and come back in any order.
//!
//! ```
//! use stairstep::{Ask, Config, Readings, Sample, Strategy};
//!
//! let mut search = Strategy::ThreePoint.into_search(&Config::new(256).granularity(8));
//! let mut outstanding = Vec::new();
//! let why = loop {
//!     match search.ask() {
//!         Ask::Probe(probe) => outstanding.push(probe),
//!         Ask::Waiting => {
//!             let probe = outstanding.pop().expect("something is outstanding while the search waits");
//!             let ns = 500.0 * probe.channels.div_ceil(16) as f64;
//!             search.tell(Sample { channels: probe.channels, readings: Readings::Raw(vec![ns; probe.readings]) });
//!         }
//!         Ask::Done(why) => break why,
//!     }
//! };
//! assert_eq!(why, stairstep::StopReason::Settled);
//! assert_eq!(search.stairs().edges().len(), 16);
//! ```
//!
//! Results and samples can be stored: the feature `serde` derives `Serialize` and `Deserialize` for them.
#![deny(missing_docs)]
#![forbid(unsafe_code)]

mod assemble;
mod audit;
mod config;
mod find;
mod granularity;
mod ledger;
mod noise;
mod rounds;
mod sample;
mod search;
mod shape;
mod slopes;
mod staircase;
mod strategy;

pub use audit::{MissBound, most_unseen};
pub use config::Config;
pub use find::{find_steps, try_find_steps};
pub use granularity::Granularity;
pub use sample::{Probe, Readings, Sample};
pub use search::{Ask, Search, StopReason, Strategy};
pub use shape::{Shape, classify};
pub use staircase::{Edge, Point, Probed, Staircase};
