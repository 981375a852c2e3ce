//! What is true of a line: its steps by low quantiles of many readings.

use crate::recording::Widths;
use std::collections::{BTreeMap, BTreeSet};

/// Steps of at least this much in both quiet recordings have to be found.
pub(crate) const MUST: f64 = 0.045;
/// An edge is false if it has no step of at least this much in the reference.
pub(crate) const MAY: f64 = 0.015;
/// A slope rises by at least this much within these channels to both sides, in rises that are no steps.
const GRADUAL: f64 = 0.03;
const REACH: usize = 8;

/// A latency by readings, of which others work on the machine can only make larger.
pub(crate) type Statistic = fn(&[f64]) -> f64;

/// The 10 % quantile.
pub(crate) fn p10(ns: &[f64]) -> f64 {
    quantile(ns, 0.1)
}

/// The 25 % quantile.
pub(crate) fn p25(ns: &[f64]) -> f64 {
    quantile(ns, 0.25)
}

pub(crate) fn quantile(ns: &[f64], q: f64) -> f64 {
    stats::quantile(&sorted(ns), q).unwrap_or(f64::NAN)
}

/// The half-sample mode: the shortest half of the readings, of that the shortest half, and so on (Robertson and Cryer,
/// "An iterative procedure for estimating the mode", JASA 69, 1974).
pub(crate) fn mode(ns: &[f64]) -> f64 {
    let sorted = sorted(ns);
    let mut part = sorted.as_slice();
    while part.len() > 2 {
        let half = part.len().div_ceil(2);
        let length = |window: &&[f64]| window[half - 1] - window[0];
        part = part.windows(half).min_by(|a, b| length(a).total_cmp(&length(b))).unwrap_or(&part[..half]);
    }
    part.iter().sum::<f64>() / part.len() as f64
}

fn sorted(ns: &[f64]) -> Vec<f64> {
    let mut sorted = ns.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted
}

/// Returns by how much each latency is below the cheapest of a larger width: 0.05 is 5 %; infinite for the largest.
pub(crate) fn rises(ns: &BTreeMap<usize, f64>) -> BTreeMap<usize, f64> {
    let mut least = f64::INFINITY;
    let rise = |(&channels, &here): (&usize, &f64)| {
        let rise = least / here - 1.0;
        least = least.min(here);
        (channels, rise)
    };
    ns.iter().rev().map(rise).collect()
}

/// Returns the widths with at least this rise, ascending, without the largest.
pub(crate) fn steps(rises: &BTreeMap<usize, f64>, least: f64) -> Vec<usize> {
    let all = rises.iter().filter(|(_, rise)| rise.is_finite() && **rise >= least);
    all.map(|(channels, _)| *channels).collect()
}

/// Returns the rises of a line by all readings of some recordings together.
pub(crate) fn rises_of(recordings: &[&Widths], statistic: Statistic) -> BTreeMap<usize, f64> {
    let mut readings: BTreeMap<usize, Vec<f64>> = BTreeMap::new();
    for (&channels, row) in recordings.iter().flat_map(|widths| widths.iter()) {
        readings.entry(channels).or_default().extend(row.blocks.iter().flatten().map(|&ns| ns as f64));
    }
    rises(&readings.iter().map(|(&channels, ns)| (channels, statistic(ns))).collect())
}

/// The steps of a line.
pub(crate) struct Truth {
    /// Those that have to be found.
    pub(crate) must: Vec<usize>,
    /// Those that may be reported.
    pub(crate) may: Vec<usize>,
    /// Widths on a slope, where no width is much better than its neighbors and a staircase needs edges all the same.
    pub(crate) slopes: BTreeSet<usize>,
}

impl Truth {
    /// Returns the steps by two quiet recordings.
    pub(crate) fn of(quiet: [&Widths; 2], statistic: Statistic) -> Truth {
        let [first, second] = quiet.map(|widths| rises_of(&[widths], statistic));
        let both: BTreeMap<usize, f64> =
            first.iter().filter_map(|(channels, rise)| Some((*channels, rise.min(*second.get(channels)?)))).collect();
        Truth::of_rises(&both, &rises_of(&quiet, statistic))
    }

    /// Returns the steps by the rises that are certain, and by those that are likely.
    pub(crate) fn of_rises(certain: &BTreeMap<usize, f64>, likely: &BTreeMap<usize, f64>) -> Truth {
        let is_slope = |channels: &usize| {
            let around = likely.range(channels.saturating_sub(REACH)..channels + REACH);
            around.map(|(_, rise)| rise.max(0.0)).filter(|rise| *rise < MAY).sum::<f64>() >= GRADUAL
        };
        let slopes = likely.keys().copied().filter(is_slope).collect();
        Truth { must: steps(certain, MUST), may: steps(likely, MAY), slopes }
    }
}

#[cfg(test)]
mod tests {
    use super::{mode, p10};

    #[test]
    fn slow_readings_move_neither_quantile_nor_mode() {
        let mut ns: Vec<f64> = (0..20).map(|i| 100.0 + f64::from(i) / 10.0).collect();
        ns.extend([150.0; 8]);
        assert!((p10(&ns) - 100.27).abs() < 0.1, "{}", p10(&ns));
        assert!((100.0..102.0).contains(&mode(&ns)), "{}", mode(&ns));
        assert_eq!(mode(&[1.0, 5.0, 5.5, 9.0, 20.0]), 5.25);
    }
}
