//! Optimal segmentation of a finished sweep.

use crate::scatter;

/// Where the treads of a finished sweep end, by exact dynamic programming.
///
/// `ns` are the latencies of neighboring widths in nanoseconds. Of all ways to cut them into runs, the one is taken
/// that minimizes the squared deviations of ln(ns) from each run's mean, plus a penalty for each run: the larger one
/// of `tolerance`^2 / 2, below which a single width that deviates by the tolerance would not pay for two more runs,
/// and 2 s^2 ln n, s being the scatter of neighbors (the Schwarz criterion). Answers the last index of each run.
///
/// Exact in O(n^2) (Jackson et al., "An algorithm for optimal partitioning of data on an interval", IEEE Signal
/// Processing Letters 12, 2005). A sweep has to be complete for it, so it saves no measurement: it is the reference.
///
/// ```
/// let ns: Vec<f64> = (1..=96).map(|c: usize| 100.0 * c.div_ceil(32) as f64).collect();
/// assert_eq!(stairstep::tread_ends(&ns, 0.03), [31, 63, 95]);
/// ```
pub fn tread_ends(ns: &[f64], tolerance: f64) -> Vec<usize> {
    let ln: Vec<f64> = ns.iter().map(|ns| ns.ln()).collect();
    ends(&ln, penalty(&ln, tolerance))
}

pub(crate) fn penalty(ln: &[f64], tolerance: f64) -> f64 {
    let mut pairs: Vec<f64> = ln.windows(2).map(|pair| (pair[0] - pair[1]).abs()).collect();
    let scatter = scatter::scale(&mut pairs).unwrap_or(0.0);
    f64::max(tolerance.ln_1p().powi(2) / 2.0, 2.0 * scatter * scatter * (ln.len().max(1) as f64).ln())
}

pub(crate) fn ends(ln: &[f64], penalty: f64) -> Vec<usize> {
    // Prefix sums about the mean, so that squares of large numbers do not cancel.
    let mean = ln.iter().sum::<f64>() / ln.len().max(1) as f64;
    let mut sums = vec![(0.0, 0.0)];
    for x in ln {
        let (sum, squares) = sums[sums.len() - 1];
        sums.push((sum + (x - mean), squares + (x - mean) * (x - mean)));
    }
    // The deviations of ln[from..to] from their mean, squared.
    let cost = |from: usize, to: usize| {
        let (sum, squares) = (sums[to].0 - sums[from].0, sums[to].1 - sums[from].1);
        f64::max(squares - sum * sum / (to - from) as f64, 0.0)
    };
    // The least cost of ln[..to], and where its last run begins.
    let mut best = vec![(0.0, 0)];
    for to in 1..=ln.len() {
        let of = |from: usize| (best[from].0 + cost(from, to) + penalty, from);
        let least = (0..to).map(of).min_by(|a, b| a.0.total_cmp(&b.0));
        best.push(least.expect("there is at least one place to begin"));
    }
    let mut ends = Vec::new();
    let mut to = ln.len();
    while to > 0 {
        ends.push(to - 1);
        to = best[to].1;
    }
    ends.reverse();
    ends
}

/// How much more the cheapest larger width costs, for each of neighboring widths: 0.05 being 5 %.
///
/// What makes a width an edge: where this is at most the tolerance, a larger width is as cheap, and nobody should
/// stop here. Negative where a larger width is cheaper still; infinite for the last one.
///
/// ```
/// assert_eq!(stairstep::risers(&[100.0, 100.0, 160.0, 125.0]), [0.0, 0.25, -0.21875, f64::INFINITY]);
/// ```
pub fn risers(ns: &[f64]) -> Vec<f64> {
    let mut least = f64::INFINITY;
    let mut risers: Vec<f64> = ns
        .iter()
        .rev()
        .map(|&here| {
            let riser = least / here - 1.0;
            least = least.min(here);
            riser
        })
        .collect();
    risers.reverse();
    risers
}
