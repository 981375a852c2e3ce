//! Reductions over space. One over channels mixes them and freezes.

use super::axes::normalize;
use super::{Cx, Stop};
use crate::infer::{Kind, Value};

pub(super) fn reduce(cx: &mut Cx<'_>) -> Result<(), Stop> {
    let input = cx.input(0)?.clone();
    let Some(dims) = input.dims.clone() else {
        return Err(Stop::Freeze("reduces a tensor of unknown rank".to_owned()));
    };
    let axes = cx.integers(1, "axes")?.filter(|axes| !axes.is_empty());
    let axes = match axes {
        Some(axes) => normalize(cx, &axes, dims.len())?,
        None if cx.node().int("noop_with_empty_axes", 0) != 0 => vec![],
        None => (0..dims.len()).collect(),
    };
    let keeps = cx.node().int("keepdims", 1) != 0;
    let kind = match &input.kind {
        Kind::Channels { axis, .. } if axes.contains(axis) => cx.lose_channels(&input, "mixes the channels"),
        Kind::Channels { axis, labels } => {
            let gone = if keeps { 0 } else { axes.iter().filter(|a| *a < axis).count() };
            Kind::Channels { axis: axis - gone, labels: labels.clone() }
        }
        Kind::Constant(_) => Kind::Fixed(cx.free()),
        Kind::Fixed(reason) => Kind::Fixed(*reason),
    };
    let left = dims.iter().enumerate().filter(|(i, _)| keeps || !axes.contains(i));
    let dims = left.map(|(i, dim)| if axes.contains(&i) { Some(1) } else { *dim }).collect();
    cx.set(0, Value { dims: Some(dims), ints: None, kind });
    Ok(())
}
