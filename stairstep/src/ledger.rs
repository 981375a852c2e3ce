//! All that a search was told, and the statistical comparison of two widths.

use crate::scatter::{self, median_variance};
use crate::{Config, Readings, Sample};
use std::cell::OnceCell;
use std::cmp::Ordering;
use std::collections::BTreeMap;

/// The median of a width and its interval.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Estimate {
    pub(crate) ns: f64,
    pub(crate) interval_ns: [f64; 2],
    pub(crate) readings: usize,
}

/// A comparison of two widths.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Comparison {
    /// Less or greater where they are further apart than the tolerance.
    pub(crate) order: Ordering,
    /// Whether the readings tell as much; see [`Ledger::compare`].
    pub(crate) decided: bool,
    /// ln(a / b), and its standard error.
    pub(crate) difference: f64,
    pub(crate) error: f64,
    /// Readings of each that were taken in the same rounds as the other's.
    pub(crate) common: usize,
    /// Rounds that saw both.
    pub(crate) looks: u32,
    /// How much smaller the error would have to be for a decision: its square times the readings so far are needed.
    shortfall: f64,
}

impl Comparison {
    /// Whether so many readings of each would not decide it, as far as these tell.
    pub(crate) fn is_futile(&self, max_readings: usize) -> bool {
        let needed = self.common as f64 * self.shortfall * self.shortfall;
        // The first few readings tell little about how far they scatter.
        self.looks >= 2 && !self.decided && needed > FUTILE * max_readings as f64
    }
}

/// How many times the readings allowed a decision must need before it is given up.
const FUTILE: f64 = 12.0;

#[derive(Clone, Debug, Default)]
struct Record {
    /// The readings in nanoseconds, by the round in which they were taken.
    rounds: BTreeMap<u32, Vec<f64>>,
    summary: Option<Estimate>,
    finished: bool,
    asked: usize,
}

impl Record {
    fn readings(&self) -> usize {
        self.rounds.values().map(Vec::len).sum()
    }

    fn pairs(&self) -> Vec<f64> {
        self.rounds.values().flat_map(|round| scatter::pairs(round)).collect()
    }
}

/// The readings of every width. Within a round, what was told first or last leaves no trace.
#[derive(Clone, Debug)]
pub(crate) struct Ledger {
    records: BTreeMap<usize, Record>,
    round: u32,
    /// How far single readings of any width scatter, in ln; forgotten whenever something is told.
    scale: OnceCell<Option<f64>>,
    quantiles: Quantiles,
    config: Config,
}

/// The share of the tolerance that the standard error of a median may be for a look at the whole.
const LOOK: f64 = 0.4;
/// Pairs of readings that the scatter of all widths counts for, beside a width's own.
const PRIOR_PAIRS: f64 = 6.0;
/// Pairs of its own from which on a width's scatter says something.
const OWN_PAIRS: usize = 4;

