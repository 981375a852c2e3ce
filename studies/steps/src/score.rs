//! How the edges that a search reports are scored.

use crate::truth::Truth;

/// Channels by which an edge may differ from its step.
pub(crate) const NEAR: usize = 1;

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
    /// The same without edges on slopes.
    pub(crate) found_level: usize,
    pub(crate) right_level: usize,
}

impl Score {
    /// Adds the edges of a line, ascending, without the largest width, which is an edge of every line.
    pub(crate) fn add(&mut self, edges: &[usize], truth: &Truth) {
        let count = |matched: Vec<bool>| matched.into_iter().filter(|is_matched| *is_matched).count();
        self.must += truth.must.len();
        self.hit += count(matched(&truth.must, edges, NEAR));
        self.exact += count(matched(&truth.must, edges, 0));
        self.found += edges.len();
        let right = matched(edges, &truth.may, NEAR);
        let level = edges.iter().map(|edge| !truth.slopes.contains(edge));
        self.found_level += count(level.clone().collect());
        self.right_level += count(right.iter().zip(level).map(|(is_right, is_level)| *is_right && is_level).collect());
        self.right += count(right);
    }
}

#[cfg(test)]
mod tests {
    use super::{Score, matched};
    use crate::truth::{Truth, rises};
    use std::collections::BTreeMap;

    /// Steps of 10 % after 16 and 32 channels, of 2 % after 40, and a slow kernel at 20 to 23.
    fn staircase() -> BTreeMap<usize, f64> {
        let ns = |c| match c {
            ..=16 => 100.0,
            20..=23 => 200.0,
            17..=19 | 24..=32 => 110.0,
            33..=40 => 121.0,
            _ => 123.42,
        };
        (12..=48).map(|c| (c, ns(c))).collect()
    }

    fn truth() -> Truth {
        let rises = rises(&staircase());
        Truth::of_rises(&rises, &rises)
    }

    /// Steps to be found, found, and exactly found; edges, right ones, and the same off slopes.
    fn score(edges: &[usize], truth: &Truth) -> [usize; 7] {
        let mut score = Score::default();
        score.add(edges, truth);
        let Score { must, hit, exact, found, right, found_level, right_level } = score;
        [must, hit, exact, found, right, found_level, right_level]
    }

    #[test]
    fn steps_are_where_every_larger_width_costs_more() {
        assert_eq!((truth().must, truth().may), (vec![16, 32], vec![16, 32, 40]));
        assert!(truth().slopes.is_empty());
    }

    #[test]
    fn an_edge_counts_within_one_channel_and_exactly_at_its_width() {
        assert_eq!(score(&[16, 32, 40], &truth()), [2, 2, 2, 3, 3, 3, 3]);
        assert_eq!(score(&[15, 33, 41], &truth()), [2, 2, 0, 3, 3, 3, 3]);
        assert_eq!(score(&[14, 34, 40], &truth()), [2, 0, 0, 3, 1, 3, 1]);
    }

    #[test]
    fn neither_silence_nor_reporting_everything_pays() {
        assert_eq!(score(&[], &truth()), [2, 0, 0, 0, 0, 0, 0]);
        let all: Vec<usize> = (12..48).collect();
        assert_eq!(score(&all, &truth()), [2, 2, 2, 36, 3, 36, 3]);
    }

    #[test]
    fn edges_on_a_slope_are_counted_apart() {
        // 0.5 % a channel up to 40, then a tread with a step of 10 % after 64.
        let ns = |c: usize| 100.0 * 1.005_f64.powi(c.min(40) as i32) * if c > 64 { 1.1 } else { 1.0 };
        let rises = rises(&(12..=80).map(|c| (c, ns(c))).collect());
        let truth = Truth::of_rises(&rises, &rises);
        assert_eq!((truth.must.as_slice(), truth.may.as_slice()), (&[64][..], &[64][..]));
        assert!(truth.slopes.contains(&20) && truth.slopes.contains(&40) && !truth.slopes.contains(&48));
        assert_eq!(score(&[20, 30, 50, 64], &truth), [1, 1, 1, 4, 1, 2, 1]);
    }

    #[test]
    fn each_step_has_one_edge() {
        assert_eq!(matched(&[15, 16, 17], &[16], 1), [false, true, false]);
        assert_eq!(matched(&[15, 17], &[16, 18], 1), [true, true]);
        assert_eq!(matched(&[16], &[14, 15, 17], 1), [true]);
        assert_eq!(matched(&[16], &[14, 18], 1), [false]);
    }
}
