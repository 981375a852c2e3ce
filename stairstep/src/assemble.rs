//! A staircase from all that was read.

use crate::ledger::{Comparison, Estimate, Ledger};
use crate::slopes::Slopes;
use crate::{Config, Edge, Granularity, MissBound, Point, Probed, Shape, Staircase, classify};
use std::cmp::Ordering;

/// The edges among `known` widths (ascending), ascending.
///
/// From the right: the largest width is an edge. Where a width is less than the edge found last by `compare`, there is
/// another one: the largest width below that edge that costs as little as this one, give or take `near`, by which
/// half the tolerance is meant. So every width that is no edge has a larger one that costs no more, within the
/// tolerance, and no edge has one within half of it: on a gentle slope, too, edges stand at its risers.
pub(crate) fn edges(
    known: &[usize],
    mut compare: impl FnMut(usize, usize) -> Ordering,
    near: impl Fn(usize, usize) -> bool,
) -> Vec<usize> {
    let mut edges: Vec<usize> = Vec::new();
    // How many of `known` lie below the edge found last.
    let mut below = known.len();
    for (i, &channels) in known.iter().enumerate().rev() {
        let Some(&edge) = edges.last() else {
            edges.push(channels);
            below = i;
            continue;
        };
        if compare(channels, edge) == Ordering::Less {
            let place = (i + 1..below).rev().find(|&larger| near(known[larger], channels)).unwrap_or(i);
            edges.push(known[place]);
            below = place;
        }
    }
    edges.reverse();
    edges
}

/// The edges as the readings stand.
///
/// Where a granularity is believed, an edge off it is none without evidence: see [`is_credible`].
pub(crate) fn standing_edges(ledger: &Ledger, config: &Config, granularity: Granularity) -> Vec<usize> {
    let known: Vec<usize> = ledger.known().map(|(channels, _)| channels).collect();
    let credible: Vec<usize> =
        known.iter().copied().filter(|&c| is_credible(c, &known, ledger, config, granularity)).collect();
    let order = |a: usize, b: usize| ledger.compare(a, b).order;
    let near = |a: usize, b: usize| ledger.compare(a, b).difference <= (config.tolerance / 2.0).ln_1p();
    edges(&credible, order, near)
}

/// How many standard errors the step after a width must be above half the tolerance.
///
/// On the granularity most widths have a step, and on a slope so steep that each channel costs more than a step, all of
/// them. Off the granularity, one step in thirty lies somewhere in a granule: prior odds of about 1 to 500 for one
/// width, which [`STRAY`] outweighs. Without a granularity a step may be anywhere, and the widths that
/// are looked at closely are those that happened to look like one.
pub(crate) fn deviation(channels: usize, granularity: Granularity, slopes: &Slopes, config: &Config) -> f64 {
    let is_steep = slopes.expected(channels, channels + 1) > (STEP * config.tolerance).ln_1p();
    match granularity {
        _ if is_steep => 1.3,
        Granularity::NONE => 2.7,
        granularity if granularity.contains(channels) => 1.3,
        _ => STRAY,
    }
}

/// The normal deviation that outweighs the prior odds against a step off the granularity.
const STRAY: f64 = 3.5;

/// The share of the tolerance that latency must rise by from one width to the next for a step.
const STEP: f64 = 0.75;

/// Whether a width may be an edge: on the granularity, or measured to be cheaper than the next width on it beyond doubt.
pub(crate) fn is_credible(
    channels: usize,
    known: &[usize],
    ledger: &Ledger,
    config: &Config,
    granularity: Granularity,
) -> bool {
    if granularity.contains(channels) || channels == config.max_channels || config.max_readings == 1 {
        return true;
    }
    let next = known[known.partition_point(|&c| c <= channels)..].iter().find(|&&c| granularity.contains(c));
    let Some(&next) = next else { return true };
    let comparison = ledger.compare(next, channels);
    let beyond = comparison.difference - (config.tolerance / 2.0).ln_1p();
    ledger.is_finished(channels) || (comparison.rounds > 1 && beyond > STRAY * comparison.error)
}

/// Assembles what the ledger knows; `missed` is what audits found, `None` if there were none.
pub(crate) fn staircase(
    ledger: &Ledger,
    config: &Config,
    granularity: Granularity,
    missed: Option<MissBound>,
) -> Staircase {
    let probed: Vec<Probed> = ledger.known().map(|(channels, estimate)| probed(channels, &estimate)).collect();
    let widths = standing_edges(ledger, config, granularity);
    let edges = edge_list(&widths, &probed, config, granularity, ledger);
    let known: Vec<usize> = probed.iter().map(|probed| probed.channels).collect();
    let dominated = dominated(&widths, &known, config, granularity);
    let missed = missed.unwrap_or_else(|| MissBound::new(unseen(&dominated, &known).len(), 0, 0));
    Staircase { edges, dominated, probed, granularity, missed }
}

