//! The best assignment of a sum of small tables, by eliminating one variable after another.
//!
//! This is exact. Its price is the largest table on the way: two levels' lists multiplied on a chain of layers,
//! three on a pruned residual stream, a running sum's and a group's on a concat. A running sum needs no table that ties
//! it to what it sums up: it is eliminated together with the group that leads to it.

use crate::units::{Tie, Unit};
use std::borrow::Cow;
use std::collections::BTreeSet;
use std::ops::Add;

/// A summand that depends on a few variables; the last one's value moves fastest.
#[derive(Clone, Debug)]
pub(crate) struct Factor<T> {
    /// Ascending.
    pub(crate) scope: Vec<usize>,
    pub(crate) table: Vec<T>,
}

/// What a variable should be, given those eliminated after it.
struct Decision {
    unit: Unit,
    /// The place among the factors of what its elimination left.
    message: usize,
    best: Vec<u32>,
}

/// A sum of tables from which every variable was eliminated, with all that was left on the way.
///
/// The message of a variable holds, for every assignment of its scope (variables that are eliminated later), the best
/// sum of all factors that were joined into it, whatever the variables eliminated by then are.
pub(crate) struct Elimination<T> {
    factors: Vec<Factor<T>>,
    decisions: Vec<Decision>,
}

impl<T: Copy + PartialOrd + Add<Output = T>> Elimination<T> {
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
            let ids: Vec<usize> = ids.into_iter().filter(|&id| !is_joined[id]).collect();
            let joined = merged(sizes, ids.iter().map(|&id| Cow::Borrowed(&factors[id])).collect());
            let joined: Vec<&Factor<T>> = joined.iter().map(Cow::as_ref).collect();
            let (message, best) = match unit {
                Unit::Single(variable) => eliminate(sizes, &joined, variable, None),
                Unit::Pair(tie) => eliminate(sizes, &joined, ties[tie].group, Some(&ties[tie])),
            };
            ids.into_iter().for_each(|id| is_joined[id] = true);
            message.scope.iter().for_each(|&w| of_variable[w].push(factors.len()));
            decisions.push(Decision { unit, message: factors.len(), best });
            factors.push(message);
            is_joined.push(false);
        }
        Elimination { factors, decisions }
    }

    /// The assignment with the largest sum; of equal sums the highest value wins.
    pub(crate) fn assignment(&self, sizes: &[usize], ties: &[Tie]) -> Vec<usize> {
        let mut assignment = vec![0; sizes.len()];
        for Decision { unit, message, best } in self.decisions.iter().rev() {
            let index = place(&self.factors[*message].scope, sizes, &assignment);
            let level = best[index] as usize;
            assignment[unit.decided(ties)] = level;
            if let Unit::Pair(tie) = *unit {
                let tie = &ties[tie];
                assignment[tie.to] = tie.level(sizes, assignment[tie.from], level);
            }
        }
        assignment
    }

    /// The messages, in the order of elimination.
    pub(crate) fn messages(&self) -> impl Iterator<Item = &Factor<T>> {
        self.decisions.iter().map(|decision| &self.factors[decision.message])
    }
}

/// Where a table has its entry for the levels of its variables.
pub(crate) fn place(scope: &[usize], sizes: &[usize], levels: &[usize]) -> usize {
    scope.iter().fold(0, |index, &v| index * sizes[v] + levels[v])
}

/// The largest of some sums, and the last place where it stands.
fn largest<T: Copy + PartialOrd>(mut sums: impl Iterator<Item = T>) -> (T, u32) {
    let mut most = (sums.next().expect("every variable has a level"), 0);
    for (place, sum) in (1..).zip(sums) {
        if sum >= most.0 {
            most = (sum, place);
        }
    }
    most
}

/// The same factors, those added into others that look at all of their variables; only the latter are copied.
fn merged<'f, T: Copy + Add<Output = T>>(
    sizes: &[usize],
    mut factors: Vec<Cow<'f, Factor<T>>>,
) -> Vec<Cow<'f, Factor<T>>> {
    factors.sort_by_key(|factor| factor.scope.len());
    let mut merged = Vec::new();
    while let Some(small) = (!factors.is_empty()).then(|| factors.remove(0)) {
        let covers = |factor: &&mut Cow<'f, Factor<T>>| small.scope.iter().all(|v| factor.scope.contains(v));
        match factors.iter_mut().find(covers) {
            Some(large) => add(sizes, large.to_mut(), &small),
            None => merged.push(small),
        }
    }
    merged
}

