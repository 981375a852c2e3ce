//! A problem's costs, looked up once and kept per level index, for planners that ask often.

use crate::problem::Problem;
use crate::ticks::Ticks;
use netspec::GroupId;
use std::collections::BTreeSet;

/// The largest table of one layer; a layer that reaches more cells is looked up anew each time.
const TABLE_CELLS: usize = 1 << 18;

/// A layer whose cost depends on two or more groups, or on one in a way that no table holds.
#[derive(Debug)]
pub(crate) struct Term {
    pub(crate) layer: usize,
    /// The groups with a choice that the layer follows or goes with, ascending.
    pub(crate) groups: Vec<usize>,
    strides: Vec<usize>,
    /// The cost at every combination of the groups' levels, the last group's level moving fastest.
    pub(crate) table: Option<Vec<Ticks>>,
}

/// Costs split by the groups that they depend on.
#[derive(Debug)]
pub(crate) struct Ledger<'p> {
    pub(crate) problem: &'p Problem,
    pub(crate) constant: Ticks,
    /// What each level of a group costs whatever the other groups do.
    pub(crate) unary: Vec<Vec<Ticks>>,
    pub(crate) terms: Vec<Term>,
    touching: Vec<Vec<usize>>,
    /// Groups that share a term.
    pub(crate) neighbors: Vec<Vec<usize>>,
}

impl<'p> Ledger<'p> {
    pub(crate) fn new(problem: &'p Problem) -> Ledger<'p> {
        let groups = problem.groups();
        let operators = |g| groups_widths(problem, g).map(move |width| problem.operator_ticks(GroupId(g), width));
        let mut ledger = Ledger {
            problem,
            constant: problem.constant_ticks(),
            unary: (0..groups.len()).map(|g| operators(g).collect()).collect(),
            terms: Vec::new(),
            touching: vec![Vec::new(); groups.len()],
            neighbors: vec![Vec::new(); groups.len()],
        };
        for layer in 0..problem.layers().len() {
            ledger.add_layer(layer);
        }
        for g in 0..groups.len() {
            let near = ledger.touching[g].iter().flat_map(|&t| ledger.terms[t].groups.iter().copied());
            ledger.neighbors[g] = near.filter(|&h| h != g).collect::<BTreeSet<_>>().into_iter().collect();
        }
        ledger
    }

    fn add_layer(&mut self, layer: usize) {
        let problem = self.problem;
        let cost = &problem.layers()[layer];
        let parts = cost.inputs.parts.iter().chain(&cost.outputs.parts).map(|part| part.group.0);
        let all = parts.chain(cost.gone_with.iter().map(|group| group.0));
        let groups: Vec<usize> =
            all.filter(|&g| problem.groups()[g].is_free()).collect::<BTreeSet<_>>().into_iter().collect();
        let sizes: Vec<usize> = groups.iter().map(|&g| problem.groups()[g].levels.len()).collect();
        let mut levels = problem.full_levels();
        match *groups.as_slice() {
            [] => self.constant += problem.layer_ticks(layer, &levels),
            [g] => {
                for level in 0..sizes[0] {
                    levels[g] = level;
                    self.unary[g][level] += problem.layer_ticks(layer, &levels);
                }
            }
            _ => {
                let cells =
                    sizes.iter().try_fold(1_usize, |n, &size| n.checked_mul(size).filter(|&n| n <= TABLE_CELLS));
                let table = cells.map(|cells| {
                    let mut table = Vec::with_capacity(cells);
                    let mut counter = vec![0; groups.len()];
                    for _ in 0..cells {
                        groups.iter().zip(&counter).for_each(|(&g, &level)| levels[g] = level);
                        table.push(problem.layer_ticks(layer, &levels));
                        advance(&mut counter, &sizes);
                    }
                    table
                });
                let strides =
                    (0..sizes.len()).map(|i| if table.is_some() { sizes[i + 1..].iter().product() } else { 0 });
                let strides = strides.collect();
                groups.iter().for_each(|&g| self.touching[g].push(self.terms.len()));
                self.terms.push(Term { layer, groups, strides, table });
            }
        }
    }

    fn term(&self, term: &Term, levels: &[usize]) -> Ticks {
        match &term.table {
            Some(table) => {
                table[term.groups.iter().zip(&term.strides).map(|(&g, stride)| levels[g] * stride).sum::<usize>()]
            }
            None => self.problem.layer_ticks(term.layer, levels),
        }
    }

    /// What these levels cost; equal to [`Problem::cost`] to the tick.
    pub(crate) fn total(&self, levels: &[usize]) -> Ticks {
        let unary = self.unary.iter().zip(levels).map(|(costs, &level)| costs[level]).sum::<Ticks>();
        self.constant + unary + self.terms.iter().map(|term| self.term(term, levels)).sum::<Ticks>()
    }

    /// What everything that follows group `g` costs at each of its levels, the others staying as they are.
    pub(crate) fn costs_of(&self, g: usize, levels: &mut [usize]) -> Vec<Ticks> {
        let current = levels[g];
        let costs = self.unary[g].iter().enumerate().map(|(level, &own)| {
            levels[g] = level;
            own + self.touching[g].iter().map(|&t| self.term(&self.terms[t], levels)).sum::<Ticks>()
        });
        let costs = costs.collect();
        levels[g] = current;
        costs
    }

    /// What [`Ledger::costs_of`] costs itself, in lookups of a table; summing up a concat's parts takes longer.
    pub(crate) fn lookups(&self, g: usize) -> u64 {
        let of_term = |&t: &usize| if self.terms[t].table.is_some() { 1 } else { 20 + self.terms[t].groups.len() };
        (self.unary[g].len() * (1 + self.touching[g].iter().map(of_term).sum::<usize>())) as u64
    }
}

fn groups_widths(problem: &Problem, g: usize) -> impl Iterator<Item = usize> + '_ {
    problem.groups()[g].levels.iter().copied()
}

/// Counts on, the last digit moving fastest.
pub(crate) fn advance(counter: &mut [usize], sizes: &[usize]) {
    for (digit, &size) in counter.iter_mut().zip(sizes).rev() {
        *digit += 1;
        if *digit < size {
            return;
        }
        *digit = 0;
    }
}
