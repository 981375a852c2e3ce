//! The latency table: every measurement is made once and used wherever it is true.
//!
//! A table maps a [`Key`], the canonical texts of a conv spec and of a machine, to [`Entry`]s.
//! [`Cached`] puts a table before any latency source and is a latency source again, so that nobody who asks for a
//! latency knows of tables. Nothing here knows how a latency is obtained, and nothing computes one: what is not in
//! the table is asked of the source, and what the source cannot answer is an error.
//! The price of keeping every measurement for ever is history: a later measurement of the same key is appended,
//! and the first one goes on answering, so that two runs of one plan see the same numbers.
//!
//! ```
//! use netspec::{ConvSpec, LatencySource, Machine, Measurement, Provenance, StopReason, from_fn};
//! use sharing::{Cached, MemoryStore, TableKind};
//!
//! let engine = from_fn(|spec: &ConvSpec| {
//!     let mut measurement = Measurement::exact(spec.macs() as f64 / 50.0, Provenance::Measured);
//!     (measurement.samples, measurement.stop) = (30, StopReason::Precise);
//!     Ok(measurement)
//! });
//! let machine = Machine { engine: "mine".into(), threads: 1, ..Machine::default() };
//! let mut source = Cached::new(engine, MemoryStore::new(TableKind::Live), &machine);
//!
//! let specs: Vec<ConvSpec> = ["64>64 56x56 k3 p1", "64>64 56x56 k3 p1", "64>128 56x56 k3 s2 p1"]
//!     .iter()
//!     .map(|text| text.parse())
//!     .collect::<Result<_, _>>()?;
//! assert!(source.latencies(&specs).iter().all(Result::is_ok));
//! assert_eq!((source.stats().asked, source.stats().new, source.stats().shared), (3, 2, 1));
//! # Ok::<(), netspec::SpecError>(())
//! ```
//!
//! [`FileStore`] keeps a table in a file that several processes may share and that survives a kill at any moment.
//! [`merge`] unites tables of several devices of one kind, [`Layered`] reads one's own before a team's, and [`diff`] says
//! where the stairs of two devices differ. [`SharingPolicy`] is what one machine may use of another's figures.
//! [`write_csv`] is for people and for pandas; with the feature `json`, JSON Lines go out and come back.
#![deny(missing_docs)]
#![forbid(unsafe_code)]

mod cached;
mod csv;
mod diff;
mod entry;
mod error;
mod file;
mod index;
#[cfg(feature = "json")]
mod json_lines;
mod kind;
mod layered;
mod memory;
mod merge;
mod policy;
mod store;
mod wire;

pub use cached::{Cached, CachedStats};
pub use csv::write_csv;
pub use diff::{Axis, LineDiff, MovedRiser, StairLine, StairLines, WidthLatency, diff, stair_lines};
pub use entry::{Entry, Key};
pub use error::StoreError;
pub use file::{FileStore, Salvaged, salvage};
#[cfg(feature = "json")]
pub use json_lines::{read_json_lines, write_json_lines};
pub use kind::TableKind;
pub use layered::Layered;
pub use memory::MemoryStore;
pub use merge::{Merged, merge};
pub use policy::{SharingPolicy, Use};
pub use store::{Put, Store};
