//! Finding the lattice: the largest step whose multiples dominate the widths below them.

use crate::rounds::{Plan, Rounds, Wants};
use crate::{Ask, Config, Sample, Search, Staircase};
use std::cmp::Ordering;

/// Steps that engines are known to use, and their relatives; the first that holds is taken.
const CANDIDATES: [usize; 11] = [64, 48, 32, 24, 16, 12, 8, 6, 4, 3, 2];
/// Lattice cells in which a candidate is tried.
const CELLS: usize = 16;

/// A search for the lattice alone, once per engine and data type.
///
/// A candidate step is tried in up to sixteen cells spread over the range, the smallest widths first because there a
/// step costs relatively most. In a cell that ends at a multiple of the step, three widths below it (the first,
/// the last, and the one with the most factors of two) are held against the multiple. The candidate falls when one
/// of them is cheaper by more than the tolerance; it holds when all are equal or slower, hence dominated.
/// No latency need be monotone for that. Where every candidate falls, the lattice is 1.
#[derive(Clone, Debug)]
pub struct LatticeSearch {
    rounds: Rounds<Lattice>,
}

impl LatticeSearch {
    /// Starts a search; of `config`, [`Config::lattice`], [`Config::narrowest`] and [`Config::audits`] are not used.
    pub fn new(config: &Config) -> LatticeSearch {
        LatticeSearch { rounds: Rounds::new(config, Lattice { found: None }) }
    }

    /// The lattice, once the search is done.
    pub fn lattice(&self) -> Option<usize> {
        self.rounds.plan().found
    }
}

impl Search for LatticeSearch {
    fn ask(&mut self) -> Ask {
        self.rounds.ask()
    }
    fn tell(&mut self, sample: Sample) {
        self.rounds.tell(sample);
    }
    fn stairs(&self) -> Staircase {
        self.rounds.stairs()
    }
}

#[derive(Clone, Debug)]
struct Lattice {
    found: Option<usize>,
}

impl Plan for Lattice {
    fn plan(&mut self, wants: &mut Wants<'_>) {
        self.found = find(wants);
    }

    fn lattice(&self) -> usize {
        self.found.unwrap_or(1)
    }
}

/// The lattice, or nothing while measurements are wanted for it.
pub(crate) fn find(wants: &mut Wants<'_>) -> Option<usize> {
    let range = wants.config.max_channels - wants.config.min_channels + 1;
    // Fewer than four cells would prove little.
    for step in CANDIDATES.into_iter().filter(|step| step * 4 <= range) {
        if holds(step, wants)? {
            return Some(step);
        }
    }
    Some(1)
}

/// Whether all cells that are tried agree with `step`, or nothing while measurements are wanted for it.
fn holds(step: usize, wants: &mut Wants<'_>) -> Option<bool> {
    let cells = cells(step, wants.config);
    let Some((&first, rest)) = cells.split_first() else { return Some(false) };
    if !agrees(first, step, wants)? {
        return Some(false);
    }
    // All cells are asked for together, so that they can be measured together.
    let answers: Vec<Option<bool>> = rest.iter().map(|&cell| agrees(cell, step, wants)).collect();
    answers.into_iter().try_fold(true, |all, answer| Some(all & answer?))
}

/// The multiples of `step` that end the cells to try: the first, the last, and random ones between, evenly spread.
fn cells(step: usize, config: &Config) -> Vec<usize> {
    let first = (config.min_channels - 1).div_ceil(step) + 1;
    let last = config.max_channels / step;
    let n = (last + 1).saturating_sub(first);
    if n <= CELLS {
        return (first..=last).map(|k| k * step).collect();
    }
    let mut rng = stats::Rng::new(config.seed ^ step as u64);
    let slot = |i: usize| 1 + i * (n - 2) / (CELLS - 2);
    let between = (0..CELLS - 2).map(|i| first + slot(i) + rng.below(slot(i + 1) - slot(i)));
    [first].into_iter().chain(between).chain([last]).map(|k| k * step).collect()
}

/// Whether no width tried in the cell that ends at `multiple` is cheaper than it.
fn agrees(multiple: usize, step: usize, wants: &mut Wants<'_>) -> Option<bool> {
    let inside = multiple - step + 1..multiple;
    let even = inside.clone().max_by_key(|c| c.trailing_zeros());
    let mut tried = vec![inside.start, multiple - 1];
    tried.extend(even);
    tried.sort_unstable();
    tried.dedup();
    let orders: Vec<Option<Ordering>> = tried.into_iter().map(|c| wants.compare(c, multiple)).collect();
    orders.into_iter().try_fold(true, |all, order| Some(all & (order? != Ordering::Less)))
}
