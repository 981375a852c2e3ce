//! The latency table: every measurement is made once and used wherever it is true.
//!
//! A table maps a [`Key`], the canonical texts of a conv spec and of a machine and the cache state, to [`Entry`]s.
//! [`Cached`] puts a table before any latency source and is a latency source again, so that callers need not know of
//! tables. Nothing here knows how a latency is obtained, and nothing computes one: what is not in
//! the table is asked of the source, and what the source cannot answer is an error.
//! The price of keeping every measurement for ever is history: a later measurement of the same key is appended,
//! and the first one goes on answering, so that two runs of one plan see the same numbers.
//!
//! ```
//! use netspec::{ConvSpec, Machine, Measurement, Provenance, StopReason};
//! use sharing::{Cached, MemoryStore};
//! use timing::{LatencySource, Sampling, from_fn};
//!
//! let engine = from_fn(|spec: &ConvSpec| {
//!     let mut measurement = Measurement::exact(spec.macs() as f64 / 50.0, Provenance::Measured);
//!     (measurement.samples, measurement.stop) = (30, StopReason::Precise);
//!     Ok(measurement)
//! });
//! let machine = Machine { engine: "mine".into(), threads: 1, ..Machine::default() };
//! let mut source = Cached::new(engine.on(machine), MemoryStore::default());
//!
//! let specs: Vec<ConvSpec> = ["64>64 56x56 k3 p1", "64>64 56x56 k3 p1", "64>128 56x56 k3 s2 p1"]
//!     .iter()
//!     .map(|text| text.parse())
//!     .collect::<Result<_, _>>()?;
//! assert!(source.latencies(&specs, &Sampling::default()).iter().all(Result::is_ok));
//! assert_eq!((source.stats().asked, source.stats().new, source.stats().shared), (3, 2, 1));
//! # Ok::<(), netspec::SpecError>(())
//! ```
//!
//! # Where tables live
//!
//! [`DiskStore`] is the table that a device works with: an embedded database, written by several processes at once,
//! safe against a kill and a full disk. The portable form is JSON Lines, for people, for other programs and for years:
//! [`export`] writes it, [`Recorder`] appends to it, and [`open_read_only`] reads both forms. [`Recorded`] answers
//! latencies from a table alone. Nothing writes over a file that it cannot read: damage is an error, and [`set_aside`]
//! moves it away on request. A store of one's own needs three functions ([`Store`]).
//!
//! # Who shares what
//!
//! Equal keys share numbers: [`merge`] unites tables of devices of one kind, and [`Layered`] puts mine over my team's.
//! Machines that differ share no number; [`diff`] compares the staircases of two devices.
#![deny(missing_docs)]
#![forbid(unsafe_code)]

mod cached;
mod database;
mod diff;
mod disk;
mod entry;
mod error;
mod index;
mod kind;
mod layered;
mod lines;
mod memory;
mod merge;
mod open;
mod recorded;
mod recorder;
mod store;
mod text;
mod wire;

pub use cached::{Cached, CachedStats};
pub use diff::{DiffOptions, JumpDiff, LineDiff, PointDiff, Side, diff};
pub use disk::DiskStore;
pub use entry::{Entry, Key};
pub use error::StoreError;
pub use kind::TableKind;
pub use layered::Layered;
pub use lines::{Line, Lines, Stair};
pub use memory::MemoryStore;
pub use merge::{Merged, merge};
pub use open::{open_read_only, set_aside};
pub use recorded::Recorded;
pub use recorder::Recorder;
pub use store::{Put, Store};
pub use text::export;

/// Name and version of this tool in new entries.
const TOOL: &str = concat!("locp ", env!("CARGO_PKG_VERSION"));
