//! Stage one: each group alone.

use crate::problem::Problem;
use crate::ticks::{Ticks, nanoseconds};

/// A level as stage one sees it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Offer {
    /// The level's index.
    pub(crate) level: usize,
    channels: usize,
    /// What the group's own layers save as producers, in nanoseconds.
    saved_ns: f64,
    value: f64,
}

/// Judges every group alone, all others being dense: the layers that write it save time, what reads it does not
/// count. Keeps the upper hull of (saved, value), for a level under it is worse than a mix of two others: the full width
/// first, and each level saves more than the one before it, at a price per nanosecond that never falls.
pub(crate) fn hulls(problem: &Problem) -> Vec<Vec<Offer>> {
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
    let mut hulls = Vec::with_capacity(levels.len());
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
        hulls.push(upper_hull(offers));
    }
    hulls
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

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The hull of one group of as many levels as there are costs, which may rise where channels are removed.
    fn hull(ns: &[f64], value: &[f64]) -> Vec<Offer> {
        let levels: Vec<usize> = (1..=ns.len()).collect();
        let mut problem = Problem::builder();
        let group = problem.group("conv1", ns.len()).levels(&levels).value(value);
        problem.layer("conv1", 3, group, |_, c_out| ns[c_out - 1]);
        hulls(&problem.build().unwrap()).swap_remove(0)
    }

    #[test]
    fn what_saves_no_more_or_too_little_is_not_offered() {
        let offers = hull(&[10.0, 10.0, 40.0, 50.0], &[-9.0, -4.0, -1.0, 0.0]);
        // One channel saves no more than two, and three save too little for what they lose.
        assert_eq!(offers.iter().map(|offer| offer.channels).collect::<Vec<_>>(), [4, 3, 2]);
    }

    proptest! {
        #[test]
        fn offers_are_the_upper_hull(levels in prop::collection::vec((1_u32..50, 0_u32..9), 1..12)) {
            let ns: Vec<f64> = levels.iter().map(|&(ns, _)| ns.into()).collect();
            let lost: Vec<f64> = levels.iter().map(|&(_, lost)| lost.into()).collect();
            let value: Vec<f64> = (0..lost.len()).map(|level| 0.0 - lost[level + 1..].iter().sum::<f64>()).collect();
            let hull = hull(&ns, &value);
            prop_assert_eq!((hull[0].level, hull[0].saved_ns, hull[0].value), (ns.len() - 1, 0.0, 0.0));
            for pair in hull.windows(2) {
                prop_assert!(pair[0].saved_ns < pair[1].saved_ns);
            }
            let price = |a: &Offer, b: &Offer| (a.value - b.value) / (b.saved_ns - a.saved_ns);
            for three in hull.windows(3) {
                prop_assert!(price(&three[0], &three[1]) <= price(&three[1], &three[2]));
            }
            // Every level that saves time lies on or below the line between the offers around it.
            let full = ns[ns.len() - 1];
            for (ns, value) in ns.iter().zip(&value).filter(|(ns, _)| **ns < full) {
                let saved = full - ns;
                let after = hull.iter().position(|offer| offer.saved_ns >= saved);
                let Some(after) = after else { return Err(TestCaseError::fail("what saves most is not offered")) };
                let [a, b] = [&hull[after.max(1) - 1], &hull[after.max(1)]];
                let line = a.value + (b.value - a.value) * (saved - a.saved_ns) / (b.saved_ns - a.saved_ns);
                prop_assert!(*value <= line + 1e-9, "{value} above {line} at {saved} ns");
            }
        }
    }
}
