//! What happens to each constant, and which of its readers need a copy of their own.

use super::Change;
use crate::error::SurgeryError;
use crate::graph::TensorId;
use crate::infer::{CountAt, Reader, Stored};
use crate::model::Model;
use netspec::{GroupId, PrunePlan, Role};
use std::collections::{BTreeMap, BTreeSet};

/// What happens to one constant, as one of its readers needs it.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Fate {
    /// Positions that go, or become zero, by axis.
    cuts: BTreeMap<usize, Vec<usize>>,
    /// Numbers before and after, by element.
    numbers: BTreeMap<usize, (i64, i64)>,
    /// A list of positions: its length before, and itself after.
    positions: Option<(usize, Vec<i64>)>,
}

/// The fates of all constants.
pub(super) struct Fates<'m> {
    model: &'m Model,
    /// Positions that go, by tensor and axis; a tensor may be a copy that does not exist yet.
    cuts: BTreeMap<String, BTreeMap<usize, Vec<usize>>>,
    numbers: BTreeMap<(TensorId, Reader), BTreeMap<usize, (i64, i64)>>,
    positions: BTreeMap<(TensorId, Reader), (usize, Vec<i64>)>,
    zeroes: bool,
    taken: BTreeSet<String>,
    /// What happens in place to every name that is read, once it is decided.
    states: BTreeMap<TensorId, Fate>,
}

