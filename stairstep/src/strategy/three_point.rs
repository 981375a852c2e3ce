//! Three-point discrimination, guided by where steps are expected.

use crate::assemble;
use crate::granularity::Belief;
use crate::ledger::Comparison;
use crate::rounds::{Plan, Rounds, Wants};
use crate::slopes::Slopes;
use crate::{Config, Granularity, MissBound};
use std::cmp::Ordering;
use std::collections::BTreeSet;

/// Widths that are looked at first, at least, where no granularity is believed.
const GRID: usize = 12;
/// Intervals that are opened at a time while nothing is known of where steps lie within them.
const FIRST: usize = 4;
/// Standard errors from which on it counts as certain that latency steps after a width.
const STEPS: f64 = 2.0;
/// The same for that it does not: where steps are expected, and elsewhere, where they are rare.
const FLAT: [f64; 2] = [2.0, 0.7];
/// Granules of a granularity that are looked into.
const HALVES: usize = 3;
/// The probability from which on a place for a step is looked at by itself.
const LIKELY: f64 = 0.4;
/// The same for the place right after the left end, for which a single width has to be read.
const LIKELY_FIRST: f64 = 0.25;

#[derive(Clone, Debug)]
pub(crate) struct ThreePoint {
    granularity: Granularity,
    /// Widths that are looked at because an audit failed beside them.
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
    let plan = ThreePoint { granularity: Granularity::NONE, extra: BTreeSet::new(), audit: Audit::Due };
    Rounds::new(config, plan)
}

/// An interval after an edge in which latency steps: the edge, and the next width that was read.
#[derive(Clone, Copy, Debug)]
struct Open {
    from: usize,
    to: usize,
    /// The one of the next width and the next edge that costs less.
    cheapest: usize,
}

impl Plan for ThreePoint {
    fn plan(&mut self, wants: &mut Wants<'_>) {
        let belief = Belief::new(wants.config, &self.located_steps(wants));
        self.granularity = belief.granularity();
        let points = self.points(wants.config);
        if !wants.request_all(points) {
            return;
        }
        // Each stage begins when the ones before it want nothing more.
        match wants.config.granularity {
            Some(step) => open_granules(step, wants),
            None => self.open_intervals(&belief, wants),
        }
        if wants.any() {
            return;
        }
        self.settle(wants);
        if !wants.any() {
            self.audit(wants);
        }
    }

    fn granularity(&self) -> Granularity {
        self.granularity
    }

    fn missed(&self) -> Option<MissBound> {
        match self.audit {
            Audit::Over(missed) => missed,
            Audit::Due | Audit::Running { .. } => None,
        }
    }
}

impl ThreePoint {
    fn slopes(&self, wants: &Wants<'_>) -> Slopes {
        Slopes::new(wants.ledger, wants.config.tolerance, grid(wants.config))
    }

    /// Widths after which latency steps, both sides having been read.
    fn located_steps(&self, wants: &Wants<'_>) -> Vec<usize> {
        let edges = assemble::standing_edges(wants.ledger, wants.config, Granularity::NONE);
        let slopes = self.slopes(wants);
        let is_located = |pair: &&[usize]| {
            let (edge, next_edge) = (pair[0], pair[1]);
            let rise = |to: usize| wants.difference(to, edge).0 - slopes.expected(edge, edge + 1);
            let least = wants.config.tolerance.ln_1p();
            wants.ledger.has(edge + 1) && rise(edge + 1) > least && rise(next_edge) > least
        };
        edges.windows(2).filter(is_located).map(|pair| pair[0]).collect()
    }

    /// How far the widths that are read first lie apart: those on the granularity, or of the grid.
    fn apart(&self, config: &Config) -> usize {
        if self.granularity != Granularity::NONE || config.granularity.is_some() {
            return self.granularity.step * (config.narrowest / self.granularity.step).max(1);
        }
        grid(config)
    }

    /// The widths that are read in any case, ascending: those on the granularity that is believed, or a grid.
    fn points(&self, config: &Config) -> Vec<usize> {
        let (min, max) = (config.min_channels, config.max_channels);
        let apart = self.apart(config);
        let mut points: Vec<usize> = if self.granularity == Granularity::NONE && config.granularity.is_none() {
            (min.next_multiple_of(apart)..=max).step_by(apart).collect()
        } else {
            let every = apart / self.granularity.step;
            (min..=max).filter(|&c| self.granularity.contains(c)).step_by(every).collect()
        };
        // The largest width may be slow for being off the granularity: the last one on it tells.
        points.extend(config.granularity.map(|step| (max / step * step).max(min)));
        points.push(max);
        // A granularity that may be too coarse says nothing of the widths below its first one.
        points.extend(config.granularity.is_none().then_some(min));
        points.extend(self.halves(config));
        points.extend(&self.extra);
        points.sort_unstable();
        points.dedup();
        points
    }

