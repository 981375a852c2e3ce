//! All that a search was told, and the statistical comparison of two widths.

use crate::{Config, Readings, Sample};
use std::cmp::Ordering;
use std::collections::BTreeMap;

/// The median of a width and its interval.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Estimate {
    pub(crate) ns: f64,
    pub(crate) interval_ns: [f64; 2],
    pub(crate) readings: usize,
    /// A summary, believed whatever it rests on.
    finished: bool,
}

impl Estimate {
    /// Half the width of the interval of ln(median).
    fn half_width(&self) -> f64 {
        (self.interval_ns[1] / self.interval_ns[0]).ln() / 2.0
    }
}

/// A comparison of two widths.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Comparison {
    /// Less or greater where the medians are further apart than the tolerance.
    pub(crate) order: Ordering,
    /// Whether the intervals of the medians tell as much.
    pub(crate) decided: bool,
}

#[derive(Clone, Debug, Default)]
struct Record {
    raw: Vec<f64>,
    finished: bool,
    asked: usize,
    estimate: Option<Estimate>,
}

/// The readings of every width, by width: what was told first or last leaves no trace.
#[derive(Clone, Debug)]
pub(crate) struct Ledger {
    records: BTreeMap<usize, Record>,
    confidence: f64,
    threshold: f64,
    max_readings: usize,
    /// With fewer readings there is no interval at this confidence, unless the caller allows no more of them.
    few: usize,
}

impl Ledger {
    pub(crate) fn new(config: &Config) -> Ledger {
        Ledger {
            records: BTreeMap::new(),
            confidence: config.confidence,
            threshold: config.tolerance.ln_1p(),
            max_readings: config.max_readings,
            few: stats::min_samples(config.confidence).min(config.max_readings),
        }
    }

    /// Notes that so many readings are asked for.
    pub(crate) fn asked(&mut self, channels: usize, readings: usize) {
        self.records.entry(channels).or_default().asked += readings;
    }

    pub(crate) fn tell(&mut self, sample: Sample) {
        let record = self.records.entry(sample.channels).or_default();
        match sample.readings {
            Readings::Raw(readings) => {
                record.raw.extend(readings.into_iter().filter(|ns| ns.is_finite() && *ns > 0.0));
                if !record.finished {
                    record.raw.sort_by(f64::total_cmp);
                    record.estimate = summarize(&record.raw, self.confidence);
                }
            }
            Readings::Summary { median_ns, interval_ns: [low, high], samples } => {
                let sound = median_ns > 0.0 && low > 0.0 && low <= median_ns && median_ns <= high && high.is_finite();
                let told = sound.then_some(Estimate {
                    ns: median_ns,
                    interval_ns: [low, high],
                    readings: samples as usize,
                    finished: true,
                });
                // Of several summaries the one that ranks first stays, whatever order they come in.
                record.estimate = match (record.finished, record.estimate, told) {
                    (true, Some(old), Some(new)) => Some(if rank(&new) < rank(&old) { new } else { old }),
                    (true, old, new) => new.or(old),
                    (false, _, new) => new,
                };
                record.finished = true;
            }
        }
    }

    pub(crate) fn estimate(&self, channels: usize) -> Option<&Estimate> {
        self.records.get(&channels)?.estimate.as_ref()
    }

    /// All widths with a latency, ascending.
    pub(crate) fn known(&self) -> impl DoubleEndedIterator<Item = (usize, &Estimate)> {
        self.records.iter().filter_map(|(&channels, record)| Some((channels, record.estimate.as_ref()?)))
    }

    /// How many further readings of a width may be asked for, at most `wanted`.
    pub(crate) fn left(&self, channels: usize, wanted: usize) -> usize {
        self.records.get(&channels).map_or(wanted, |record| {
            let taken = record.asked.max(record.raw.len());
            if record.finished { 0 } else { wanted.min(self.max_readings.saturating_sub(taken)) }
        })
    }

    /// Whether a width has no latency and never will.
    pub(crate) fn is_hopeless(&self, channels: usize) -> bool {
        self.estimate(channels).is_none() && self.left(channels, 1) == 0
    }

    /// Compares two widths; one without a latency is greater than any other.
    pub(crate) fn compare(&self, a: usize, b: usize) -> Comparison {
        let (Some(a), Some(b)) = (self.estimate(a), self.estimate(b)) else {
            let order = self.estimate(a).is_none().cmp(&self.estimate(b).is_none());
            return Comparison { order, decided: true };
        };
        // The medians are told by independent readings: half widths add as standard deviations do.
        let difference = (a.ns / b.ns).ln();
        let margin = a.half_width().hypot(b.half_width());
        let order = match difference {
            d if d > self.threshold => Ordering::Greater,
            d if d < -self.threshold => Ordering::Less,
            _ => Ordering::Equal,
        };
        let enough = a.finished || a.readings >= self.few;
        let enough = enough && (b.finished || b.readings >= self.few);
        Comparison { order, decided: enough && (difference.abs() - self.threshold).abs() > margin }
    }
}

fn rank(estimate: &Estimate) -> (usize, [u64; 3]) {
    let [low, high] = estimate.interval_ns;
    (usize::MAX - estimate.readings, [estimate.ns, low, high].map(f64::to_bits))
}

fn summarize(sorted: &[f64], confidence: f64) -> Option<Estimate> {
    let interval_ns = stats::median_interval(sorted, confidence)?;
    Some(Estimate { ns: stats::median(sorted)?, interval_ns, readings: sorted.len(), finished: false })
}
