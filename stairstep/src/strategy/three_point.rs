//! Three-point stair-step discrimination on the lattice.

use super::{cliffs, lattice};
use crate::rounds::{Plan, Rounds, Wants};
use crate::{Config, MissBound, assemble};
use std::cmp::Ordering;
use std::collections::BTreeSet;

#[derive(Clone, Debug)]
pub(crate) struct ThreePoint {
    lattice: Option<usize>,
    /// Widths off the lattice that are looked at nevertheless, because an audit failed beside them.
    extra: BTreeSet<usize>,
    audit: Audit,
    /// Whether the edges that were found with the lattice confirm it.
    is_confirmed: bool,
    /// What the edges that were found without a lattice have in common.
    learned: usize,
}

#[derive(Clone, Debug)]
enum Audit {
    Due,
    Running { unseen: usize, widths: BTreeSet<usize> },
    Over(Option<MissBound>),
}

pub(crate) fn search(config: &Config) -> Rounds<ThreePoint> {
    let (lattice, extra) = (config.sane().lattice, BTreeSet::new());
    Rounds::new(config, ThreePoint { lattice, extra, audit: Audit::Due, is_confirmed: false, learned: 1 })
}

impl Plan for ThreePoint {
    fn plan(&mut self, wants: &mut Wants<'_>) {
        if self.lattice.is_none() {
            let others = !wants.config.lattices.is_empty();
            let found = if others { lattice::of_others(wants) } else { lattice::find(wants) };
            // Two or three channels are less than what must be seen: a lattice of them says nothing that halving does
            // not find out, and every multiple of it would be read.
            self.lattice = found.map(|step| if is_fine(step, wants.config) { 1 } else { step });
        }
        let Some(step) = self.lattice else { return };
        if matches!(self.audit, Audit::Due) {
            self.look_beside_exceptions(step, wants);
        }
        let points = self.points(step, wants.config);
        // Each stage begins when the ones before it want nothing more.
        open_intervals(&points, step, wants);
        if wants.any() {
            return;
        }
        if is_without_lattice(step, wants.config) {
            if !self.settle_cliffs(&points, wants) {
                return;
            }
        } else if !self.settle(&points, step, wants) {
            return;
        }
        if !wants.any() {
            self.audit(step, wants);
        }
    }

    fn lattice(&self) -> usize {
        self.lattice.map_or(1, |step| step.max(self.learned))
    }

    fn missed(&self) -> Option<MissBound> {
        match self.audit {
            Audit::Over(missed) => missed,
            Audit::Due | Audit::Running { .. } => None,
        }
    }
}

/// Wants the middle of every interval between probed neighbors in which a riser, bump or dip can hide.
///
/// At first the points that are as far apart as the narrowest thing that must be seen, asked for together, so that they
/// are read together. An interval is open while its ends differ.
fn open_intervals(points: &[usize], step: usize, wants: &mut Wants<'_>) {
    let last = points.len() - 1;
    let apart = apart(points, step, wants.config);
    if is_without_lattice(step, wants.config) {
        return cliffs::open(points, apart, wants);
    }
    if !wants.request_all((0..last).step_by(apart).chain([last]).map(|i| points[i])) {
        return;
    }
    let probed: Vec<usize> = (0..points.len()).filter(|&i| wants.is_known(points[i])).collect();
    for ends in probed.windows(2) {
        let [left, right] = [ends[0], ends[1]];
        let middle = left.midpoint(right);
        if right - left < 2 {
            continue;
        }
        if wants.compare(points[left], points[right]).is_some_and(|order| order != Ordering::Equal) {
            wants.request(points[middle]);
        }
    }
}

/// Whether no lattice was found and the search does without one. It does not if the caller has set a lattice of 1, or
/// wants every width.
fn is_without_lattice(step: usize, config: &Config) -> bool {
    step == 1 && config.lattice.is_none() && config.narrowest > 1
}

/// Whether a lattice is finer than what must be seen, on which the search does better without.
fn is_fine(step: usize, config: &Config) -> bool {
    step < config.narrowest.min(lattice::FINE)
}

