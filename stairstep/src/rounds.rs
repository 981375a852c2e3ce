//! The engine of all strategies: rounds of probes, each planned from all that is known.
//!
//! A round is planned when the one before is told completely. Within it, probes may be outstanding together and
//! come back in any order without changing what is asked next.

use crate::ledger::Ledger;
use crate::{Ask, Config, MissBound, Probe, Sample, Search, Staircase, StopReason, assemble};
use std::cmp::Ordering;
use std::collections::BTreeSet;

/// What a strategy decides.
pub(crate) trait Plan {
    /// Says through `wants` what is to be measured next; nothing means that the search is finished.
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
    widths: BTreeSet<usize>,
    undecided: usize,
}

impl Wants<'_> {
    /// Whether there is something to measure.
    pub(crate) fn any(&self) -> bool {
        !self.widths.is_empty()
    }

    /// Whether a width's latency is known (or can never be); otherwise it is wanted now.
    pub(crate) fn has(&mut self, channels: usize) -> bool {
        let known = self.ledger.estimate(channels).is_some() || self.ledger.is_hopeless(channels);
        if !known {
            self.widths.insert(channels);
        }
        known
    }

    /// How two widths compare, or nothing while measurements are wanted for it.
    pub(crate) fn compare(&mut self, a: usize, b: usize) -> Option<Ordering> {
        // Both are asked for before the answer is given up.
        let (has_a, has_b) = (self.has(a), self.has(b));
        if !(has_a && has_b) {
            return None;
        }
        let comparison = self.ledger.compare(a, b);
        if comparison.decided {
            return Some(comparison.order);
        }
        let open: Vec<usize> = [a, b].into_iter().filter(|&c| self.ledger.left(c, 1) > 0).collect();
        if open.is_empty() {
            self.undecided += 1;
            return Some(comparison.order);
        }
        self.widths.extend(open);
        None
    }
}

/// A strategy as a search.
#[derive(Clone, Debug)]
pub(crate) struct Rounds<P> {
    config: Config,
    ledger: Ledger,
    plan: P,
    queue: Vec<usize>,
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
        let mut wants = Wants { config: &self.config, ledger: &self.ledger, widths: BTreeSet::new(), undecided: 0 };
        self.plan.plan(&mut wants);
        let Wants { widths, undecided, .. } = wants;
        self.queue.extend(widths.into_iter().filter(|&c| self.ledger.left(c, 1) > 0));
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
        let Some(channels) = self.queue.pop() else { return Ask::Waiting };
        let readings = self.ledger.left(channels, self.config.readings);
        self.ledger.asked(channels, readings);
        self.outstanding.insert(channels);
        Ask::Probe(Probe { channels, readings })
    }

    fn tell(&mut self, sample: Sample) {
        let channels = sample.channels;
        if channels < self.config.min_channels || channels > self.config.max_channels {
            return;
        }
        self.ledger.tell(sample);
        self.outstanding.remove(&channels);
        // Told before it was asked: whether that is enough shows when the next round is planned.
        self.queue.retain(|&queued| queued != channels);
    }

    fn stairs(&self) -> Staircase {
        assemble::staircase(&self.ledger, &self.config, self.plan.lattice(), self.plan.missed())
    }
}
