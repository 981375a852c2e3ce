//! Flatten and Reshape: channels may be merged with the image behind them.

use super::axes::normalize;
use super::{Cx, Stop};
use crate::graph::Dims;
use crate::infer::{CountAt, Int, Kind, Origin, Value, product};

pub(super) fn flatten(cx: &mut Cx<'_>) -> Result<(), Stop> {
    let input = cx.input(0)?.clone();
    let Some(dims) = &input.dims else {
        return Err(Stop::Freeze("flattens a tensor of unknown rank".to_owned()));
    };
    let rank = dims.len();
    let axis = cx.node().int("axis", 1);
    let axis = if axis == rank as i64 { rank } else { normalize(cx, &[axis], rank)?[0] };
    let out = vec![product(&dims[..axis]), product(&dims[axis..])];
    let kind = match &input.kind {
        Kind::Channels { axis: channels, .. } if *channels < axis => {
            cx.lose_channels(&input, "merges the channels with the batch")
        }
        Kind::Channels { .. } => merge(cx, &input, axis..rank, 1)?,
        Kind::Constant(_) => Kind::Fixed(cx.free()),
        Kind::Fixed(reason) => Kind::Fixed(*reason),
    };
    cx.set(0, Value { dims: Some(out), ints: None, kind });
    Ok(())
}

/// The channel axis merged with its neighbors in `block`, as axis `target` of the output.
fn merge(cx: &mut Cx<'_>, input: &Value, block: std::ops::Range<usize>, target: usize) -> Result<Kind, Stop> {
    let (Some((axis, labels)), Some(dims)) = (input.channels(), &input.dims) else {
        return Err(Stop::Freeze("merges a tensor without channels".to_owned()));
    };
    let unknown = || Stop::Freeze("merges the channels with an image of unknown size".to_owned());
    let outer = product(&dims[block.start..axis]).ok_or_else(unknown)?;
    let inner = product(&dims[axis + 1..block.end]).ok_or_else(unknown)?;
    if (outer, inner) != (1, 1) {
        let positions = outer.checked_mul(inner).and_then(|n| n.checked_mul(labels.len())).unwrap_or(usize::MAX);
        cx.take_positions(positions)?;
    }
    Ok(Kind::Channels { axis: target, labels: labels.merged(outer, inner) })
}

pub(super) fn reshape(cx: &mut Cx<'_>) -> Result<(), Stop> {
    let input = cx.input(0)?.clone();
    let wanted = cx.input(1)?.ints.clone();
    let wanted = wanted.ok_or_else(|| Stop::Freeze("reshapes to a shape that is computed at run time".to_owned()))?;
    let dims = target_dims(cx, &input, &wanted)?;
    if let (Some(ints), true) = (&input.ints, dims.len() <= 1) {
        cx.set_ints(dims, ints.clone());
        return Ok(());
    }
    let kind = match &input.kind {
        Kind::Channels { axis, .. } => match reshape_channels(cx, &input, *axis, &wanted, &dims) {
            Err(Stop::Freeze(reason)) => cx.lose_channels(&input, &reason),
            other => other?,
        },
        Kind::Constant(_) => Kind::Fixed(cx.free()),
        Kind::Fixed(reason) => Kind::Fixed(*reason),
    };
    let carrier = if let Kind::Channels { axis, .. } = &kind { Some(*axis) } else { None };
    let reason = cx.reason("needs a number of its shape as it is");
    for (_, int) in wanted.iter().enumerate().filter(|(i, _)| Some(*i) != carrier) {
        cx.expose(int, reason);
    }
    cx.set(0, Value { dims: Some(dims), ints: None, kind });
    Ok(())
}

/// Resolves 0 (copied) and -1 (whatever is left).
fn target_dims(cx: &Cx<'_>, input: &Value, wanted: &[Int]) -> Result<Dims, Stop> {
    let copies_zero = cx.node().int("allowzero", 0) == 0;
    let mut rest = None;
    let mut dims: Dims = Vec::with_capacity(wanted.len());
    for (i, int) in wanted.iter().enumerate() {
        dims.push(match int.value {
            Some(0) if copies_zero => input.dim(i),
            Some(-1) if rest.is_none() => {
                rest = Some(i);
                Some(1)
            }
            Some(n) => Some(usize::try_from(n).map_err(|_| cx.refuse(format!("its shape has a dim of {n}")))?),
            None => None,
        });
    }
    let total = input.dims.as_ref().and_then(|dims| product(dims));
    let (known, total) = (product(&dims), total);
    if let Some(i) = rest {
        dims[i] = match (known, total) {
            (Some(known), Some(total)) if known > 0 && total.is_multiple_of(known) => Some(total / known),
            (Some(known), Some(total)) => {
                return Err(cx.refuse(format!("cannot divide {total} elements by {known}")));
            }
            _ => None,
        };
    } else if let (Some(known), Some(total)) = (known, total)
        && known != total
    {
        return Err(cx.refuse(format!("its shape has {known} elements where its input has {total}")));
    }
    Ok(dims)
}

fn reshape_channels(cx: &mut Cx<'_>, input: &Value, axis: usize, wanted: &[Int], dims: &Dims) -> Result<Kind, Stop> {
    // A single channel leaves no trace in the shapes, and cannot go anyway.
    let give_up = || Stop::Freeze("rearranges the channels in a way that has no rule here".to_owned());
    let before = input.dims.as_ref().ok_or_else(give_up)?;
    let (block, target) = block_of(before, axis, dims).ok_or_else(give_up)?;
    // A 0 copies the dim at its own index, which must be the channels' exactly where they end up.
    let copies_zero = cx.node().int("allowzero", 0) == 0;
    let copies = |i: usize| copies_zero && wanted[i].value == Some(0);
    let is_copied_right = (0..dims.len()).all(|i| !copies(i) || (i == axis) == (i == target));
    if !is_copied_right {
        return Err(give_up());
    }
    let merged = merge(cx, input, block, target)?;
    let (Kind::Channels { labels, .. }, int) = (&merged, &wanted[target]) else { return Err(give_up()) };
    if int.value == Some(-1) || copies(target) {
        return Ok(merged);
    }
    match &int.origin {
        Origin::Written(constant, element) => cx.count(CountAt::Element(*constant, *element), labels.clone()),
        Origin::Follows(followed) if followed == labels => (),
        _ => return Err(Stop::Freeze("computes the number of channels".to_owned())),
    }
    Ok(merged)
}

/// The input axes that are merged into one output axis together with `axis`, and that output axis.
///
/// Dims of 1 take no part: they may come and go anywhere.
fn block_of(before: &Dims, axis: usize, after: &Dims) -> Option<(std::ops::Range<usize>, usize)> {
    let (mut i, mut k) = (0, 0);
    while i < before.len() {
        if before[i]? == 1 && i != axis {
            i += 1;
            continue;
        }
        while k < after.len() && after[k]? == 1 && before[i]? != 1 {
            k += 1;
        }
        // Grow both sides until their products agree.
        let (first_i, first_k) = (i, k);
        let (mut left, mut right) = (before[i]?, *after.get(k)?.as_ref()?);
        while left != right {
            if left < right {
                i += 1;
                left = left.checked_mul((*before.get(i)?)?)?;
            } else {
                k += 1;
                right = right.checked_mul((*after.get(k)?)?)?;
            }
        }
        if (first_i..=i).contains(&axis) {
            return (first_k == k).then_some((first_i..i + 1, k));
        }
        (i, k) = (i + 1, k + 1);
    }
    None
}