/// Points of a grid without a lattice at least: where there are few widths, more of them are looked at.
const GRID: usize = 24;

/// How many places apart points are looked at in the first place.
fn apart(points: &[usize], step: usize, config: &Config) -> usize {
    let most = ((points.len() - 1) / 2).max(1);
    // Without a lattice nothing says where a tread would end: twice as far, and closer where something is.
    if is_without_lattice(step, config) {
        return config.narrowest.saturating_mul(2).min(points.len() / GRID).max(1);
    }
    (config.narrowest / step).clamp(1, most)
}

/// The edges as they stand, once nothing more is wanted to decide which they are.
fn settled_edges(wants: &mut Wants<'_>) -> Option<Vec<usize>> {
    let known: Vec<usize> = wants.ledger.known().map(|(channels, _)| channels).collect();
    let (ledger, tolerance) = (wants.ledger, wants.config.tolerance);
    let near = |a: usize, b: usize| ledger.compare(a, b).difference <= (tolerance / 2.0).ln_1p();
    let as_it_stands = |a: usize, b: usize| ledger.compare(a, b).order;
    let edges =
        assemble::edges(&known, |c, edge| wants.compare(c, edge).unwrap_or_else(|| as_it_stands(c, edge)), near);
    if !wants.any() {
        edges.windows(2).for_each(|pair| _ = wants.confirm(pair[0], pair[1]));
    }
    (!wants.any()).then_some(edges)
}

/// Wants both neighbors of every edge on the lattice, and the width just above it: where the jump does not follow at
/// once, the tread goes on off the lattice, and its end is looked for by halving. A lattice that is believed needs none
/// of that.
fn surround_edges(edges: &[usize], points: &[usize], step: usize, is_believed: bool, wants: &mut Wants<'_>) {
    let known: Vec<usize> = wants.ledger.known().map(|(channels, _)| channels).collect();
    for &edge in edges {
        if let Ok(i) = points.binary_search(&edge) {
            let neighbors = [i.checked_sub(1), i.checked_add(1)].into_iter().flatten();
            wants.request_all(neighbors.filter_map(|neighbor| points.get(neighbor).copied()));
        }
        let next = known.get(known.partition_point(|&c| c <= edge)).copied().unwrap_or(edge);
        if next - edge > 1 && !is_believed {
            wants.request(if edge.is_multiple_of(step) { edge + 1 } else { edge.midpoint(next) });
        }
    }
}

/// Edges by which a lattice is confirmed.
const WITNESSES: usize = 6;

/// Whether jumps follow the edges at once, as they do on a lattice, rather than somewhere between its points, as on a
/// slope; nothing while measurements are wanted for it.
fn is_confirmed(edges: &[usize], wants: &mut Wants<'_>) -> Option<bool> {
    let below = &edges[..edges.len().saturating_sub(1)];
    let every = below.len().div_ceil(WITNESSES).max(1);
    let jumps: Vec<_> = below.iter().step_by(every).map(|&edge| wants.compare(edge, edge + 1)).collect();
    let jumps: Vec<Ordering> = jumps.into_iter().collect::<Option<_>>()?;
    let n = jumps.len();
    Some(3 * jumps.into_iter().filter(|order| *order == Ordering::Less).count() >= n)
}

impl ThreePoint {
    fn points(&self, step: usize, config: &Config) -> Vec<usize> {
        let mut points = config.points(step);
        // What lies below the first multiple of a lattice that may be too coarse must be held against something.
        points.extend(config.lattice.is_none().then_some(config.min_channels));
        points.extend(&self.extra);
        points.sort_unstable();
        points.dedup();
        points
    }

    /// All widths of a lattice step in which one off the lattice turned out cheaper than the multiple that ends it.
    fn look_beside_exceptions(&mut self, step: usize, wants: &Wants<'_>) {
        for (channels, _) in wants.ledger.known().filter(|(c, _)| !c.is_multiple_of(step)) {
            let multiple = channels.next_multiple_of(step);
            if wants.ledger.has(multiple) && wants.is_cheaper(channels, multiple) {
                self.extra.extend((multiple - step).max(wants.config.min_channels)..=multiple);
            }
        }
    }

