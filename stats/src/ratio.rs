//! How many times slower one thing is than another, from interleaved pairs.

use crate::sorted::SortedSamples;

/// The ratio of two latencies and its interval.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ratio {
    /// The median of the paired ratios `b[i] / a[i]`.
    pub median: f64,
    /// Its interval by order statistics.
    pub interval: [f64; 2],
    /// Pairs that it rests on.
    pub pairs: usize,
}

impl Ratio {
    /// Half the interval's width relative to the ratio.
    pub fn relative_half_width(&self) -> f64 {
        (self.interval[1] - self.interval[0]) / 2.0 / self.median
    }
}

/// The ratio b/a from samples taken in turns: `a[i]` and `b[i]` right after each other.
///
/// Each pair gives one ratio, and the interval of their median is that of [`crate::median_interval`].
/// Whatever slows both runs of a pair alike (clock frequency, a busy neighbor) cancels inside of it, so the
/// interval holds under drift, where an interval from two separate medians does not; nothing is assumed about
/// the distribution.
/// What is estimated is the median of the ratio, which is the ratio of the medians where noise multiplies both
/// sides in the same way.
///
/// Samples without a partner are ignored, so are pairs whose `a` is not positive. `None` where no pair is left.
///
/// ```
/// // The machine slows down by half on the way; the ratio does not see it.
/// let a = [100.0, 101.0, 150.0, 151.0, 149.0, 150.0];
/// let b = [ 50.0,  50.5,  75.0,  75.5,  74.5,  75.0];
/// let ratio = stats::ratio_interval(&a, &b, 0.95).unwrap();
/// assert_eq!((ratio.median, ratio.interval), (0.5, [0.5, 0.5]));
/// ```
pub fn ratio_interval(a: &[f64], b: &[f64], confidence: f64) -> Option<Ratio> {
    let ratios: SortedSamples = a.iter().zip(b).filter(|&(&a, _)| a > 0.0).map(|(&a, &b)| b / a).collect();
    Some(Ratio { median: ratios.median()?, interval: ratios.median_interval(confidence)?, pairs: ratios.len() })
}
