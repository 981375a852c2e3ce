//! A table as a latency source.

use crate::entry::caches;
use crate::{StoreError, TableKind, open_read_only};
use netspec::{CacheState, ConvSpec, Machine, Measurement, Provenance};
use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use timing::{Answer, LatencySource, Request, Sampling, TimingError};

/// A table that plays the device: it answers what one machine's entries say, and [`TimingError::Missing`] for all else.
///
/// What was measured there comes back as [`Provenance::Recorded`]; what was simulated there stays simulated.
#[derive(Clone, Debug)]
pub struct Recorded {
    path: PathBuf,
    kind: TableKind,
    machine: Machine,
    origin: Machine,
    entries: BTreeMap<(ConvSpec, CacheState), Measurement>,
}

impl Recorded {
    /// Reads a table of either form. `machine` is a part of the text of the machine to play; `None` if the table holds
    /// only one.
    ///
    /// # Errors
    /// [`StoreError::WhichMachine`] if not exactly one machine fits, and whatever [`open_read_only`] returns.
    pub fn open(path: impl AsRef<Path>, machine: Option<&str>) -> Result<Recorded, StoreError> {
        let path = path.as_ref();
        let (store, kind) = open_read_only(path)?;
        let mut machines: BTreeMap<String, BTreeMap<(ConvSpec, CacheState), Measurement>> = BTreeMap::new();
        store.scan(&mut |key, entry| {
            if let (true, Ok(spec)) = (machine.is_none_or(|part| key.machine.contains(part)), key.conv_spec()) {
                let entries = machines.entry(key.machine).or_default();
                // The first entry of a key answers, as everywhere.
                entries.entry((spec, key.cache)).or_insert_with(|| recorded(entry.measurement));
            }
            ControlFlow::Continue(())
        })?;
        let known: Vec<String> = machines.keys().cloned().collect();
        let which = || StoreError::WhichMachine { path: path.to_owned(), machines: known.clone() };
        let (Some((text, entries)), 1) = (machines.pop_first(), known.len()) else { return Err(which()) };
        let origin: Machine = text.parse().map_err(|_| which())?;
        let label = if kind == TableKind::Simulated { "simulated:recorded" } else { "recorded" };
        let machine = Machine { engine: format!("{label}:{}", path.display()), ..origin.clone() };
        Ok(Recorded { path: path.to_owned(), kind, machine, origin, entries })
    }

    /// Returns the kind of numbers that the table holds.
    pub fn kind(&self) -> TableKind {
        self.kind
    }

    /// Returns the machine under the name of this engine, `recorded:<file>`, or `simulated:recorded:<file>` if its numbers
    /// are simulated, so that they never pass for measured ones.
    pub fn machine(&self) -> &Machine {
        &self.machine
    }

    /// Returns the machine that was recorded.
    pub fn origin(&self) -> &Machine {
        &self.origin
    }

    /// Returns the path of the table.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns all entries, in every cache state, in the order of the specs.
    pub fn entries(&self) -> impl Iterator<Item = (&ConvSpec, &Measurement)> {
        self.entries.iter().map(|((spec, _), measurement)| (spec, measurement))
    }
}

fn recorded(mut measurement: Measurement) -> Measurement {
    if measurement.provenance == Provenance::Measured {
        measurement.provenance = Provenance::Recorded;
    }
    measurement
}

impl LatencySource for Recorded {
    fn machine(&self) -> Machine {
        self.machine.clone()
    }

    fn read(&mut self, requests: &[Request], how: &Sampling) -> Vec<Result<Answer, TimingError>> {
        let cache = how.policy.cache();
        let answer = |Request { spec, .. }: &Request| match self.entries.get(&(spec.clone(), cache)) {
            Some(known) => Ok(Answer::Settled(known.clone())),
            None => {
                Err(TimingError::missing(spec, format!("the table {} with {}", self.path.display(), caches(cache))))
            }
        };
        requests.iter().map(answer).collect()
    }
}
