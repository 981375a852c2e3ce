//! From a plan to the list of changes.

use super::fate::Fates;
use super::{Change, gone};
use crate::error::SurgeryError;
use crate::graph::TensorId;
use crate::infer::{Count, CountAt, Kind};
use crate::model::Model;
use netspec::{GroupId, PrunePlan, Role};
use std::collections::BTreeMap;

/// How many channels each group keeps.
pub(super) fn kept(model: &Model, plan: &PrunePlan) -> Vec<usize> {
    let mut kept: Vec<usize> = model.network().groups.iter().map(|group| group.channels).collect();
    plan.groups.iter().for_each(|group| kept[group.id.0] = group.keep.len());
    kept
}

pub(super) fn removal(model: &Model, plan: &PrunePlan) -> Result<Vec<Change>, SurgeryError> {
    let narrowed = gone::narrowed(plan);
    let mut fates = Fates::new(model, &narrowed, false, |_| true);
    fates.follow(&narrowed)?;
    let mut changes = fates.changes()?;
    let kept = kept(model, &narrowed);
    attributes(model, &kept, &mut changes)?;
    stated(model, &kept, &fates, &mut changes);
    gone::remove(model, plan, &mut changes);
    Ok(changes)
}

pub(super) fn disconnection(model: &Model, plan: &PrunePlan) -> Result<Vec<Change>, SurgeryError> {
    Fates::new(model, plan, true, |role| role == Role::Consumer).changes()
}

/// A number that counts channels, before and after.
pub(super) fn counted(model: &Model, count: &Count, kept: &[usize]) -> (i64, i64) {
    let width = model.inference.grouping.extent(&count.extent);
    let groups = &model.network().groups;
    let sign = if count.is_negative { -1 } else { 1 };
    let number = |n: usize| i64::try_from(n).unwrap_or(i64::MAX) * sign;
    (number(width.at(|group| groups[group.0].channels)), number(width.at(|group| kept[group.0])))
}

/// Attributes that count channels.
fn attributes(model: &Model, kept: &[usize], changes: &mut Vec<Change>) -> Result<(), SurgeryError> {
    let mut by_place: BTreeMap<(usize, &'static str, Option<usize>), (i64, i64)> = BTreeMap::new();
    for count in &model.inference.counts {
        let CountAt::Attribute { node, name, element } = &count.at else { continue };
        let change = counted(model, count, kept);
        let known = *by_place.entry((*node, *name, *element)).or_insert(change);
        if known != change {
            let why = format!("one number would have to become {} and {}", known.1, change.1);
            return Err(SurgeryError::Audit { why });
        }
    }
    for ((node, name, element), (before, after)) in by_place.into_iter().filter(|(_, (before, after))| before != after)
    {
        let node = &model.graph.nodes[node];
        let (node, place) = (node.name.clone(), node.place);
        changes.push(Change::Attribute { node, place, name: name.to_owned(), element, before, after });
    }
    Ok(())
}

/// Shapes that the file states of tensors which change.
fn stated(model: &Model, kept: &[usize], fates: &Fates<'_>, changes: &mut Vec<Change>) {
    let mut ids: Vec<TensorId> = model.graph.stated.keys().copied().collect();
    ids.sort_unstable();
    let mut state = |id: TensorId, axis: usize, before: usize, after: usize| {
        if before != after {
            changes.push(Change::Stated { tensor: model.graph.name(id).to_owned(), axis, before, after });
        }
    };
    for id in ids {
        let Some(value) = model.inference.value(id) else { continue };
        match &value.kind {
            Kind::Channels(layout) => {
                for (axis, width) in model.inference.grouping.widths(layout) {
                    state(id, axis, layout.len(axis), width.at(|GroupId(group)| kept[group]));
                }
            }
            Kind::Stored(stored) => {
                let removed = fates.removed(stored);
                for (axis, root) in stored.axes.iter().enumerate().filter_map(|(axis, root)| Some((axis, (*root)?))) {
                    if let (Some(gone), Some(before)) = (removed.get(&root), value.dim(axis)) {
                        state(id, axis, before, before - gone);
                    }
                }
            }
            Kind::Fixed(_) => (),
        }
    }
}
