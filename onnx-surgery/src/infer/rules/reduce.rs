//! Reductions and Softmax over axes. Over all of the channels they mix them and freeze.

use super::axes::normalize;
use super::{Cx, Stop};
use crate::infer::{Kind, Value};

pub(super) fn reduce(cx: &mut Cx<'_>) -> Result<(), Stop> {
    let input = cx.input(0)?.clone();
    let Some(dims) = input.dims.clone() else {
        return Err(Stop::Freeze("reduces a tensor of unknown rank".to_owned()));
    };
    let axes = match cx.node().op.as_str() {
        "ArgMax" | "ArgMin" => Some(vec![cx.node().int("axis", 0)]),
        _ => cx.integers(1, "axes")?.filter(|axes| !axes.is_empty()),
    };
    let axes = match axes {
        Some(axes) => normalize(cx, &axes, dims.len())?,
        None if cx.node().int("noop_with_empty_axes", 0) != 0 => vec![],
        None => (0..dims.len()).collect(),
    };
    let keeps = cx.node().int("keepdims", 1) != 0;
    let kind = match cx.combined(&input, &axes)? {
        Kind::Channels(layout) => {
            let left: Vec<Option<usize>> = if keeps {
                (0..dims.len()).map(|axis| (!axes.contains(&axis)).then_some(axis)).collect()
            } else {
                (0..dims.len()).filter(|axis| !axes.contains(axis)).map(Some).collect()
            };
            let reduced = layout.rearrange(&left);
            Kind::Channels(reduced.ok_or_else(|| Stop::Freeze("reduces the channels away".to_owned()))?)
        }
        other => other,
    };
    let left = dims.iter().enumerate().filter(|(i, _)| keeps || !axes.contains(i));
    let dims = left.map(|(i, dim)| if axes.contains(&i) { Some(1) } else { *dim }).collect();
    cx.set(0, Value { dims: Some(dims), ints: None, kind });
    Ok(())
}

pub(super) fn softmax(cx: &mut Cx<'_>) -> Result<(), Stop> {
    let input = cx.input(0)?.clone();
    let Some(rank) = input.rank() else {
        return Err(Stop::Freeze("normalizes a tensor of unknown rank".to_owned()));
    };
    // Before operator set 13 all axes from `axis` on were one.
    let axes: Vec<usize> = if cx.graph.opset < 13 {
        (super::axes::axis_of(cx, 1, rank)?..rank).collect()
    } else {
        vec![super::axes::axis_of(cx, -1, rank)?]
    };
    let kind = cx.mixed(&input, &axes)?;
    cx.set(0, Value { dims: input.dims, ints: None, kind });
    Ok(())
}

/// Sums along an axis keep its positions apart, yet each depends on those before it.
pub(super) fn cumulative(cx: &mut Cx<'_>) -> Result<(), Stop> {
    let input = cx.input(0)?.clone();
    let axes = cx.integers(1, "axis")?.unwrap_or_default();
    let axes = normalize(cx, &axes, input.rank().unwrap_or(0))?;
    let kind = cx.mixed(&input, &axes)?;
    cx.set(0, Value { dims: input.dims, ints: None, kind });
    Ok(())
}
