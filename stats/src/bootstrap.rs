//! Intervals of any statistic by resampling.

use crate::order::quantile;
use crate::rng::Rng;
use crate::sorted::SortedSamples;

/// The percentile bootstrap interval of any statistic, `[low, high]`, or `None` without samples or resamples.
///
/// The statistic is computed on `resamples` sets drawn from `samples` with replacement, each as large as
/// `samples`; the interval cuts off (1 - `confidence`) / 2 of the results at both ends.
/// It is first-order exact only, that is too narrow for a dozen samples; for a median prefer
/// [`crate::median_interval`], which is exact and costs nothing.
/// The set is handed over in random order and may be rearranged.
/// (Efron and Tibshirani, "An Introduction to the Bootstrap", chapter 13.)
///
/// ```
/// let samples: Vec<f64> = (0..100).map(f64::from).collect();
/// let mean = |set: &mut [f64]| set.iter().sum::<f64>() / set.len() as f64;
/// let [low, high] = stats::bootstrap_interval(&samples, mean, 0.95, 1000, &mut stats::Rng::new(1)).unwrap();
/// // The standard error is sqrt(833 / 100) = 2.9.
/// assert!(low > 42.0 && low < 46.0 && high > 53.0 && high < 57.0);
/// ```
pub fn bootstrap_interval(
    samples: &[f64],
    mut statistic: impl FnMut(&mut [f64]) -> f64,
    confidence: f64,
    resamples: usize,
    rng: &mut Rng,
) -> Option<[f64; 2]> {
    if samples.is_empty() {
        return None;
    }
    let mut set = vec![0.0; samples.len()];
    let results: SortedSamples = (0..resamples)
        .map(|_| {
            set.fill_with(|| samples[rng.below(samples.len())]);
            statistic(&mut set)
        })
        .collect();
    let tail = (1.0 - confidence) / 2.0;
    Some([quantile(results.as_slice(), tail)?, quantile(results.as_slice(), 1.0 - tail)?])
}