impl<'m> Fates<'m> {
    /// Those of members with a role that is meant.
    pub(super) fn new(model: &'m Model, plan: &PrunePlan, zeroes: bool, is_meant: impl Fn(Role) -> bool) -> Fates<'m> {
        let mut cuts: BTreeMap<String, BTreeMap<usize, Vec<usize>>> = BTreeMap::new();
        for group in &plan.groups {
            let mut goes = vec![true; group.channels];
            group.keep.iter().for_each(|&c| goes[c] = false);
            let gone: Vec<usize> = (0..group.channels).filter(|&c| goes[c]).collect();
            for member in group.members.iter().filter(|member| !gone.is_empty() && is_meant(member.role)) {
                let list = cuts.entry(member.tensor.clone()).or_default().entry(member.axis).or_default();
                list.extend(gone.iter().flat_map(|&c| member.map.positions(c)));
            }
        }
        cuts.values_mut().flat_map(BTreeMap::values_mut).for_each(|list| list.sort_unstable());
        Fates {
            model,
            cuts,
            numbers: BTreeMap::new(),
            positions: BTreeMap::new(),
            zeroes,
            taken: BTreeSet::new(),
            states: BTreeMap::new(),
        }
    }

    /// Numbers and lists in constants that follow channels.
    pub(super) fn follow(&mut self, plan: &PrunePlan) -> Result<(), SurgeryError> {
        let model = self.model;
        let kept = super::build::kept(model, plan);
        for count in &model.inference.counts {
            let CountAt::Element(written) = &count.at else { continue };
            let Some(reader) = written.reader else { continue };
            let change = super::build::counted(model, count, &kept);
            let numbers = self.numbers.entry((written.name, reader)).or_default();
            let known = *numbers.entry(written.element).or_insert(change);
            if known != change {
                let why = format!("one number would have to become {} and {}", known.1, change.1);
                return Err(SurgeryError::Audit { why });
            }
        }
        self.numbers.values_mut().for_each(|numbers| numbers.retain(|_, (before, after)| before != after));
        let mut stays: Vec<Vec<bool>> = model.network().groups.iter().map(|group| vec![true; group.channels]).collect();
        for group in &plan.groups {
            stays[group.id.0] = vec![false; group.channels];
            group.keep.iter().for_each(|&c| stays[group.id.0][c] = true);
        }
        for list in &model.inference.renumbers {
            let survives = model.inference.grouping.survivors(&list.labels, |GroupId(g), c| stays[g][c]);
            if survives.iter().all(|&survives| survives) {
                continue;
            }
            let mut new = vec![0i64; survives.len()];
            let kept = new.iter_mut().zip(&survives).filter(|(_, survives)| **survives);
            kept.zip(0..).for_each(|((new, _), position)| *new = position);
            let left = list.positions.iter().filter(|&&p| survives[p]).map(|&p| new[p]).collect();
            self.positions.insert((list.name, list.reader), (list.positions.len(), left));
        }
        Ok(())
    }

    /// The changes to all constants.
    pub(super) fn changes(&mut self) -> Result<Vec<Change>, SurgeryError> {
        let inference = &self.model.inference;
        if let Some(fill) =
            inference.fills.iter().find(|&&id| self.zeroes && self.cuts.contains_key(self.model.graph.name(id)))
        {
            return Err(SurgeryError::NotStored { tensor: self.model.graph.name(*fill).to_owned() });
        }
        let mut states: BTreeMap<TensorId, Fate> = BTreeMap::new();
        let names: Vec<TensorId> = inference.readers.keys().copied().collect();
        for &name in names.iter().filter(|name| !inference.fills.contains(name)) {
            states.insert(name, self.state(name));
        }
        // A constant that is only read by other names is what the first of those needs.
        for (alias, of) in inference.aliases.iter().collect::<BTreeMap<_, _>>() {
            if let (Some(fate), false) = (states.get(alias).cloned(), inference.whole.contains(&of.root)) {
                states.entry(of.root).or_insert(fate);
            }
        }
        let mut changes = Vec::new();
        for (&name, fate) in &states {
            if !inference.aliases.contains_key(&name) {
                self.emit(self.model.graph.name(name), name, fate, &mut changes);
            }
        }
        // An Identity's result is what its input is, unless it becomes a tensor itself.
        for (&name, alias) in inference.aliases.iter().collect::<BTreeMap<_, _>>() {
            let own = self.effective(&states, name);
            if own != self.effective(&states, alias.of) {
                let text = self.model.graph.name(name).to_owned();
                let identity = Some(self.model.graph.nodes[alias.node].place);
                changes.push(self.copy(alias.root, &text, vec![], identity));
                self.emit(&text, alias.root, &own, &mut changes);
            }
        }
        for &name in names.iter().filter(|name| !inference.fills.contains(name)) {
            let state = states[&name].clone();
            let mut copies: BTreeMap<Fate, Vec<Reader>> = BTreeMap::new();
            for &reader in inference.readers[&name].keys() {
                let fate = self.fate(name, reader);
                if fate != state {
                    copies.entry(fate).or_default().push(reader);
                }
            }
            for (fate, readers) in copies {
                let text = self.copy_name(name, readers[0]);
                changes.push(self.copy(inference.root(name), &text, readers, None));
                self.emit(&text, inference.root(name), &fate, &mut changes);
            }
        }
        self.states = states;
        Ok(changes)
    }

    /// How many positions of each axis of a constant go, as it arrives at a reader; call it after `changes`.
    pub(super) fn removed(&self, stored: &Stored) -> BTreeMap<usize, usize> {
        let inference = &self.model.inference;
        let fate = match stored.via {
            _ if inference.fills.contains(&stored.name) => Fate {
                cuts: self.cuts.get(self.model.graph.name(stored.name)).cloned().unwrap_or_default(),
                ..Fate::default()
            },
            Some(reader) => self.fate(stored.name, reader),
            None => self.effective(&self.states, stored.name),
        };
        let listed = fate.positions.iter().map(|(before, after)| (0, before - after.len()));
        fate.cuts.iter().map(|(&axis, gone)| (axis, gone.len())).chain(listed).collect()
    }

    /// What a name stands for after surgery: an unread one for what its input does.
    fn effective(&self, states: &BTreeMap<TensorId, Fate>, name: TensorId) -> Fate {
        let mut name = name;
        loop {
            match (states.get(&name), self.model.inference.aliases.get(&name)) {
                (Some(fate), _) => return fate.clone(),
                (None, Some(_)) if self.model.inference.whole.contains(&name) => return Fate::default(),
                (None, Some(alias)) => name = alias.of,
                (None, None) => return Fate::default(),
            }
        }
    }

    /// What happens to a constant in place: what all its readers need, or else what one of them does.
    fn state(&self, name: TensorId) -> Fate {
        let inference = &self.model.inference;
        if inference.whole.contains(&name) {
            return Fate::default();
        }
        let fates: Vec<Fate> = inference.readers[&name].keys().map(|&reader| self.fate(name, reader)).collect();
        let untouched = fates.iter().position(|fate| *fate == Fate::default());
        fates.get(untouched.unwrap_or(0)).cloned().unwrap_or_default()
    }

    fn fate(&self, name: TensorId, reader: Reader) -> Fate {
        let text = self.model.inference.readers.get(&name).and_then(|readers| readers.get(&reader)?.as_ref());
        let key = (name, reader);
        Fate {
            cuts: text.and_then(|text| self.cuts.get(text)).cloned().unwrap_or_default(),
            numbers: self.numbers.get(&key).cloned().unwrap_or_default(),
            positions: self.positions.get(&key).cloned(),
        }
    }

    /// A name for a reader's own copy: the one that its group's members have, where that is free.
    fn copy_name(&mut self, name: TensorId, reader: Reader) -> String {
        let graph = &self.model.graph;
        let slot = self.model.inference.readers[&name][&reader].clone();
        let numbered = (2..).map(|i| format!("{}.{i}", graph.name(name)));
        let is_free = |text: &String| !graph.has_name(text) && !self.taken.contains(text);
        let text = slot.into_iter().chain(numbered).find(is_free).expect("there is always another number");
        self.taken.insert(text.clone());
        text
    }

    fn copy(&self, root: TensorId, copy: &str, readers: Vec<Reader>, identity: Option<usize>) -> Change {
        let graph = &self.model.graph;
        let readers = readers.iter().map(|reader| (graph.nodes[reader.node].place, reader.input)).collect();
        Change::Copy { tensor: graph.name(root).to_owned(), copy: copy.to_owned(), readers, identity }
    }

    /// The changes to a tensor that is the constant `root`, or a copy of it.
    fn emit(&self, tensor: &str, root: TensorId, fate: &Fate, changes: &mut Vec<Change>) {
        let dims = &self.model.graph.constants[&root].dims;
        let tensor = || tensor.to_owned();
        for (&axis, positions) in &fate.cuts {
            let removed = positions.clone();
            let before = dims[axis];
            changes.push(if self.zeroes {
                Change::Zero { tensor: tensor(), axis, length: before, zeroed: removed }
            } else {
                Change::Shrink { tensor: tensor(), axis, before, removed }
            });
        }
        for (&index, &(before, after)) in &fate.numbers {
            changes.push(Change::Number { tensor: tensor(), index, before, after });
        }
        if let Some((before, after)) = &fate.positions {
            changes.push(Change::Positions { tensor: tensor(), before: *before, after: after.clone() });
        }
    }
}
