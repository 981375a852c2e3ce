//! The best assignment of a sum of small tables, by eliminating one variable after another.
//!
//! This is exact. Its price is the largest table on the way: two levels' lists multiplied on a chain of layers,
//! three on a pruned residual stream, a running sum's and a group's on a concat. A running sum needs no table that ties
//! it to what it sums up: it is eliminated together with the group that leads to it.
//!
//! All of the time goes into sums of table rows: one variable of what an elimination leaves, its *lane*, moves fastest
//! in all tables, so that rows are added and compared many entries at a time.

use crate::factor::{Factor, Sum, Walk, around, merged};
use crate::units::{Tie, Unit};
use std::borrow::Cow;
use std::collections::BTreeSet;

/// One unit's elimination.
pub(crate) struct Decision {
    pub(crate) unit: Unit,
    /// The factors that were joined.
    pub(crate) joined: Vec<usize>,
    /// The place among the factors of what the elimination left.
    pub(crate) message: usize,
}

/// A sum of tables from which every variable was eliminated, with all that was left on the way.
///
/// The message of a unit holds, for every assignment of its scope (variables that are eliminated later), the best
/// sum of all factors that were joined into it, whatever the variables eliminated by then are.
pub(crate) struct Elimination<T> {
    pub(crate) factors: Vec<Factor<T>>,
    pub(crate) decisions: Vec<Decision>,
}

impl<T: Sum> Elimination<T> {
    /// Eliminates all variables in this order; every variable needs a factor.
    pub(crate) fn run(sizes: &[usize], mut factors: Vec<Factor<T>>, ties: &[Tie], order: &[Unit]) -> Elimination<T> {
        let mut of_variable: Vec<Vec<usize>> = vec![Vec::new(); sizes.len()];
        for (id, factor) in factors.iter().enumerate() {
            factor.scope.iter().for_each(|&v| of_variable[v].push(id));
        }
        let mut is_joined = vec![false; factors.len()];
        let mut decisions = Vec::with_capacity(order.len());
        for &unit in order {
            let ids: BTreeSet<usize> = unit.variables(ties).flat_map(|v| of_variable[v].iter().copied()).collect();
            let joined: Vec<usize> = ids.into_iter().filter(|&id| !is_joined[id]).collect();
            let message = eliminate(sizes, joined.iter().map(|&id| Cow::Borrowed(&factors[id])).collect(), ties, unit);
            joined.iter().for_each(|&id| is_joined[id] = true);
            message.scope.iter().for_each(|&w| of_variable[w].push(factors.len()));
            decisions.push(Decision { unit, joined, message: factors.len() });
            factors.push(message);
            is_joined.push(false);
        }
        Elimination { factors, decisions }
    }

    /// The largest sum, or less than every sum if no assignment is possible.
    pub(crate) fn largest(&self) -> T {
        let roots = self.messages().filter(|message| message.scope.is_empty());
        roots.fold(T::ZERO, |sum, root| sum + root.table[0])
    }

    /// The assignment with the largest sum; of equal sums the highest level wins.
    pub(crate) fn assignment(&self, sizes: &[usize], ties: &[Tie]) -> Vec<usize> {
        let mut levels = vec![0; sizes.len()];
        for Decision { unit, joined, .. } in self.decisions.iter().rev() {
            let v = unit.decided(ties);
            let tie = unit.tie(ties);
            let mut best: Option<(T, usize)> = None;
            for level in 0..sizes[v] {
                levels[v] = level;
                if let Some(tie) = tie {
                    let Some(to) = tie.level(sizes, levels[tie.from], level) else { continue };
                    levels[tie.to] = to;
                }
                let sum = joined.iter().fold(T::ZERO, |sum, &id| sum + self.factors[id].at(sizes, &levels));
                if best.is_none_or(|(most, _)| sum >= most) {
                    best = Some((sum, level));
                }
            }
            levels[v] = best.map_or(0, |(_, level)| level);
            if let Some(tie) = tie {
                levels[tie.to] = tie.level(sizes, levels[tie.from], levels[v]).unwrap_or(0);
            }
        }
        levels
    }

    /// What the elimination of one unit left.
    pub(crate) fn message(&self, decision: usize) -> &Factor<T> {
        &self.factors[self.decisions[decision].message]
    }

    /// The messages, in the order of elimination.
    pub(crate) fn messages(&self) -> impl Iterator<Item = &Factor<T>> {
        self.decisions.iter().map(|decision| &self.factors[decision.message])
    }
}

