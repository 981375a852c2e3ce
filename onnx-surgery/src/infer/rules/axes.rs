//! Squeeze, Unsqueeze and Transpose: axes move, channels stay what they are.

use super::{Cx, Stop};
use crate::infer::{Kind, Reader, Stored, Value};

/// Axes counted from the front, each once.
pub(super) fn normalize(cx: &Cx<'_>, axes: &[i64], rank: usize) -> Result<Vec<usize>, Stop> {
    let from_front = |&axis: &i64| {
        let axis = if axis < 0 { axis.checked_add(rank as i64)? } else { axis };
        usize::try_from(axis).ok().filter(|&axis| axis < rank)
    };
    let normal: Option<Vec<usize>> = axes.iter().map(from_front).collect();
    let normal = normal.ok_or_else(|| cx.refuse(format!("axes {axes:?} are out of range for {rank} dims")))?;
    let mut seen = vec![false; rank];
    if normal.iter().any(|&axis| std::mem::replace(&mut seen[axis], true)) {
        return Err(cx.refuse(format!("axes {axes:?} name an axis twice")));
    }
    Ok(normal)
}

/// The attribute `axis` of a node, counted from the front.
pub(super) fn axis_of(cx: &Cx<'_>, default: i64, rank: usize) -> Result<usize, Stop> {
    Ok(normalize(cx, &[cx.node().int("axis", default)], rank)?[0])
}

pub(super) fn squeeze(cx: &mut Cx<'_>) -> Result<(), Stop> {
    let input = cx.input(0)?.clone();
    let axes = cx.integers(1, "axes")?;
    let Some(dims) = &input.dims else {
        return Err(Stop::Freeze("squeezes a tensor of unknown rank".to_owned()));
    };
    let axes = match axes {
        Some(axes) => normalize(cx, &axes, dims.len())?,
        None if dims.contains(&None) => {
            return Err(Stop::Freeze("squeezes axes that depend on sizes".to_owned()));
        }
        // A batch of one is no axis of one, where the batch may be of any size.
        None => (usize::from(cx.graph.has_any_batch())..dims.len()).filter(|&axis| dims[axis] == Some(1)).collect(),
    };
    if axes.iter().any(|&axis| dims[axis].is_some_and(|d| d != 1)) {
        return Err(cx.refuse("squeezes an axis that is longer than 1"));
    }
    let kept = (0..dims.len()).filter(|axis| !axes.contains(axis)).map(Some).collect();
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
    let from = (0..rank).map(|axis| if axes.contains(&axis) { None } else { next.next() });
    let from = from.collect();
    rearrange(cx, input, from)
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
    rearrange(cx, input, order.into_iter().map(Some).collect())
}

/// The output's axes are these axes of the input, or new ones of one element.
pub(super) fn rearrange(cx: &mut Cx<'_>, input: Value, from: Vec<Option<usize>>) -> Result<(), Stop> {
    let dims: Vec<_> = from.iter().map(|from| from.map_or(Some(1), |axis| input.dim(axis))).collect();
    if let Some(ints) = &input.ints
        && (dims.len() <= 1 || !input.is_stored())
        && let Some(order) = order_of(&input, &from)
    {
        let ints = order.into_iter().filter_map(|i| ints.get(i).cloned()).collect();
        cx.set_ints(dims, ints);
        return Ok(());
    }
    let kind = match &input.kind {
        Kind::Channels(layout) => {
            let layout = layout.rearrange(&from);
            Kind::Channels(layout.ok_or_else(|| Stop::Freeze("squeezes the channels away".to_owned()))?)
        }
        Kind::Stored(stored) => {
            let axes = from.iter().map(|from| from.and_then(|axis| stored.axes[axis])).collect();
            let via = stored.via.or(Some(Reader { node: cx.node_index(), input: 0 }));
            Kind::Stored(Stored { axes, via, ..stored.clone() })
        }
        Kind::Fixed(reason) => Kind::Fixed(*reason),
    };
    cx.keep_numbers(&input);
    cx.set(0, Value { dims: Some(dims), ints: None, kind });
    Ok(())
}

/// Where each element of a rearranged list of numbers was before.
fn order_of(input: &Value, from: &[Option<usize>]) -> Option<Vec<usize>> {
    let dims: Vec<usize> = input.dims.as_ref()?.iter().copied().collect::<Option<_>>()?;
    let mut strides = vec![1; dims.len()];
    for axis in (1..dims.len()).rev() {
        strides[axis - 1] = strides[axis] * dims[axis];
    }
    let mut at = vec![0];
    for axis in from.iter().flatten().copied() {
        at = at
            .iter()
            .flat_map(|&before| (0..dims[axis]).map(move |i| (before, i)))
            .map(|(before, i)| before + i * strides[axis])
            .collect();
    }
    Some(at)
}
