//! The cheapest choice, and an upper bound on the value that any choice within a budget can have.
//!
//! For any price p >= 0 of a nanosecond, let D(p) be the largest value(x) + p (limit - cost(x)) over *all*
//! choices x. A choice within the limit adds p (limit - cost(x)) >= 0 to its value, so value(x) <= D(p):
//! every D(p) bounds them all, whatever p is. D(p) itself is found exactly by eliminating variables, for value
//! and cost are sums of small tables. The code looks for the p with the smallest D(p).

use crate::eliminate::{Elimination, Factor};
use crate::ledger::Ledger;
use crate::model::Model;
use crate::ticks::{Ticks, nanoseconds};
use crate::units::{Unit, order};
use std::cell::OnceCell;

/// The largest number of prices that are tried; the search mostly ends after about ten.
const PRICES: usize = 40;

/// A problem whose tables are small enough to be searched exactly.
pub(crate) struct Relaxation {
    pub(crate) model: Model,
    pub(crate) order: Vec<Unit>,
    /// The elimination that finds the choice of least cost: asked for again and again.
    least: OnceCell<Elimination<Ticks>>,
}

/// A proven upper bound, and the price of a nanosecond at which it is lowest.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bound {
    pub(crate) value: f64,
    pub(crate) price: f64,
}

/// A choice as a line over the price: D(p) >= value + p (limit - cost).
#[derive(Clone, Copy)]
struct Line {
    value: f64,
    cost: Ticks,
}

impl Relaxation {
    /// Nothing where a concat joins too many groups in too many ways.
    pub(crate) fn new(ledger: &Ledger<'_>) -> Option<Relaxation> {
        Model::with_sums(ledger).and_then(Relaxation::of).or_else(|| Model::plain(ledger).and_then(Relaxation::of))
    }

    /// Nothing where the tables on the way would be too large.
    pub(crate) fn of(model: Model) -> Option<Relaxation> {
        let order = order(&model.sizes, model.terms.iter().map(|term| term.scope.as_slice()), &model.ties)?;
        Some(Relaxation { model, order, least: OnceCell::new() })
    }

    /// The choice that costs least; of equally cheap ones one with wide levels.
    pub(crate) fn cheapest(&self) -> Vec<usize> {
        self.model.of_groups(self.at_least_cost().assignment(&self.model.sizes, &self.model.ties))
    }

    /// The elimination that finds the choice of least cost; its sums are costs below zero.
    pub(crate) fn at_least_cost(&self) -> &Elimination<Ticks> {
        self.least.get_or_init(|| self.eliminated(|_, _, cost| -cost, |cost| -cost))
    }

    /// The elimination that finds the largest value minus price times cost, the constant part of the cost left out.
    pub(crate) fn at_price(&self, price: f64) -> Elimination<f64> {
        self.eliminated(
            |v, level, cost| self.model.values[v][level] - price * nanoseconds(cost),
            |cost| -price * nanoseconds(cost),
        )
    }

    /// An upper bound on the value of every choice that costs at most `limit`, or nothing if there is none.
    pub(crate) fn bound(&self, limit: Ticks) -> Option<Bound> {
        // All at full width: what they sum up to is the largest sum.
        let dense: Vec<usize> = self.model.sizes.iter().map(|size| size - 1).collect();
        let mut over = self.line(&dense);
        // No value is above 0.
        if over.cost <= limit {
            return Some(Bound { value: 0.0, price: 0.0 });
        }
        let mut within = self.line(&self.at_least_cost().assignment(&self.model.sizes, &self.model.ties));
        if within.cost > limit {
            return None;
        }
        let mut bound = Bound { value: 0.0, price: 0.0 };
        for _ in 0..PRICES {
            // The two lines cross where neither choice is better; if nothing lies above, D is smallest there.
            let price = (over.value - within.value) / nanoseconds(over.cost - within.cost);
            if !(price.is_finite() && price > 0.0) {
                break;
            }
            let line = self.line(&self.at_price(price).assignment(&self.model.sizes, &self.model.ties));
            let height = |line: Line| line.value + price * nanoseconds(limit - line.cost);
            let value = height(line) + self.rounding(price);
            if value < bound.value {
                bound = Bound { value, price };
            }
            if line.cost == over.cost || line.cost == within.cost || height(line) <= height(over) {
                break;
            }
            if line.cost <= limit { within = line } else { over = line }
        }
        Some(bound)
    }

    fn line(&self, assignment: &[usize]) -> Line {
        Line { value: self.model.value(assignment), cost: self.model.total(assignment) }
    }

    /// More than the rounding errors of the elimination can sum up to: each of its sums has one error of at most
    /// 2^-53 of a partial sum, and no partial sum is larger than the parts' absolute sum.
    pub(crate) fn rounding(&self, price: f64) -> f64 {
        let worst_value: f64 = self.model.values.iter().map(|values| -values.iter().copied().fold(0.0, f64::min)).sum();
        let worst = |costs: &[Ticks]| costs.iter().copied().max().unwrap_or(0);
        let worst_cost: Ticks = self.model.unary.iter().map(|costs| worst(costs)).sum::<Ticks>()
            + self.model.terms.iter().map(|term| worst(&term.table)).sum::<Ticks>();
        let sums = (self.model.terms.len() + 2 * self.model.sizes.len() + 16) as f64;
        (worst_value + price * nanoseconds(worst_cost + self.model.constant)) * sums * f64::EPSILON
    }

    fn eliminated<T>(&self, own: impl Fn(usize, usize, Ticks) -> T, shared: impl Fn(Ticks) -> T) -> Elimination<T>
    where
        T: Copy + PartialOrd + std::ops::Add<Output = T>,
    {
        let own = self.model.unary.iter().enumerate().map(|(v, costs)| Factor {
            scope: vec![v],
            table: costs.iter().enumerate().map(|(level, &cost)| own(v, level, cost)).collect(),
        });
        let shared = self.model.terms.iter().map(|term| Factor {
            scope: term.scope.clone(),
            table: term.table.iter().map(|&cost| shared(cost)).collect(),
        });
        Elimination::run(&self.model.sizes, own.chain(shared).collect(), &self.model.ties, &self.order)
    }
}
