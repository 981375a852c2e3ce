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
    /// Three-point discrimination on the lattice, with further readings where a decision is close.
    ///
    /// 1. Without a known lattice, it is found first ([`crate::LatticeSearch`]).
    /// 2. An interval is probed at its left, middle and right, and classified ([`crate::classify`]).
    ///    The search goes on in the halves where a riser can hide, and also in flat halves wider than
    ///    [`Config::narrowest`] lattice steps, because a bump or a dip can hide there.
    /// 3. Latencies are compared from the right for edges; where the intervals of two medians do not tell
    ///    whether they are one price or two, both widths get further readings.
    /// 4. Each edge is confirmed by its own three points: itself, and a lattice step to both sides.
    /// 5. [`Config::audits`] of the widths never probed are checked at random. One that is cheaper than what the
    ///    staircase claims has its whole lattice step searched.
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