/// Ranges of widths that cost at least as much as the edge that follows them.
///
/// After an edge they begin where the step is: right after it, if the next width was read or the edge is on the granularity.
/// Otherwise latency rises somewhere up to the next width that was read, and of the widths between nothing is claimed.
pub(crate) fn dominated(
    edges: &[usize],
    known: &[usize],
    config: &Config,
    granularity: Granularity,
) -> Vec<(usize, usize)> {
    let apart = config.granularity.unwrap_or(1);
    let start = |edge: usize| {
        let next = known.get(known.partition_point(|&c| c <= edge)).copied().unwrap_or(edge);
        let is_sharp = next - edge <= apart || (granularity != Granularity::NONE && granularity.contains(edge));
        if is_sharp { edge + 1 } else { next }
    };
    // Without an edge above, nothing is claimed.
    let starts = [config.min_channels].into_iter().chain(edges.iter().map(|&edge| start(edge)));
    starts.zip(edges).filter(|(from, edge)| from < *edge).map(|(from, edge)| (from, edge - 1)).collect()
}

/// The widths of these ranges that were not read.
pub(crate) fn unseen(ranges: &[(usize, usize)], known: &[usize]) -> Vec<usize> {
    ranges.iter().flat_map(|&(from, to)| from..=to).filter(|c| known.binary_search(c).is_err()).collect()
}

fn probed(channels: usize, estimate: &Estimate) -> Probed {
    Probed { channels, latency_ns: estimate.ns, interval_ns: estimate.interval_ns, readings: estimate.readings }
}

fn edge_list(
    widths: &[usize],
    probed: &[Probed],
    config: &Config,
    granularity: Granularity,
    ledger: &Ledger,
) -> Vec<Edge> {
    let at = |channels: usize| probed.binary_search_by_key(&channels, |p| p.channels).ok();
    let indices: Vec<usize> = widths.iter().filter_map(|&channels| at(channels)).collect();
    // From afar, steps and a slope look alike: only neighbors tell them apart here.
    let slopes = Slopes::new(ledger, config.tolerance, 2);
    let next = indices.iter().skip(1).map(|&i| Some(&probed[i])).chain([None]);
    let edge = |(&i, next): (&usize, Option<&Probed>)| {
        let here = &probed[i];
        let near = |p: &&Probed| p.channels.abs_diff(here.channels) <= granularity.step;
        let below = i.checked_sub(1).and_then(|i| probed.get(i)).filter(near);
        let above = probed.get(i + 1).filter(near);
        let shape: Option<Shape> = below
            .zip(above)
            .map(|(below, above)| classify(below.latency_ns, here.latency_ns, above.latency_ns, config.tolerance));
        let point = |p: &Probed| Point { channels: p.channels, latency_ns: p.latency_ns };
        Edge {
            channels: here.channels,
            latency_ns: here.latency_ns,
            interval_ns: here.interval_ns,
            jump_ns: next.map(|next| next.latency_ns - here.latency_ns),
            is_step: next.is_some_and(|next| {
                is_step([here.channels, next.channels], probed, config, granularity, &slopes, ledger)
            }),
            confidence: next.map(|next| confidence(&ledger.compare(next.channels, here.channels), config)),
            below: below.map(point),
            above: above.map(point),
            shape,
        }
    };
    indices.iter().zip(next).map(edge).collect()
}

/// Whether latency steps right after `edge`: the next width costs more, and so does the next edge.
fn is_step(
    [edge, next_edge]: [usize; 2],
    probed: &[Probed],
    config: &Config,
    granularity: Granularity,
    slopes: &Slopes,
    ledger: &Ledger,
) -> bool {
    let Some(next) = probed.get(probed.partition_point(|p| p.channels <= edge)) else { return false };
    let apart = config.granularity.unwrap_or(1);
    let rises = |to: usize| {
        let Comparison { difference, error, .. } = ledger.compare(to, edge);
        let beyond = difference - (config.tolerance / 2.0).ln_1p();
        difference > (STEP * config.tolerance).ln_1p() && beyond >= deviation(edge, granularity, slopes, config) * error
    };
    next.channels - edge <= apart && rises(next.channels) && rises(next_edge)
}

/// The probability that a jump is more than half the tolerance, given its readings: normal, by its standard error.
fn confidence(jump: &Comparison, config: &Config) -> f64 {
    let beyond = jump.difference - (config.tolerance / 2.0).ln_1p();
    if jump.error > 0.0 { stats::normal_cdf(beyond / jump.error) } else { f64::from(u8::from(beyond > 0.0)) }
}
