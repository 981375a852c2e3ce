//! Are two latencies equal, or which one is less? With a fourth answer: not known yet.

use crate::order::{attained_confidence, median_interval};
use crate::sorted::SortedSamples;

/// How two latencies compare.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Decision {
    /// They differ by no more than the tolerance.
    Equal,
    /// The first is less than the second.
    Less,
    /// The first is greater than the second.
    Greater,
    /// The readings do not tell; more are needed.
    Undecided,
}

impl Decision {
    /// The decision with the two sides exchanged.
    pub fn reverse(self) -> Decision {
        match self {
            Decision::Less => Decision::Greater,
            Decision::Greater => Decision::Less,
            other => other,
        }
    }
}

/// What counts as equal.
///
/// A difference below `differs_beyond` must be called equal and one above `equal_within` must be called different;
/// between the two either answer is right. Without that zone a difference that happens to sit on the threshold
/// could never be decided, however many readings were spent; with it every pair is decided in the end.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Tolerance {
    /// Relative difference up to which two latencies may be called equal, 0.03 being 3 %.
    pub equal_within: f64,
    /// Relative difference from which on they may be called different; at most `equal_within`.
    pub differs_beyond: f64,
}

impl Tolerance {
    /// Equal within `relative`, different beyond half of it.
    pub fn new(relative: f64) -> Tolerance {
        Tolerance { equal_within: relative, differs_beyond: relative / 2.0 }
    }
}

/// Compares two latencies of which only intervals are known.
///
/// With \[la, ha\] and \[lb, hb\] the ratio b/a lies in \[lb / ha, hb / la\]. It is *equal* when that interval lies
/// within \[1 / (1 + w), 1 + w\], w being `equal_within`; else *less* when it lies above 1 + d, *greater* when it lies
/// below 1 / (1 + d), d being `differs_beyond`; else *undecided*. The bands are reciprocal, so exchanging the sides
/// exchanges the answers. Intervals that are not positive are undecided.
///
/// ```
/// use stats::{Decision, Tolerance, decide_intervals};
/// let tolerance = Tolerance::new(0.04);
/// assert_eq!(decide_intervals([99.0, 101.0], [100.0, 102.0], &tolerance), Decision::Equal);
/// assert_eq!(decide_intervals([99.0, 101.0], [110.0, 112.0], &tolerance), Decision::Less);
/// assert_eq!(decide_intervals([90.0, 110.0], [100.0, 120.0], &tolerance), Decision::Undecided);
/// ```
pub fn decide_intervals(a: [f64; 2], b: [f64; 2], tolerance: &Tolerance) -> Decision {
    // Written so that NaN fails it.
    if !(a[0] > 0.0 && b[0] > 0.0) {
        return Decision::Undecided;
    }
    let (low, high) = (b[0] / a[1], b[1] / a[0]);
    let (within, beyond) = (1.0 + tolerance.equal_within, 1.0 + tolerance.differs_beyond);
    if low * within >= 1.0 && high <= within {
        Decision::Equal
    } else if low > beyond {
        Decision::Less
    } else if high * beyond < 1.0 {
        Decision::Greater
    } else {
        Decision::Undecided
    }
}

/// Compares two sets of readings, in any order, looking once.
///
/// The intervals of both medians are taken at 1 - (1 - `confidence`) / 2, so that both hold together with
/// `confidence` (Bonferroni), and compared by [`decide_intervals`].
/// Undecided where there are too few readings for such intervals: 7 each at 95 %.
/// Who looks again after more readings uses [`Sequential`].
pub fn decide(a: &[f64], b: &[f64], tolerance: &Tolerance, confidence: f64) -> Decision {
    let side = 1.0 - (1.0 - confidence) / 2.0;
    let interval = |samples: &[f64]| {
        let sorted: SortedSamples = samples.iter().copied().collect();
        // Extremes of too few readings are an interval, but not one of this confidence.
        median_interval(sorted.as_slice(), side).filter(|_| attained_confidence(samples.len(), side) >= side)
    };
    match (interval(a), interval(b)) {
        (Some(a), Some(b)) => decide_intervals(a, b, tolerance),
        _ => Decision::Undecided,
    }
}

/// [`decide`] for whoever looks again and again while readings arrive.
///
/// Looking repeatedly at 5 % risk each time is wrong far more often than in 5 % of all cases.
/// Here the k-th look may be wrong with probability alpha / (k (k + 1)) only, which sums up to alpha over any number
/// of looks. So look rarely: after each doubling of the readings rather than after each reading.
///
/// ```
/// use stats::{Decision, Rng, Sequential, Tolerance};
/// let mut rng = Rng::new(1);
/// let mut test = Sequential::new(Tolerance::new(0.03), 0.95);
/// let (mut a, mut b) = (Vec::new(), Vec::new());
/// let decision = loop {
///     for _ in 0..a.len().max(8) {
///         a.push(100.0 + rng.normal());
///         b.push(104.0 + rng.normal());
///     }
///     match test.look(&a, &b) {
///         Decision::Undecided => continue,
///         decision => break decision,
///     }
/// };
/// assert_eq!(decision, Decision::Less);
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Sequential {
    tolerance: Tolerance,
    alpha: f64,
    looks: u32,
}

impl Sequential {
    /// A test that errs with probability at most 1 - `confidence` over all its looks.
    pub fn new(tolerance: Tolerance, confidence: f64) -> Sequential {
        Sequential { tolerance, alpha: 1.0 - confidence, looks: 0 }
    }

    /// Looks at all readings so far.
    pub fn look(&mut self, a: &[f64], b: &[f64]) -> Decision {
        self.looks += 1;
        let k = f64::from(self.looks);
        decide(a, b, &self.tolerance, 1.0 - self.alpha / (k * (k + 1.0)))
    }

    /// How often [`Sequential::look`] was called.
    pub fn looks(&self) -> u32 {
        self.looks
    }
}
