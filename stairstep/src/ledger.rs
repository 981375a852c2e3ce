//! All that a search was told, and the statistical comparison of two widths.

use crate::noise::{Level, Levels, Reading};
use crate::{Config, Readings, Sample};
use std::cell::OnceCell;
use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

/// The latency of a width and its interval.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Estimate {
    pub(crate) ns: f64,
    pub(crate) interval_ns: [f64; 2],
    pub(crate) readings: usize,
}

/// A comparison of two widths.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Comparison {
    /// Less or greater if they are further apart than the tolerance.
    pub(crate) order: Ordering,
    /// Whether the readings tell as much; see [`Ledger::compare`].
    pub(crate) decided: bool,
    /// ln(a / b), and its standard error.
    pub(crate) difference: f64,
    pub(crate) error: f64,
    /// Readings of the width that has fewer.
    pub(crate) readings: usize,
    /// Rounds in which the width that was read in fewer rounds was read.
    pub(crate) rounds: u32,
}

#[derive(Clone, Debug, Default)]
struct Record {
    summary: Option<Estimate>,
    finished: bool,
    asked: usize,
    rounds: BTreeSet<u32>,
}

/// The readings of every width. Within a round, what was told first or last leaves no trace.
#[derive(Clone, Debug)]
pub(crate) struct Ledger {
    records: BTreeMap<usize, Record>,
    readings: BTreeMap<usize, Vec<Reading>>,
    round: u32,
    /// Estimated when it is needed; forgotten whenever something is told.
    levels: OnceCell<Levels>,
    quantiles: Quantiles,
    config: Config,
}

/// The probability from which on it counts that no reading of a width is sound.
const CONTAMINATED: f64 = 0.002;

impl Ledger {
    pub(crate) fn new(config: &Config) -> Ledger {
        Ledger {
            records: BTreeMap::new(),
            readings: BTreeMap::new(),
            round: 0,
            levels: OnceCell::new(),
            quantiles: Quantiles::new(1.0 - config.confidence),
            config: config.clone(),
        }
    }

    /// Begins a round: what is told from now on was taken together.
    pub(crate) fn next_round(&mut self) {
        self.round += 1;
    }

    /// Records that `readings` are asked for.
    pub(crate) fn asked(&mut self, channels: usize, readings: usize) {
        self.records.entry(channels).or_default().asked += readings;
    }

    /// Takes a sample; one out of range is ignored.
    pub(crate) fn tell(&mut self, sample: Sample) {
        if sample.channels < self.config.min_channels || sample.channels > self.config.max_channels {
            return;
        }
        let record = self.records.entry(sample.channels).or_default();
        match sample.readings {
            Readings::Raw(readings) => {
                let sound = readings.into_iter().filter(|ns| ns.is_finite() && *ns > 0.0);
                let of = self.readings.entry(sample.channels).or_default();
                // The first readings of all widths of a round are taken in turns, then the second ones.
                let turn = of.iter().filter(|reading| reading.block.0 == self.round).count();
                let round = self.round;
                of.extend(sound.enumerate().map(|(i, ns)| Reading { block: (round, turn + i), ns, ln: ns.ln() }));
                record.rounds.insert(self.round);
                self.levels = OnceCell::new();
            }
            Readings::Summary { median_ns, interval_ns: [low, high], samples } => {
                let sound = median_ns > 0.0 && low > 0.0 && low <= median_ns && median_ns <= high && high.is_finite();
                let told =
                    sound.then_some(Estimate { ns: median_ns, interval_ns: [low, high], readings: samples as usize });
                // Of several summaries the one that ranks first stays, whatever order they come in.
                record.summary = match (record.summary, told) {
                    (Some(old), Some(new)) => Some(if rank(&new) < rank(&old) { new } else { old }),
                    (old, new) => old.or(new),
                };
                record.finished = true;
            }
        }
    }

    /// Whether a width has a latency.
    pub(crate) fn has(&self, channels: usize) -> bool {
        self.records.get(&channels).is_some_and(|record| record.summary.is_some()) || self.taken(channels) > 0
    }

    fn levels(&self) -> &Levels {
        let is_exact = self.config.max_readings == 1;
        self.levels.get_or_init(|| Levels::estimate(&self.readings, is_exact))
    }

    fn level(&self, channels: usize) -> Option<Level> {
        self.levels().of.get(&channels).copied()
    }

    /// Whether all readings of a width may be contaminated, by the share of contaminated readings of the whole line.
    pub(crate) fn may_be_contaminated(&self, channels: usize) -> bool {
        self.levels().share.powi(self.taken(channels) as i32) > CONTAMINATED && !self.is_finished(channels)
    }

    pub(crate) fn estimate(&self, channels: usize) -> Option<Estimate> {
        let record = self.records.get(&channels)?;
        if let Some(summary) = record.summary.filter(|_| record.finished) {
            return Some(summary);
        }
        let level = self.level(channels)?;
        if self.config.max_readings == 1 {
            // What is trusted as it is comes back as it was.
            let ns = self.readings.get(&channels)?.iter().map(|reading| reading.ns).fold(f64::INFINITY, f64::min);
            return Some(Estimate { ns, interval_ns: [ns, ns], readings: level.readings });
        }
        let margin = self.quantiles.z(1) * (level.variance + level.drift).sqrt();
        let interval_ns = [level.ln - margin, level.ln + margin].map(f64::exp);
        Some(Estimate { ns: level.ln.exp(), interval_ns, readings: level.readings })
    }

