//! The best choice within a budget: all partial choices that may still lead to one better than what is known.
//!
//! Variables are decided in the reverse of the order in which they are eliminated. A *label* is a partial choice with its
//! cost and its value. The levels of the variables that decide what is to come (the *frontier*) are its *node*.
//! The messages of an elimination say, for every frontier, the best that all undecided variables can add, so that a
//! label is dropped
//! - if even its cheapest completion exceeds the budget,
//! - if its value plus the Lagrangian bound on its completion is no more than the best choice that is known,
//! - if another label of the same node costs no more and has no lower value.
//!
//! What is left in the end is best. Where more labels are left than may be kept, those with the highest bounds go on,
//! and the highest bound that was dropped bounds what was missed.

use crate::eliminate::Elimination;
use crate::relaxation::Relaxation;
use crate::stages::{Key, Stage, stages};
use crate::ticks::{Ticks, nanoseconds, ticks};
use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

/// A choice that is better than the one that was known, if there is any, and the bound on all choices.
pub(crate) struct Found {
    pub(crate) levels: Option<Vec<usize>>,
    pub(crate) bound: f64,
    /// Whether nothing was dropped but what cannot be better.
    pub(crate) is_complete: bool,
    /// Labels that were looked at.
    pub(crate) tried: u64,
}

/// A partial choice.
#[derive(Clone, Copy, Debug)]
struct Label {
    cost: Ticks,
    /// What is left of the budget, in nanoseconds.
    slack_ns: f64,
    value: f64,
    /// The highest value that any completion can have.
    bound: f64,
    node: u32,
    /// The label that it extends, in the list of the stage before, and the level that it adds.
    parent: u32,
    level: u32,
}

/// The labels after one stage: those of each node one after another, cheap ones first.
#[derive(Default)]
struct Labels {
    /// The frontier of each node.
    nodes: Vec<Key>,
    labels: Vec<Label>,
}

/// How many completions, each at a price of its own, bound a label.
pub(crate) const PRICES: usize = 3;

/// What completes labels: by value at each price, and the cheapest.
struct Completions {
    prices: [f64; PRICES],
    by_value: [Elimination<f64>; PRICES],
    by_cost: Elimination<f64>,
    /// More than the rounding errors of a bound and, in nanoseconds, of a cost.
    margin: f64,
    margin_ns: f64,
}

/// Searches for a choice within `limit` whose value is above `known`; keeps at most `most` labels of a stage.
pub(crate) fn search(relaxation: &Relaxation, limit: Ticks, known: f64, prices: [f64; PRICES], most: usize) -> Found {
    let completions = Completions {
        prices,
        by_value: prices.map(|price| relaxation.at_price(price)),
        by_cost: relaxation.at_cost(),
        margin: 2.0 * prices.iter().map(|&price| relaxation.rounding(price)).fold(0.0, f64::max),
        margin_ns: relaxation.rounding_ns(),
    };
    let model = &relaxation.model;
    let scopes: Vec<&[usize]> = completions.by_cost.messages().map(|message| message.scope.as_slice()).collect();
    let mut found = Found { levels: None, bound: known, is_complete: true, tried: 0 };
    let Some(stages) = stages(model, &relaxation.order, &scopes) else {
        return Found { bound: f64::INFINITY, is_complete: false, ..found };
    };
    let cost = model.constant;
    let slack_ns = nanoseconds(limit - cost);
    let root = Label { cost, slack_ns, value: 0.0, bound: 0.0, node: 0, parent: 0, level: 0 };
    let mut last = Labels { nodes: vec![0], labels: vec![root] };
    let mut lists: Vec<Vec<(u32, u32)>> = Vec::with_capacity(stages.len());
    for stage in &stages {
        let step = Step { relaxation, stage, completions: &completions, limit, known };
        last = step.extend(&last, &mut found.tried);
        last.keep_undominated();
        if let Some(dropped) = last.truncate(most) {
            found.bound = found.bound.max(dropped);
            found.is_complete = false;
        }
        lists.push(last.labels.iter().map(|label| (label.parent, label.level)).collect());
    }
    let ends = last.labels.iter().enumerate().filter(|(_, label)| label.value > known);
    if let Some((place, label)) = ends.max_by(|(_, a), (_, b)| a.value.total_cmp(&b.value)) {
        found.bound = found.bound.max(label.value);
        found.levels = Some(model.of_groups(&traced(&lists, &stages, place, model.sizes.len())));
    }
    found
}

/// One stage of a search.
struct Step<'s> {
    relaxation: &'s Relaxation,
    stage: &'s Stage,
    completions: &'s Completions,
    limit: Ticks,
    known: f64,
}

