//! The median, and its distribution-free interval by order statistics.

/// The median of samples in any order, or `None` where there is none.
///
/// The mean of the two middle samples where their number is even. NaN sorts last.
///
/// ```
/// assert_eq!(stats::median(&[3.0, 1.0, 2.0]), Some(2.0));
/// assert_eq!(stats::median(&[4.0, 1.0, 2.0, 3.0]), Some(2.5));
/// assert_eq!(stats::median(&[]), None);
/// ```
pub fn median(samples: &[f64]) -> Option<f64> {
    let mut sorted = samples.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    median_of_sorted(&sorted)
}

pub(crate) fn median_of_sorted(sorted: &[f64]) -> Option<f64> {
    let middle = sorted.len() / 2;
    let upper = *sorted.get(middle)?;
    if sorted.len() % 2 == 1 {
        return Some(upper);
    }
    let lower = sorted[middle - 1];
    // Half of each, added, cannot overflow; equal middles must stay exact.
    Some(if lower == upper { upper } else { lower / 2.0 + upper / 2.0 })
}

/// The `q`-quantile of **sorted** samples, `q` in [0, 1] (clamped), or `None` where there is none.
///
/// Linear between neighbors: with n samples the position is h = (n - 1) q, the value
/// x\[⌊h⌋\] + (h - ⌊h⌋) (x\[⌊h⌋ + 1\] - x\[⌊h⌋\]).
/// (Hyndman and Fan's type 7, "Sample quantiles in statistical packages", 1996.)
///
/// ```
/// assert_eq!(stats::quantile(&[10.0, 20.0, 30.0, 40.0, 50.0], 0.1), Some(14.0));
/// ```
pub fn quantile(sorted: &[f64], q: f64) -> Option<f64> {
    debug_assert!(sorted.is_sorted_by(|a, b| a.total_cmp(b).is_le()), "quantile wants sorted samples");
    let last = sorted.len().checked_sub(1)?;
    let h = last as f64 * q.clamp(0.0, 1.0);
    let below = h.floor() as usize;
    let (low, high) = (sorted[below.min(last)], sorted[(below + 1).min(last)]);
    Some(if low == high { low } else { low + (h - h.floor()) * (high - low) })
}

/// The zero-based ranks `(i, n - 1 - i)` of the order statistics that enclose the median, or `None` for `n` = 0.
///
/// Whatever the distribution, each of n independent samples falls below its median with probability 1/2,
/// so the number that do is binomial, and the interval from the k-th smallest to the k-th largest sample
/// covers the median with probability
///
/// ```text
/// 1 - 2 P[Bin(n, 1/2) <= k - 1]
/// ```
///
/// The largest k is taken for which this is at least `confidence`. Where not even k = 1 suffices
/// (fewer than [`min_samples`]), the ranks are those of the extremes, and
/// [`attained_confidence`] tells how little that is.
/// (David and Nagaraja, "Order Statistics", section 7.1.)
///
/// ```
/// // n = 10: P[Bin <= 1] = 11/1024 and P[Bin <= 2] = 56/1024, hence k = 2 at 95 %.
/// assert_eq!(stats::median_ranks(10, 0.95), Some((1, 8)));
/// ```
pub fn median_ranks(n: usize, confidence: f64) -> Option<(usize, usize)> {
    let last = n.checked_sub(1)?;
    let allowed = (1.0 - confidence) / 2.0;
    let mut rank = 0;
    for (k, tail) in lower_tails(n).enumerate() {
        // `tail` is P[Bin <= k]: one-based k + 1 is allowed as long as it stays under the allowance.
        if tail > allowed || k > last / 2 {
            break;
        }
        rank = k;
    }
    Some((rank, last - rank))
}

/// The probability with which [`median_ranks`] for these arguments covers the median.
///
/// ```
/// // Five samples: only 1 - 2 / 2^5 = 93.75 %, however much was asked for.
/// assert_eq!(stats::attained_confidence(5, 0.95), 0.9375);
/// ```
pub fn attained_confidence(n: usize, confidence: f64) -> f64 {
    let Some((rank, _)) = median_ranks(n, confidence) else { return 0.0 };
    (1.0 - 2.0 * lower_tails(n).nth(rank).unwrap_or(0.5)).max(0.0)
}

/// The fewest samples whose extremes cover the median with probability `confidence`: 1 - 2^(1-n) >= `confidence`.
///
/// ```
/// assert_eq!(stats::min_samples(0.95), 6);
/// assert_eq!(stats::min_samples(0.99), 8);
/// ```
pub fn min_samples(confidence: f64) -> usize {
    // At 2^-1074 the smallest positive number is reached: no confidence below 1 asks for more.
    (1..1075).find(|&n| 1.0 - 0.5_f64.powi(n as i32 - 1) >= confidence).unwrap_or(1075)
}

/// The interval of the median of **sorted** samples, `[low, high]`, or `None` where there is no sample.
///
/// The order statistics of [`median_ranks`]: distribution-free, never narrower than `confidence` promises
/// unless there are fewer samples than [`min_samples`], for which the extremes are returned.
///
/// ```
/// let sorted: Vec<f64> = (1..=10).map(f64::from).collect();
/// assert_eq!(stats::median_interval(&sorted, 0.95), Some([2.0, 9.0]));
/// assert_eq!(stats::median_interval(&sorted[..3], 0.95), Some([1.0, 3.0]));
/// ```
pub fn median_interval(sorted: &[f64], confidence: f64) -> Option<[f64; 2]> {
    debug_assert!(sorted.is_sorted_by(|a, b| a.total_cmp(b).is_le()), "median_interval wants sorted samples");
    let (low, high) = median_ranks(sorted.len(), confidence)?;
    Some([sorted[low], sorted[high]])
}

/// P[Bin(n, 1/2) <= k] for k = 0, 1, ..., by the recurrence of the binomial coefficients.
///
/// The terms are kept as logarithms, because 2^-n underflows from n = 1075 on while the tails that matter do not.
fn lower_tails(n: usize) -> impl Iterator<Item = f64> {
    let mut ln_term = -(n as f64) * std::f64::consts::LN_2;
    let mut sum = 0.0;
    (0..=n).map(move |k| {
        // Small n keeps the plain powers of two, so that closed forms hold to the last bit.
        sum += if n < 50 { binomial(n, k) * 0.5_f64.powi(n as i32) } else { ln_term.exp() };
        ln_term += ((n - k) as f64 / (k + 1) as f64).ln();
        sum
    })
}

/// C(n, k) for n < 50, exact because every intermediate product is a whole number below 2^53.
fn binomial(n: usize, k: usize) -> f64 {
    let k = k.min(n - k);
    (0..k).fold(1_u64, |product, i| product * (n - i) as u64 / (i + 1) as u64) as f64
}