    /// All widths with a latency, ascending.
    pub(crate) fn known(&self) -> impl DoubleEndedIterator<Item = (usize, Estimate)> {
        self.records.keys().filter_map(|&channels| Some((channels, self.estimate(channels)?)))
    }

    /// Readings of a width so far.
    pub(crate) fn taken(&self, channels: usize) -> usize {
        self.readings.get(&channels).map_or(0, Vec::len)
    }

    /// How many further readings of a width may be asked for, at most `wanted`.
    pub(crate) fn left(&self, channels: usize, wanted: usize) -> usize {
        self.records.get(&channels).map_or(wanted, |record| {
            let taken = record.asked.max(self.taken(channels));
            if record.finished { 0 } else { wanted.min(self.config.max_readings.saturating_sub(taken)) }
        })
    }

    /// Whether a width has no latency and never will.
    pub(crate) fn is_hopeless(&self, channels: usize) -> bool {
        !self.has(channels) && self.left(channels, 1) == 0
    }

    /// Whether a finished figure was told, so that no reading is asked for any more.
    pub(crate) fn is_finished(&self, channels: usize) -> bool {
        self.records.get(&channels).is_some_and(|record| record.finished)
    }

    /// Compares two widths; one without a latency is greater than any other.
    ///
    /// They differ if their levels are further apart than the tolerance t. That is decided once the readings
    /// exclude the answer that would be wrong by much: for *different*, a true difference below t / 2; for *equal*,
    /// one beyond 1.5 t. In between either answer is right, so every comparison is decided in the end.
    /// Looks are counted by rounds, the k-th erring with probability alpha / (k (k + 1)) at most, which sums up to
    /// alpha = 1 - [`Config::confidence`].
    pub(crate) fn compare(&self, a: usize, b: usize) -> Comparison {
        let (Some(first), Some(second)) = (self.log(a), self.log(b)) else {
            let order = self.has(b).cmp(&self.has(a));
            return Comparison { order, decided: true, difference: 0.0, error: 0.0, readings: 0, rounds: 2 };
        };
        let difference = first.ln - second.ln;
        let apart = 1.0 - self.common_blocks(a, b);
        let error = (first.variance + second.variance + apart * (first.drift + second.drift)).sqrt();
        let tolerance = self.config.tolerance;
        let order = match difference {
            d if d > tolerance.ln_1p() => Ordering::Greater,
            d if d < -tolerance.ln_1p() => Ordering::Less,
            _ => Ordering::Equal,
        };
        let rounds = self.rounds(a).min(self.rounds(b));
        let margin = self.quantiles.z(rounds) * error;
        let room = match order {
            Ordering::Equal => (1.5 * tolerance).ln_1p() - difference.abs(),
            _ => difference.abs() - (0.5 * tolerance).ln_1p(),
        };
        let decided = self.config.max_readings == 1 || margin < room;
        Comparison { order, decided, difference, error, readings: first.readings.min(second.readings), rounds }
    }

    /// The level of a width, a finished figure's by its interval.
    fn log(&self, channels: usize) -> Option<Level> {
        match self.records.get(&channels)? {
            Record { finished: true, summary: Some(Estimate { ns, interval_ns: [low, high], .. }), .. } => {
                let error = (high / low).ln() / 2.0 / self.quantiles.z(1);
                Some(Level { ln: ns.ln(), variance: error * error, drift: 0.0, readings: self.config.max_readings })
            }
            _ => self.level(channels),
        }
    }

    /// The rounds in which a width was read; a finished figure counts as any number of them.
    pub(crate) fn rounds(&self, channels: usize) -> u32 {
        self.records.get(&channels).map_or(1, |record| if record.finished { 2 } else { record.rounds.len() as u32 })
    }

    /// The share of blocks that saw both, of the width that was read in more: in those, drift cancels.
    fn common_blocks(&self, a: usize, b: usize) -> f64 {
        let (Some(a), Some(b)) = (self.readings.get(&a), self.readings.get(&b)) else { return 0.0 };
        let common = a.iter().filter(|first| b.iter().any(|second| second.block == first.block)).count();
        common as f64 / a.len().max(b.len()).max(1) as f64
    }
}

/// The normal quantiles of each look, both sides, the k-th erring with probability doubt / (k (k + 1)).
#[derive(Clone, Debug)]
struct Quantiles([f64; LOOKS]);

/// Looks that are told apart: readings double with each, so that no comparison is looked at more often.
const LOOKS: usize = 12;

impl Quantiles {
    fn new(doubt: f64) -> Quantiles {
        Quantiles(std::array::from_fn(|i| {
            let k = (i + 1) as f64;
            stats::normal_quantile(1.0 - doubt / (k * (k + 1.0)) / 2.0)
        }))
    }

    fn z(&self, look: u32) -> f64 {
        self.0[(look.max(1) as usize).min(LOOKS) - 1]
    }
}

fn rank(estimate: &Estimate) -> (usize, [u64; 3]) {
    let [low, high] = estimate.interval_ns;
    (usize::MAX - estimate.readings, [estimate.ns, low, high].map(f64::to_bits))
}
