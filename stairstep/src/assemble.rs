//! A staircase from all that was read.

use crate::ledger::{Estimate, Ledger};
use crate::{Config, Edge, MissBound, Probed, Shape, Staircase, Tread, classify};
use std::cmp::Ordering;

/// The edges among `known` widths (ascending), ascending.
///
/// From the right: the largest width is an edge, and so is every width that `compare` calls less than the edge
/// found last. Hence no edge has a larger width that costs no more, every other width has, and prices of edges
/// differ by more than the tolerance even on a gentle slope.
pub(crate) fn edges(known: &[usize], mut compare: impl FnMut(usize, usize) -> Ordering) -> Vec<usize> {
    let mut edges: Vec<usize> = Vec::new();
    for &channels in known.iter().rev() {
        if edges.last().is_none_or(|&edge| compare(channels, edge) == Ordering::Less) {
            edges.push(channels);
        }
    }
    edges.reverse();
    edges
}

pub(crate) fn staircase(ledger: &Ledger, config: &Config, lattice: usize, missed: Option<MissBound>) -> Staircase {
    let probed: Vec<Probed> = ledger.known().map(|(channels, estimate)| probed(channels, estimate)).collect();
    let known: Vec<usize> = probed.iter().map(|p| p.channels).collect();
    let widths = edges(&known, |c, edge| ledger.compare(c, edge).order);
    let on_lattice: Vec<&Probed> = probed
        .iter()
        .filter(|p| {
            p.channels.is_multiple_of(lattice) || p.channels == config.max_channels || widths.contains(&p.channels)
        })
        .collect();
    let edges = edge_list(&widths, &on_lattice, config, lattice);
    let treads = treads(&on_lattice, config.tolerance);
    // Without an edge above, nothing is claimed.
    let starts = [config.min_channels].into_iter().chain(widths.iter().map(|edge| edge + 1));
    let dominated =
        starts.zip(&widths).filter(|(from, edge)| from < *edge).map(|(from, edge)| (from, edge - 1)).collect();
    let unseen = (config.max_channels - config.min_channels + 1) - probed.len();
    let missed = missed.unwrap_or_else(|| MissBound::new(unseen, 0, 0));
    Staircase { edges, treads, dominated, probed, lattice, missed, tolerance: config.tolerance }
}

fn probed(channels: usize, estimate: &Estimate) -> Probed {
    Probed { channels, latency_ns: estimate.ns, interval_ns: estimate.interval_ns, readings: estimate.readings }
}

fn edge_list(widths: &[usize], on_lattice: &[&Probed], config: &Config, lattice: usize) -> Vec<Edge> {
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
        Edge {
            channels: here.channels,
            latency_ns: here.latency_ns,
            interval_ns: here.interval_ns,
            jump_ns: next.map(|next| next.latency_ns - here.latency_ns),
            shape,
        }
    };
    indices.iter().zip(next).map(edge).collect()
}

/// Maximal runs, from the left, of probed widths that all lie within the tolerance of each other.
fn treads(points: &[&Probed], tolerance: f64) -> Vec<Tread> {
    let mut treads: Vec<Tread> = Vec::new();
    let mut range = [0.0, 0.0];
    for point in points {
        let ns = point.latency_ns;
        let wider: [f64; 2] = [f64::min(range[0], ns), f64::max(range[1], ns)];
        match treads.last_mut() {
            Some(tread) if (wider[1] / wider[0]).ln() <= tolerance.ln_1p() => {
                tread.to = point.channels;
                tread.latency_ns = ns;
                range = wider;
            }
            _ => {
                treads.push(Tread { from: point.channels, to: point.channels, latency_ns: ns });
                range = [ns, ns];
            }
        }
    }
    treads
}
