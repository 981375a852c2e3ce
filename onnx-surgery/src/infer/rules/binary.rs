//! Operators on several tensors, element by element, with broadcasting.

use super::conv::shape;
use super::{Cx, Stop};
use crate::dependency::Layout;
use crate::graph::Dims;
use crate::infer::{Kind, Value};
use netspec::Role;

/// Arithmetic, comparisons, selections: any number of operands.
pub(super) fn elementwise(cx: &mut Cx<'_>) -> Result<(), Stop> {
    let values = cx.inputs()?;
    if super::arithmetic::fold(cx, &values)? {
        return Ok(());
    }
    values.iter().for_each(|value| cx.keep_numbers(value));
    let mut dims: Dims = vec![];
    for value in &values {
        let Some(own) = &value.dims else { return Err(Stop::Freeze("meets a tensor of unknown shape".to_owned())) };
        dims = broadcast(&dims, own).ok_or_else(|| {
            let shapes: Vec<String> = values.iter().map(shape).collect();
            cx.refuse(format!("its inputs {} do not fit each other", shapes.join(" and ")))
        })?;
    }
    let mut carried: Option<Layout> = None;
    for value in &values {
        let Some(layout) = value.layout().map(|layout| aligned(layout, dims.len())) else { continue };
        // A single channel that meets many is spread over them: it must not vanish.
        if layout.axes().iter().any(|&axis| layout.len(axis) == 1 && dims[axis] != Some(1)) {
            let reason = cx.reason("spreads a single channel over others");
            cx.freeze(value, reason);
            continue;
        }
        carried = Some(match carried {
            None => layout,
            Some(before) => unite(cx, before, layout)?,
        });
    }
    let kind = match carried {
        Some(layout) => with_others(cx, layout, &values, dims.len())?,
        None => {
            let fixed = values.iter().find_map(|v| if let Kind::Fixed(reason) = v.kind { Some(reason) } else { None });
            Kind::Fixed(fixed.unwrap_or(cx.free()))
        }
    };
    cx.set(0, Value { dims: Some(dims), ints: None, kind });
    Ok(())
}

/// The layout behind new axes at the front.
fn aligned(layout: &Layout, rank: usize) -> Layout {
    let new = rank - layout.rank();
    let from: Vec<Option<usize>> = (0..rank).map(|axis| axis.checked_sub(new)).collect();
    layout.rearrange(&from).unwrap_or_else(|| layout.clone())
}

/// Both operands carry channels.
fn unite(cx: &mut Cx<'_>, left: Layout, right: Layout) -> Result<Layout, Stop> {
    let reason = cx.reason("combines these channels with some that must stay");
    let (few, many) = if left.axes().len() <= right.axes().len() { (&left, &right) } else { (&right, &left) };
    let axes = many.axes();
    if few.axes().iter().any(|axis| !axes.contains(axis)) {
        return Err(Stop::Freeze("combines channels with another axis".to_owned()));
    }
    if few != many {
        let total = axes.iter().fold(1usize, |n, &axis| n.saturating_mul(many.len(axis)));
        cx.spell_out(many, total)?;
        cx.spell_out(few, total)?;
    }
    let (a, b) = (few.spelled_out(&axes, |axis| many.len(axis)), many.spelled_out(&axes, |axis| many.len(axis)));
    let is_sum = matches!(cx.node().op.as_str(), "Add" | "Sub" | "Sum" | "Mean");
    let result = if is_sum { cx.deps.add(&a, &b, reason) } else { cx.deps.unite(&a, &b, reason) };
    result.map_err(|mismatch| cx.mismatch(mismatch))?;
    Ok(if few == &left { left } else { right })
}

/// Some operands carry channels; others are constants or cannot change.
fn with_others(cx: &mut Cx<'_>, layout: Layout, values: &[Value], rank: usize) -> Result<Kind, Stop> {
    for (place, other) in values.iter().enumerate().filter(|(_, value)| value.layout().is_none()) {
        let shift = rank - other.rank().unwrap_or(rank);
        for axis in layout.axes() {
            let Some(own) = axis.checked_sub(shift).filter(|&own| other.dim(own) != Some(1)) else { continue };
            let fits = layout.only_axis().is_some() && other.dim(own) == Some(layout.len(axis));
            if other.is_stored() && fits {
                cx.spell_out(&layout, layout.len(axis))?;
                cx.claim(place, own, Role::Parameter, &layout.line(axis))?;
                continue;
            }
            let reason = match other.kind {
                Kind::Fixed(reason) if reason != cx.free() => reason,
                _ => cx.reason("combines these channels with some that must stay"),
            };
            cx.deps.freeze(layout.labels(), reason);
            if layout.len(axis) == 1 {
                // The single channel is spread over the other operand's.
                return Ok(Kind::Fixed(reason));
            }
        }
    }
    Ok(Kind::Channels(layout))
}

/// Dims by ONNX's broadcasting rule, or nothing where they do not fit.
pub(super) fn broadcast(a: &Dims, b: &Dims) -> Option<Dims> {
    let rank = a.len().max(b.len());
    let at = |dims: &Dims, i: usize| (i + dims.len()).checked_sub(rank).map_or(Some(1), |i| dims[i]);
    (0..rank)
        .map(|i| match (at(a, i), at(b, i)) {
            (Some(1), d) | (d, Some(1)) => Some(d),
            (Some(n), Some(m)) => (n == m).then_some(Some(n)),
            (Some(n), None) | (None, Some(n)) => Some(Some(n)),
            (None, None) => Some(None),
        })
        .collect()
}