    /// The widths in the middle of a few granules: what is cheaper there refutes a granularity that is too coarse.
    fn halves(&self, config: &Config) -> Vec<usize> {
        let Granularity { step, .. } = self.granularity;
        if step < 2 || config.granularity.is_some() {
            return Vec::new();
        }
        let (min, max) = (config.min_channels, config.max_channels);
        let mut middles: Vec<usize> = (min..=max).filter(|&c| self.granularity.contains(c + step / 2)).collect();
        stats::Rng::new(config.seed ^ step as u64).shuffle(&mut middles);
        middles.truncate(HALVES);
        middles
    }

    /// Wants a width inside of each interval in which a step can hide.
    fn open_intervals(&self, belief: &Belief, wants: &mut Wants<'_>) {
        let known: Vec<usize> = wants.ledger.known().map(|(channels, _)| channels).collect();
        let edges = assemble::standing_edges(wants.ledger, wants.config, Granularity::NONE);
        let slopes = self.slopes(wants);
        let mut open: Vec<Open> = Vec::new();
        for pair in edges.windows(2) {
            let Some(&to) = known.get(known.partition_point(|&c| c <= pair[0])) else { continue };
            let from = pair[0];
            let cheapest = cheaper(to, pair[1], from, wants);
            let (rise, error) = wants.difference(cheapest, from);
            if to - from > 1 && !slopes.explain(from, to, rise, error) {
                open.push(Open { from, to, cheapest });
            }
        }
        if self.granularity == Granularity::NONE && !slopes.are_known() {
            // From all over the line, because slopes differ along it, and at random, not to take an even spread of what is
            // looked at for a granularity.
            stats::Rng::new(wants.config.seed ^ known.len() as u64).shuffle(&mut open);
            open.truncate(FIRST);
        }
        for Open { from, to, cheapest } in open {
            // What looks like a step by a few readings may be none by more.
            if self.is_decided(from, [to, cheapest], slopes.expected(from, to), wants) {
                wants.request_all(probes(from, to, belief));
            }
        }
    }

    /// Decides which widths are edges.
    fn settle(&self, wants: &mut Wants<'_>) {
        let known: Vec<usize> = wants.ledger.known().map(|(channels, _)| channels).collect();
        let edges = assemble::standing_edges(wants.ledger, wants.config, Granularity::NONE);
        let slopes = self.slopes(wants);
        for pair in known.windows(2) {
            let next = edges.get(edges.partition_point(|&edge| edge <= pair[0]));
            if let Some(&next) = next {
                let cheapest = cheaper(pair[1], next, pair[0], wants);
                self.is_decided(pair[0], [pair[1], cheapest], slopes.expected(pair[0], pair[1]), wants);
            }
        }
        self.rule_out_contamination(&known, &edges, wants);
        if wants.any() {
            return;
        }
        for &edge in &edges {
            self.confirm(edge, &known, &slopes, wants);
        }
    }

    /// Whether it is decided if latency steps between `from` and `to`, by more than the slope explains: the excess is surely
    /// above half the tolerance, or surely below one and a half. Otherwise readings are wanted, if any are left.
    fn is_decided(&self, from: usize, [to, cheapest]: [usize; 2], expected: f64, wants: &mut Wants<'_>) -> bool {
        let tolerance = wants.config.tolerance;
        let (half, more) = ((tolerance / 2.0).ln_1p(), (1.5 * tolerance).ln_1p());
        let is_likely = self.granularity != Granularity::NONE && (from..to).any(|c| self.granularity.contains(c));
        let flat = if is_likely { FLAT[0] } else { FLAT[1] };
        let is_enough = |comparison: &Comparison| {
            let excess = comparison.difference - expected;
            excess + flat * comparison.error < more || excess - STEPS * comparison.error > half
        };
        let comparison = wants.comparison(cheapest, from, is_enough);
        if let Some(comparison) = comparison {
            wants.count_undecided(!is_enough(&comparison) && wants.config.max_readings > 1);
        }
        comparison.is_some()
    }

    /// Contamination makes a width look slow, never fast. So what a step rests on is the width above it; and where a width on
    /// the granularity is slower than a larger one, either of them may be read wrongly.
    fn rule_out_contamination(&self, known: &[usize], edges: &[usize], wants: &mut Wants<'_>) {
        let tolerance = wants.config.tolerance.ln_1p();
        let expected: Vec<usize> = known.iter().copied().filter(|&c| self.granularity.contains(c)).collect();
        for &channels in expected.iter().filter(|_| self.granularity != Granularity::NONE) {
            let next = edges.get(edges.partition_point(|&edge| edge <= channels));
            if let Some(&next) = next.filter(|&&next| wants.difference(channels, next).0 > tolerance) {
                wants.rule_out_contamination(channels);
                wants.second_turn(next);
            }
        }
        let is_granular = self.granularity != Granularity::NONE;
        for edge in edges.iter().filter(|&&edge| is_granular || known.binary_search(&(edge + 1)).is_ok()) {
            if let Some(&above) = expected.get(expected.partition_point(|c| c <= edge)) {
                wants.rule_out_contamination(above);
            }
        }
    }

