//! Precise enough, or not worth more time.

use super::{StopRule, Verdict};
use netspec::StopReason;
use stats::{SortedSamples, min_samples};

/// A doubling of the samples that narrows the interval to more than this share of its width has not helped.
///
/// Independent noise would narrow it to 1/sqrt(2), that is 0.71.
const SETTLED_SHARE: f64 = 0.9;

/// So many doublings in a row must not have helped. One alone happens by chance in every sixth case or so.
const SETTLED_DOUBLINGS: u32 = 2;

/// Stops when the 95 % interval of the median is narrow enough relative to it, or when more samples will not help.
///
/// - [`StopReason::Precise`]: half the interval's width is at most `target` times the median.
/// - [`StopReason::NoiseSettled`]: twice in a row a doubling of the samples narrowed the interval by less than
///   10 %, where independent noise narrows it by 29 %: what is left is drift or a device with several states,
///   and sampling longer does not remove it.
/// - [`StopReason::SampleLimit`] and [`StopReason::TimeLimit`]: the largest number of samples, or the largest sum
///   of their times, was reached.
///
/// Nothing is decided before the smallest number of samples, but for the time limit, which holds from the first
/// sample on.
///
/// ```
/// use timing::{StopRule, Verdict, stop};
/// let mut rule = stop::Relative::new(0.01).min_samples(8);
/// for _ in 0..8 {
///     assert_eq!(rule.verdict(), Verdict::Continue);
///     rule.add(250.0);
/// }
/// assert_eq!(rule.verdict(), Verdict::Stop(netspec::StopReason::Precise));
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Relative {
    target: f64,
    confidence: f64,
    min_samples: usize,
    max_samples: usize,
    limit_ns: f64,
    samples: SortedSamples,
    sum_ns: f64,
    settling: Settling,
}

/// How the interval's width went at each doubling of the samples.
#[derive(Clone, Debug, Default, PartialEq)]
struct Settling {
    next: usize,
    width: f64,
    idle_doublings: u32,
}

impl Relative {
    /// Half-width of `target` relative to the median, 0.01 being 1 %; 10 to 500 samples, two seconds.
    pub fn new(target: f64) -> Relative {
        Relative {
            target,
            confidence: 0.95,
            min_samples: 10,
            max_samples: 500,
            limit_ns: 2e9,
            samples: SortedSamples::new(),
            sum_ns: 0.0,
            settling: Settling::default(),
        }
    }

    /// Sets the smallest number of samples; below six there is no 95 % interval, and none is used.
    pub fn min_samples(self, samples: usize) -> Relative {
        Relative { min_samples: samples.max(min_samples(self.confidence)), ..self }
    }

    /// Sets the largest number of samples, at least 1; it wins over the smallest.
    pub fn max_samples(self, samples: usize) -> Relative {
        Relative { max_samples: samples.max(1), ..self }
    }

    /// Sets the largest sum of the samples' times in milliseconds.
    pub fn limit_ms(self, limit: f64) -> Relative {
        Relative { limit_ns: limit * 1e6, ..self }
    }

    /// The half-width relative to the median so far; infinite without a sample.
    pub fn relative_half_width(&self) -> f64 {
        match (self.samples.median(), self.samples.median_interval(self.confidence)) {
            (Some(median), Some([low, high])) if median > 0.0 => (high - low) / 2.0 / median,
            _ => f64::INFINITY,
        }
    }

    fn note_doubling(&mut self) {
        let n = self.samples.len();
        if n < self.settling.next.max(self.min_samples) {
            return;
        }
        let width = self.relative_half_width();
        let is_idle = self.settling.next > 0 && width > SETTLED_SHARE * self.settling.width;
        let idle_doublings = if is_idle { self.settling.idle_doublings + 1 } else { 0 };
        self.settling = Settling { next: 2 * n, width, idle_doublings };
    }
}

impl StopRule for Relative {
    fn reset(&mut self) {
        self.samples.clear();
        self.sum_ns = 0.0;
        self.settling = Settling::default();
    }

    fn add(&mut self, ns: f64) {
        self.samples.add(ns);
        self.sum_ns += ns;
        self.note_doubling();
    }

    fn verdict(&self) -> Verdict {
        let n = self.samples.len();
        if n >= self.min_samples && self.relative_half_width() <= self.target {
            Verdict::Stop(StopReason::Precise)
        } else if n >= self.max_samples {
            Verdict::Stop(StopReason::SampleLimit)
        } else if self.sum_ns >= self.limit_ns {
            Verdict::Stop(StopReason::TimeLimit)
        } else if self.settling.idle_doublings >= SETTLED_DOUBLINGS {
            Verdict::Stop(StopReason::NoiseSettled)
        } else {
            Verdict::Continue
        }
    }
}