impl Ledger {
    pub(crate) fn new(config: &Config) -> Ledger {
        Ledger {
            records: BTreeMap::new(),
            round: 0,
            scale: OnceCell::new(),
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
                record.rounds.entry(self.round).or_default().extend(sound);
                self.scale = OnceCell::new();
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
        self.records.get(&channels).is_some_and(|record| record.summary.is_some() || record.readings() > 0)
    }

    pub(crate) fn estimate(&self, channels: usize) -> Option<Estimate> {
        let record = self.records.get(&channels)?;
        if record.finished && record.summary.is_some() {
            return record.summary;
        }
        let mut all: Vec<f64> = record.rounds.values().flatten().copied().collect();
        all.sort_unstable_by(f64::total_cmp);
        let ns = stats::median(&all)?;
        let confidence = self.config.confidence;
        let interval_ns = if all.len() >= stats::min_samples(confidence) {
            stats::median_interval(&all, confidence)?
        } else {
            // Order statistics of so few readings have no such confidence; the scatter of all widths tells more.
            let scale = self.scale(record);
            let margin =
                if scale.is_finite() { self.quantiles.z(1) * median_variance(scale, all.len()).sqrt() } else { 0.0 };
            [f64::min(ns * (-margin).exp(), all[0]), f64::max(ns * margin.exp(), all[all.len() - 1])]
        };
        Some(Estimate { ns, interval_ns, readings: all.len() })
    }

    /// All widths with a latency, ascending.
    pub(crate) fn known(&self) -> impl DoubleEndedIterator<Item = (usize, Estimate)> {
        self.records.keys().filter_map(|&channels| Some((channels, self.estimate(channels)?)))
    }

    /// Readings of a width that its median takes to be known as well as a look at the whole needs it: its standard error
    /// at most [`LOOK`] of the tolerance.
    pub(crate) fn needed(&self, channels: usize) -> usize {
        let scale = self.records.get(&channels).map_or(0.0, |record| self.scale(record));
        let needed = median_variance(scale / (LOOK * self.config.tolerance), 100) * 100.0;
        // More than are allowed is as good as any number.
        if needed.is_finite() { needed.min(1e6) as usize } else { 0 }
    }

    /// Readings of a width so far; a finished figure counts as any number of them.
    pub(crate) fn taken(&self, channels: usize) -> usize {
        self.records.get(&channels).map_or(0, |r| if r.finished { usize::MAX } else { r.readings() })
    }

    /// How many further readings of a width may be asked for, at most `wanted`.
    pub(crate) fn left(&self, channels: usize, wanted: usize) -> usize {
        self.records.get(&channels).map_or(wanted, |record| {
            let taken = record.asked.max(record.readings());
            if record.finished { 0 } else { wanted.min(self.config.max_readings.saturating_sub(taken)) }
        })
    }

    /// Whether a width has no latency and never will.
    pub(crate) fn is_hopeless(&self, channels: usize) -> bool {
        !self.has(channels) && self.left(channels, 1) == 0
    }

    /// Compares two widths; one without a latency is greater than any other.
    ///
    /// They differ where their medians are further apart than the tolerance t. That is decided once the readings
    /// exclude the answer that would be wrong by much: for *different*, a true difference below t / 2; for *equal*,
    /// one beyond 1.5 t. In between either answer is right, so every comparison is decided in the end.
    /// Looks are counted by rounds, the k-th erring with probability alpha / (k (k + 1)) at most, which sums up to
    /// alpha = 1 - [`Config::confidence`].
    ///
    /// Only readings of rounds that saw both widths count, round by round: what drifts between rounds cancels.
    pub(crate) fn compare(&self, a: usize, b: usize) -> Comparison {
        let (Some(first), Some(second)) = (self.estimate(a), self.estimate(b)) else {
            let order = self.has(b).cmp(&self.has(a));
            return Comparison {
                order,
                decided: true,
                difference: 0.0,
                error: 0.0,
                common: 0,
                looks: 2,
                shortfall: 0.0,
            };
        };
        let plain = (first.ns / second.ns).ln();
        let (difference, error, common, looks) = self.paired(a, b).unwrap_or_else(|| {
            // A finished figure is compared by its interval; so are readings that cannot be taken together any more.
            let half = |e: &Estimate| (e.interval_ns[1] / e.interval_ns[0]).ln() / 2.0;
            let error = half(&first).hypot(half(&second)) / self.quantiles.z(1);
            (plain, if error.is_finite() { error } else { 0.0 }, 0, 1)
        });
        let tolerance = self.config.tolerance;
        let order = match difference {
            d if d > tolerance.ln_1p() => Ordering::Greater,
            d if d < -tolerance.ln_1p() => Ordering::Less,
            _ => Ordering::Equal,
        };
        let margin = self.quantiles.z(looks) * error;
        let room = match order {
            Ordering::Equal => (1.5 * tolerance).ln_1p() - difference.abs(),
            _ => difference.abs() - (0.5 * tolerance).ln_1p(),
        };
        let decided = margin < room;
        let believed = self.is_finished(a) || self.is_finished(b) || common > 0;
        let is_single = self.config.max_readings == 1;
        Comparison {
            order,
            decided: is_single || (believed && decided),
            difference,
            error,
            common,
            looks,
            shortfall: margin / room,
        }
    }

    /// Whether a finished figure was told, so that no reading is asked for any more.
    pub(crate) fn is_finished(&self, channels: usize) -> bool {
        self.records.get(&channels).is_some_and(|record| record.finished)
    }

    /// ln(a / b), its standard error, common readings and rounds, from the rounds that saw both; nothing without one.
    fn paired(&self, a: usize, b: usize) -> Option<(f64, f64, usize, u32)> {
        let (a, b) = (self.records.get(&a)?, self.records.get(&b)?);
        if a.finished || b.finished {
            return None;
        }
        let (mut sum, mut weights, mut common, mut looks) = (0.0, 0.0, 0, 0);
        for (round, of_a) in &a.rounds {
            let Some(of_b) = b.rounds.get(round) else { continue };
            let (Some(median_a), Some(median_b)) = (stats::median(of_a), stats::median(of_b)) else { continue };
            let weight = 1.0 / (median_variance(1.0, of_a.len()) + median_variance(1.0, of_b.len()));
            sum += weight * (median_a / median_b).ln();
            weights += weight;
            common += of_a.len().min(of_b.len());
            looks += 1;
        }
        // The wider of the two scatters: a width that is read on a busy moment must not look certain.
        let scale = f64::max(self.scale(a), self.scale(b));
        (looks > 0).then(|| (sum / weights, scale / f64::sqrt(weights), common, looks))
    }

    /// How far readings of a width scatter: its own pairs, where it has several, together with everybody's.
    fn scale(&self, record: &Record) -> f64 {
        let pooled = *self.scale.get_or_init(|| {
            let mut pairs: Vec<f64> = self.records.values().flat_map(Record::pairs).collect();
            scatter::scale(&mut pairs)
        });
        let Some(pooled) = pooled else { return if self.config.max_readings > 1 { f64::INFINITY } else { 0.0 } };
        let mut own = record.pairs();
        let n = own.len();
        match scatter::scale(&mut own).filter(|_| n >= OWN_PAIRS) {
            Some(own) => {
                let n = n as f64;
                ((PRIOR_PAIRS * pooled * pooled + n * own * own) / (PRIOR_PAIRS + n)).sqrt()
            }
            None => pooled,
        }
    }
}

/// The normal quantiles of each look, both sides, the k-th erring with probability doubt / (k (k + 1)).
#[derive(Clone, Debug)]
struct Quantiles([f64; LOOKS]);

/// Looks that are told apart: readings double with each, so that nobody looks more often.
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