impl Step<'_> {
    /// All labels with one more variable decided, but those that cannot be better than what is known.
    fn extend(&self, last: &Labels, tried: &mut u64) -> Labels {
        let (stage, model, completions) = (self.stage, &self.relaxation.model, self.completions);
        let mut next = Labels::default();
        let mut places: HashMap<Key, u32, BuildHasherDefault<Mixer>> = HashMap::default();
        let mut parent = 0;
        let (mut frontier, mut at_terms, mut at_messages) = (Vec::new(), Vec::new(), Vec::new());
        for labels in last.labels.chunk_by(|a, b| a.node == b.node) {
            stage.unpack(last.nodes[labels[0].node as usize], &mut frontier);
            at_terms.clear();
            at_terms.extend(stage.terms.iter().map(|term| term.base(&frontier)));
            at_messages.clear();
            at_messages.extend(stage.live.iter().map(|live| live.base(&frontier)));
            for level in 0..model.sizes[stage.variable] {
                let Some(to) = stage.to(model, &frontier, level) else { continue };
                let terms = stage.terms.iter().zip(&at_terms);
                let added = model.unary[stage.variable][level]
                    + terms.map(|(term, at)| model.terms[term.table].table[term.at(*at, level, to)]).sum::<Ticks>();
                let (added_ns, value) = (nanoseconds(added), model.values[stage.variable][level]);
                let rest = |elimination: &Elimination<f64>| -> f64 {
                    let live = stage.live.iter().zip(&at_messages);
                    live.map(|(live, at)| elimination.message(live.table).table[live.at(*at, level, to)]).sum()
                };
                let rests = completions.by_value.each_ref().map(|e| value + completions.margin + rest(e));
                if rests[0] == f64::NEG_INFINITY {
                    continue;
                }
                // Messages of least cost are costs below zero.
                let least = ticks(-rest(&completions.by_cost) - completions.margin_ns).max(0);
                let most_cost = self.limit - added - least;
                let mut node = None;
                *tried += labels.len() as u64;
                for (label, parent) in labels.iter().zip(parent..) {
                    if label.cost > most_cost {
                        break;
                    }
                    let slack_ns = label.slack_ns - added_ns;
                    let bounds = completions.prices.iter().zip(&rests).map(|(price, rest)| rest + price * slack_ns);
                    let bound = label.value + bounds.fold(f64::INFINITY, f64::min);
                    if bound <= self.known {
                        continue;
                    }
                    let node = *node.get_or_insert_with(|| {
                        *places.entry(stage.pack(&frontier, level, to)).or_insert_with_key(|&key| {
                            next.nodes.push(key);
                            next.nodes.len() as u32 - 1
                        })
                    });
                    let (cost, value) = (label.cost + added, label.value + value);
                    next.labels.push(Label { cost, slack_ns, value, bound, node, parent, level: level as u32 });
                }
            }
            parent += labels.len() as u32;
        }
        next
    }
}

impl Labels {
    /// Brings the labels of each node together, and keeps those that no other one beats on cost and value at
    /// once.
    fn keep_undominated(&mut self) {
        self.labels.sort_unstable_by(|a, b| {
            let order = a.node.cmp(&b.node).then(a.cost.cmp(&b.cost)).then(b.value.total_cmp(&a.value));
            order.then((a.parent, a.level).cmp(&(b.parent, b.level)))
        });
        let (mut node, mut most) = (u32::MAX, f64::NEG_INFINITY);
        self.labels.retain(|label| {
            if label.node != node {
                (node, most) = (label.node, f64::NEG_INFINITY);
            }
            let is_kept = label.value > most;
            most = most.max(label.value);
            is_kept
        });
    }

    /// Keeps the `most` labels with the highest bounds; returns the highest bound that was dropped.
    fn truncate(&mut self, most: usize) -> Option<f64> {
        if self.labels.len() <= most {
            return None;
        }
        let mut bounds: Vec<f64> = self.labels.iter().map(|label| label.bound).collect();
        let (_, &mut dropped, _) = bounds.select_nth_unstable_by(most, |a, b| b.total_cmp(a));
        // Of equal bounds those go on that come first.
        let mut equal = most - self.labels.iter().filter(|label| label.bound > dropped).count();
        self.labels.retain(|label| {
            let is_equal = label.bound == dropped && equal > 0;
            equal -= usize::from(is_equal);
            label.bound > dropped || is_equal
        });
        Some(dropped)
    }
}

/// Mixes a key's bits; the standard library's hasher guards against chosen keys, which none are here.
#[derive(Default)]
struct Mixer(u64);

impl Hasher for Mixer {
    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|&byte| self.write_u128(byte.into()));
    }

    fn write_u128(&mut self, key: u128) {
        let folded = (key as u64) ^ ((key >> 64) as u64).rotate_left(32) ^ self.0;
        let mixed = folded.wrapping_mul(0x9E37_79B9_7F4A_7C15);
        self.0 = mixed ^ (mixed >> 29);
    }

    fn finish(&self) -> u64 {
        self.0.wrapping_mul(0xBF58_476D_1CE4_E5B9)
    }
}

/// The choice that ends in a label of the last list.
fn traced(lists: &[Vec<(u32, u32)>], stages: &[Stage], mut place: usize, variables: usize) -> Vec<usize> {
    let mut levels = vec![0; variables];
    for (list, stage) in lists.iter().zip(stages).rev() {
        let (parent, level) = list[place];
        levels[stage.variable] = level as usize;
        place = parent as usize;
    }
    levels
}
