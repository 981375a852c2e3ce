//! How a plan is proven best, or improved until it is.

use crate::labels::{self, PRICES};
use crate::lagrange::Bound;
use crate::ledger::Ledger;
use crate::refine::refine;
use crate::relaxation::Relaxation;
use crate::state::State;
use crate::ticks::Ticks;

/// The best choice that is known.
pub(crate) struct Best<'l, 'p> {
    ledger: &'l Ledger<'p>,
    limit: Ticks,
    pub(crate) value: f64,
    /// `None` as long as it is the one that the search began with.
    pub(crate) levels: Option<Vec<usize>>,
    offered: Vec<usize>,
}

/// Lookups of the local search from a choice.
const LOOKUPS: u64 = 3_000_000;

impl<'l, 'p> Best<'l, 'p> {
    pub(crate) fn new(ledger: &'l Ledger<'p>, limit: Ticks, value: f64) -> Best<'l, 'p> {
        Best { ledger, limit, value, levels: None, offered: Vec::new() }
    }

    /// Takes a choice that holds the limit, improved by local search, if it is better.
    fn offer(&mut self, levels: Vec<usize>) {
        if levels == self.offered {
            return;
        }
        self.offered.clone_from(&levels);
        let mut state = State::new(self.ledger, levels, LOOKUPS);
        refine(&mut state, self.limit);
        let value = self.ledger.problem.value_at(&state.levels);
        if value > self.value {
            (self.value, self.levels) = (value, Some(state.levels));
        }
    }
}

/// What was proven.
pub(crate) struct Proof {
    /// Whether no choice is better than the best that is known.
    pub(crate) is_complete: bool,
    /// An upper bound on the value of all choices within the limit.
    pub(crate) bound: f64,
}

/// Prices at which completions are bounded, as multiples of the one that bounds all choices lowest: each is lowest for
/// other partial choices.
const MULTIPLES: [f64; PRICES] = [1.0, 0.85, 1.2];
/// Labels that are kept at first, and by how much more then.
const LABELS: usize = 500;
const MORE: usize = 4;
/// What one label takes, in additions.
const LABEL: u64 = 200;
/// Levels are dropped again where this share of them or less was left the last time.
const AGAIN: f64 = 0.95;

/// A search for a better choice among levels that one may have.
struct Search<'b, 'l, 'p> {
    relaxation: Relaxation,
    limit: Ticks,
    best: &'b mut Best<'l, 'p>,
    /// The price at which the bound is lowest.
    price: f64,
    bound: f64,
    spent: u64,
    effort: u64,
}

impl Proof {
    /// Looks for better choices until there are none or the effort, in additions, is spent.
    pub(crate) fn find(relaxation: Relaxation, limit: Ticks, best: &mut Best<'_, '_>, effort: u64) -> Proof {
        // One elimination at about the right price drops most levels; the price itself is then found among the rest.
        let hint = relaxation.hint(limit);
        let spent = hint.as_ref().map_or(0, |bound| bound.additions);
        let mut search = Search { relaxation, limit, best, price: 0.0, bound: 0.0, spent, effort };
        let is_complete = match hint {
            Some(Bound { price, within, .. }) => {
                search.best.offer(within);
                search.is_proven_by_levels(&[price]) || search.is_proven(Some(price))
            }
            None => search.is_proven(None),
        };
        Proof { is_complete, bound: search.bound }
    }
}

impl Search<'_, '_, '_> {
    fn is_proven(&mut self, hint: Option<f64>) -> bool {
        if self.is_proven_by_bound(hint) {
            return true;
        }
        let mut most = LABELS;
        loop {
            if self.is_proven_by_reduction() {
                return true;
            }
            if self.spent >= self.effort {
                return false;
            }
            let prices = MULTIPLES.map(|multiple| multiple * self.price);
            let found = labels::search(&self.relaxation, self.limit, self.best.value, prices, most);
            self.lower(found.bound);
            let spent = LABEL * found.tried + (PRICES as u64 + 1) * self.relaxation.sums;
            self.spent += spent;
            if let Some(levels) = found.levels {
                self.best.offer(levels);
            }
            if found.is_complete {
                return true;
            }
            // More labels take more than these did.
            if self.spent + spent * MORE as u64 > self.effort {
                return false;
            }
            most *= MORE;
        }
    }

    /// Drops levels as long as that lowers the bound and drops more.
    fn is_proven_by_reduction(&mut self) -> bool {
        while self.spent < self.effort {
            let before = self.relaxation.model.levels() as f64;
            if self.is_proven_by_levels(&MULTIPLES.map(|multiple| multiple * self.price))
                || self.is_proven_by_bound(Some(self.price))
            {
                return true;
            }
            if self.relaxation.model.levels() as f64 > AGAIN * before {
                break;
            }
        }
        false
    }

    /// Finds the lowest bound on what is left.
    fn is_proven_by_bound(&mut self, hint: Option<f64>) -> bool {
        let Some(Bound { value, price, within, additions }) = self.relaxation.bound_near(self.limit, hint) else {
            return true;
        };
        self.spent += additions;
        self.price = price;
        self.lower(value);
        self.best.offer(within);
        self.bound <= self.best.value
    }

    /// Drops levels that no better choice has.
    fn is_proven_by_levels(&mut self, prices: &[f64]) -> bool {
        self.spent += 3 * prices.len() as u64 * self.relaxation.sums;
        match self.relaxation.reduced(self.limit, self.best.value, prices) {
            Some(smaller) => self.relaxation = smaller,
            None => return true,
        }
        false
    }

    /// Lowers the bound to one on all choices that are better than the best that is known.
    fn lower(&mut self, bound: f64) {
        self.bound = self.bound.min(bound.max(self.best.value));
    }
}
