//! A choice on its way, with its cost and its history.

use crate::ledger::Ledger;
use crate::problem::Group;
use crate::solution::{Step, StepKind};
use crate::ticks::{Ticks, nanoseconds};
use netspec::GroupId;

/// Level indices, what they cost, and the steps that led to them.
#[derive(Clone, Debug)]
pub(crate) struct State<'l, 'p> {
    pub(crate) ledger: &'l Ledger<'p>,
    pub(crate) levels: Vec<usize>,
    pub(crate) cost: Ticks,
    pub(crate) steps: Vec<Step>,
    /// Lookups that may still be made: local search ends when they are spent, on any machine at the same point.
    pub(crate) lookups: u64,
}

impl<'l, 'p> State<'l, 'p> {
    pub(crate) fn new(ledger: &'l Ledger<'p>, levels: Vec<usize>, lookups: u64) -> State<'l, 'p> {
        let cost = ledger.total(&levels);
        State { ledger, levels, cost, steps: Vec::new(), lookups }
    }

    pub(crate) fn groups(&self) -> &'p [Group] {
        self.ledger.problem.groups()
    }

    /// The value of one group at a level.
    pub(crate) fn value(&self, g: usize, level: usize) -> f64 {
        self.groups()[g].value[level]
    }

    /// The value of one group now.
    pub(crate) fn value_now(&self, g: usize) -> f64 {
        self.value(g, self.levels[g])
    }

    /// What the network would cost with group `g` at each of its levels.
    pub(crate) fn totals(&mut self, g: usize) -> Vec<Ticks> {
        self.lookups = self.lookups.saturating_sub(self.ledger.lookups(g));
        let mut costs = self.ledger.costs_of(g, &mut self.levels);
        let others = self.cost - costs[self.levels[g]];
        costs.iter_mut().for_each(|cost| *cost += others);
        costs
    }

    /// Moves a group to a level at which the network costs `total`.
    pub(crate) fn set(&mut self, kind: StepKind, g: usize, level: usize, total: Ticks) {
        let group = &self.groups()[g];
        self.steps.push(Step {
            kind,
            group: GroupId(g),
            from: group.levels[self.levels[g]],
            to: group.levels[level],
            saved_ns: nanoseconds(self.cost - total),
            lost: self.value_now(g) - self.value(g, level),
        });
        self.levels[g] = level;
        self.cost = total;
    }

    /// Moves two groups one after the other to levels at which the network then costs `total`.
    pub(crate) fn set_both(&mut self, kind: StepKind, first: (usize, usize), second: (usize, usize), total: Ticks) {
        let between = self.totals(first.0)[first.1];
        self.set(kind, first.0, first.1, between);
        self.set(kind, second.0, second.1, total);
    }

    /// Calls `see(level of g, level of h, total)` for every pair of levels of two groups.
    pub(crate) fn pairs(&mut self, g: usize, h: usize, mut see: impl FnMut(usize, usize, Ticks)) {
        let (level, cost) = (self.levels[h], self.cost);
        for (other, total) in self.totals(h).into_iter().enumerate() {
            (self.levels[h], self.cost) = (other, total);
            self.totals(g).into_iter().enumerate().for_each(|(own, total)| see(own, other, total));
        }
        (self.levels[h], self.cost) = (level, cost);
    }
}
