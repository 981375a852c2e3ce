//! Answering from a recorded table.

use crate::error::RecordError;
use crate::played::in_cache;
use crate::recorder::{Header, Line, SCHEMA};
use netspec::{ConvSpec, Machine, Measurement, Provenance};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use timing::{Answer, LatencySource, Request, Sampling, TimingError};

/// A recorded table: answers what is in it, and [`TimingError::Missing`] for all else.
///
/// What was measured there comes back as [`Provenance::Recorded`]; what was already simulated, interpolated or taken
/// from a tread there keeps that label. Where a spec was recorded twice the later line counts. A torn last line, as a
/// killed recorder leaves it, is ignored.
#[derive(Clone, Debug)]
pub struct Recorded {
    path: PathBuf,
    machine: Machine,
    origin: Machine,
    table: BTreeMap<ConvSpec, Measurement>,
}

impl Recorded {
    /// Reads a table.
    pub fn open(path: &Path) -> Result<Recorded, RecordError> {
        let text = std::fs::read_to_string(path).map_err(RecordError::io(path))?;
        let mut lines = text.split_inclusive('\n').enumerate();
        let origin = header(path, lines.next().map_or("", |(_, line)| line))?;
        let mut table = BTreeMap::new();
        for (index, line) in lines {
            match read_line(line) {
                Ok((spec, measurement)) => table.insert(spec, measurement),
                Err(_) if !line.ends_with('\n') || line.trim().is_empty() => continue,
                Err(reason) => return Err(RecordError::Line { path: path.to_owned(), line: index + 1, reason }),
            };
        }
        let machine = Machine { engine: format!("recorded:{}", path.display()), ..origin.clone() };
        Ok(Recorded { path: path.to_owned(), machine, origin, table })
    }

    /// A table that is in memory already: what `origin` measured, from the place at `path`.
    ///
    /// What was measured there comes back as [`Provenance::Recorded`], as from a file.
    pub fn of(path: &Path, origin: Machine, entries: impl IntoIterator<Item = (ConvSpec, Measurement)>) -> Recorded {
        let recorded = |mut measurement: Measurement| {
            if measurement.provenance == Provenance::Measured {
                measurement.provenance = Provenance::Recorded;
            }
            measurement
        };
        let table = entries.into_iter().map(|(spec, measurement)| (spec, recorded(measurement))).collect();
        let machine = Machine { engine: format!("recorded:{}", path.display()), ..origin.clone() };
        Recorded { path: path.to_owned(), machine, origin, table }
    }

    /// Whether any of it was simulated rather than measured.
    pub fn is_simulated(&self) -> bool {
        self.table.values().any(|measurement| measurement.provenance == Provenance::Simulated)
    }

    /// The machine under the name of this engine, `recorded:<file>`.
    pub fn machine(&self) -> &Machine {
        &self.machine
    }

    /// The machine that was recorded.
    pub fn origin(&self) -> &Machine {
        &self.origin
    }

    /// What is in the table, in the order of the specs.
    pub fn entries(&self) -> impl Iterator<Item = (&ConvSpec, &Measurement)> {
        self.table.iter()
    }

    fn place(&self) -> String {
        format!("the table {}", self.path.display())
    }
}

fn header(path: &Path, line: &str) -> Result<Machine, RecordError> {
    let wrong = |found: String| RecordError::Header { path: path.to_owned(), found };
    let header: Header<'_> = serde_json::from_str(line).map_err(|error| wrong(format!("not a header: {error}")))?;
    if header.schema != SCHEMA {
        return Err(wrong(format!("schema {} is not known to this version", header.schema)));
    }
    Ok(header.machine.into_owned())
}

fn read_line(line: &str) -> Result<(ConvSpec, Measurement), String> {
    let line: Line<'_> = serde_json::from_str(line).map_err(|error| error.to_string())?;
    let spec: ConvSpec = line.spec.parse().map_err(|error: netspec::SpecError| error.to_string())?;
    let mut measurement = line.measurement.into_owned();
    let [low, high] = measurement.interval_ns;
    if !(0.0 < low && low <= measurement.median_ns && measurement.median_ns <= high && high.is_finite()) {
        return Err(format!("a median of {} ns in the interval [{low}, {high}] is no latency", measurement.median_ns));
    }
    if measurement.provenance == Provenance::Measured {
        measurement.provenance = Provenance::Recorded;
    }
    Ok((spec, measurement))
}

impl LatencySource for Recorded {
    fn machine(&self) -> Machine {
        self.machine.clone()
    }

    fn read(&mut self, requests: &[Request], how: &Sampling) -> Vec<Result<Answer, TimingError>> {
        let cache = how.policy.cache;
        let answer = |Request { spec, .. }: &Request| match self.table.get(spec) {
            Some(known) if known.cache == cache => Ok(Answer::Settled(known.clone())),
            Some(_) => Err(TimingError::missing(spec, in_cache(&self.place(), cache))),
            None => Err(TimingError::missing(spec, self.place())),
        };
        requests.iter().map(answer).collect()
    }
}
