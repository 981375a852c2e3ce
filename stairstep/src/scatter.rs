//! How far readings scatter, from readings that were taken together.

/// The median of |X - Y| for two independent normal readings of standard deviation 1: 0.6745 times the square root of 2.
const MEDIAN_PAIR: f64 = 0.953_873;

/// The median's variance in units of the readings' variance over their number, for n normal readings.
///
/// Exact for 1 and 2 (the mean of two), 1.346 for 3 (David and Nagaraja, "Order Statistics", table of variances),
/// and pi / 2 in the limit; the values between are of little consequence.
fn median_factor(n: usize) -> f64 {
    match n {
        0..=2 => 1.0,
        3 => 1.346,
        4 => 1.192,
        5 => 1.434,
        _ => std::f64::consts::FRAC_PI_2,
    }
}

/// The variance of the median of `n` readings that scatter by `scale`.
pub(crate) fn median_variance(scale: f64, n: usize) -> f64 {
    scale * scale * median_factor(n) / n.max(1) as f64
}

/// Relative differences of readings of one width that follow each other: drift has no time to act between them, and
/// the level of the width cancels.
pub(crate) fn pairs(readings: &[f64]) -> impl Iterator<Item = f64> + '_ {
    readings.windows(2).map(|pair| (pair[0] / pair[1]).ln().abs())
}

/// The relative standard deviation of single readings from such differences; nothing where there is none.
///
/// A median, so that a preempted run here and there does not widen it.
pub(crate) fn scale(pairs: &mut [f64]) -> Option<f64> {
    pairs.sort_unstable_by(f64::total_cmp);
    stats::median(pairs).map(|median| median / MEDIAN_PAIR)
}