/// Adds a table into one that looks at all of its variables.
fn add<T: Copy + Add<Output = T>>(sizes: &[usize], large: &mut Factor<T>, small: &Factor<T>) {
    let mut levels = vec![0; sizes.len()];
    for index in 0..large.table.len() {
        let mut rest = index;
        for &v in large.scope.iter().rev() {
            (levels[v], rest) = (rest % sizes[v], rest / sizes[v]);
        }
        large.table[index] = large.table[index] + small.table[place(&small.scope, sizes, &levels)];
    }
}

/// Joins the factors of `v` and keeps, for each assignment of the others, the best sum over `v` and its place. Where a
/// tie is given, the sum that it leads to goes with `v`.
fn eliminate<T>(sizes: &[usize], joined: &[&Factor<T>], v: usize, tie: Option<&Tie>) -> (Factor<T>, Vec<u32>)
where
    T: Copy + PartialOrd + Add<Output = T>,
{
    let to = tie.map(|tie| tie.to);
    let around = joined.iter().flat_map(|f| f.scope.iter().copied()).filter(|&w| w != v && Some(w) != to);
    let scope: BTreeSet<usize> = around.chain(tie.map(|tie| tie.from)).collect();
    let scope: Vec<usize> = scope.into_iter().collect();
    let stride = |factor: &Factor<T>, w: usize| match factor.scope.binary_search(&w) {
        Ok(i) => factor.scope[i + 1..].iter().map(|&x| sizes[x]).product(),
        Err(_) => 0,
    };
    let strides: Vec<Vec<usize>> = joined.iter().map(|f| scope.iter().map(|&w| stride(f, w)).collect()).collect();
    // How far each level of `v` is from the first in each factor; with a tie that depends on the sum so far.
    let reach = |from: usize| -> Vec<Vec<usize>> {
        let of = |f: &&Factor<T>| {
            let (own, of_sum) = (stride(f, v), to.map_or(0, |to| stride(f, to)));
            let sum = |level| tie.map_or(0, |tie| of_sum * tie.level(sizes, from, level));
            (0..sizes[v]).map(|level| own * level + sum(level)).collect()
        };
        joined.iter().map(of).collect()
    };
    let steps: Vec<Vec<Vec<usize>>> = (0..tie.map_or(1, |tie| sizes[tie.from])).map(reach).collect();
    let from_digit = tie.and_then(|tie| scope.binary_search(&tie.from).ok());
    let cells: usize = scope.iter().map(|&w| sizes[w]).product();
    let (mut table, mut best) = (Vec::with_capacity(cells), Vec::with_capacity(cells));
    let mut counter = vec![0; scope.len()];
    let mut at = vec![0_usize; joined.len()];
    for _ in 0..cells {
        let steps = &steps[from_digit.map_or(0, |digit| counter[digit])];
        // All of the time goes here, and nearly always into one or two factors.
        let (most, place) = match (joined, at.as_slice(), steps.as_slice()) {
            ([f], [i], [s]) => largest(s.iter().map(|s| f.table[i + s])),
            ([f, g], [i, j], [s, t]) => largest(s.iter().zip(t).map(|(s, t)| f.table[i + s] + g.table[j + t])),
            _ => largest((0..sizes[v]).map(|level| {
                let values = joined.iter().zip(&at).zip(steps).map(|((f, &at), steps)| f.table[at + steps[level]]);
                values.reduce(|a, b| a + b).expect("every variable has a factor")
            })),
        };
        table.push(most);
        best.push(place);
        // The places in the factors move along with the counter, so that no index is computed afresh.
        for digit in (0..scope.len()).rev() {
            counter[digit] += 1;
            if counter[digit] < sizes[scope[digit]] {
                at.iter_mut().zip(&strides).for_each(|(at, strides)| *at += strides[digit]);
                break;
            }
            let back = counter[digit] - 1;
            at.iter_mut().zip(&strides).for_each(|(at, strides)| *at -= strides[digit] * back);
            counter[digit] = 0;
        }
    }
    (Factor { scope, table }, best)
}
