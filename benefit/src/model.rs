//! A problem as a sum of small tables over variables: the groups' levels and, where a concat joins many groups, what they
//! sum up to so far.
//!
//! A layer that reads a concat of k groups has a table of k + 1 dimensions, too large to be written down. Its cost only
//! depends on the *sum* of their channels: with one variable per running sum, the table has two dimensions, and three
//! neighbors are tied: two of them decide the third. Layers that read longer and longer concats of
//! the same groups, as in a dense block, share their running sums.

use crate::factor::place;
use crate::ledger::Ledger;
use crate::ticks::Ticks;
use crate::units::{RULED_OUT, Tie};
use netspec::Part;
use std::collections::{BTreeMap, BTreeSet};

/// Different sums that a running sum may take.
const MOST_SUMS: usize = 1 << 12;
/// The largest table of a term.
const TABLE_CELLS: usize = 1 << 20;
/// Groups from which on a concat is summed up.
const WIDE: usize = 3;

/// A cost that depends on a few variables.
#[derive(Debug)]
pub(crate) struct Term {
    /// Ascending.
    pub(crate) scope: Vec<usize>,
    /// The last variable moves fastest.
    pub(crate) table: Vec<Ticks>,
}

#[derive(Debug)]
pub(crate) struct Model {
    /// Levels of each variable; the groups come first.
    pub(crate) sizes: Vec<usize>,
    pub(crate) values: Vec<Vec<f64>>,
    pub(crate) unary: Vec<Vec<Ticks>>,
    pub(crate) terms: Vec<Term>,
    /// What holds the running sums together.
    pub(crate) ties: Vec<Tie>,
    pub(crate) constant: Ticks,
    /// The levels of each group as the problem numbers them.
    groups: Vec<Vec<usize>>,
}

impl Model {
    /// The value of an assignment of all variables.
    pub(crate) fn value(&self, assignment: &[usize]) -> f64 {
        self.values.iter().zip(assignment).map(|(values, &level)| values[level]).sum()
    }

    /// The cost of an assignment of all variables.
    pub(crate) fn total(&self, assignment: &[usize]) -> Ticks {
        let unary = self.unary.iter().zip(assignment).map(|(costs, &level)| costs[level]).sum::<Ticks>();
        self.constant + unary + self.terms.iter().map(|term| self.cost(term, assignment)).sum::<Ticks>()
    }

    /// What a term costs where the variables stand so.
    pub(crate) fn cost(&self, term: &Term, levels: &[usize]) -> Ticks {
        term.table[place(&term.scope, &self.sizes, levels)]
    }

    /// The levels of the groups as the problem numbers them, without those of the running sums.
    pub(crate) fn of_groups(&self, assignment: &[usize]) -> Vec<usize> {
        self.groups.iter().zip(assignment).map(|(levels, &level)| levels[level]).collect()
    }

    /// The same with some levels of each variable only.
    pub(crate) fn restricted(&self, kept: &[Vec<usize>]) -> Model {
        let pick = |levels: &[usize], kept: &[usize]| kept.iter().map(|&level| levels[level]).collect();
        let term = |Term { scope, table }: &Term| {
            let places = scope.iter().fold(vec![0], |places, &v| {
                let longer = |place: usize| kept[v].iter().map(move |level| place * self.sizes[v] + level);
                places.into_iter().flat_map(longer).collect()
            });
            Term { scope: scope.clone(), table: places.into_iter().map(|place| table[place]).collect() }
        };
        let tie = |tie: &Tie| {
            let level = |from, group| {
                let to = tie.level(&self.sizes, from, group).and_then(|to| kept[tie.to].binary_search(&to).ok());
                to.map_or(RULED_OUT, |to| to as u32)
            };
            let next =
                kept[tie.from].iter().flat_map(|&from| kept[tie.group].iter().map(move |&group| level(from, group)));
            Tie { next: next.collect(), ..*tie }
        };
        Model {
            sizes: kept.iter().map(Vec::len).collect(),
            values: self
                .values
                .iter()
                .zip(kept)
                .map(|(values, kept)| kept.iter().map(|&l| values[l]).collect())
                .collect(),
            unary: self.unary.iter().zip(kept).map(|(costs, kept)| kept.iter().map(|&l| costs[l]).collect()).collect(),
            terms: self.terms.iter().map(term).collect(),
            ties: self.ties.iter().map(tie).collect(),
            constant: self.constant,
            groups: self.groups.iter().zip(kept).map(|(levels, kept)| pick(levels, kept)).collect(),
        }
    }

    /// The same with about one of `n` levels of each group, those at both ends among them, and what these sum up to.
    pub(crate) fn coarse(&self, n: usize) -> Model {
        let of_group =
            |size: usize| (0..size).filter(|level| (size - 1 - level).is_multiple_of(n) || *level == 0).collect();
        let mut kept: Vec<Vec<usize>> = self.sizes.iter().map(|&size| of_group(size)).collect();
        // A tie starts from sums that come before the one that it leads to.
        for tie in &self.ties {
            let groups = &kept[tie.group];
            let reached = kept[tie.from].iter().flat_map(|&from| groups.iter().map(move |&group| (from, group)));
            let reached: BTreeSet<usize> =
                reached.filter_map(|(from, group)| tie.level(&self.sizes, from, group)).collect();
            kept[tie.to] = reached.into_iter().collect();
        }
        self.restricted(&kept)
    }

    /// How many levels all variables have.
    pub(crate) fn levels(&self) -> usize {
        self.sizes.iter().sum()
    }

