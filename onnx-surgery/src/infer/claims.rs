//! Who reads which constant, and what of it follows channels.
//!
//! A rule claims the axes that it knows to follow channels. A constant may have several readers. Layers that share
//! a weight keep sharing it, so their channels go together. Parameters per channel (norm scales, biases) that
//! exporters store once because their values are equal are claimed by each reader for itself: a slot each.
//! Where two slots lose the same channels the tensor stays shared; else surgery gives each its own copy.

use super::Reader;
use super::value::Written;
use crate::dependency::{Dependencies, Reason};
use crate::graph::{Graph, TensorId};
use netspec::Frozen;
use std::collections::{BTreeMap, HashMap, HashSet};

/// One reading of a constant.
struct Reading {
    reader: Reader,
    /// The node at the end of the way from the reader on.
    node: usize,
    slot: Option<usize>,
    /// Axes that are claimed to follow channels.
    axes: Vec<usize>,
}

#[derive(Default)]
pub(super) struct Claims {
    /// Claims of the node that the walk is at.
    current: Vec<(Reader, usize, usize)>,
    /// The tensor's name for every slot; a copy's, if it has to be one.
    texts: Vec<String>,
    slot_of: HashMap<(TensorId, Option<Reader>), usize>,
    slots_of: HashMap<TensorId, Vec<usize>>,
    taken: HashSet<String>,
    readings: BTreeMap<TensorId, Vec<Reading>>,
    /// Constants that something reads as they are, and what.
    whole: BTreeMap<TensorId, Reason>,
    /// Elements of shape constants that also serve something else.
    exposed: BTreeMap<Written, Reason>,
}

/// A constant's readers, each with the tensor that it must find there after surgery; nothing for the old one.
pub(crate) type Readers = BTreeMap<TensorId, BTreeMap<Reader, Option<String>>>;

impl Claims {
    /// The slot of a constant for an owner, or for all its layers together.
    pub(super) fn slot(&mut self, graph: &Graph, name: TensorId, owner: Option<Reader>) -> usize {
        if let Some(&slot) = self.slot_of.get(&(name, owner)) {
            return slot;
        }
        let slot = self.texts.len();
        let known = self.slots_of.entry(name).or_default();
        let mut text = graph.name(name).to_owned();
        if !known.is_empty() {
            let is_free = |text: &String| !graph.has_name(text) && !self.taken.contains(text);
            let copies = (known.len() + 1..).map(|i| format!("{text}.{i}"));
            text = copies.into_iter().find(is_free).unwrap_or_default();
        }
        known.push(slot);
        self.taken.insert(text.clone());
        self.texts.push(text);
        self.slot_of.insert((name, owner), slot);
        slot
    }

    pub(super) fn text(&self, slot: usize) -> &str {
        &self.texts[slot]
    }

    pub(super) fn claim(&mut self, reader: Reader, slot: usize, axis: usize) {
        self.current.push((reader, slot, axis));
    }

    pub(super) fn read(&mut self, name: TensorId, reader: Reader, node: usize) {
        let own = self.current.iter().filter(|(by, slot, _)| *by == reader && self.owns(name, *slot));
        let axes = own.clone().map(|(_, _, axis)| *axis).collect();
        let slot = own.map(|(_, slot, _)| *slot).next();
        self.readings.entry(name).or_default().push(Reading { reader, node, slot, axes });
    }

    /// Whether the node that the walk is at claims an axis of a constant by this way.
    pub(super) fn is_claimed(&self, name: TensorId, reader: Reader, axis: usize) -> bool {
        self.current.iter().any(|&(by, slot, own)| by == reader && own == axis && self.owns(name, slot))
    }

    fn owns(&self, name: TensorId, slot: usize) -> bool {
        self.slots_of.get(&name).is_some_and(|slots| slots.contains(&slot))
    }

    pub(super) fn read_whole(&mut self, constant: TensorId, reason: Reason) {
        self.whole.entry(constant).or_insert(reason);
    }

    /// Forgets the claims of the node that the walk is at.
    pub(super) fn end_node(&mut self) {
        self.current.clear();
    }

    pub(super) fn expose(&mut self, written: Written, reason: Reason) {
        self.exposed.entry(written).or_insert(reason);
    }

    /// Why an element of a shape must stay as it is for this reader, if it must.
    pub(super) fn exposed(&self, written: &Written) -> Option<Reason> {
        self.exposed.get(written).copied()
    }

    /// Constants that something reads as they are.
    pub(super) fn whole(&self) -> impl Iterator<Item = TensorId> + '_ {
        self.whole.keys().copied()
    }

    /// Freezes whatever two readers of one slot disagree about, and joins slots that agree.
    pub(super) fn settle(
        &mut self,
        graph: &Graph,
        deps: &mut Dependencies,
        is_filled: impl Fn(TensorId) -> bool,
    ) -> Readers {
        let mut all = Readers::new();
        for (&name, readings) in &self.readings {
            let slots = self.slots_of.get(&name).cloned().unwrap_or_default();
            for &slot in &slots {
                let readers: HashSet<Reader> =
                    readings.iter().filter(|r| r.slot == Some(slot)).map(|r| r.reader).collect();
                // A rule gave up behind its claims, or the value is computed at run time and has no copies.
                let is_common = readers.is_empty() || is_filled(name);
                if is_filled(name)
                    && let Some(&reason) = self.whole.get(&name)
                {
                    for (_, labels) in deps.members_of(&self.texts[slot]) {
                        deps.freeze(&labels, reason);
                    }
                }
                let shares = |r: &&Reading| {
                    r.slot == Some(slot) || r.slot.is_none() && (is_common || readers.contains(&r.reader))
                };
                for (axis, labels) in deps.members_of(&self.texts[slot]) {
                    let Some(other) = readings.iter().filter(shares).find(|r| !r.axes.contains(&axis)) else {
                        continue;
                    };
                    let node = &graph.nodes[other.node];
                    let reason = format!("reads `{}`, a weight of other layers, in another way", graph.name(name));
                    let reason = deps.reason(Frozen { node: node.name.clone(), op: node.op.clone(), reason });
                    deps.freeze(&labels, reason);
                }
            }
            let kept = kept_slots(&slots, &self.texts, deps);
            let readers: &mut BTreeMap<Reader, Option<String>> = all.entry(name).or_default();
            for reading in readings {
                let text = reading.slot.map(|slot| self.texts[kept[&slot]].clone());
                let known = readers.entry(reading.reader).or_default();
                *known = known.take().or(text);
            }
        }
        all
    }
}

/// For each of a constant's slots, the first one that loses the same channels. The others are forgotten.
fn kept_slots(slots: &[usize], texts: &[String], deps: &mut Dependencies) -> HashMap<usize, usize> {
    let mut first = HashMap::new();
    let mut kept = HashMap::new();
    for &slot in slots {
        let mut members = deps.members_of(&texts[slot]);
        members.sort_unstable_by_key(|(axis, _)| *axis);
        let classes: Vec<_> = members.iter().map(|(axis, labels)| (*axis, deps.classes(labels))).collect();
        let like = *first.entry(classes).or_insert(slot);
        if like != slot {
            deps.forget(&texts[slot]);
        }
        kept.insert(slot, like);
    }
    kept
}
