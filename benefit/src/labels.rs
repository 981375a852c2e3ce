//! The best choice within a budget: all partial choices that may still lead to one better than what is known.
//!
//! Variables are decided in the reverse of the order in which they are eliminated. A *label* is a partial choice: what
//! it costs and is worth so far, and where the variables stand that decide what is to come (the *frontier*). The
//! messages of an elimination say, for every frontier, the best that all undecided variables can add, so that a label is
//! dropped
//! - where even its cheapest completion exceeds the budget,
//! - where its value plus the Lagrangian bound on its completion is no more than the best choice that is known,
//! - where another label of the same frontier costs no more and is worth no less.
//!
//! What is left in the end is best. Where more labels are left than may be kept, those with the highest bounds go on,
//! and the highest bound that was dropped bounds what was missed.

use crate::eliminate::{Factor, place};
use crate::lagrange::Relaxation;
use crate::ticks::{Ticks, nanoseconds};
use crate::units::Unit;
use std::collections::HashMap;

/// What may be spent on a search.
#[derive(Clone, Copy)]
pub(crate) struct Effort<'a> {
    /// Labels that may be kept after each variable.
    pub(crate) labels: usize,
    /// Whether the time is up.
    pub(crate) is_late: &'a dyn Fn() -> bool,
}

/// How a search ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// Nothing was dropped but what cannot be better.
    Complete,
    /// More labels were left than may be kept.
    Crowded,
    /// The time was up.
    Late,
}

/// A choice that is better than the one that was known, if there is any, and the bound on all choices.
pub(crate) struct Found {
    pub(crate) levels: Option<Vec<usize>>,
    pub(crate) bound: f64,
    pub(crate) end: End,
    /// Partial choices that were looked at.
    pub(crate) tried: usize,
}

/// A partial choice.
#[derive(Clone, Debug)]
struct Label {
    cost: Ticks,
    value: f64,
    /// The most that any completion is worth.
    bound: f64,
    /// Levels of the frontier's variables.
    frontier: Vec<u16>,
    /// The label that it extends, in the list of the variable before, and the level that it adds.
    parent: u32,
    level: u16,
}

/// What completes a label, at one price of a nanosecond.
struct Completion<'e> {
    price: f64,
    messages: Vec<&'e Factor<f64>>,
}

/// What the step of one variable adds and looks at; frontiers are lists of variables, ascending.
struct Stage {
    variable: usize,
    /// The running sum that is decided with it.
    tie: Option<usize>,
    /// The frontier before and after.
    before: Vec<usize>,
    after: Vec<usize>,
    /// Terms that are complete once the variable is decided.
    terms: Vec<usize>,
    /// Places of the messages that complete a label after this step.
    live: Vec<usize>,
}

