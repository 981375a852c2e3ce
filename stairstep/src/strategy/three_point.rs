//! Three-point stair-step discrimination on the lattice.

use super::lattice;
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
}

#[derive(Clone, Debug)]
enum Audit {
    Due,
    Running { unseen: usize, widths: BTreeSet<usize> },
    Over(Option<MissBound>),
}

pub(crate) fn search(config: &Config) -> Rounds<ThreePoint> {
    let lattice = config.sane().lattice;
    Rounds::new(config, ThreePoint { lattice, extra: BTreeSet::new(), audit: Audit::Due })
}

impl Plan for ThreePoint {
    fn plan(&mut self, wants: &mut Wants<'_>) {
        self.lattice = self.lattice.or_else(|| lattice::find(wants));
        let Some(step) = self.lattice else { return };
        let points = self.points(step, wants.config);
        // Each stage begins when the ones before it want nothing more.
        open_intervals(&points, wants);
        if !wants.any() {
            settle_edges(&points, wants);
        }
        if !wants.any() {
            self.audit(step, wants);
        }
    }

    fn lattice(&self) -> usize {
        self.lattice.unwrap_or(1)
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
/// The first interval is the whole range, by its left, middle and right.
/// A half whose ends are equal is open as long as it is wider than the narrowest thing that must be seen.
fn open_intervals(points: &[usize], wants: &mut Wants<'_>) {
    let last = points.len() - 1;
    if [0, last / 2, last].into_iter().filter(|&i| !wants.has(points[i])).count() > 0 {
        return;
    }
    let is_probed = |i: &usize| wants.ledger.estimate(points[*i]).is_some() || wants.ledger.is_hopeless(points[*i]);
    let probed: Vec<usize> = (0..points.len()).filter(is_probed).collect();
    for ends in probed.windows(2) {
        let [left, right] = [ends[0], ends[1]];
        if right - left < 2 {
            continue;
        }
        let narrow = right - left <= wants.config.narrowest;
        // Only here does it matter whether the ends are equal; where that is undecided, readings are wanted first.
        let flat = if narrow { wants.compare(points[left], points[right]) } else { Some(Ordering::Less) };
        if flat.is_some_and(|order| order != Ordering::Equal) {
            wants.has(points[left.midpoint(right)]);
        }
    }
}

/// Wants further readings where it is undecided whether a width is an edge, then both neighbors of every edge.
fn settle_edges(points: &[usize], wants: &mut Wants<'_>) {
    let known: Vec<usize> = wants.ledger.known().map(|(channels, _)| channels).collect();
    let ledger = wants.ledger;
    let edges =
        assemble::edges(&known, |c, edge| wants.compare(c, edge).unwrap_or_else(|| ledger.compare(c, edge).order));
    if wants.any() {
        return;
    }
    for edge in edges {
        if let Ok(i) = points.binary_search(&edge) {
            for neighbor in [i.checked_sub(1), i.checked_add(1)].into_iter().flatten() {
                points.get(neighbor).map(|&channels| wants.has(channels));
            }
        }
    }
}

impl ThreePoint {
    fn points(&self, step: usize, config: &Config) -> Vec<usize> {
        let mut points = config.points(step);
        points.extend(&self.extra);
        points.sort_unstable();
        points.dedup();
        points
    }

    /// Draws the audits, waits for them, and searches beside those that fail.
    fn audit(&mut self, step: usize, wants: &mut Wants<'_>) {
        match &self.audit {
            Audit::Due => {
                let range = wants.config.min_channels..=wants.config.max_channels;
                let is_unseen = |c: &usize| wants.ledger.estimate(*c).is_none() && !wants.ledger.is_hopeless(*c);
                let mut unseen: Vec<usize> = range.filter(is_unseen).collect();
                stats::Rng::new(!wants.config.seed).shuffle(&mut unseen);
                let widths: BTreeSet<usize> = unseen.iter().copied().take(wants.config.audits).collect();
                self.audit = if widths.is_empty() {
                    Audit::Over(None)
                } else {
                    widths.iter().for_each(|&channels| _ = wants.has(channels));
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
