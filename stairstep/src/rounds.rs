//! The engine of all strategies: rounds of probes, each planned from all that is known.
//!
//! A round is planned when the one before is told completely. Within it, probes may be outstanding together and
//! come back in any order without changing what is asked next.

use crate::ledger::{Comparison, Ledger};
use crate::{Ask, Config, MissBound, Probe, Sample, Search, Staircase, StopReason, assemble};
use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

/// What a strategy decides.
pub(crate) trait Plan: Send {
    /// Requests through `wants` what is to be measured next; without a request the search is finished.
    fn plan(&mut self, wants: &mut Wants<'_>);
    /// The multiples on which treads are taken to end.
    fn lattice(&self) -> usize;
    /// What the audits found, if there were any.
    fn missed(&self) -> Option<MissBound> {
        None
    }
}

/// What is known, and what shall be measured next.
pub(crate) struct Wants<'a> {
    pub(crate) config: &'a Config,
    pub(crate) ledger: &'a Ledger,
    /// Widths and how many readings of each.
    widths: BTreeMap<usize, usize>,
    undecided: usize,
}

impl Wants<'_> {
    /// Whether there is something to measure.
    pub(crate) fn any(&self) -> bool {
        !self.widths.is_empty()
    }

    /// Requests a width's latency unless it is known, or can never be known. Returns whether nothing was requested.
    pub(crate) fn request(&mut self, channels: usize) -> bool {
        let known = self.is_known(channels);
        if !known {
            self.want(channels, self.config.readings);
        }
        known
    }

    /// Requests every one of these widths that is not known. Returns whether nothing was requested.
    pub(crate) fn request_all(&mut self, widths: impl IntoIterator<Item = usize>) -> bool {
        widths.into_iter().fold(true, |all, channels| self.request(channels) & all)
    }

    /// Requests for each of these widths, all of which are known, the readings that its median lacks to be precise
    /// enough for a look at the whole. Returns whether nothing was requested.
    pub(crate) fn request_precise(&mut self, widths: &[usize]) -> bool {
        let mut all = true;
        for &channels in widths {
            let (needed, taken) = (self.ledger.needed(channels), self.ledger.taken(channels));
            let more = self.ledger.left(channels, needed.saturating_sub(taken));
            if more > 0 {
                self.want(channels, more);
                all = false;
            }
        }
        all
    }

    /// Whether a width's latency is known, or can never be.
    pub(crate) fn is_known(&self, channels: usize) -> bool {
        self.ledger.has(channels) || self.ledger.is_hopeless(channels)
    }

    /// Whether two widths differ as they stand, without asking for more.
    pub(crate) fn differ_by_medians(&self, a: usize, b: usize) -> bool {
        self.ledger.compare(a, b).order != Ordering::Equal
    }

    /// Whether `a` is cheaper than `b` as it stands, and decided to be so.
    pub(crate) fn is_cheaper(&self, a: usize, b: usize) -> bool {
        let comparison = self.ledger.compare(a, b);
        comparison.order == Ordering::Less && comparison.decided
    }

    /// ln(a / b) as it stands, and its standard error.
    pub(crate) fn difference(&self, a: usize, b: usize) -> (f64, f64) {
        let comparison = self.ledger.compare(a, b);
        (comparison.difference, comparison.error)
    }

    fn want(&mut self, channels: usize, readings: usize) {
        let wanted = self.widths.entry(channels).or_default();
        *wanted = readings.max(*wanted);
    }

    /// How two widths compare, or nothing while measurements are wanted for it.
    pub(crate) fn compare(&mut self, a: usize, b: usize) -> Option<Ordering> {
        let comparison = self.comparison(a, b, 1)?;
        self.undecided += usize::from(!comparison.decided);
        Some(comparison.order)
    }

    /// The same, seen in at least two rounds: three readings that were preempted are no riser.
    pub(crate) fn confirm(&mut self, a: usize, b: usize) -> Option<Ordering> {
        Some(self.comparison(a, b, 2)?.order)
    }

    /// Whether `a` is cheaper than `b` by more than the tolerance; nothing while measurements are wanted for it.
    /// Readings are spent only where it looks so, and not many: a lattice stands and falls with many such questions.
    pub(crate) fn is_surely_cheaper(&mut self, a: usize, b: usize) -> Option<bool> {
        if !self.request_all([a, b]) {
            return None;
        }
        let comparison = self.ledger.compare(a, b);
        if comparison.difference > -(self.config.tolerance / 2.0).ln_1p() {
            return Some(false);
        }
        let is_cheaper = comparison.decided && comparison.order == Ordering::Less;
        let is_seen_twice = comparison.decided && comparison.looks >= 2;
        // What so many readings do not tell is no reason to give a lattice up: its edges try it once more.
        (is_seen_twice || self.read_together(a, b, FEW)).then_some(is_cheaper)
    }

    /// Whether two widths have so many common readings, or cannot get them; otherwise they are wanted.
    pub(crate) fn read_together(&mut self, a: usize, b: usize, readings: usize) -> bool {
        let common = self.ledger.compare(a, b).common;
        let open: Vec<usize> = [a, b].into_iter().filter(|&c| !self.ledger.is_finished(c)).collect();
        let wanted = common.max(self.config.readings);
        let left = open.iter().map(|&c| self.ledger.left(c, wanted)).min().unwrap_or(0);
        if common >= readings || left == 0 {
            return true;
        }
        open.into_iter().for_each(|c| self.want(c, left));
        false
    }

    /// A comparison, once it is decided or nothing more can be read for it.
    fn comparison(&mut self, a: usize, b: usize, looks: u32) -> Option<Comparison> {
        if !self.request_all([a, b]) {
            return None;
        }
        let comparison = self.ledger.compare(a, b);
        let open: Vec<usize> = [a, b].into_iter().filter(|&c| !self.ledger.is_finished(c)).collect();
        if comparison.decided && (comparison.looks >= looks || open.len() < 2) {
            return Some(comparison);
        }
        // As many again as they have in common, in the same round: what is compared is read together.
        let more = comparison.common.max(self.config.readings);
        let readings = open.iter().map(|&c| self.ledger.left(c, more)).min().unwrap_or(0);
        // Two widths that look equal are worth half the readings: a riser that is worth finding does not look so for long.
        let is_enough = comparison.order == Ordering::Equal && comparison.common >= self.config.max_readings / 2;
        // What all readings that are left would hardly decide is not worth any of them.
        if readings == 0 || is_enough || comparison.is_futile(self.config.max_readings) {
            return Some(comparison);
        }
        open.into_iter().for_each(|c| self.want(c, readings));
        None
    }
}