/// Searches for a choice within `limit` that is worth more than `known`.
pub(crate) fn search(relaxation: &Relaxation, limit: Ticks, known: f64, prices: &[f64], effort: Effort<'_>) -> Found {
    let least = relaxation.at_least_cost();
    let least: Vec<&Factor<Ticks>> = least.messages().collect();
    let eliminated: Vec<_> = prices.iter().map(|&price| (price, relaxation.at_price(price))).collect();
    let completions: Vec<Completion<'_>> = eliminated
        .iter()
        .map(|(price, elimination)| Completion { price: *price, messages: elimination.messages().collect() })
        .collect();
    let margin = prices.iter().map(|&price| relaxation.rounding(price)).fold(0.0, f64::max);
    let stages = stages(relaxation, &least);
    let model = &relaxation.model;
    let constant = model.constant;
    let root = Label { cost: constant, value: 0.0, bound: 0.0, frontier: Vec::new(), parent: 0, level: 0 };
    let mut lists: Vec<Vec<Label>> = vec![vec![root]];
    let (mut dropped, mut end, mut tried) = (f64::NEG_INFINITY, End::Complete, 0);
    for stage in &stages {
        let last = lists.last().expect("the list begins with the root");
        let mut next: HashMap<Vec<u16>, Vec<Label>> = HashMap::new();
        tried += last.len() * model.sizes[stage.variable];
        let mut levels = vec![0; model.sizes.len()];
        for (parent, label) in last.iter().enumerate() {
            if (effort.is_late)() {
                end = End::Late;
                dropped = last[parent..].iter().map(|label| label.bound).fold(dropped, f64::max);
                break;
            }
            stage.before.iter().zip(&label.frontier).for_each(|(&v, &level)| levels[v] = level.into());
            for level in 0..model.sizes[stage.variable] {
                levels[stage.variable] = level;
                if let Some(tie) = stage.tie.map(|tie| &model.ties[tie]) {
                    levels[tie.to] = tie.level(&model.sizes, levels[tie.from], level);
                }
                let added = model.unary[stage.variable][level]
                    + stage.terms.iter().map(|&t| model.cost(&model.terms[t], &levels)).sum::<Ticks>();
                let cost = label.cost + added;
                // Messages of least cost are costs below zero.
                let rest: Ticks = stage.live.iter().map(|&m| at(least[m], &model.sizes, &levels)).sum();
                if cost - rest > limit {
                    continue;
                }
                let value = label.value + model.values[stage.variable][level];
                let bound = completions
                    .iter()
                    .map(|completion| {
                        let rest: f64 =
                            stage.live.iter().map(|&m| at(completion.messages[m], &model.sizes, &levels)).sum();
                        value + rest + completion.price * nanoseconds(limit - cost)
                    })
                    .fold(f64::INFINITY, f64::min)
                    + margin;
                if bound <= known {
                    continue;
                }
                let frontier: Vec<u16> = stage.after.iter().map(|&v| levels[v] as u16).collect();
                let label = Label {
                    cost,
                    value,
                    bound,
                    frontier: frontier.clone(),
                    parent: parent as u32,
                    level: level as u16,
                };
                next.entry(frontier).or_default().push(label);
            }
        }
        let mut kept: Vec<Label> = next.into_values().flat_map(undominated).collect();
        // The order of a map is no order.
        kept.sort_by(|a, b| {
            b.bound.total_cmp(&a.bound).then_with(|| a.frontier.cmp(&b.frontier)).then(a.cost.cmp(&b.cost))
        });
        if kept.len() > effort.labels {
            end = End::Crowded;
            dropped = kept[effort.labels..].iter().map(|label| label.bound).fold(dropped, f64::max);
            kept.truncate(effort.labels);
        }
        lists.push(kept);
        if end == End::Late {
            dropped = lists.last().into_iter().flatten().map(|label| label.bound).fold(dropped, f64::max);
            return Found { levels: None, bound: dropped, end, tried };
        }
    }
    let best = lists.last().and_then(|list| {
        let values = list.iter().enumerate().filter(|(_, label)| label.value > known);
        values.max_by(|(_, a), (_, b)| a.value.total_cmp(&b.value)).map(|(place, label)| (place, label.value))
    });
    let bound = best.map_or(known, |(_, value)| value).max(dropped);
    let levels = best.map(|(place, _)| model.of_groups(traced(&lists, &stages, place, model.sizes.len())));
    Found { levels, bound, end, tried }
}

/// Those of one frontier of which none costs no more and is worth no less than another.
fn undominated(mut labels: Vec<Label>) -> Vec<Label> {
    labels.sort_by(|a, b| a.cost.cmp(&b.cost).then(b.value.total_cmp(&a.value)).then(a.parent.cmp(&b.parent)));
    let mut most = f64::NEG_INFINITY;
    labels.retain(|label| {
        let is_kept = label.value > most;
        most = most.max(label.value);
        is_kept
    });
    labels
}

/// The choice that ends in a label of the last list.
fn traced(lists: &[Vec<Label>], stages: &[Stage], mut place: usize, variables: usize) -> Vec<usize> {
    let mut levels = vec![0; variables];
    for (list, stage) in lists[1..].iter().zip(stages).rev() {
        levels[stage.variable] = list[place].level.into();
        place = list[place].parent as usize;
    }
    levels
}

/// A table's entry at the levels of its variables.
fn at<T: Copy>(factor: &Factor<T>, sizes: &[usize], levels: &[usize]) -> T {
    factor.table[place(&factor.scope, sizes, levels)]
}

fn stages(relaxation: &Relaxation, messages: &[&Factor<Ticks>]) -> Vec<Stage> {
    let (n, model) = (relaxation.order.len(), &relaxation.model);
    let mut position = vec![0; model.sizes.len()];
    for (place, unit) in relaxation.order.iter().enumerate() {
        unit.variables(&model.ties).for_each(|v| position[v] = place);
    }
    // A message is part of that of the variable of its scope that is eliminated first.
    let joined_at = |message: &Factor<Ticks>| message.scope.iter().map(|&v| position[v]).min().unwrap_or(usize::MAX);
    let joined: Vec<usize> = messages.iter().map(|message| joined_at(message)).collect();
    let mut before = Vec::new();
    let mut stages = Vec::with_capacity(n);
    for place in (0..n).rev() {
        let live: Vec<usize> = (0..place).filter(|&m| joined[m] >= place).collect();
        let mut after: Vec<usize> = live.iter().flat_map(|&m| messages[m].scope.iter().copied()).collect();
        after.sort_unstable();
        after.dedup();
        let unit = relaxation.order[place];
        let tie = if let Unit::Pair(tie) = unit { Some(tie) } else { None };
        let is_complete = |groups: &[usize]| groups.iter().map(|&g| position[g]).min() == Some(place);
        let terms = (0..model.terms.len()).filter(|&t| is_complete(&model.terms[t].scope)).collect();
        let variable = unit.decided(&model.ties);
        stages.push(Stage { variable, tie, before: std::mem::replace(&mut before, after.clone()), after, terms, live });
    }
    stages
}
