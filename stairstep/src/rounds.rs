//! The engine of all strategies: rounds of probes, each planned from all that is known.
//!
//! A round is planned when the one before is told completely. Within it, probes may be outstanding together and
//! come back in any order without changing what is asked next.

use crate::ledger::{Comparison, Ledger};
use crate::{Ask, Config, Granularity, MissBound, Probe, Sample, Search, Staircase, StopReason, assemble};
use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

/// What a strategy decides.
pub(crate) trait Plan: Send {
    /// Requests through `wants` what is to be measured next; without a request the search is finished.
    fn plan(&mut self, wants: &mut Wants<'_>);
    /// Where steps are expected.
    fn granularity(&self) -> Granularity;
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

    /// Whether a width's latency is known, or can never be.
    pub(crate) fn is_known(&self, channels: usize) -> bool {
        self.ledger.has(channels) || self.ledger.is_hopeless(channels)
    }

    /// ln(a / b) as it stands, and its standard error.
    pub(crate) fn difference(&self, a: usize, b: usize) -> (f64, f64) {
        let comparison = self.ledger.compare(a, b);
        (comparison.difference, comparison.error)
    }

    /// Wants a further turn of a width if all of its readings may be contaminated.
    pub(crate) fn rule_out_contamination(&mut self, channels: usize) {
        let more = self.ledger.left(channels, self.config.readings);
        if more > 0 && self.ledger.may_be_contaminated(channels) {
            self.want(channels, more);
        }
    }

    /// Wants a further turn of a width that had only one.
    pub(crate) fn second_turn(&mut self, channels: usize) {
        let more = self.ledger.left(channels, self.config.readings);
        if more > 0 && self.ledger.rounds(channels) < 2 {
            self.want(channels, more);
        }
    }

    fn want(&mut self, channels: usize, readings: usize) {
        let wanted = self.widths.entry(channels).or_default();
        *wanted = readings.max(*wanted);
    }

    /// How two widths compare, or `None` while measurements are wanted for it.
    pub(crate) fn compare(&mut self, a: usize, b: usize) -> Option<Ordering> {
        let comparison = self.comparison(a, b, |comparison| comparison.decided)?;
        self.count_undecided(!comparison.decided);
        Some(comparison.order)
    }

    /// Counts a comparison that all readings allowed leave open.
    pub(crate) fn count_undecided(&mut self, is_undecided: bool) {
        self.undecided += usize::from(is_undecided);
    }

    /// A comparison, once it is as certain as wanted or nothing more can be read for it; `None` while measurements are
    /// wanted for it.
    pub(crate) fn comparison(
        &mut self,
        a: usize,
        b: usize,
        is_enough: impl Fn(&Comparison) -> bool,
    ) -> Option<Comparison> {
        if !self.request_all([a, b]) {
            return None;
        }
        let comparison = self.ledger.compare(a, b);
        if is_enough(&comparison) || self.config.max_readings == 1 {
            return Some(comparison);
        }
        // Half as many again, in whole turns, and first those of the width that has fewer.
        let turn = self.config.readings;
        let most = comparison.readings.max(turn);
        let goal = most + (most / 2).next_multiple_of(turn).max(turn);
        let mut wanted = false;
        for channels in [a, b] {
            let taken = self.ledger.taken(channels);
            let more = self.ledger.left(channels, goal.saturating_sub(taken));
            if more > 0 {
                self.want(channels, more);
                wanted = true;
            }
        }
        (!wanted).then_some(comparison)
    }
}

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
        assemble::staircase(&self.ledger, &self.config, self.plan.granularity(), self.plan.missed())
    }
}
