//! In which order labels decide variables, and what each decision depends on.

use crate::model::Model;
use crate::units::Unit;

/// A table that is looked up where a frontier and one more variable stand.
pub(crate) struct Lookup {
    /// Which table of its kind.
    pub(crate) table: usize,
    /// The distance between neighboring levels of each variable of the frontier.
    strides: Vec<usize>,
    /// The same of the variable that is decided, and of the sum that goes with it.
    own: usize,
    sum: usize,
}

impl Lookup {
    fn new(
        table: usize,
        scope: &[usize],
        model: &Model,
        before: &[usize],
        variable: usize,
        to: Option<usize>,
    ) -> Lookup {
        let stride = |v: usize| {
            let place = scope.iter().position(|&w| w == v);
            place.map_or(0, |i| scope[i + 1..].iter().map(|&x| model.sizes[x]).product())
        };
        let strides = before.iter().map(|&v| stride(v)).collect();
        Lookup { table, strides, own: stride(variable), sum: to.map_or(0, stride) }
    }

    /// The place of the first levels of what is decided.
    pub(crate) fn base(&self, frontier: &[u16]) -> usize {
        self.strides.iter().zip(frontier).map(|(stride, &level)| stride * usize::from(level)).sum()
    }

    /// The place of these levels.
    pub(crate) fn at(&self, base: usize, level: usize, to: usize) -> usize {
        base + self.own * level + self.sum * to
    }
}

/// The levels of a frontier's variables, packed.
pub(crate) type Key = u128;

/// Where a variable of the next frontier has its level from.
#[derive(Clone, Copy)]
enum Origin {
    Frontier(usize),
    Decided,
    Sum,
}

/// What the step of one variable adds and looks at.
pub(crate) struct Stage {
    pub(crate) variable: usize,
    /// The tie whose sum is decided with it, and where the frontier has what that starts from.
    tie: Option<(usize, usize)>,
    /// The bits of each level in the key of the frontier before.
    before: Vec<u32>,
    /// The variables of the frontier after, and the bits of their levels in its key.
    after: Vec<(Origin, u32)>,
    /// Terms that are complete once the variable is decided.
    pub(crate) terms: Vec<Lookup>,
    /// Messages that complete a label after this step.
    pub(crate) live: Vec<Lookup>,
}

impl Stage {
    /// The level of the sum that goes with a level (0 if there is none), or `None` if they exclude each other.
    pub(crate) fn to(&self, model: &Model, frontier: &[u16], level: usize) -> Option<usize> {
        self.tie.map_or(Some(0), |(tie, from)| model.ties[tie].level(&model.sizes, frontier[from].into(), level))
    }

    /// The levels of the frontier before.
    pub(crate) fn unpack(&self, mut key: Key, frontier: &mut Vec<u16>) {
        frontier.clear();
        for &bits in &self.before {
            frontier.push((key & ((1 << bits) - 1)) as u16);
            key >>= bits;
        }
    }

    /// The key of the frontier after.
    pub(crate) fn pack(&self, frontier: &[u16], level: usize, to: usize) -> Key {
        let levels = self.after.iter().map(|&(origin, bits)| match origin {
            Origin::Frontier(place) => (Key::from(frontier[place]), bits),
            Origin::Decided => (level as Key, bits),
            Origin::Sum => (to as Key, bits),
        });
        levels.rev().fold(0, |key, (level, bits)| (key << bits) | level)
    }
}

/// The stages of a search, the last unit of `order` first; `messages` are the scopes of what eliminating each unit left.
/// `None` if a frontier has more variables than a key can tell apart.
pub(crate) fn stages(model: &Model, order: &[Unit], messages: &[&[usize]]) -> Option<Vec<Stage>> {
    let bits = |v: usize| model.sizes[v].next_power_of_two().trailing_zeros();
    let mut position = vec![0; model.sizes.len()];
    for (place, unit) in order.iter().enumerate() {
        unit.variables(&model.ties).for_each(|v| position[v] = place);
    }
    // A message is part of that of the variable of its scope that is eliminated first.
    let first = |scope: &[usize]| scope.iter().map(|&v| position[v]).min();
    let joined: Vec<usize> = messages.iter().map(|scope| first(scope).unwrap_or(usize::MAX)).collect();
    let mut before: Vec<usize> = Vec::new();
    let mut stages = Vec::with_capacity(order.len());
    for place in (0..order.len()).rev() {
        let unit = order[place];
        let variable = unit.decided(&model.ties);
        let to = unit.tie(&model.ties).map(|tie| tie.to);
        let lookup = |table: usize, scope: &[usize]| Lookup::new(table, scope, model, &before, variable, to);
        let live: Vec<usize> = (0..place).filter(|&m| joined[m] >= place).collect();
        let of_unit = (0..model.terms.len()).filter(|&t| first(&model.terms[t].scope) == Some(place));
        let terms = of_unit.map(|t| lookup(t, &model.terms[t].scope)).collect();
        let mut after: Vec<usize> = live.iter().flat_map(|&m| messages[m].iter().copied()).collect();
        after.sort_unstable();
        after.dedup();
        let in_frontier = |v: usize| before.binary_search(&v).expect("what a step depends on was decided before");
        let origin = |&v: &usize| match v {
            _ if v == variable => Origin::Decided,
            _ if Some(v) == to => Origin::Sum,
            _ => Origin::Frontier(in_frontier(v)),
        };
        let tie = match unit {
            Unit::Pair(tie) => Some((tie, in_frontier(model.ties[tie].from))),
            Unit::Single(_) => None,
        };
        if after.iter().map(|&v| bits(v)).sum::<u32>() >= Key::BITS {
            return None;
        }
        let origins = after.iter().map(|v| (origin(v), bits(*v))).collect();
        let bits_before = before.iter().map(|&v| bits(v)).collect();
        let live = live.iter().map(|&m| lookup(m, messages[m])).collect();
        stages.push(Stage { variable, tie, before: bits_before, after: origins, terms, live });
        before = after;
    }
    Some(stages)
}
