//! Concat: one tensor's channels behind the other's.

use super::axes::normalize;
use super::conv::shape;
use super::{Cx, Stop};
use crate::dependency::Labels;
use crate::graph::Dims;
use crate::infer::{Int, Kind, Value};
use netspec::Role;

pub(super) fn concat(cx: &mut Cx<'_>) -> Result<(), Stop> {
    let n = cx.node().inputs.len();
    let values = (0..n).map(|i| cx.input(i).cloned()).collect::<Result<Vec<Value>, Stop>>()?;
    let ints: Option<Vec<Int>> = values.iter().map(|v| v.ints.clone()).collect::<Option<Vec<_>>>().map(|l| l.concat());
    if let Some(ints) = ints {
        cx.set_ints(vec![Some(ints.len())], ints);
        return Ok(());
    }
    let Some(rank) = values.first().and_then(Value::rank) else {
        return Err(Stop::Freeze("joins tensors of unknown rank".to_owned()));
    };
    let axis = normalize(cx, &[cx.node().int("axis", 1)], rank)?[0];
    let dims = joined(cx, &values, rank, axis)?;
    let Some(channel_axis) = values.iter().find_map(|v| v.channels()).map(|(axis, _)| axis) else {
        let fixed = values.iter().find_map(|v| if let Kind::Fixed(reason) = v.kind { Some(reason) } else { None });
        let kind = Kind::Fixed(fixed.unwrap_or(cx.free()));
        cx.set(0, Value { dims: Some(dims), ints: None, kind });
        return Ok(());
    };
    if values.iter().filter_map(Value::channels).any(|(other, _)| other != channel_axis) {
        return Err(Stop::Freeze("joins tensors whose channels stand on different axes".to_owned()));
    }
    let labels = if channel_axis == axis {
        behind_each_other(cx, &values, axis)?
    } else {
        side_by_side(cx, &values, channel_axis)?
    };
    cx.set(0, Value { dims: Some(dims), ints: None, kind: Kind::Channels { axis: channel_axis, labels } });
    Ok(())
}

fn joined(cx: &Cx<'_>, values: &[Value], rank: usize, axis: usize) -> Result<Dims, Stop> {
    let mut dims = values[0].dims.clone().unwrap_or_default();
    for value in &values[1..] {
        if value.rank().is_some_and(|r| r != rank) {
            return Err(cx.refuse(format!("joins tensors of {rank} dims and one {}", shape(value))));
        }
        for (i, dim) in dims.iter_mut().enumerate() {
            *dim = match (*dim, value.dim(i)) {
                (Some(a), Some(b)) if i == axis => a.checked_add(b),
                (_, _) if i == axis => None,
                (Some(a), Some(b)) if a != b => return Err(cx.refuse(format!("joins {a} and {b} on axis {i}"))),
                (known, other) => known.or(other),
            };
        }
    }
    Ok(dims)
}

fn behind_each_other(cx: &mut Cx<'_>, values: &[Value], axis: usize) -> Result<Labels, Stop> {
    let mut parts = Vec::with_capacity(values.len());
    for value in values {
        let n = value.channels().map(|(_, labels)| labels.len()).or(value.dim(axis));
        let n = n.ok_or_else(|| Stop::Freeze("joins channels whose number is unknown".to_owned()))?;
        if values.len() > 1 {
            cx.take_positions(n)?;
        }
        parts.push(value.channels().map_or_else(|| Labels::fixed(n), |(_, labels)| labels.clone()));
    }
    Ok(Labels::concat(&parts))
}

/// Joined along the image or the batch: the channels of all operands must agree.
fn side_by_side(cx: &mut Cx<'_>, values: &[Value], axis: usize) -> Result<Labels, Stop> {
    let mut carriers = values.iter().filter_map(|v| v.channels()).map(|(_, labels)| labels.clone());
    let labels = carriers.next().unwrap_or_else(|| Labels::fixed(0));
    let reason = cx.reason("joins these channels to some that must stay");
    for other in carriers {
        cx.deps.unite(&labels, &other, reason).map_err(|mismatch| cx.mismatch(mismatch))?;
    }
    for (i, value) in values.iter().enumerate() {
        match value.kind {
            Kind::Constant(_) => cx.claim(i, axis, Role::Parameter, &labels)?,
            Kind::Fixed(_) => cx.deps.freeze(&labels, reason),
            Kind::Channels { .. } => (),
        }
    }
    Ok(labels)
}
