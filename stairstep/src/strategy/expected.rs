//! Testing edges that are expected from elsewhere.

use crate::Hypothesis;
use crate::rounds::Wants;
use std::cmp::Ordering;

/// What became of the expected edges, and the treads between those that hold: pairs of places in `points`, nothing
/// strictly between which needs a look.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tested {
    pub(crate) hypotheses: Vec<Hypothesis>,
    pub(crate) trusted: Vec<(usize, usize)>,
}

/// Tests every expected edge by its own three points and the far end of its tread, or answers nothing while
/// measurements are wanted for it. `points` hold the expected edges.
pub(crate) fn test(points: &[usize], wants: &mut Wants<'_>) -> Option<Tested> {
    let last = points.len() - 1;
    let expected = wants.config.expected.clone();
    let places = |edge: &usize| points.binary_search(edge).ok().filter(|&i| i < last);
    // The largest width ends a tread whatever is expected.
    let edges: Vec<usize> = expected.iter().filter_map(places).chain([last]).collect();
    // Everything is asked for before anything is concluded, so that it is measured together.
    let starts: Vec<usize> = [0].into_iter().chain(edges.iter().map(|&i| (i + 1).min(last))).collect();
    let below = edges.iter().map(|&i| i.saturating_sub(1));
    let all: Vec<usize> = edges.iter().copied().chain(below).chain(starts.iter().copied()).collect();
    if all.iter().filter(|&&i| !wants.has(points[i])).count() > 0 {
        return None;
    }
    // The tread that each edge ends: flat from just above the edge before it, and just below the edge itself.
    let flat: Vec<Option<bool>> = edges
        .iter()
        .zip(&starts)
        .map(|(&edge, &start)| {
            let ends = [start, edge.saturating_sub(1).max(start)].map(|i| wants.compare(points[i], points[edge]));
            let [first, second] = ends;
            Some(first? == Ordering::Equal && second? == Ordering::Equal)
        })
        .collect();
    let jumps: Vec<Option<bool>> = edges[..edges.len() - 1]
        .iter()
        .map(|&edge| Some(wants.compare(points[edge], points[edge + 1])? == Ordering::Less))
        .collect();
    let flat: Vec<bool> = flat.into_iter().collect::<Option<_>>()?;
    let jumps: Vec<bool> = jumps.into_iter().collect::<Option<_>>()?;
    let mut tested = Tested::default();
    for (k, &jump) in jumps.iter().enumerate() {
        tested.hypotheses.push(Hypothesis { channels: points[edges[k]], held: jump && flat[k] });
    }
    // A flat tread is believed whatever became of the edges that bound it: a real edge elsewhere makes another one rise.
    tested.trusted.extend((0..edges.len()).filter(|&k| flat[k]).map(|k| (starts[k], edges[k])));
    Some(tested)
}
