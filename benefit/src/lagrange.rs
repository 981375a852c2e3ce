//! An upper bound on the value that any choice within a budget can have.
//!
//! For any price p >= 0 of a nanosecond, let D(p) be the largest value(x) + p (limit - cost(x)) over *all*
//! choices x. A choice within the limit adds p (limit - cost(x)) >= 0 to its value, so value(x) <= D(p):
//! every D(p) bounds them all, whatever p is. D(p) itself is found exactly by eliminating variables, for value
//! and cost are sums of small tables. The code looks for the p with the smallest D(p).

use crate::relaxation::Relaxation;
use crate::ticks::{Ticks, nanoseconds};

/// The largest number of prices that are tried; the search mostly ends after about five.
const PRICES: usize = 40;
/// The search ends where another price could lower the bound by less than this share of it.
const CLOSE: f64 = 2e-5;
/// Sums of an elimination from which on prices are first tried on one of `COARSE` levels.
const LARGE: u64 = 1 << 20;
const COARSE: usize = 3;

/// A proven upper bound, the price of a nanosecond at which it is lowest, and the best choice within the limit that was
/// seen on the way.
#[derive(Clone, Debug)]
pub(crate) struct Bound {
    pub(crate) value: f64,
    pub(crate) price: f64,
    pub(crate) within: Vec<usize>,
    /// What it took.
    pub(crate) additions: u64,
}

/// A choice as a line over the price: D(p) >= value + p (limit - cost).
#[derive(Clone)]
struct Line {
    value: f64,
    cost: Ticks,
    assignment: Vec<usize>,
}

impl Line {
    fn height(&self, price: f64, limit: Ticks) -> f64 {
        self.value + price * nanoseconds(limit - self.cost)
    }
}

/// The prices between which the bound is lowest, as lines that cross between them.
struct Bracket {
    limit: Ticks,
    over: Line,
    within: Option<Line>,
    /// The lowest bound so far, and its price.
    lowest: (f64, f64),
    eliminations: u64,
}

impl Bracket {
    /// The choice of the largest value at a price, which bounds all.
    fn line_at(&mut self, relaxation: &Relaxation, price: f64) -> Line {
        let model = &relaxation.model;
        let line = relaxation.line(relaxation.at_price(price).assignment(&model.sizes, &model.ties));
        self.eliminations += 1;
        let value = line.height(price, self.limit) + relaxation.rounding(price);
        if value < self.lowest.0 || self.lowest.1 == 0.0 {
            self.lowest = (value, price);
        }
        line
    }

    fn narrow(&mut self, line: Line) {
        if line.cost <= self.limit { self.within = Some(line) } else { self.over = line }
    }

    fn bound(&self, relaxation: &Relaxation, within: Line) -> Bound {
        let (value, price) = self.lowest;
        let within = relaxation.model.of_groups(&within.assignment);
        Bound { value, price, within, additions: self.eliminations * relaxation.sums }
    }
}

impl Relaxation {
    /// A choice that costs at most `limit`, or `None` if there is none.
    pub(crate) fn within(&self, limit: Ticks) -> Option<Vec<usize>> {
        self.line_within(limit).map(|line| self.model.of_groups(&line.assignment))
    }

    fn line_within(&self, limit: Ticks) -> Option<Line> {
        let rounded = self.line(self.at_cost().assignment(&self.model.sizes, &self.model.ties));
        if rounded.cost <= limit {
            return Some(rounded);
        }
        // Sums in floating point may be off by a tick.
        if nanoseconds(rounded.cost.saturating_sub(limit)) > self.rounding_ns() {
            return None;
        }
        Some(self.line(self.cheapest_assignment())).filter(|line| line.cost <= limit)
    }

    /// An upper bound on the value of every choice that costs at most `limit`, or `None` if there is no such choice.
    pub(crate) fn bound(&self, limit: Ticks) -> Option<Bound> {
        self.bound_near(limit, self.hint(limit).map(|hint| hint.price))
    }

    /// The bound among some of the levels, where all are many: its price is about right for all of them.
    pub(crate) fn hint(&self, limit: Ticks) -> Option<Bound> {
        let is_large = self.sums >= LARGE;
        is_large.then(|| Relaxation::of(self.model.coarse(COARSE))).flatten().and_then(|coarse| coarse.bound(limit))
    }

    /// The same as [`Relaxation::bound`], where a price is given near which the bound is lowest.
    pub(crate) fn bound_near(&self, limit: Ticks, hint: Option<f64>) -> Option<Bound> {
        let free = self.at_price(0.0);
        if free.largest() == f64::NEG_INFINITY {
            return None;
        }
        let over = self.line(free.assignment(&self.model.sizes, &self.model.ties));
        let mut bracket = Bracket { limit, lowest: (over.value, 0.0), over, within: None, eliminations: 1 };
        if bracket.over.cost <= limit {
            return Some(bracket.bound(self, bracket.over.clone()));
        }
        if let Some(hint) = hint {
            let line = bracket.line_at(self, hint);
            // The other side is not far.
            let next = if line.cost <= limit { 0.8 * hint } else { 1.25 * hint };
            bracket.narrow(line);
            let line = bracket.line_at(self, next);
            bracket.narrow(line);
        }
        let mut within = match bracket.within.take() {
            Some(within) => within,
            None => self.line_within(limit)?,
        };
        for _ in 0..PRICES {
            let over = &bracket.over;
            // The two lines cross where neither choice is better; if no choice lies above, D is smallest there.
            let price = (over.value - within.value) / nanoseconds(over.cost - within.cost);
            if !(price.is_finite() && price > 0.0) {
                break;
            }
            let crossing = over.height(price, limit);
            let (over_cost, line) = (over.cost, bracket.line_at(self, price));
            let is_lowest = line.height(price, limit) - crossing <= CLOSE * -crossing;
            let is_end = line.cost == over_cost || line.cost == within.cost || is_lowest;
            if line.cost <= limit {
                within = line
            } else {
                bracket.over = line
            }
            if is_end {
                break;
            }
        }
        Some(bracket.bound(self, within))
    }

    fn line(&self, assignment: Vec<usize>) -> Line {
        Line { value: self.model.value(&assignment), cost: self.model.total(&assignment), assignment }
    }
}
