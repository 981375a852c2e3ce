//! Concat: one tensor's channels behind the other's.

use super::axes::axis_of;
use super::conv::shape;
use super::{Cx, Stop};
use crate::dependency::{Labels, Layout};
use crate::graph::Dims;
use crate::infer::{Int, Kind, Value};
use netspec::Role;

pub(super) fn concat(cx: &mut Cx<'_>) -> Result<(), Stop> {
    let values = cx.inputs()?;
    let ints: Option<Vec<Int>> = values.iter().map(|v| v.ints.clone()).collect::<Option<Vec<_>>>().map(|l| l.concat());
    let is_list = values.iter().all(|value| value.rank() == Some(1));
    if let (Some(ints), true) = (ints, is_list) {
        cx.set_ints(vec![Some(ints.len())], ints);
        return Ok(());
    }
    values.iter().for_each(|value| cx.keep_numbers(value));
    let Some(rank) = values.first().and_then(Value::rank) else {
        return Err(Stop::Freeze("joins tensors of unknown rank".to_owned()));
    };
    let axis = axis_of(cx, 1, rank)?;
    let dims = joined(cx, &values, rank, axis)?;
    let mut axes: Vec<usize> = values.iter().filter_map(Value::layout).flat_map(Layout::axes).collect();
    axes.sort_unstable();
    axes.dedup();
    let kind = if axes.is_empty() {
        let fixed = values.iter().find_map(|v| if let Kind::Fixed(reason) = v.kind { Some(reason) } else { None });
        Kind::Fixed(fixed.unwrap_or(cx.free()))
    } else if axes.contains(&axis) {
        Kind::Channels(behind_each_other(cx, &values, &axes, axis)?)
    } else {
        Kind::Channels(side_by_side(cx, &values, &axes)?)
    };
    cx.set(0, Value { dims: Some(dims), ints: None, kind });
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

/// A value's labels over some axes; one without channels has positions there that never go.
fn over(cx: &mut Cx<'_>, value: &Value, axes: &[usize]) -> Result<Labels, Stop> {
    let unknown = || Stop::Freeze("joins channels whose number is unknown".to_owned());
    let lens = axes.iter().map(|&axis| value.dim(axis)).collect::<Option<Vec<usize>>>().ok_or_else(unknown)?;
    let total = lens.iter().fold(1usize, |n, &len| n.saturating_mul(len));
    cx.take_positions(total)?;
    let len = |axis: usize| axes.iter().position(|&a| a == axis).map_or(1, |i| lens[i]);
    Ok(value.layout().map_or_else(|| Labels::fixed(total), |layout| layout.spelled_out(axes, len)))
}

fn behind_each_other(cx: &mut Cx<'_>, values: &[Value], axes: &[usize], axis: usize) -> Result<Layout, Stop> {
    if let [one] = values
        && let Some(layout) = one.layout()
    {
        return Ok(layout.clone());
    }
    let rank = values[0].rank().unwrap_or(0);
    let parts = values.iter().map(|value| over(cx, value, axes)).collect::<Result<Vec<Labels>, Stop>>()?;
    let lens = |value: &Value, axes: &mut dyn Iterator<Item = &usize>| {
        axes.map(|&axis| value.dim(axis).unwrap_or(1)).product::<usize>()
    };
    let outer = lens(&values[0], &mut axes.iter().filter(|&&a| a < axis));
    // Each operand's own share of one step along the axes before `axis`.
    let chunk = |part: &Labels| part.len() / outer.max(1);
    let pieces = (0..outer).flat_map(|i| {
        parts.iter().map(move |part| {
            let n = chunk(part);
            part.select(i * n..(i + 1) * n)
        })
    });
    let labels = Labels::concat(&pieces.collect::<Vec<_>>());
    let total = values.iter().map(|value| value.dim(axis).unwrap_or(0)).sum();
    let lens = axes.iter().map(|&a| (a, if a == axis { total } else { values[0].dim(a).unwrap_or(1) }));
    Ok(Layout::on_axes(labels, rank, &lens.collect::<Vec<_>>()))
}

/// Joined along the image or the batch: the channels of all operands must agree.
fn side_by_side(cx: &mut Cx<'_>, values: &[Value], axes: &[usize]) -> Result<Layout, Stop> {
    let reason = cx.reason("joins these channels to some that must stay");
    let carriers: Vec<&Value> = values.iter().filter(|value| value.layout().is_some()).collect();
    let labels = over(cx, carriers[0], axes)?;
    for other in &carriers[1..] {
        let other = over(cx, other, axes)?;
        cx.deps.unite(&labels, &other, reason).map_err(|mismatch| cx.mismatch(mismatch))?;
    }
    for (i, value) in values.iter().enumerate() {
        match (&value.kind, axes) {
            (Kind::Stored(_), [axis]) => cx.claim(i, *axis, Role::Parameter, &labels)?,
            (Kind::Channels(_), _) => (),
            _ => cx.deps.freeze(&labels, reason),
        }
    }
    let rank = values[0].rank().unwrap_or(0);
    let lens = axes.iter().map(|&a| (a, carriers[0].dim(a).unwrap_or(1)));
    Ok(Layout::on_axes(labels, rank, &lens.collect::<Vec<_>>()))
}
