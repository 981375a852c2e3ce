//! Finding the lattice: the largest step whose multiples dominate the widths below them.

use crate::rounds::{Plan, Rounds, Wants};
use crate::{Ask, Config, Sample, Search, Staircase};

/// Steps that engines are known to use, and their relatives; the first that holds is taken.
pub(crate) const CANDIDATES: [usize; 11] = [64, 48, 32, 24, 16, 12, 8, 6, 4, 3, 2];
/// Lattice cells in which a candidate is tried.
const CELLS: usize = 8;
/// Those in which one is tried that other layers have: few, because the edges found with it try it once more.
const CELLS_OF_OTHERS: usize = 2;
/// Lattices as fine as this, or finer, must show that they are none of a slope's doing.
pub(crate) const FINE: usize = 4;
/// The share of the tolerance from which on a rise within cells, of all of them together, may be a slope.
const SLOPE: f64 = 1.0 / 6.0;

/// A search for the lattice alone, once per engine and data type.
///
/// A candidate step is tried in up to eight cells spread over the range, the smallest widths first because there a
/// step costs relatively most. In a cell that ends at a multiple of the step, three widths below it (the first,
/// the last, and the one with the most factors of two) are held against the multiple. The candidate falls when one
/// of them is surely cheaper; it holds when all others are equal or slower, hence
/// dominated, unless the cells together show that latency slopes within them as it does after them.
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
        if holds(step, CELLS, wants)? {
            return Some(step);
        }
    }
    Some(1)
}

/// The coarsest of the lattices that other layers have for which a few cells of this one speak, or 1; nothing while
/// measurements are wanted for it.
pub(crate) fn of_others(wants: &mut Wants<'_>) -> Option<usize> {
    let range = wants.config.max_channels - wants.config.min_channels + 1;
    for step in wants.config.lattices.clone().into_iter().filter(|&step| step > 1 && 2 * step <= range) {
        if holds(step, CELLS_OF_OTHERS, wants)? {
            return Some(step);
        }
    }
    Some(1)
}

/// Whether all cells that are tried agree with `step`, or nothing while measurements are wanted for it.
fn holds(step: usize, most: usize, wants: &mut Wants<'_>) -> Option<bool> {
    let cells = cells(step, most, wants.config);
    // The first two cells reject most candidates; the others are asked for together, to be read together.
    for part in [&cells[..cells.len().min(2)], &cells[cells.len().min(2)..]] {
        let answers: Vec<Option<bool>> = part.iter().map(|&cell| agrees(cell, step, wants)).collect();
        if !answers.into_iter().try_fold(true, |all, answer| Some(all & answer?))? {
            return Some(false);
        }
    }
    Some(!is_slope(&cells, step, wants))
}

/// Whether latency slopes within the cells: they end higher than they begin, and the jumps that follow them are no
/// larger than that. All cells count together, because in one of them the difference may be less than noise.
fn is_slope(cells: &[usize], step: usize, wants: &Wants<'_>) -> bool {
    let differences = |pairs: &mut dyn Iterator<Item = (usize, usize)>| -> Vec<(f64, f64)> {
        pairs.map(|(a, b)| wants.difference(a, b)).collect()
    };
    let mean = |of: &[(f64, f64)]| of.iter().map(|(difference, _)| difference).sum::<f64>() / of.len().max(1) as f64;
    let within = differences(&mut cells.iter().map(|&cell| (cell, cell - step + 1)));
    let error = within.iter().map(|(_, error)| error * error).sum::<f64>().sqrt() / within.len().max(1) as f64;
    let is_in_range = |cell: &&usize| **cell < wants.config.max_channels;
    let mut after = differences(&mut cells.iter().filter(is_in_range).map(|&cell| (cell + 1, cell)));
    // A slope has a cliff here and there, which is not what makes a lattice.
    after.sort_by(|a, b| a.0.total_cmp(&b.0));
    after.truncate(after.len() - after.len() / 8);
    let (within, after) = (mean(&within), mean(&after));
    if step <= FINE {
        // Few channels rise little on any slope: such a lattice has to show jumps.
        return after / 2.0 - within < 2.0 * error || after < SLOPE * wants.config.tolerance;
    }
    within - 2.0 * error > SLOPE * wants.config.tolerance && within > after / 2.0
}

/// The multiples of `step` that end the cells to try: the first, the last, and random ones between, evenly spread.
fn cells(step: usize, most: usize, config: &Config) -> Vec<usize> {
    let first = (config.min_channels - 1).div_ceil(step) + 1;
    let last = config.max_channels / step;
    let n = (last + 1).saturating_sub(first);
    if n <= most {
        return (first..=last).map(|k| k * step).collect();
    }
    let mut rng = stats::Rng::new(config.seed ^ step as u64);
    let slot = |i: usize| 1 + i * (n - 2) / (most - 2).max(1);
    let between = (0..most.saturating_sub(2)).map(|i| first + slot(i) + rng.below(slot(i + 1) - slot(i)));
    [first].into_iter().chain(between).chain([last]).map(|k| k * step).collect()
}

/// Whether no width tried in the cell that ends at `multiple` is cheaper than it.
fn agrees(multiple: usize, step: usize, wants: &mut Wants<'_>) -> Option<bool> {
    let inside = multiple - step + 1..multiple;
    let even = inside.clone().max_by_key(|c| c.trailing_zeros());
    // What follows the cell is read with it, for it tells a tread from a slope.
    let after = Some(multiple + 1).filter(|&c| c <= wants.config.max_channels);
    wants.request_all(after);
    let mut tried = vec![inside.start, multiple - 1];
    tried.extend(even);
    tried.sort_unstable();
    tried.dedup();
    let cheaper: Vec<Option<bool>> = tried.into_iter().map(|c| wants.is_surely_cheaper(c, multiple)).collect();
    cheaper.into_iter().try_fold(true, |all, cheaper| Some(all & !cheaper?))
}
