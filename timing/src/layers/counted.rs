//! Counting what a source is asked for, and how long it takes.

use crate::door::{Answer, LatencySource, Request};
use crate::error::TimingError;
use crate::sampling::Sampling;
use netspec::Provenance;
use std::time::{Duration, Instant};

/// What a source was asked for so far.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Counts {
    /// Requests that were answered.
    pub answered: u64,
    /// Raw readings among the answers.
    pub readings: u64,
    /// Requests that ended in an error.
    pub failed: u64,
    /// Answers that are not measurements of this device: simulated ones.
    pub simulated: u64,
    /// Answers that are not measurements of this device: recorded ones.
    pub recorded: u64,
    /// Time that the source was busy, preparing and running.
    pub busy: Duration,
}

/// A source whose requests are counted and timed.
#[derive(Debug)]
pub struct Counted<S> {
    source: S,
    counts: Counts,
}

impl<S> Counted<S> {
    /// Counts what `source` is asked for.
    pub fn new(source: S) -> Counted<S> {
        Counted { source, counts: Counts::default() }
    }

    /// Returns the counts so far.
    pub fn counts(&self) -> Counts {
        self.counts
    }
}

impl<S: LatencySource> LatencySource for Counted<S> {
    forward_to_source!();

    fn read(&mut self, requests: &[Request], how: &Sampling) -> Vec<Result<Answer, TimingError>> {
        let start = Instant::now();
        let answers = self.source.read(requests, how);
        self.counts.busy += start.elapsed();
        for answer in &answers {
            let Ok(answer) = answer else {
                self.counts.failed += 1;
                continue;
            };
            self.counts.answered += 1;
            let provenance = match answer {
                Answer::Readings(samples) => {
                    self.counts.readings += samples.ns.len() as u64;
                    samples.provenance
                }
                Answer::Settled(measurement) => measurement.provenance,
            };
            self.counts.simulated += u64::from(provenance == Provenance::Simulated);
            self.counts.recorded += u64::from(provenance == Provenance::Recorded);
        }
        answers
    }
}
