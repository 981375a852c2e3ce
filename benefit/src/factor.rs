//! Tables over a few variables, and sums of them row by row.

use crate::ticks::Ticks;
use std::borrow::Cow;
use std::collections::BTreeSet;
use std::ops::Add;

/// What tables hold.
pub(crate) trait Sum: Copy + PartialOrd + Add<Output = Self> {
    /// Less than every sum.
    const LEAST: Self;
    const ZERO: Self;
}

impl Sum for f64 {
    const LEAST: f64 = f64::NEG_INFINITY;
    const ZERO: f64 = 0.0;
}

impl Sum for Ticks {
    const LEAST: Ticks = Ticks::MIN / 4;
    const ZERO: Ticks = 0;
}

/// A summand that depends on a few variables; the last one's level moves fastest.
#[derive(Clone, Debug)]
pub(crate) struct Factor<T> {
    pub(crate) scope: Vec<usize>,
    pub(crate) table: Vec<T>,
}

impl<T: Copy> Factor<T> {
    /// The entry at the levels of all variables.
    pub(crate) fn at(&self, sizes: &[usize], levels: &[usize]) -> T {
        self.table[place(&self.scope, sizes, levels)]
    }

    /// How far apart two entries are whose levels of `v` are neighbors; 0 if the table does not depend on `v`.
    pub(crate) fn stride(&self, sizes: &[usize], v: usize) -> usize {
        let place = self.scope.iter().position(|&w| w == v);
        place.map_or(0, |i| self.scope[i + 1..].iter().map(|&x| sizes[x]).product())
    }

    /// The same table with `lane` as the last variable, if it depends on it.
    pub(crate) fn with_last<'f>(factor: Cow<'f, Factor<T>>, sizes: &[usize], lane: usize) -> Cow<'f, Factor<T>> {
        let Some(place) = factor.scope.iter().position(|&w| w == lane) else { return factor };
        if place + 1 == factor.scope.len() {
            return factor;
        }
        let inner = factor.stride(sizes, lane);
        let mut scope = factor.scope.clone();
        scope.remove(place);
        scope.push(lane);
        let mut table = Vec::with_capacity(factor.table.len());
        for block in factor.table.chunks_exact(inner * sizes[lane]) {
            for i in 0..inner {
                table.extend(block[i..].iter().step_by(inner));
            }
        }
        Cow::Owned(Factor { scope, table })
    }
}

/// Where a table has its entry for the levels of its variables.
pub(crate) fn place(scope: &[usize], sizes: &[usize], levels: &[usize]) -> usize {
    scope.iter().fold(0, |index, &v| index * sizes[v] + levels[v])
}

/// Walks over all levels of some variables, the last one's fastest, and keeps the places in several tables.
pub(crate) struct Walk {
    variables: Vec<usize>,
    sizes: Vec<usize>,
    pub(crate) levels: Vec<usize>,
    strides: Vec<Vec<usize>>,
    /// The place in each table.
    pub(crate) at: Vec<usize>,
}

impl Walk {
    pub(crate) fn new<T: Copy>(sizes: &[usize], variables: Vec<usize>, tables: &[&Factor<T>]) -> Walk {
        let strides = variables.iter().map(|&v| tables.iter().map(|table| table.stride(sizes, v)).collect()).collect();
        let of_variables = variables.iter().map(|&v| sizes[v]).collect();
        Walk { sizes: of_variables, levels: vec![0; variables.len()], strides, at: vec![0; tables.len()], variables }
    }

    /// The number of steps.
    pub(crate) fn len(&self) -> usize {
        self.sizes.iter().product()
    }

    /// The level of one of the variables.
    pub(crate) fn level(&self, v: usize) -> Option<usize> {
        self.variables.iter().position(|&w| w == v).map(|i| self.levels[i])
    }

    pub(crate) fn advance(&mut self) {
        for digit in (0..self.sizes.len()).rev() {
            let strides = &self.strides[digit];
            self.levels[digit] += 1;
            if self.levels[digit] < self.sizes[digit] {
                self.at.iter_mut().zip(strides).for_each(|(at, stride)| *at += stride);
                return;
            }
            let back = self.sizes[digit] - 1;
            self.at.iter_mut().zip(strides).for_each(|(at, stride)| *at -= stride * back);
            self.levels[digit] = 0;
        }
    }
}

/// The same factors, those added into others that depend on all of their variables; only the latter are copied.
pub(crate) fn merged<'f, T: Sum>(sizes: &[usize], mut factors: Vec<Cow<'f, Factor<T>>>) -> Vec<Cow<'f, Factor<T>>> {
    factors.sort_by_key(|factor| factor.scope.len());
    let mut merged = Vec::new();
    let mut rest = factors.into_iter();
    while let Some(small) = rest.next() {
        let covers = |factor: &&mut Cow<'f, Factor<T>>| small.scope.iter().all(|v| factor.scope.contains(v));
        match rest.as_mut_slice().iter_mut().find(covers) {
            Some(large) => add(sizes, large.to_mut(), small),
            None => merged.push(small),
        }
    }
    merged
}

/// Adds a table into one that depends on all of its variables.
fn add<T: Sum>(sizes: &[usize], large: &mut Factor<T>, small: Cow<'_, Factor<T>>) {
    let Some(&lane) = large.scope.last() else { return };
    let small = Factor::with_last(small, sizes, lane);
    let n = sizes[lane];
    let outer = large.scope[..large.scope.len() - 1].to_vec();
    let mut walk = Walk::new(sizes, outer, &[small.as_ref()]);
    let is_row = small.scope.last() == Some(&lane);
    for row in large.table.chunks_exact_mut(n) {
        let at = walk.at[0];
        if is_row {
            row.iter_mut().zip(&small.table[at..at + n]).for_each(|(sum, more)| *sum = *sum + *more);
        } else {
            let more = small.table[at];
            row.iter_mut().for_each(|sum| *sum = *sum + more);
        }
        walk.advance();
    }
}

/// The variables of some tables, in order, without those that go.
pub(crate) fn around<'f, T: 'f>(factors: impl Iterator<Item = &'f Factor<T>>, gone: &[usize]) -> BTreeSet<usize> {
    factors.flat_map(|f| f.scope.iter().copied()).filter(|v| !gone.contains(v)).collect()
}
