//! Squeeze, Unsqueeze and Transpose: axes move, channels stay what they are.

use super::{Cx, Stop};
use crate::infer::{Kind, Value};

/// Axes counted from the front, each once.
pub(super) fn normalize(cx: &Cx<'_>, axes: &[i64], rank: usize) -> Result<Vec<usize>, Stop> {
    let from_front = |&axis: &i64| {
        let axis = if axis < 0 { axis.checked_add(rank as i64)? } else { axis };
        usize::try_from(axis).ok().filter(|&axis| axis < rank)
    };
    let normal: Option<Vec<usize>> = axes.iter().map(from_front).collect();
    let normal = normal.ok_or_else(|| cx.refuse(format!("axes {axes:?} are out of range for {rank} dims")))?;
    let is_repeated = normal.iter().enumerate().any(|(i, axis)| normal[..i].contains(axis));
    if is_repeated { Err(cx.refuse(format!("axes {axes:?} name an axis twice"))) } else { Ok(normal) }
}

pub(super) fn squeeze(cx: &mut Cx<'_>) -> Result<(), Stop> {
    let input = cx.input(0)?.clone();
    let axes = cx.integers(1, "axes")?;
    let (Some(dims), Some(axes)) = (&input.dims, axes) else {
        return Err(Stop::Freeze("squeezes axes that depend on sizes".to_owned()));
    };
    let axes = normalize(cx, &axes, dims.len())?;
    if axes.iter().any(|&axis| dims[axis].is_some_and(|d| d != 1)) {
        return Err(cx.refuse("squeezes an axis that is longer than 1"));
    }
    let kept = (0..dims.len()).filter(|axis| !axes.contains(axis)).collect();
    rearrange(cx, input, kept)
}

pub(super) fn unsqueeze(cx: &mut Cx<'_>) -> Result<(), Stop> {
    let input = cx.input(0)?.clone();
    let axes = cx.integers(1, "axes")?;
    let (Some(rank), Some(axes)) = (input.rank(), axes) else {
        return Err(Stop::Freeze("unsqueezes axes that are not known".to_owned()));
    };
    let rank = rank + axes.len();
    let axes = normalize(cx, &axes, rank)?;
    let mut next = 0..;
    let places = (0..rank).map(|axis| if axes.contains(&axis) { None } else { next.next() });
    let places: Vec<Option<usize>> = places.collect();
    let dims = places.iter().map(|from| from.map_or(Some(1), |from| input.dim(from))).collect();
    let channel_at = |old: usize| places.iter().position(|&from| from == Some(old));
    finish(cx, input, dims, channel_at)
}

pub(super) fn transpose(cx: &mut Cx<'_>) -> Result<(), Stop> {
    let input = cx.input(0)?.clone();
    let Some(rank) = input.rank() else {
        return Err(Stop::Freeze("transposes a tensor of unknown rank".to_owned()));
    };
    let order = match cx.node().ints("perm") {
        Some(order) => normalize(cx, order, rank)?,
        None => (0..rank).rev().collect(),
    };
    if order.len() != rank {
        return Err(cx.refuse("`perm` does not name every axis"));
    }
    rearrange(cx, input, order)
}

/// The output's axes are these axes of the input.
fn rearrange(cx: &mut Cx<'_>, input: Value, from: Vec<usize>) -> Result<(), Stop> {
    let dims = from.iter().map(|&axis| input.dim(axis)).collect();
    finish(cx, input, dims, |old| from.iter().position(|&axis| axis == old))
}

fn finish(
    cx: &mut Cx<'_>,
    input: Value,
    dims: Vec<Option<usize>>,
    channel_at: impl Fn(usize) -> Option<usize>,
) -> Result<(), Stop> {
    // A shape of one or no axis has the same elements afterwards.
    if let (Some(ints), true) = (&input.ints, dims.len() <= 1) {
        cx.set_ints(dims, ints.clone());
        return Ok(());
    }
    let kind = match &input.kind {
        Kind::Channels { axis, labels } => match channel_at(*axis) {
            Some(axis) => Kind::Channels { axis, labels: labels.clone() },
            None => return Err(Stop::Freeze("squeezes the channels away".to_owned())),
        },
        Kind::Constant(_) => Kind::Fixed(cx.free()),
        Kind::Fixed(reason) => Kind::Fixed(*reason),
    };
    for int in input.ints.iter().flatten() {
        let reason = cx.reason("moves a number that would have to change");
        cx.expose(int, reason);
    }
    cx.set(0, Value { dims: Some(dims), ints: None, kind });
    Ok(())
}
