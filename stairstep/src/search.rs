//! The seam: ask/tell.

use crate::strategy::{bisection, exhaustive, grid, segmentation, three_point};
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
/// - `ask` never asks for a width out of range, nor for one that it was told enough of; the number of probes is
///   bounded whatever it is told.
/// - `ask` answers [`Ask::Waiting`] only while a probe is outstanding, and [`Ask::Done`] for ever after it did once.
/// - Outstanding probes may be told in any order without changing any result. `tell` may also come unasked or twice;
///   a sample out of range is ignored.
/// - `stairs` may be called at any time and reports what is known by then.
///
/// # A second, silly implementation
/// ```
/// use stairstep::{Ask, Config, Probe, Readings, Sample, Search, Staircase, StopReason, Strategy};
///
/// /// Looks at the largest width only, and finds no reason to leave it.
/// struct Content { inner: Box<dyn Search>, max: usize, told: bool }
/// impl Search for Content {
///     fn ask(&mut self) -> Ask {
///         if self.told { Ask::Done(StopReason::Settled) } else { Ask::Probe(Probe { channels: self.max, readings: 1 }) }
///     }
///     fn tell(&mut self, sample: Sample) {
///         self.told = true;
///         self.inner.tell(sample);
///     }
///     fn stairs(&self) -> Staircase { self.inner.stairs() }
/// }
///
/// let mut search = Content { inner: Strategy::Grid(64).into_search(&Config::new(64)), max: 64, told: false };
/// search.tell(Sample { channels: 64, readings: Readings::Raw(vec![5.0]) });
/// assert_eq!(search.ask(), Ask::Done(StopReason::Settled));
/// assert_eq!(search.stairs().edges()[0].channels, 64);
/// ```
pub trait Search {
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
    /// Every multiple of a step, and the largest width, once, with equally many readings: the rival.
    Grid(usize),
    /// The multiples of a step, by halving every interval whose ends differ, with equally many readings: what most
    /// people would write. It misses whatever stands between equal ends.
    Bisection(usize),
    /// Every width once, with equally many readings, and of them the treads that explain the sweep best
    /// ([`crate::tread_ends`]): the reference where readings are noisy.
    Segmentation,
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
            Strategy::Bisection(step) => Box::new(bisection::search(config, step)),
            Strategy::Segmentation => Box::new(segmentation::search(config)),
            Strategy::ThreePoint => Box::new(three_point::search(config)),
        }
    }
}
