//! What is true of a line: its steps by low quantiles of many readings, and how edges are scored against them.

use crate::recording::Widths;
use std::collections::BTreeMap;

/// Steps of at least this much in both quiet recordings have to be found.
pub(crate) const MUST: f64 = 0.045;
/// An edge is false if it has no step of at least this much in the reference.
pub(crate) const MAY: f64 = 0.015;
/// Channels by which an edge may differ from its step.
pub(crate) const NEAR: usize = 1;

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
}

impl Truth {
    /// Returns the steps by two quiet recordings.
    pub(crate) fn of(quiet: [&Widths; 2], statistic: Statistic) -> Truth {
        let [first, second] = quiet.map(|widths| rises_of(&[widths], statistic));
        let both: BTreeMap<usize, f64> =
            first.iter().filter_map(|(channels, rise)| Some((*channels, rise.min(*second.get(channels)?)))).collect();
        Truth { must: steps(&both, MUST), may: steps(&rises_of(&quiet, statistic), MAY) }
    }
}

/// Returns which of `a` have a partner in `b` at most `near` away, each of `b` being the partner of one at most: an
/// equal one first, then the lowest one that is left. Both are ascending.
pub(crate) fn matched(a: &[usize], b: &[usize], near: usize) -> Vec<bool> {
    let mut free: Vec<usize> = b.iter().copied().filter(|partner| a.binary_search(partner).is_err()).collect();
    let partner = |wanted: &usize| {
        b.binary_search(wanted).is_ok() || {
            let place = free.iter().position(|free| free.abs_diff(*wanted) <= near);
            place.map(|place| free.remove(place)).is_some()
        }
    };
    a.iter().map(partner).collect()
}

/// What a search found, over all lines and draws.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Score {
    /// Steps that had to be found, those that were within [`NEAR`], and those at exactly the width.
    pub(crate) must: usize,
    pub(crate) hit: usize,
    pub(crate) exact: usize,
    /// Edges that were reported, and those of them that are not false.
    pub(crate) found: usize,
    pub(crate) right: usize,
}

impl Score {
    /// Adds the edges of a line, ascending, without the largest width, which is an edge of every line.
    pub(crate) fn add(&mut self, edges: &[usize], truth: &Truth) {
        let count = |matched: Vec<bool>| matched.into_iter().filter(|is_matched| *is_matched).count();
        self.must += truth.must.len();
        self.hit += count(matched(&truth.must, edges, NEAR));
        self.exact += count(matched(&truth.must, edges, 0));
        self.found += edges.len();
        self.right += count(matched(edges, &truth.may, NEAR));
    }
}

#[cfg(test)]
mod tests {
    use super::{Score, Truth, matched, mode, p10, rises, steps};
    use std::collections::BTreeMap;

    /// Steps of 10 % after 16 and 32 channels, of 2 % after 40, and a slow kernel at 20 to 23.
    fn staircase() -> BTreeMap<usize, f64> {
        let ns = |c| match c {
            20..=23 => 200.0,
            ..=16 => 100.0,
            ..=32 => 110.0,
            ..=40 => 121.0,
            _ => 123.42,
        };
        (12..=48).map(|c| (c, ns(c))).collect()
    }

    fn truth() -> Truth {
        let rises = rises(&staircase());
        Truth { must: steps(&rises, 0.045), may: steps(&rises, 0.015) }
    }

    fn score(edges: &[usize]) -> Score {
        let mut score = Score::default();
        score.add(edges, &truth());
        score
    }

    #[test]
    fn steps_are_where_every_larger_width_costs_more() {
        assert_eq!((truth().must, truth().may), (vec![16, 32], vec![16, 32, 40]));
    }

    #[test]
    fn an_edge_counts_within_one_channel_and_exactly_at_its_width() {
        assert_eq!(score(&[16, 32, 40]), Score { must: 2, hit: 2, exact: 2, found: 3, right: 3 });
        assert_eq!(score(&[15, 33, 41]), Score { must: 2, hit: 2, exact: 0, found: 3, right: 3 });
        assert_eq!(score(&[14, 34, 40]), Score { must: 2, hit: 0, exact: 0, found: 3, right: 1 });
    }

    #[test]
    fn neither_silence_nor_reporting_everything_pays() {
        assert_eq!(score(&[]), Score { must: 2, hit: 0, exact: 0, found: 0, right: 0 });
        let all: Vec<usize> = (12..48).collect();
        assert_eq!(score(&all), Score { must: 2, hit: 2, exact: 2, found: 36, right: 3 });
    }

    #[test]
    fn each_step_has_one_edge() {
        assert_eq!(matched(&[15, 16, 17], &[16], 1), [false, true, false]);
        assert_eq!(matched(&[15, 17], &[16, 18], 1), [true, true]);
        assert_eq!(matched(&[16], &[14, 15, 17], 1), [true]);
        assert_eq!(matched(&[16], &[14, 18], 1), [false]);
    }

    #[test]
    fn slow_readings_move_neither_quantile_nor_mode() {
        let mut ns: Vec<f64> = (0..20).map(|i| 100.0 + f64::from(i) / 10.0).collect();
        ns.extend([150.0; 8]);
        assert!((p10(&ns) - 100.27).abs() < 0.1, "{}", p10(&ns));
        assert!((100.0..102.0).contains(&mode(&ns)), "{}", mode(&ns));
        assert_eq!(mode(&[1.0, 5.0, 5.5, 9.0, 20.0]), 5.25);
    }
}
