//! Stage one: each group alone.

use crate::problem::Problem;
use crate::ticks::{Ticks, nanoseconds};
use netspec::GroupId;

/// A level as stage one sees it.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Offer {
    /// The level's index.
    pub level: usize,
    /// Channels there.
    pub channels: usize,
    /// What the group's own layers save as producers, in nanoseconds.
    pub saved_ns: f64,
    /// The value there.
    pub value: f64,
}

/// What a group offers when nothing but its own producers counts.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct StageOne {
    /// The group.
    pub group: GroupId,
    /// The levels on the upper hull of (saved, value), the full width first: each saves more than the one before
    /// it, at a price per nanosecond that never falls.
    pub hull: Vec<Offer>,
}

/// Judges every group alone, all others being dense: the layers that write it save time, what reads it does not
/// count. Keeps the upper hull of (saved, value), for a level under it is worse than a mix of two others.
///
/// ```
/// use benefit::{Problem, stage_one};
/// let mut problem = Problem::builder();
/// let a = problem.group("conv1", 64).every(16).value(&[-9.0, -4.0, -1.0, 0.0]);
/// problem.layer("conv1", 3, a, |_, c_out| [10.0, 10.0, 40.0, 50.0][c_out / 16 - 1]);
/// let offers = &stage_one(&problem.build()?)[0].hull;
/// // 16 channels save no more than 32, and 48 save too little for what they lose.
/// assert_eq!(offers.iter().map(|offer| offer.channels).collect::<Vec<_>>(), [64, 48, 32]);
/// # Ok::<(), benefit::ProblemError>(())
/// ```
pub fn stage_one(problem: &Problem) -> Vec<StageOne> {
    let mut producers: Vec<Vec<usize>> = vec![Vec::new(); problem.groups().len()];
    for (layer, cost) in problem.layers().iter().enumerate() {
        for part in &cost.outputs().parts {
            // A width may follow a group twice; the layer counts once.
            if producers[part.group.0].last() != Some(&layer) {
                producers[part.group.0].push(layer);
            }
        }
    }
    let mut levels = problem.full_levels();
    let mut stages = Vec::with_capacity(levels.len());
    for (g, producers) in producers.iter().enumerate() {
        let group = &problem.groups()[g];
        let mut cost_at = |level: usize| {
            levels[g] = level;
            producers.iter().map(|&layer| problem.layer_ticks(layer, &levels)).sum::<Ticks>()
        };
        let dense = cost_at(group.full());
        let offer = |level: usize, cost: Ticks| Offer {
            level,
            channels: group.levels[level],
            saved_ns: nanoseconds(dense - cost),
            value: group.value[level],
        };
        let offers: Vec<Offer> = (0..group.levels.len()).rev().map(|level| offer(level, cost_at(level))).collect();
        levels[g] = group.full();
        stages.push(StageOne { group: GroupId(g), hull: upper_hull(offers) });
    }
    stages
}

/// The upper hull from the offer that saves nothing (the first) towards more saving and less value.
fn upper_hull(mut offers: Vec<Offer>) -> Vec<Offer> {
    let dense = offers.remove(0);
    offers.retain(|offer| offer.saved_ns > 0.0);
    // Of equal savings the best value comes first, and of equal values the widest.
    offers.sort_by(|a, b| {
        a.saved_ns.total_cmp(&b.saved_ns).then(b.value.total_cmp(&a.value)).then(b.channels.cmp(&a.channels))
    });
    offers.dedup_by(|later, earlier| later.saved_ns == earlier.saved_ns);
    let mut hull = vec![dense];
    let price = |from: &Offer, to: &Offer| (from.value - to.value) / (to.saved_ns - from.saved_ns);
    for offer in offers {
        while let [.., before, last] = hull.as_slice()
            && price(last, &offer) < price(before, last)
        {
            hull.pop();
        }
        // Only the dense offer may still be dominated, and it stays: it is where every plan starts.
        hull.push(offer);
    }
    hull
}
