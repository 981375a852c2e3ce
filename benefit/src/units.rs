//! In which order variables are eliminated, and which go together.

use std::collections::{BTreeMap, BTreeSet};

/// The largest table that elimination may leave.
const TABLE_CELLS: usize = 1 << 21;
/// The most sums that eliminating one unit may take.
const JOINT_CELLS: usize = 1 << 25;

/// How much sums are favored, attempt after attempt.
const PAIRS_FIRST: [usize; 3] = [1, 64, 4096];

/// Stands for a level that no assignment takes any more.
pub(crate) const RULED_OUT: u32 = u32::MAX;

/// A variable that two others determine: the running sum behind one more group.
#[derive(Clone, Debug)]
pub(crate) struct Tie {
    /// The sum so far.
    pub(crate) from: usize,
    /// The group that is added.
    pub(crate) group: usize,
    /// What they come to.
    pub(crate) to: usize,
    /// The level of `to`, by the levels of `from` and `group`; the latter moves fastest. [`RULED_OUT`] where there is none.
    pub(crate) next: Vec<u32>,
}

impl Tie {
    /// The level of `to` by those of the others, or `None` if it was ruled out.
    pub(crate) fn level(&self, sizes: &[usize], from: usize, group: usize) -> Option<usize> {
        let next = self.next[from * sizes[self.group] + group];
        (next != RULED_OUT).then_some(next as usize)
    }
}

/// What is eliminated in one go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unit {
    /// A variable by itself.
    Single(usize),
    /// The group of this tie and the sum that it leads to: where the sum so far is known, one decides the other.
    Pair(usize),
}

impl Unit {
    /// The variable whose level is decided.
    pub(crate) fn decided(self, ties: &[Tie]) -> usize {
        match self {
            Unit::Single(variable) => variable,
            Unit::Pair(tie) => ties[tie].group,
        }
    }

    /// What holds the variables of a pair together.
    pub(crate) fn tie(self, ties: &[Tie]) -> Option<&Tie> {
        match self {
            Unit::Single(_) => None,
            Unit::Pair(tie) => Some(&ties[tie]),
        }
    }

    /// All variables that are gone with it.
    pub(crate) fn variables(self, ties: &[Tie]) -> impl Iterator<Item = usize> + use<> {
        std::iter::once(self.decided(ties)).chain(self.tie(ties).map(|tie| tie.to))
    }
}

/// Who stands next to whom while variables go one after another.
struct Graph<'a> {
    sizes: &'a [usize],
    ties: &'a [Tie],
    near: Vec<BTreeSet<usize>>,
    /// Ties of a variable that are still there.
    live: Vec<usize>,
    units: Vec<Unit>,
    /// The unit that each variable goes with.
    unit_of: Vec<usize>,
}

impl<'a> Graph<'a> {
    /// `None` if a group is added to several sums.
    fn new(sizes: &'a [usize], scopes: impl Iterator<Item = &'a [usize]>, ties: &'a [Tie]) -> Option<Graph<'a>> {
        let mut near: Vec<BTreeSet<usize>> = vec![BTreeSet::new(); sizes.len()];
        for scope in scopes {
            for &v in scope {
                near[v].extend(scope.iter().copied().filter(|&w| w != v));
            }
        }
        let mut units: Vec<Unit> = (0..sizes.len()).map(Unit::Single).collect();
        let mut live = vec![0; sizes.len()];
        for (place, tie) in ties.iter().enumerate() {
            for v in [tie.from, tie.group, tie.to] {
                live[v] += 1;
            }
            for v in [tie.group, tie.to] {
                if units[v] != Unit::Single(v) {
                    return None;
                }
                units[v] = Unit::Pair(place);
            }
        }
        // Both variables of a pair name the unit at the group's place.
        let unit_of = (0..sizes.len()).map(|v| units[v].decided(ties)).collect();
        Some(Graph { sizes, ties, near, live, units, unit_of })
    }

    /// The variables that a unit's elimination leaves a table over.
    fn scope(&self, unit: Unit) -> BTreeSet<usize> {
        let mut scope: BTreeSet<usize> = unit.variables(self.ties).flat_map(|v| self.near[v].iter().copied()).collect();
        if let Unit::Pair(tie) = unit {
            scope.insert(self.ties[tie].from);
        }
        unit.variables(self.ties).for_each(|v| _ = scope.remove(&v));
        scope
    }

    /// The sums that eliminating a unit takes, `usize::MAX` if it is not its turn or the table would be too large.
    fn joint(&self, unit: Unit) -> usize {
        let own = usize::from(matches!(unit, Unit::Pair(_)));
        if unit.variables(self.ties).any(|v| self.live[v] > own) {
            return usize::MAX;
        }
        let cells = self.scope(unit).iter().try_fold(1_usize, |n, &w| n.checked_mul(self.sizes[w]));
        match cells {
            Some(cells) if cells <= TABLE_CELLS => cells.saturating_mul(self.sizes[unit.decided(self.ties)]),
            _ => usize::MAX,
        }
    }

    /// Takes a unit out; all that it leaves a table over are neighbors then.
    fn eliminate(&mut self, unit: Unit) -> BTreeSet<usize> {
        let scope = self.scope(unit);
        for v in unit.variables(self.ties) {
            for w in std::mem::take(&mut self.near[v]) {
                self.near[w].remove(&v);
            }
        }
        for &w in &scope {
            self.near[w].extend(scope.iter().copied().filter(|&x| x != w));
        }
        if let Unit::Pair(tie) = unit {
            let Tie { from, group, to, .. } = self.ties[tie];
            [from, group, to].into_iter().for_each(|v| self.live[v] -= 1);
        }
        scope
    }
}

/// An order in which all variables can be eliminated, cheapest first, and the sums that this takes; `None` if they are
/// too many.
///
/// Taking what reads a concat before the concat can leave more than the other way round, which the cheapest step does
/// not see: if it leads nowhere, sums are taken earlier.
pub(crate) fn order<'a>(
    sizes: &'a [usize],
    scopes: impl Iterator<Item = &'a [usize]> + Clone,
    ties: &'a [Tie],
) -> Option<(Vec<Unit>, u64)> {
    PAIRS_FIRST.iter().find_map(|&favor| order_favoring(sizes, scopes.clone(), ties, favor))
}

