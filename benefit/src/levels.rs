//! Which widths a group may take.

use crate::sweep::Sweep;
use netspec::Constraint;

/// What limits a group's levels.
#[derive(Clone, Debug, PartialEq)]
pub struct LevelRule {
    pub(crate) floor: usize,
    lattice: usize,
    most: usize,
    tolerance: f64,
    pub(crate) sliding: bool,
    pub(crate) constraints: Vec<Constraint>,
}

impl Default for LevelRule {
    fn default() -> LevelRule {
        LevelRule { floor: 1, lattice: 0, most: 64, tolerance: 0.0, sliding: false, constraints: Vec::new() }
    }
}

impl LevelRule {
    /// No level is narrower than this; by default 1.
    pub fn floor(self, floor: usize) -> LevelRule {
        LevelRule { floor, ..self }
    }

    /// Multiples of `lattice` are candidates besides the members' knots; by default, or at 0, the knots alone.
    pub fn lattice(self, lattice: usize) -> LevelRule {
        LevelRule { lattice, ..self }
    }

    /// At most this many levels are kept, at least 2; by default 64.
    pub fn most(self, most: usize) -> LevelRule {
        LevelRule { most, ..self }
    }

    /// Prices within this relative difference, the noise of the readings, count as equal; by default 0.
    pub fn tolerance(self, tolerance: f64) -> LevelRule {
        LevelRule { tolerance, ..self }
    }

    /// Calls no width dominated: the consumer of a concat sees only the total width, so the other parts decide which of
    /// this group's widths fall on an edge. Off by default.
    pub fn sliding(self, sliding: bool) -> LevelRule {
        LevelRule { sliding, ..self }
    }

    /// Only widths that all of these allow, and the full width. The allowed widths next to a forbidden candidate take its
    /// place.
    pub fn constraints(self, constraints: &[Constraint]) -> LevelRule {
        LevelRule { constraints: constraints.to_vec(), ..self }
    }

    fn allows(&self, width: usize, channels: usize) -> bool {
        width >= self.floor.max(1) && self.constraints.iter().all(|constraint| constraint.allows(width, channels))
    }
}

/// The widths worth offering for a group of `channels`, ascending, the full width last.
///
/// `members` are the staircases of everything that changes with the group: c_out of its producers, c_in of its
/// consumers, each over the *group's* channels. Candidates are their knots and the lattice's multiples; one that the
/// rule's constraints forbid gives its place to the next allowed widths below and above it.
/// A width is dominated, and left out, only if one larger width costs no more in *every* member: then keeping
/// more channels is free. One sweep per axis speaks for every level of the neighbors as long as the cells are
/// the product of the axes, which is how [`Problem`](crate::Problem) estimates cells that were not measured.
/// The narrowest candidate at or above the floor stays unless it is dominated.
///
/// Where more than `most` are left, levels are dropped so that the steps in price between those that stay are
/// about equal: cliffs survive, slopes are sampled.
///
/// ```
/// use benefit::{Knot, LevelRule, Sweep, levels_from};
/// use netspec::Provenance::Measured;
/// let stairs = |ns: &[(usize, f64)]| {
///     Sweep::new(ns.iter().map(|&(channels, ns)| Knot { channels, ns, provenance: Measured }).collect())
/// };
/// let produced = stairs(&[(16, 10.0), (24, 20.0), (32, 20.0)])?;
/// let consumed = stairs(&[(16, 9.0), (20, 9.0), (24, 14.0), (32, 14.0)])?;
/// // 24 costs as much as 32 on both sides; 20 is as dear to produce and yet cheaper to read.
/// assert_eq!(levels_from(32, &[produced, consumed], &LevelRule::default()), [16, 20, 32]);
/// # Ok::<(), benefit::SweepError>(())
/// ```
pub fn levels_from(channels: usize, members: &[Sweep], rule: &LevelRule) -> Vec<usize> {
    let knots = members.iter().flat_map(|sweep| sweep.knots()).map(|knot| knot.channels);
    let lattice = (1..).map_while(|i| rule.lattice.checked_mul(i)).take_while(|&w| w > 0 && w < channels);
    let mut wanted: Vec<usize> = knots.chain(lattice).filter(|&w| w >= rule.floor.max(1) && w < channels).collect();
    wanted.push(channels);
    wanted.sort_unstable();
    wanted.dedup();
    let is_allowed = |width: &usize| rule.allows(*width, channels);
    let around = |width: usize| [(1..=width).rev().find(is_allowed), (width..=channels).find(is_allowed)];
    let mut widths: Vec<usize> = wanted.into_iter().flat_map(around).flatten().collect();
    widths.push(channels);
    widths.sort_unstable();
    widths.dedup();

    let prices: Vec<Vec<f64>> =
        widths.iter().map(|&width| members.iter().map(|sweep| sweep.price(width)).collect()).collect();
    let no_more = |wide: &[f64], narrow: &[f64]| {
        wide.iter().zip(narrow).all(|(wide, narrow)| *wide <= narrow * (1.0 + rule.tolerance))
    };
    // From the widest down, against what is kept: with a tolerance, a gentle slope would else vanish step by step.
    let mut kept: Vec<usize> = Vec::new();
    for i in (0..widths.len()).rev() {
        if rule.sliding || !kept.iter().any(|&wider| no_more(&prices[wider], &prices[i])) {
            kept.push(i);
        }
    }
    kept.reverse();
    thin(&kept, &prices, rule.most.max(2)).into_iter().map(|i| widths[i]).collect()
}

/// Walks down from the widest and keeps a width whenever enough price has been saved since the last kept one.
fn thin(kept: &[usize], prices: &[Vec<f64>], most: usize) -> Vec<usize> {
    if kept.len() <= most {
        return kept.to_vec();
    }
    // Where no member has a price, every width is a step of its own.
    let drop = |wide: usize, narrow: usize| {
        let relative = prices[wide].iter().zip(&prices[narrow]).map(|(w, n)| ((w - n) / w).max(0.0)).sum::<f64>();
        if prices[wide].is_empty() { 1.0 } else { relative }
    };
    let drops: Vec<f64> = kept.windows(2).map(|pair| drop(pair[1], pair[0])).collect();
    let enough = drops.iter().sum::<f64>() / (most - 1) as f64;
    let (mut chosen, mut saved) = (vec![kept[kept.len() - 1]], 0.0);
    for i in (0..kept.len() - 1).rev() {
        saved += drops[i];
        // Both ends are kept besides at most `most - 2` widths between them.
        if i == 0 || (saved >= enough && chosen.len() < most - 1) {
            chosen.push(kept[i]);
            saved = 0.0;
        }
    }
    chosen.reverse();
    chosen
}
