//! From a plan to the list of changes.

use super::Change;
use crate::error::SurgeryError;
use crate::graph::TensorId;
use crate::infer::{CountAt, Kind};
use crate::model::Model;
use netspec::{GroupId, PrunePlan, Role};
use std::collections::BTreeMap;

/// Positions that go, by tensor and axis.
type Removed = BTreeMap<(TensorId, usize), Vec<usize>>;

/// How many channels each group keeps.
pub(super) fn kept(model: &Model, plan: &PrunePlan) -> Vec<usize> {
    let mut kept: Vec<usize> = model.network().groups.iter().map(|group| group.channels).collect();
    plan.groups.iter().for_each(|group| kept[group.id.0] = group.keep.len());
    kept
}

pub(super) fn removal(model: &Model, plan: &PrunePlan) -> Result<Vec<Change>, SurgeryError> {
    let removed = positions(model, plan, |_| true);
    let kept = kept(model, plan);
    let kept = |group: GroupId| kept[group.0];
    let graph = &model.graph;
    let mut changes = Vec::new();
    for (&(id, axis), removed) in &removed {
        let (tensor, before) = (graph.name(id).to_owned(), graph.constants[&id].dims[axis]);
        changes.push(Change::Shrink { tensor, axis, before, removed: removed.clone() });
    }
    counts(model, &kept, &mut changes)?;
    stated(model, &kept, &removed, &mut changes);
    Ok(changes)
}

pub(super) fn disconnection(model: &Model, plan: &PrunePlan) -> Vec<Change> {
    let zeroed = positions(model, plan, |role| role == Role::Consumer);
    let change = |((id, axis), zeroed): ((TensorId, usize), Vec<usize>)| {
        let (tensor, length) = (model.graph.name(id).to_owned(), model.graph.constants[&id].dims[axis]);
        Change::Zero { tensor, axis, length, zeroed }
    };
    zeroed.into_iter().map(change).collect()
}

/// Positions of the channels that go, in the members of some roles.
fn positions(model: &Model, plan: &PrunePlan, is_meant: impl Fn(Role) -> bool) -> Removed {
    let mut all = Removed::new();
    for group in &plan.groups {
        let mut goes = vec![true; group.channels];
        group.keep.iter().for_each(|&c| goes[c] = false);
        let gone: Vec<usize> = (0..group.channels).filter(|&c| goes[c]).collect();
        for member in group.members.iter().filter(|member| !gone.is_empty() && is_meant(member.role)) {
            // The plan was validated against this model's groups, whose members are the graph's constants.
            let id = model.graph.ids[&member.tensor];
            let list = all.entry((id, member.axis)).or_default();
            list.extend(gone.iter().flat_map(|&c| member.map.positions(c)));
        }
    }
    all.values_mut().for_each(|list| list.sort_unstable());
    all
}

/// Numbers in the file that count channels. Several layers may share one.
fn counts(model: &Model, kept: &dyn Fn(GroupId) -> usize, changes: &mut Vec<Change>) -> Result<(), SurgeryError> {
    let mut by_place: BTreeMap<CountAt, (usize, usize)> = BTreeMap::new();
    for (at, width) in &model.inference.counts {
        let new = (width.at(|group| model.network().groups[group.0].channels), width.at(kept));
        let known = *by_place.entry(*at).or_insert(new);
        if known != new {
            return Err(SurgeryError::Audit {
                why: format!("one number would have to become {} and {}", known.1, new.1),
            });
        }
    }
    for (at, (before, after)) in by_place.into_iter().filter(|(_, (before, after))| before != after) {
        changes.push(match at {
            CountAt::Groups(index) => {
                let node = &model.graph.nodes[index];
                Change::Groups { node: node.name.clone(), place: node.place, before, after }
            }
            CountAt::Element(id, index) => {
                Change::Number { tensor: model.graph.name(id).to_owned(), index, before, after }
            }
        });
    }
    Ok(())
}

/// Shapes that the file states of tensors which change.
fn stated(model: &Model, kept: &dyn Fn(GroupId) -> usize, removed: &Removed, changes: &mut Vec<Change>) {
    let mut ids: Vec<TensorId> = model.graph.stated.keys().copied().collect();
    ids.sort_unstable();
    for id in ids {
        let Some(value) = model.inference.value(id) else { continue };
        let tensor = || model.graph.name(id).to_owned();
        match &value.kind {
            Kind::Channels { axis, labels } => {
                let width = model.inference.grouping.width(labels);
                let (before, after) = (labels.len(), width.at(kept));
                if before != after {
                    changes.push(Change::Stated { tensor: tensor(), axis: *axis, before, after });
                }
            }
            Kind::Constant(root) => {
                for (axis, before) in value.dims.iter().flatten().enumerate() {
                    if let (Some(gone), Some(before)) = (removed.get(&(*root, axis)), *before) {
                        let after = before - gone.len();
                        changes.push(Change::Stated { tensor: tensor(), axis, before, after });
                    }
                }
            }
            Kind::Fixed(_) => (),
        }
    }
}
