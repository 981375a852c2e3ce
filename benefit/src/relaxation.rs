//! A problem whose choices of most value at a price, and of least cost, are found by eliminating variables.

use crate::eliminate::Elimination;
use crate::factor::{Factor, Sum};
use crate::ledger::Ledger;
use crate::marginals::marginals;
use crate::model::Model;
use crate::ticks::{Ticks, nanoseconds};
use crate::units::{Unit, order};

/// A problem whose tables are small enough to be searched exactly.
pub(crate) struct Relaxation {
    pub(crate) model: Model,
    pub(crate) order: Vec<Unit>,
    /// The sums that one elimination takes.
    pub(crate) sums: u64,
}

impl Relaxation {
    /// `None` if a concat joins too many groups in too many ways.
    pub(crate) fn new(ledger: &Ledger<'_>) -> Option<Relaxation> {
        Model::with_sums(ledger).and_then(Relaxation::of).or_else(|| Model::plain(ledger).and_then(Relaxation::of))
    }

    /// `None` if the tables on the way would be too large.
    pub(crate) fn of(model: Model) -> Option<Relaxation> {
        let (order, sums) = ordered(&model)?;
        Some(Relaxation { model, order, sums })
    }

    /// The choice that costs least; of equally cheap ones one with wide levels.
    pub(crate) fn cheapest(&self) -> Vec<usize> {
        self.model.of_groups(&self.cheapest_assignment())
    }

    /// The same, by level of each variable; to the tick.
    pub(crate) fn cheapest_assignment(&self) -> Vec<usize> {
        let exact = self.eliminated(|_, _, cost: Ticks| -cost, |cost| -cost);
        exact.assignment(&self.model.sizes, &self.model.ties)
    }

    /// The elimination that finds the choice of least cost; its sums are costs below zero, in nanoseconds and without
    /// the constant part.
    pub(crate) fn at_cost(&self) -> Elimination<f64> {
        self.eliminated(|_, _, cost| -nanoseconds(cost), |cost| -nanoseconds(cost))
    }

    /// The elimination that finds the largest value minus price times cost, the constant part of the cost left out.
    pub(crate) fn at_price(&self, price: f64) -> Elimination<f64> {
        self.eliminated(
            |v, level, cost| self.model.values[v][level] - price * nanoseconds(cost),
            |cost| -price * nanoseconds(cost),
        )
    }

    /// The same without levels that no choice within `limit` has whose value is above `known`, as far as the bounds at
    /// these prices tell; `None` if there is no such choice.
    pub(crate) fn reduced(&self, limit: Ticks, known: f64, prices: &[f64]) -> Option<Relaxation> {
        let mut kept: Vec<Vec<usize>> = self.model.sizes.iter().map(|&size| (0..size).collect()).collect();
        for &price in prices {
            let cut = known - price * nanoseconds(limit - self.model.constant) - 4.0 * self.rounding(price);
            let most = marginals(&self.at_price(price), &self.model.sizes, &self.model.ties, cut);
            for (kept, most) in kept.iter_mut().zip(&most) {
                kept.retain(|&level| most[level] > cut);
            }
        }
        if kept.iter().any(Vec::is_empty) {
            return None;
        }
        let model = self.model.restricted(&kept);
        // An order found for fewer levels may be another one, and none need be found.
        let (order, sums) = ordered(&model).unwrap_or_else(|| (self.order.clone(), self.sums));
        Some(Relaxation { model, order, sums })
    }

    /// More than the rounding errors of the elimination can sum up to: each of its sums has one error of at most
    /// 2^-53 of a partial sum, and no partial sum is larger than the parts' absolute sum.
    pub(crate) fn rounding(&self, price: f64) -> f64 {
        let worst_value: f64 = self.model.values.iter().map(|values| -values.iter().copied().fold(0.0, f64::min)).sum();
        let sums = (self.model.terms.len() + 2 * self.model.sizes.len() + 16) as f64;
        worst_value * sums * f64::EPSILON + price * self.rounding_ns()
    }

    /// The same for costs alone, in nanoseconds.
    pub(crate) fn rounding_ns(&self) -> f64 {
        let worst = |costs: &[Ticks]| costs.iter().copied().max().unwrap_or(0);
        let worst_cost: Ticks = self.model.unary.iter().map(|costs| worst(costs)).sum::<Ticks>()
            + self.model.terms.iter().map(|term| worst(&term.table)).sum::<Ticks>();
        let sums = (self.model.terms.len() + 2 * self.model.sizes.len() + 16) as f64;
        nanoseconds(worst_cost + self.model.constant) * sums * f64::EPSILON
    }

    fn eliminated<T: Sum>(
        &self,
        own: impl Fn(usize, usize, Ticks) -> T,
        shared: impl Fn(Ticks) -> T,
    ) -> Elimination<T> {
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

fn ordered(model: &Model) -> Option<(Vec<Unit>, u64)> {
    order(&model.sizes, model.terms.iter().map(|term| term.scope.as_slice()), &model.ties)
}
