//! A staircase from all that was read.

use crate::ledger::{Comparison, Estimate, Ledger};
use crate::{Config, Edge, MissBound, Point, Probed, Shape, Staircase, classify};
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

/// Assembles what the ledger knows; `missed` is what audits found, `None` if there were none.
pub(crate) fn staircase(ledger: &Ledger, config: &Config, lattice: usize, missed: Option<MissBound>) -> Staircase {
    let probed: Vec<Probed> = ledger.known().map(|(channels, estimate)| probed(channels, &estimate)).collect();
    let known: Vec<usize> = probed.iter().map(|p| p.channels).collect();
    let order = |a: usize, b: usize| ledger.compare(a, b).order;
    let near = |a: usize, b: usize| ledger.compare(a, b).difference <= (config.tolerance / 2.0).ln_1p();
    let widths = edges(&known, order, near);
    let on_lattice: Vec<&Probed> = probed
        .iter()
        .filter(|p| {
            p.channels.is_multiple_of(lattice) || p.channels == config.max_channels || widths.contains(&p.channels)
        })
        .collect();
    let edges = edge_list(&widths, &on_lattice, config, lattice, ledger);
    // Without an edge above, nothing is claimed.
    let starts = [config.min_channels].into_iter().chain(widths.iter().map(|edge| edge + 1));
    let dominated =
        starts.zip(&widths).filter(|(from, edge)| from < *edge).map(|(from, edge)| (from, edge - 1)).collect();
    let unseen = (config.max_channels - config.min_channels + 1) - probed.len();
    let missed = missed.unwrap_or_else(|| MissBound::new(unseen, 0, 0));
    Staircase { edges, dominated, probed, lattice, missed }
}

fn probed(channels: usize, estimate: &Estimate) -> Probed {
    Probed { channels, latency_ns: estimate.ns, interval_ns: estimate.interval_ns, readings: estimate.readings }
}

fn edge_list(widths: &[usize], on_lattice: &[&Probed], config: &Config, lattice: usize, ledger: &Ledger) -> Vec<Edge> {
    let at = |channels: usize| on_lattice.binary_search_by_key(&channels, |p| p.channels).ok();
    let indices: Vec<usize> = widths.iter().filter_map(|&channels| at(channels)).collect();
    let next = indices.iter().skip(1).map(|&i| Some(on_lattice[i])).chain([None]);
    let edge = |(&i, next): (&usize, Option<&Probed>)| {
        let here = on_lattice[i];
        let near = |p: &&&Probed| p.channels.abs_diff(here.channels) <= lattice;
        let below = i.checked_sub(1).and_then(|i| on_lattice.get(i)).filter(near);
        let above = on_lattice.get(i + 1).filter(near);
        let shape: Option<Shape> = below
            .zip(above)
            .map(|(below, above)| classify(below.latency_ns, here.latency_ns, above.latency_ns, config.tolerance));
        let point = |p: &&Probed| Point { channels: p.channels, latency_ns: p.latency_ns };
        Edge {
            channels: here.channels,
            latency_ns: here.latency_ns,
            interval_ns: here.interval_ns,
            jump_ns: next.map(|next| next.latency_ns - here.latency_ns),
            confidence: next.map(|next| confidence(&ledger.compare(next.channels, here.channels), config)),
            below: below.map(point),
            above: above.map(point),
            shape,
        }
    };
    indices.iter().zip(next).map(edge).collect()
}

/// The probability that a jump is more than half the tolerance, given its readings: normal, by its standard error.
fn confidence(jump: &Comparison, config: &Config) -> f64 {
    let beyond = jump.difference - (config.tolerance / 2.0).ln_1p();
    if jump.error > 0.0 { stats::normal_cdf(beyond / jump.error) } else { f64::from(u8::from(beyond > 0.0)) }
}
