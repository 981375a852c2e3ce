//! The best assignment of a sum of small tables, by eliminating one variable after another.
//!
//! This is exact. Its price is the largest table on the way: two levels' lists multiplied on a chain of layers,
//! three on a pruned residual stream, too many on a dense concat, where the order finder says so.

use std::collections::BTreeSet;
use std::ops::Add;

/// The largest table that elimination may build.
const JOINT_CELLS: usize = 1 << 20;

/// A summand that depends on a few variables; the last one's value moves fastest.
#[derive(Clone, Debug)]
pub(crate) struct Factor<T> {
    /// Ascending.
    pub(crate) scope: Vec<usize>,
    pub(crate) table: Vec<T>,
}

/// An order in which all variables can be eliminated, cheapest first, or nothing where a table would be too large.
pub(crate) fn order<'a>(sizes: &[usize], scopes: impl Iterator<Item = &'a [usize]>) -> Option<Vec<usize>> {
    let mut near: Vec<BTreeSet<usize>> = vec![BTreeSet::new(); sizes.len()];
    for scope in scopes {
        for &v in scope {
            near[v].extend(scope.iter().copied().filter(|&w| w != v));
        }
    }
    let cells = |v: usize, near: &BTreeSet<usize>| {
        near.iter().try_fold(sizes[v], |n, &w| n.checked_mul(sizes[w])).unwrap_or(usize::MAX)
    };
    let mut queue: BTreeSet<(usize, usize)> = (0..sizes.len()).map(|v| (cells(v, &near[v]), v)).collect();
    let mut order = Vec::with_capacity(sizes.len());
    while let Some((joint, v)) = queue.pop_first() {
        if joint > JOINT_CELLS {
            return None;
        }
        order.push(v);
        let around = std::mem::take(&mut near[v]);
        for &w in &around {
            queue.remove(&(cells(w, &near[w]), w));
            near[w].remove(&v);
            near[w].extend(around.iter().copied().filter(|&x| x != w));
            queue.insert((cells(w, &near[w]), w));
        }
    }
    Some(order)
}

/// What a variable should be, given those eliminated after it.
struct Decision {
    variable: usize,
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
    pub(crate) fn run(sizes: &[usize], mut factors: Vec<Factor<T>>, order: &[usize]) -> Elimination<T> {
        let mut of_variable: Vec<Vec<usize>> = vec![Vec::new(); sizes.len()];
        for (id, factor) in factors.iter().enumerate() {
            factor.scope.iter().for_each(|&v| of_variable[v].push(id));
        }
        let mut is_joined = vec![false; factors.len()];
        let mut decisions = Vec::with_capacity(order.len());
        for &variable in order {
            let ids: Vec<usize> = of_variable[variable].iter().copied().filter(|&id| !is_joined[id]).collect();
            let joined: Vec<&Factor<T>> = ids.iter().map(|&id| &factors[id]).collect();
            let (message, best) = eliminate(sizes, &joined, variable);
            ids.into_iter().for_each(|id| is_joined[id] = true);
            message.scope.iter().for_each(|&w| of_variable[w].push(factors.len()));
            decisions.push(Decision { variable, message: factors.len(), best });
            factors.push(message);
            is_joined.push(false);
        }
        Elimination { factors, decisions }
    }

    /// The assignment with the largest sum; of equal sums the highest value wins.
    pub(crate) fn assignment(&self, sizes: &[usize]) -> Vec<usize> {
        let mut assignment = vec![0; sizes.len()];
        for Decision { variable, message, best } in self.decisions.iter().rev() {
            let index = place(&self.factors[*message].scope, sizes, &assignment);
            assignment[*variable] = best[index] as usize;
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

/// Joins the factors of `v` and keeps, for each assignment of the others, the best sum over `v` and its place.
fn eliminate<T>(sizes: &[usize], joined: &[&Factor<T>], v: usize) -> (Factor<T>, Vec<u32>)
where
    T: Copy + PartialOrd + Add<Output = T>,
{
    let scope: BTreeSet<usize> = joined.iter().flat_map(|f| f.scope.iter().copied()).filter(|&w| w != v).collect();
    let scope: Vec<usize> = scope.into_iter().collect();
    let stride = |factor: &Factor<T>, w: usize| match factor.scope.binary_search(&w) {
        Ok(i) => factor.scope[i + 1..].iter().map(|&x| sizes[x]).product(),
        Err(_) => 0,
    };
    let strides: Vec<Vec<usize>> = joined.iter().map(|f| scope.iter().map(|&w| stride(f, w)).collect()).collect();
    let own: Vec<usize> = joined.iter().map(|f| stride(f, v)).collect();
    let cells: usize = scope.iter().map(|&w| sizes[w]).product();
    let (mut table, mut best) = (Vec::with_capacity(cells), Vec::with_capacity(cells));
    let mut counter = vec![0; scope.len()];
    let mut at = vec![0_usize; joined.len()];
    for _ in 0..cells {
        let sum = |level: usize| {
            let values = joined.iter().zip(&at).zip(&own).map(|((f, &at), &own)| f.table[at + level * own]);
            values.reduce(|a, b| a + b).expect("every variable has a factor")
        };
        let (mut most, mut place) = (sum(0), 0);
        for level in 1..sizes[v] {
            let value = sum(level);
            if value >= most {
                (most, place) = (value, level as u32);
            }
        }
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
