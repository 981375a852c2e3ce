//! What kind of numbers a table holds, and what may enter it.

use crate::entry::caches;
use crate::{Entry, Key, StoreError};
use netspec::Provenance;
use std::fmt;

/// What kind of numbers a table holds. Kinds never mix.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TableKind {
    /// Timed on a device by this tool; the only kind that a plan for a device may rest on.
    Live,
    /// Measured elsewhere and recorded.
    Recorded,
    /// Computed by an analytic model.
    Simulated,
}

impl fmt::Display for TableKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            TableKind::Live => "live",
            TableKind::Recorded => "recorded",
            TableKind::Simulated => "simulated",
        })
    }
}

impl TableKind {
    /// The only provenance that enters. What was not measured at all enters no table.
    fn provenance(self) -> Provenance {
        match self {
            TableKind::Live => Provenance::Measured,
            TableKind::Recorded => Provenance::Recorded,
            TableKind::Simulated => Provenance::Simulated,
        }
    }

    /// Returns the kind of numbers that an engine gives, by its name: `simulated:..` and `recorded:..` are not live.
    pub fn of_engine(engine: &str) -> TableKind {
        match engine.split([':', '|']).next() {
            Some("simulated") => TableKind::Simulated,
            Some("recorded") => TableKind::Recorded,
            _ => TableKind::Live,
        }
    }

    /// Checks that an entry may enter: its provenance, its engine, its cache state, and that its numbers are latencies.
    ///
    /// Every store calls this before it keeps anything.
    ///
    /// ```
    /// use netspec::{CacheState, ConvSpec, Machine, Measurement, Provenance};
    /// use sharing::{Entry, Key, TableKind};
    /// let key = Key::new(&ConvSpec::new(3, 8, [32, 32], [3, 3]), &Machine::default(), CacheState::Network);
    /// let computed = Entry::now(Measurement::exact(5.0, Provenance::Simulated), "doc");
    /// assert!(TableKind::Live.admit(&key, &computed).is_err());
    /// assert!(TableKind::Live.admit(&key, &Entry::now(Measurement::exact(5.0, Provenance::Measured), "doc")).is_ok());
    /// ```
    pub fn admit(self, key: &Key, entry: &Entry) -> Result<(), StoreError> {
        let measurement = &entry.measurement;
        let [low, high] = measurement.interval_ns;
        let is_latency = low > 0.0 && high.is_finite() && (low..=high).contains(&measurement.median_ns);
        let reason = if measurement.provenance != self.provenance() {
            format!("its number is {}", measurement.provenance)
        } else if TableKind::of_engine(&key.machine) != self {
            format!("its engine is {}", TableKind::of_engine(&key.machine))
        } else if measurement.cache != key.cache {
            format!("it was measured with {}", caches(measurement.cache))
        } else if !is_latency {
            format!("{} ns in [{low}, {high}] is not a latency", measurement.median_ns)
        } else {
            return Ok(());
        };
        Err(StoreError::Refused { key: key.to_string(), kind: self, reason })
    }
}