/// The same, where the next unit is the one that takes least, what pairs take being divided by `favor`.
fn order_favoring<'a>(
    sizes: &'a [usize],
    scopes: impl Iterator<Item = &'a [usize]>,
    ties: &'a [Tie],
    favor: usize,
) -> Option<(Vec<Unit>, u64)> {
    let mut graph = Graph::new(sizes, scopes, ties)?;
    let rank = |unit: Unit, joint: usize| match unit {
        Unit::Pair(_) if joint <= JOINT_CELLS => joint / favor,
        _ => joint,
    };
    let places: BTreeSet<usize> = graph.unit_of.iter().copied().collect();
    let mut joints: Vec<usize> = vec![0; sizes.len()];
    let mut queue: BTreeSet<(usize, usize)> = BTreeSet::new();
    for place in places {
        joints[place] = rank(graph.units[place], graph.joint(graph.units[place]));
        queue.insert((joints[place], place));
    }
    let (mut order, mut scopes, mut sums) = (Vec::with_capacity(queue.len()), Vec::with_capacity(queue.len()), 0);
    while let Some((joint, place)) = queue.pop_first() {
        if joint > JOINT_CELLS {
            return None;
        }
        let unit = graph.units[place];
        order.push(unit);
        sums += graph.joint(unit) as u64;
        let around: BTreeSet<usize> = graph.eliminate(unit).into_iter().map(|w| graph.unit_of[w]).collect();
        scopes.push(around.clone());
        for place in around {
            queue.remove(&(joints[place], place));
            joints[place] = rank(graph.units[place], graph.joint(graph.units[place]));
            queue.insert((joints[place], place));
        }
    }
    let decided: Vec<usize> = order.iter().map(|unit| unit.decided(ties)).collect();
    Some((branch_by_branch(&decided, &scopes).into_iter().map(|place| order[place]).collect(), sums))
}

/// Places in an order of elimination such that the reverse finishes one branch before it begins another, small ones
/// first: what is left over from other branches is then little at any time.
///
/// What eliminating a unit leaves, `scopes`, joins the first unit around it that comes later; only these have to keep their
/// order.
fn branch_by_branch(decided: &[usize], scopes: &[BTreeSet<usize>]) -> Vec<usize> {
    let n = decided.len();
    let place: BTreeMap<usize, usize> = decided.iter().enumerate().map(|(place, &v)| (v, place)).collect();
    // The branches behind each unit; behind `n` are those of units that leave nothing.
    let mut behind: Vec<Vec<usize>> = vec![Vec::new(); n + 1];
    let mut units = vec![1; n + 1];
    for (unit, scope) in scopes.iter().enumerate() {
        let next = scope.iter().map(|v| place[v]).min().unwrap_or(n);
        units[next] += units[unit];
        behind[next].push(unit);
    }
    let mut open = vec![n];
    let mut reverse = Vec::with_capacity(n + 1);
    while let Some(unit) = open.pop() {
        reverse.push(unit);
        behind[unit].sort_by_key(|&branch| std::cmp::Reverse(units[branch]));
        open.append(&mut behind[unit]);
    }
    reverse.into_iter().skip(1).rev().collect()
}
