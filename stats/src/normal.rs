//! The standard normal distribution.

use std::f64::consts::{PI, SQRT_2};

/// P[Z <= z] for a standard normal Z, to about 1e-15 absolutely.
///
/// The series of Marsaglia, "Evaluating the normal distribution" (Journal of Statistical Software 11(4), 2004):
/// 1/2 + phi(z) (z + z^3/3 + z^5/15 + z^7/105 + ...), whose terms all have one sign. NaN stays NaN.
///
/// ```
/// assert_eq!(stats::normal_cdf(0.0), 0.5);
/// assert!((stats::normal_cdf(1.959963984540054) - 0.975).abs() < 1e-14);
/// assert_eq!(stats::normal_cdf(9.0), 1.0);
/// ```
pub fn normal_cdf(z: f64) -> f64 {
    // Beyond it the series would need hundreds of terms for what a double cannot hold beside 1.
    if z.abs() > 8.5 {
        return if z > 0.0 { 1.0 } else { 0.0 };
    }
    let (mut sum, mut term, mut odd) = (z, z, 1.0);
    loop {
        odd += 2.0;
        term *= z * z / odd;
        let next = sum + term;
        if next == sum || next.is_nan() {
            break;
        }
        sum = next;
    }
    (0.5 + sum * (-z * z / 2.0).exp() / (SQRT_2 * PI.sqrt())).clamp(0.0, 1.0)
}

/// The z with P[Z <= z] = `p`, by bisection of [`normal_cdf`]; infinite outside of (0, 1).
///
/// ```
/// assert!((stats::normal_quantile(0.975) - 1.959963984540054).abs() < 1e-9);
/// assert_eq!(stats::normal_quantile(1.0), f64::INFINITY);
/// ```
pub fn normal_quantile(p: f64) -> f64 {
    if p.is_nan() || p <= 0.0 || p >= 1.0 {
        return if p >= 1.0 { f64::INFINITY } else { f64::NEG_INFINITY };
    }
    let (mut low, mut high) = (-8.5, 8.5);
    // 60 halvings reach the last bit of numbers of this size.
    for _ in 0..60 {
        let middle = f64::midpoint(low, high);
        if normal_cdf(middle) < p { low = middle } else { high = middle }
    }
    f64::midpoint(low, high)
}