/// The variables that an elimination leaves a table over, the lane last: the one with the most levels, so that rows are
/// long. The sum that a tie starts from moves what the tie leads to, and is none.
pub(crate) fn message_scope<'f, T: 'f>(
    sizes: &[usize],
    joined: impl Iterator<Item = &'f Factor<T>>,
    ties: &[Tie],
    unit: Unit,
) -> (Vec<usize>, Option<usize>) {
    let gone: Vec<usize> = unit.variables(ties).collect();
    let mut scope = around(joined, &gone);
    let from = unit.tie(ties).map(|tie| tie.from);
    scope.extend(from);
    let lane = scope.iter().copied().filter(|&v| Some(v) != from).max_by_key(|&v| sizes[v]);
    if let Some(lane) = lane {
        scope.remove(&lane);
    }
    (scope.into_iter().chain(lane).collect(), lane)
}

/// Joins factors and keeps, for each assignment of the other variables, the best sum over those that go.
fn eliminate<T: Sum>(sizes: &[usize], joined: Vec<Cow<'_, Factor<T>>>, ties: &[Tie], unit: Unit) -> Factor<T> {
    let (scope, lane) = message_scope(sizes, joined.iter().map(Cow::as_ref), ties, unit);
    let joined = merged(sizes, joined);
    let joined: Vec<Cow<'_, Factor<T>>> =
        joined.into_iter().map(|f| if let Some(lane) = lane { Factor::with_last(f, sizes, lane) } else { f }).collect();
    let (rows, scalars): (Vec<&Factor<T>>, Vec<&Factor<T>>) =
        joined.iter().map(Cow::as_ref).partition(|f| lane.is_some_and(|lane| f.scope.last() == Some(&lane)));
    let n = lane.map_or(1, |lane| sizes[lane]);
    let tables: Vec<&Factor<T>> = rows.iter().chain(&scalars).copied().collect();
    let outer = scope.iter().copied().filter(|&v| Some(v) != lane).collect();
    let mut walk = Walk::new(sizes, outer, &tables);
    let reach = Reach::new(sizes, &tables, ties, unit);
    let mut table = vec![T::LEAST; walk.len() * n];
    for out in table.chunks_exact_mut(n) {
        let from = reach.tie.and_then(|tie| walk.level(tie.from)).unwrap_or(0);
        for level in 0..sizes[unit.decided(ties)] {
            let Some(to) = reach.to(sizes, from, level) else { continue };
            let at = |table: usize| walk.at[table] + reach.offset(table, level, to);
            let row = |table: usize| &tables[table].table[at(table)..at(table) + n];
            let constant = (rows.len()..tables.len()).fold(T::ZERO, |sum, t| sum + tables[t].table[at(t)]);
            match rows.len() {
                0 => raise(out, std::iter::repeat_n(constant, n)),
                1 => raise(out, row(0).iter().map(|a| *a + constant)),
                2 => raise(out, row(0).iter().zip(row(1)).map(|(a, b)| *a + *b + constant)),
                _ => {
                    let sum = |i: usize| (0..rows.len()).fold(constant, |sum, t| sum + row(t)[i]);
                    raise(out, (0..n).map(sum));
                }
            }
        }
        walk.advance();
    }
    Factor { scope, table }
}

fn raise<T: Sum>(out: &mut [T], sums: impl Iterator<Item = T>) {
    for (most, sum) in out.iter_mut().zip(sums) {
        *most = if sum > *most { sum } else { *most };
    }
}

/// Where the entries of tables are, by the levels of the variables that go.
pub(crate) struct Reach<'t> {
    pub(crate) tie: Option<&'t Tie>,
    /// Of each table, the distances between levels of the decided variable, and of the sum that goes with it.
    strides: Vec<[usize; 2]>,
}

impl<'t> Reach<'t> {
    pub(crate) fn new<T: Copy>(sizes: &[usize], tables: &[&Factor<T>], ties: &'t [Tie], unit: Unit) -> Reach<'t> {
        let (v, tie) = (unit.decided(ties), unit.tie(ties));
        let strides = tables.iter().map(|f| [f.stride(sizes, v), tie.map_or(0, |tie| f.stride(sizes, tie.to))]);
        Reach { tie, strides: strides.collect() }
    }

    /// The level of the sum that goes with the decided variable (0 if there is none), or `None` if they exclude each
    /// other.
    pub(crate) fn to(&self, sizes: &[usize], from: usize, level: usize) -> Option<usize> {
        self.tie.map_or(Some(0), |tie| tie.level(sizes, from, level))
    }

    pub(crate) fn offset(&self, table: usize, level: usize, to: usize) -> usize {
        let [own, sum] = self.strides[table];
        own * level + sum * to
    }
}