    /// Groups alone; `None` if a layer has no table.
    pub(crate) fn plain(ledger: &Ledger<'_>) -> Option<Model> {
        let mut model = Model::bare(ledger);
        for term in &ledger.terms {
            model.terms.push(Term { scope: term.groups.clone(), table: term.table.clone()? });
        }
        Some(model)
    }

    /// With running sums; `None` if even these are too many.
    pub(crate) fn with_sums(ledger: &Ledger<'_>) -> Option<Model> {
        let mut model = Model::bare(ledger);
        let mut sums = Sums::default();
        for term in &ledger.terms {
            let inputs = free(ledger, &ledger.problem.layers()[term.layer].inputs().parts);
            match (&term.table, inputs.len() < WIDE) {
                (Some(table), true) => model.terms.push(Term { scope: term.groups.clone(), table: table.clone() }),
                _ => model.add_wide(ledger, term.layer, &inputs, &mut sums)?,
            }
        }
        Some(model)
    }

    /// The groups with what they cost alone, and no term.
    pub(crate) fn bare(ledger: &Ledger<'_>) -> Model {
        let values: Vec<Vec<f64>> = ledger.problem.groups().iter().map(|group| group.value.clone()).collect();
        Model {
            sizes: ledger.unary.iter().map(Vec::len).collect(),
            values,
            unary: ledger.unary.clone(),
            terms: Vec::new(),
            ties: Vec::new(),
            constant: ledger.constant,
            groups: ledger.unary.iter().map(|costs| (0..costs.len()).collect()).collect(),
        }
    }

    /// A layer that reads the sum of `inputs`.
    fn add_wide(&mut self, ledger: &Ledger<'_>, layer: usize, inputs: &[Part], sums: &mut Sums) -> Option<()> {
        let problem = ledger.problem;
        let cost = &problem.layers()[layer];
        if !cost.gone_with().is_empty() {
            return None;
        }
        let outputs = free(ledger, &cost.outputs().parts);
        // A group that counts twice is no independent summand.
        let distinct: BTreeSet<usize> = inputs.iter().chain(&outputs).map(|part| part.group.0).collect();
        if distinct.len() < inputs.len() + outputs.len() || outputs.len() > 1 {
            return None;
        }
        let dense = problem.full_levels();
        let full = |parts: &[Part]| -> usize {
            parts.iter().map(|part| part.repeat * problem.width_of(&dense, part.group)).sum()
        };
        // What does not move is the same for all choices.
        let still = full(&cost.inputs().parts) - full(inputs) + cost.inputs().fixed;
        let out_still = full(&cost.outputs().parts) - full(&outputs) + cost.outputs().fixed;
        let sum = self.running_sum(ledger, inputs, sums)?;
        let amounts = sums.amounts.get(&sum)?.clone();
        let out_levels: Vec<usize> = match outputs.as_slice() {
            [part] => {
                problem.groups()[part.group.0].levels.iter().map(|level| out_still + part.repeat * level).collect()
            }
            _ => vec![out_still],
        };
        if amounts.len() * out_levels.len() > TABLE_CELLS {
            return None;
        }
        let scope: Vec<usize> = outputs.iter().map(|part| part.group.0).chain([sum]).collect();
        let mut table = Vec::with_capacity(amounts.len() * out_levels.len());
        for &c_out in &out_levels {
            for amount in &amounts {
                table.push(problem.cell_ticks(layer, still + amount, c_out)?);
            }
        }
        self.terms.push(Term { scope, table });
        Some(())
    }

    /// The variable that holds the sum of these parts, and of each of their beginnings.
    fn running_sum(&mut self, ledger: &Ledger<'_>, parts: &[Part], sums: &mut Sums) -> Option<usize> {
        let (first, rest) = parts.split_first()?;
        let levels = |part: &Part| -> Vec<usize> {
            ledger.problem.groups()[part.group.0].levels.iter().map(|level| part.repeat * level).collect()
        };
        let mut key = vec![(first.group.0, first.repeat)];
        let mut variable = *sums.known.entry(key.clone()).or_insert(first.group.0);
        let mut amounts = levels(first);
        for part in rest {
            key.push((part.group.0, part.repeat));
            let added = levels(part);
            let reached: BTreeSet<usize> = amounts.iter().flat_map(|a| added.iter().map(move |b| a + b)).collect();
            let reached: Vec<usize> = reached.into_iter().collect();
            variable = match sums.known.get(&key) {
                Some(&known) => known,
                None => {
                    if reached.len() > MOST_SUMS {
                        return None;
                    }
                    let next = self.sizes.len();
                    self.sizes.push(reached.len());
                    self.values.push(vec![0.0; reached.len()]);
                    self.unary.push(vec![0; reached.len()]);
                    let level = |sum: usize| reached.binary_search(&sum).expect("every sum was collected") as u32;
                    let pairs = amounts.iter().flat_map(|a| added.iter().map(move |b| a + b));
                    let steps = pairs.map(level).collect();
                    self.ties.push(Tie { from: variable, group: part.group.0, to: next, next: steps });
                    sums.known.insert(key.clone(), next);
                    sums.amounts.insert(next, reached.clone());
                    next
                }
            };
            amounts = reached;
        }
        Some(variable)
    }
}

/// The running sums there are: by their parts, and what each of their levels amounts to.
#[derive(Default)]
struct Sums {
    known: BTreeMap<Vec<(usize, usize)>, usize>,
    amounts: BTreeMap<usize, Vec<usize>>,
}

/// The parts whose groups have a choice.
fn free(ledger: &Ledger<'_>, parts: &[Part]) -> Vec<Part> {
    parts.iter().filter(|part| ledger.problem.groups()[part.group.0].is_free()).copied().collect()
}
