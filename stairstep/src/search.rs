//! The seam: ask/tell.

use crate::strategy::{exhaustive, grid, three_point};
use crate::{Config, Probe, Sample, Staircase};

/// What a search says when it is asked.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Ask {
    /// Measure this. More may be asked before it is told.
    Probe(Probe),
    /// Nothing to measure until an outstanding probe is told.
    Waiting,
    /// Finished.
    Done(StopReason),
}

/// Why a search is finished.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum StopReason {
    /// Every comparison that an edge rests on is statistically settled.
    Settled,
    /// Some comparisons are closer than the readings allowed for can tell; they went by their medians.
    Undecided {
        /// How many.
        comparisons: usize,
    },
}

/// A search for the steps of a staircase.
///
/// # Contract
/// - `ask` never asks for a width out of range, nor for one that has enough readings; the number of probes is
///   bounded, whatever the samples are.
/// - `ask` returns [`Ask::Waiting`] only while a probe is outstanding. Once it has returned [`Ask::Done`], it always does.
/// - The order in which outstanding probes are told changes no result. `tell` may be called without a probe, or twice
///   for one; a sample out of range is ignored.
/// - `stairs` may be called at any time and reports what is known by then; [`Staircase::from_samples`] assembles it.
///
/// # A second, silly implementation
/// ```
/// use stairstep::{Ask, Config, Probe, Readings, Sample, Search, Staircase, StopReason};
///
/// /// Probes the largest width only.
/// struct Widest { config: Config, told: Vec<Sample> }
/// impl Search for Widest {
///     fn ask(&mut self) -> Ask {
///         let probe = Probe { channels: *self.config.widths().end(), readings: 1 };
///         if self.told.is_empty() { Ask::Probe(probe) } else { Ask::Done(StopReason::Settled) }
///     }
///     fn tell(&mut self, sample: Sample) {
///         self.told.push(sample);
///     }
///     fn stairs(&self) -> Staircase {
///         Staircase::from_samples(&self.config, self.told.iter().cloned())
///     }
/// }
///
/// let mut search = Widest { config: Config::new(64), told: Vec::new() };
/// search.tell(Sample { channels: 64, readings: Readings::Raw(vec![5.0]) });
/// assert_eq!(search.ask(), Ask::Done(StopReason::Settled));
/// assert_eq!(search.stairs().edges()[0].channels, 64);
/// ```
pub trait Search: Send {
    /// What to measure next.
    fn ask(&mut self) -> Ask;
    /// Takes what was measured.
    fn tell(&mut self, sample: Sample);
    /// What is known so far.
    fn stairs(&self) -> Staircase;
}

impl<T: Search + ?Sized> Search for &mut T {
    fn ask(&mut self) -> Ask {
        (**self).ask()
    }
    fn tell(&mut self, sample: Sample) {
        (**self).tell(sample);
    }
    fn stairs(&self) -> Staircase {
        (**self).stairs()
    }
}

impl<T: Search + ?Sized> Search for Box<T> {
    fn ask(&mut self) -> Ask {
        (**self).ask()
    }
    fn tell(&mut self, sample: Sample) {
        (**self).tell(sample);
    }
    fn stairs(&self) -> Staircase {
        (**self).stairs()
    }
}

/// How to search.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Strategy {
    /// Every width once, with equally many readings: the reference.
    Exhaustive,
    /// Every multiple of a step, and the largest width, once, with equally many readings.
    Grid(usize),
    /// Three-point discrimination, guided by where steps are expected.
    ///
    /// 1. Widths on the granularity that is believed are read, or a grid where none is ([`Config::granularities`]).
    /// 2. An interval whose ends differ holds a step. Three points tell where: its ends and a width between them, the one
    ///    that halves the probability of the places, which depends on the steps located so far. Where pieces that were
    ///    looked into rise like the interval does, it is a slope and stays closed.
    /// 3. Readings are mixtures of a core and of contaminated ones that take longer; latencies, intervals and comparisons
    ///    are those of the core. Where they do not tell whether it is one price or two, further turns are read.
    ///    Off a granularity that is believed, a step needs more evidence; and where a step rests on a width whose
    ///    readings may all be contaminated, that is read once more.
    /// 4. [`Config::audits`] of the widths never read are checked at random. If one is cheaper than what the staircase
    ///    claims, the widths around it are read.
    #[default]
    ThreePoint,
}

impl Strategy {
    /// Starts a search.
    pub fn into_search(self, config: &Config) -> Box<dyn Search> {
        match self {
            Strategy::Exhaustive => Box::new(exhaustive::search(config)),
            Strategy::Grid(step) => Box::new(grid::search(config, step)),
            Strategy::ThreePoint => Box::new(three_point::search(config)),
        }
    }
}