    /// On a slope only cliffs are worth a decision: neighbors that differ. What looks like one may be a lattice as fine as
    /// the grid. Says whether nothing more is to be done for it now.
    fn settle_cliffs(&mut self, points: &[usize], wants: &mut Wants<'_>) -> bool {
        if !self.is_confirmed {
            let Some(step) = cliffs::fine_lattice(points, apart(points, 1, wants.config), wants) else { return false };
            self.is_confirmed = true;
            if step > 1 {
                self.lattice = Some(step);
                self.plan(wants);
                return false;
            }
        }
        let known: Vec<usize> = wants.ledger.known().map(|(channels, _)| channels).collect();
        for pair in known.windows(2).filter(|pair| pair[1] - pair[0] == 1) {
            if wants.differ_by_medians(pair[0], pair[1]) {
                wants.confirm(pair[0], pair[1]);
            }
        }
        if wants.any() {
            return false;
        }
        let jumps = known.windows(2).filter(|p| p[1] - p[0] == 1 && wants.is_cheaper(p[0], p[1])).map(|p| p[0]);
        self.learned = cliffs::common_step(&jumps.collect::<Vec<_>>(), lattice::CANDIDATES.into_iter());
        true
    }

    /// Decides which widths are edges, and where exactly they are; says whether nothing more is to be done for it now.
    fn settle(&mut self, points: &[usize], step: usize, wants: &mut Wants<'_>) -> bool {
        let Some(edges) = settled_edges(wants) else { return false };
        if wants.config.lattice.is_none() && !self.is_confirmed {
            match is_confirmed(&edges, wants) {
                None => return false,
                Some(true) => self.is_confirmed = true,
                Some(false) => {
                    self.lattice = Some(1);
                    self.plan(wants);
                    return false;
                }
            }
        }
        surround_edges(&edges, points, step, wants.config.lattice.is_some(), wants);
        !wants.any()
    }

    /// Draws the audits, waits for them, and searches beside those that fail.
    fn audit(&mut self, step: usize, wants: &mut Wants<'_>) {
        match &self.audit {
            Audit::Due => {
                let range = wants.config.min_channels..=wants.config.max_channels;
                let is_unseen = |c: &usize| !wants.is_known(*c);
                let mut unseen: Vec<usize> = range.filter(is_unseen).collect();
                stats::Rng::new(!wants.config.seed).shuffle(&mut unseen);
                let widths: BTreeSet<usize> = unseen.iter().copied().take(wants.config.audits).collect();
                self.audit = if widths.is_empty() {
                    Audit::Over(None)
                } else {
                    wants.request_all(widths.iter().copied());
                    Audit::Running { unseen: unseen.len(), widths }
                };
            }
            Audit::Running { unseen, widths } => {
                let Some(failed) = failed(widths, wants) else { return };
                let missed = MissBound::new(*unseen, widths.len(), failed.len());
                for channels in failed {
                    // All widths of the lattice step that it lies in, its ends being points already.
                    let below = (channels / step * step).max(wants.config.min_channels);
                    let above = channels.next_multiple_of(step).min(wants.config.max_channels);
                    self.extra.extend(below..=above);
                }
                self.audit = Audit::Over(Some(missed));
                self.plan(wants);
            }
            Audit::Over(_) => {}
        }
    }
}

/// The audits that are cheaper than the next larger width that was probed before, or nothing while undecided.
fn failed(audits: &BTreeSet<usize>, wants: &mut Wants<'_>) -> Option<Vec<usize>> {
    let known: Vec<usize> = wants.ledger.known().map(|(c, _)| c).filter(|c| !audits.contains(c)).collect();
    let claims = audits.iter().filter_map(|&audit| Some((audit, *known.get(known.partition_point(|&c| c < audit))?)));
    let orders: Vec<_> = claims.map(|(audit, claim)| (audit, wants.compare(audit, claim))).collect();
    orders
        .into_iter()
        .filter_map(|(audit, order)| match order {
            Some(Ordering::Less) => Some(Some(audit)),
            Some(_) => None,
            None => Some(None),
        })
        .collect()
}