/// Common readings after which a lattice's question is answered as it stands.
const FEW: usize = 6;

/// A strategy as a search.
#[derive(Clone, Debug)]
pub(crate) struct Rounds<P> {
    config: Config,
    ledger: Ledger,
    plan: P,
    /// Widths and how many readings of each.
    queue: Vec<(usize, usize)>,
    outstanding: BTreeSet<usize>,
    rng: stats::Rng,
    done: Option<StopReason>,
}

impl<P: Plan> Rounds<P> {
    pub(crate) fn new(config: &Config, plan: P) -> Rounds<P> {
        let config = config.sane();
        Rounds {
            ledger: Ledger::new(&config),
            rng: stats::Rng::new(config.seed),
            plan,
            config,
            queue: Vec::new(),
            outstanding: BTreeSet::new(),
            done: None,
        }
    }

    pub(crate) fn plan(&self) -> &P {
        &self.plan
    }

    fn start_round(&mut self) {
        let mut wants = Wants { config: &self.config, ledger: &self.ledger, widths: BTreeMap::new(), undecided: 0 };
        self.plan.plan(&mut wants);
        let Wants { widths, undecided, .. } = wants;
        self.queue.extend(widths.into_iter().filter(|&(c, _)| self.ledger.left(c, 1) > 0));
        self.ledger.next_round();
        // Slow drift of the machine must not look like a slope.
        self.rng.shuffle(&mut self.queue);
        if self.queue.is_empty() {
            let settled = undecided == 0;
            self.done =
                Some(if settled { StopReason::Settled } else { StopReason::Undecided { comparisons: undecided } });
        }
    }
}

impl<P: Plan> Search for Rounds<P> {
    fn ask(&mut self) -> Ask {
        if self.queue.is_empty() && self.outstanding.is_empty() && self.done.is_none() {
            self.start_round();
        }
        if let Some(why) = self.done {
            return Ask::Done(why);
        }
        let Some((channels, wanted)) = self.queue.pop() else { return Ask::Waiting };
        let readings = self.ledger.left(channels, wanted);
        self.ledger.asked(channels, readings);
        self.outstanding.insert(channels);
        Ask::Probe(Probe { channels, readings })
    }

    fn tell(&mut self, sample: Sample) {
        let channels = sample.channels;
        self.ledger.tell(sample);
        self.outstanding.remove(&channels);
        // Told before it was asked: whether that is enough shows when the next round is planned.
        self.queue.retain(|&(queued, _)| queued != channels);
    }

    fn stairs(&self) -> Staircase {
        assemble::staircase(&self.ledger, &self.config, self.plan.lattice(), self.plan.missed())
    }
}
