//! Without a known lattice: a grid of neighbors, and halving where one rises by more than the others around it.
//!
//! Nothing is assumed of where treads end. A flat curve, a stair and a slope with a cliff here and there differ in what
//! an interval of the grid usually rises by; what rises by clearly more is opened until the jump stands between two
//! widths next to each other.

use crate::rounds::Wants;

/// Neighboring intervals that tell what an interval usually rises by.
const NEIGHBORS: usize = 6;
/// Of their rises this quantile counts: with treads of two intervals, half of them hold a jump.
const USUAL: f64 = 0.3;
/// Readings after which a rise that looks like a cliff is looked into.
const SURE: usize = 6;
/// Places at which it is checked whether jumps follow the grid's points at once.
const WITNESSES: usize = 6;

/// An interval between neighbors that were probed, by their places, and the rise from left to right in ln.
#[derive(Clone, Copy)]
struct Interval {
    left: usize,
    right: usize,
    rise: f64,
    error: f64,
}

fn intervals(points: &[usize], wants: &Wants<'_>) -> Vec<Interval> {
    let probed: Vec<usize> = (0..points.len()).filter(|&i| wants.ledger.has(points[i])).collect();
    let interval = |ends: &[usize]| {
        let (rise, error) = wants.difference(points[ends[1]], points[ends[0]]);
        Interval { left: ends[0], right: ends[1], rise, error }
    };
    probed.windows(2).map(interval).collect()
}

/// Wants points that are `apart`, and then the middles of intervals that hold a cliff.
pub(crate) fn open(points: &[usize], apart: usize, wants: &mut Wants<'_>) {
    let last = points.len() - 1;
    let is_first = |i: &usize| *i == 0 || *i == last || points[*i].is_multiple_of(apart);
    if !wants.request_all((0..=last).filter(is_first).map(|i| points[i])) {
        return;
    }
    // How far readings scatter shows only now, and in noise there are cliffs everywhere.
    let known: Vec<usize> = points.iter().copied().filter(|&c| wants.ledger.has(c)).collect();
    if !wants.request_precise(&known) {
        return;
    }
    let all = intervals(points, wants);
    for (k, interval) in all.iter().enumerate() {
        let Interval { left, right, rise, error } = *interval;
        let width = (points[right] - points[left]) as f64;
        let from = k.saturating_sub(NEIGHBORS / 2);
        let around = all.iter().enumerate().skip(from).take(NEIGHBORS + 1).filter(|(i, _)| *i != k);
        let mut slopes: Vec<f64> = around.map(|(_, n)| n.rise / (points[n.right] - points[n.left]) as f64).collect();
        slopes.sort_by(f64::total_cmp);
        let expected = stats::quantile(&slopes, USUAL).unwrap_or(0.0) * width;
        // What is steep varies more, and is no cliff for that.
        let usual = wants.config.tolerance.ln_1p() + expected.abs() / 4.0 + error / 2.0;
        if (rise - expected).abs() <= usual {
            continue;
        }
        // A cliff by a few readings may be none by more.
        if wants.read_together(points[left], points[right], SURE) && right - left > 1 {
            wants.request(points[left.midpoint(right)]);
        }
    }
}

/// The lattice that a grid stands on, itself or twice as fine, where jumps follow its points at once, and 1 where they do
/// not: asked where most intervals rise, for a fine lattice looks like a slope from afar. Nothing while measurements
/// are wanted for it.
pub(crate) fn fine_lattice(points: &[usize], apart: usize, wants: &mut Wants<'_>) -> Option<usize> {
    let is_on = |i: &usize| points[*i].is_multiple_of(apart) && wants.ledger.has(points[*i]);
    let grid: Vec<usize> = (0..points.len()).filter(is_on).map(|i| points[i]).collect();
    let tolerance = wants.config.tolerance.ln_1p();
    let rising: Vec<usize> =
        grid.windows(2).filter(|pair| wants.difference(pair[1], pair[0]).0 > tolerance).map(|pair| pair[0]).collect();
    if apart < 2 || rising.is_empty() || 5 * rising.len() < 3 * grid.len() {
        return Some(1);
    }
    let every = rising.len().div_ceil(WITNESSES);
    let witnesses: Vec<usize> = rising.into_iter().step_by(every).collect();
    let half = apart / 2;
    let looked_at = witnesses.iter().flat_map(|&c| [c + 1, c + half, c + half + 1]);
    let max = wants.config.max_channels;
    if !wants.request_all(looked_at.filter(|&c| c <= max)) {
        return None;
    }
    // A jump is more than the part that one channel has in a slope over the interval.
    let jumps = |offset: usize| {
        let is_jump = |&&c: &&usize| {
            let (jump, _) = wants.difference(c + offset + 1, c + offset);
            let (whole, _) = wants.difference(c + apart, c);
            jump > tolerance && jump > whole / 3.0
        };
        2 * witnesses.iter().filter(is_jump).count() >= witnesses.len()
    };
    Some(match (jumps(0), half > 1 && jumps(half)) {
        (true, true) => half,
        (true, false) => apart,
        _ => 1,
    })
}

/// The coarsest of `steps` that most of the edges are multiples of, or 1: what other lines may expect.
pub(crate) fn common_step(edges: &[usize], steps: impl Iterator<Item = usize>) -> usize {
    let most = |step: &usize| 5 * edges.iter().filter(|edge| edge.is_multiple_of(*step)).count() >= 4 * edges.len();
    // Two and three divide too many numbers to mean anything.
    if edges.len() < 4 { 1 } else { steps.filter(|&step| step >= 4).filter(most).max().unwrap_or(1) }
}