    /// Wants readings of a step until it is certain, or certain to be none.
    fn confirm(&self, edge: usize, known: &[usize], slopes: &Slopes, wants: &mut Wants<'_>) {
        let above = &known[known.partition_point(|&c| c <= edge)..];
        let is_on = self.granularity.contains(edge) && self.granularity != Granularity::NONE;
        let next = if is_on { above.first() } else { above.iter().find(|&&c| self.granularity.contains(c)) };
        // Where nothing says that it steps right after the width, no step is claimed.
        let Some(&next) = next.filter(|&&next| next - edge == 1 || self.granularity != Granularity::NONE) else {
            return;
        };
        let half = (wants.config.tolerance / 2.0).ln_1p();
        let deviation = assemble::deviation(edge, self.granularity, slopes, wants.config);
        wants.comparison(next, edge, |comparison| {
            let beyond = (comparison.difference - half) / comparison.error;
            (beyond > deviation && (is_on || comparison.rounds > 1)) || beyond < 1.0
        });
    }
}

/// How far the widths of the grid lie apart that is read where no granularity is believed: twice what must be seen, and
/// less where there are few widths.
fn grid(config: &Config) -> usize {
    let widths = config.max_channels - config.min_channels + 1;
    config.narrowest.saturating_mul(2).min(widths / GRID).max(1)
}

/// The one of two widths that costs less, by its difference to a third one.
fn cheaper(a: usize, b: usize, than: usize, wants: &Wants<'_>) -> usize {
    if wants.difference(a, than).0 < wants.difference(b, than).0 { a } else { b }
}

/// Wants the middle one of the multiples of `step` between neighbors that differ.
fn open_granules(step: usize, wants: &mut Wants<'_>) {
    let known: Vec<usize> = wants.ledger.known().map(|(channels, _)| channels).collect();
    for pair in known.windows(2) {
        let below = pair[0].midpoint(pair[1]) / step * step;
        let middle = if below > pair[0] { below } else { below + step };
        if middle < pair[1] && wants.compare(pair[0], pair[1]).is_some_and(|order| order != Ordering::Equal) {
            wants.request(middle);
        }
    }
}

/// The widths that tell best where between `from` and `to` latency steps.
///
/// If one place is likely, the widths on both sides of it. Otherwise the width that has half of the probability on each side,
/// the one with the most factors of two among those nearly as good: engines favor even widths, and a slow odd one
/// tells nothing of its neighbors.
fn probes(from: usize, to: usize, belief: &Belief) -> Vec<usize> {
    let places = belief.places(from, to);
    let (best, most) = places.iter().enumerate().fold((0, 0.0), |best, (i, &p)| if p > best.1 { (i, p) } else { best });
    if most > LIKELY || (best == 0 && most > LIKELY_FIRST) {
        return [from + best, from + best + 1].into_iter().filter(|&c| from < c && c < to).collect();
    }
    let mut below = 0.0;
    let mut middle = (0, f64::INFINITY, from + 1);
    for (i, place) in places.iter().enumerate().take(places.len() - 1) {
        below += place;
        let (width, off) = (from + i + 1, (below - 0.5).abs());
        let evenness = if off < 0.2 { 1 + width.trailing_zeros() } else { 0 };
        if evenness > middle.0 || (evenness == middle.0 && off < middle.1) {
            middle = (evenness, off, width);
        }
    }
    vec![middle.2]
}

impl ThreePoint {
    /// Draws the audits, waits for them, and searches beside those that fail.
    fn audit(&mut self, wants: &mut Wants<'_>) {
        match &self.audit {
            Audit::Due => {
                let known: Vec<usize> = wants.ledger.known().map(|(channels, _)| channels).collect();
                let edges = assemble::standing_edges(wants.ledger, wants.config, self.granularity);
                let claimed = assemble::dominated(&edges, &known, wants.config, self.granularity);
                let mut unseen = assemble::unseen(&claimed, &known);
                unseen.retain(|&channels| !wants.is_known(channels));
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
                let known: Vec<usize> = wants.ledger.known().map(|(c, _)| c).collect();
                for channels in failed {
                    // All widths between the neighbors that were read.
                    let i = known.partition_point(|&c| c < channels);
                    let below = i.checked_sub(1).map_or(channels, |i| known[i]);
                    let above = known.get(i + 1).copied().unwrap_or(channels);
                    self.extra.extend(below..=above);
                }
                self.audit = Audit::Over(Some(missed));
                self.plan(wants);
            }
            Audit::Over(_) => {}
        }
    }
}

/// The audits that are cheaper than the next larger width that was read before; `None` while undecided.
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
