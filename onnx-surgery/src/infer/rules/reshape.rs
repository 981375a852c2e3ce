//! Flatten and Reshape: channels may be merged with their neighbors, and split into several axes.

use super::axes::{normalize, rearrange};
use super::{Cx, Stop};
use crate::dependency::{Extent, Layout};
use crate::graph::Dims;
use crate::infer::{Int, Kind, Value, product};

pub(super) fn flatten(cx: &mut Cx<'_>) -> Result<(), Stop> {
    let input = cx.input(0)?.clone();
    let Some(dims) = &input.dims else {
        return Err(Stop::Freeze("flattens a tensor of unknown rank".to_owned()));
    };
    let rank = dims.len();
    let axis = cx.node().int("axis", 1);
    let axis = if axis == rank as i64 { rank } else { normalize(cx, &[axis], rank)?[0] };
    let out = vec![product(&dims[..axis]), product(&dims[axis..])];
    let kind = match input.layout().map(|layout| layout.reshape(dims, &out)) {
        Some(Some(layout)) => Kind::Channels(layout),
        Some(None) => cx.lose_channels(&input, "merges the channels with an image of unknown size"),
        None => cx.carried(&input),
    };
    cx.set(0, Value { dims: Some(out), ints: None, kind });
    Ok(())
}

pub(super) fn reshape(cx: &mut Cx<'_>) -> Result<(), Stop> {
    let input = cx.input(0)?.clone();
    let Some(wanted) = cx.numbers(1, "shape")? else {
        return Err(Stop::Freeze("reshapes to a shape that is computed at run time".to_owned()));
    };
    let dims = target_dims(cx, &input, &wanted)?;
    if let Some(ints) = &input.ints
        && (dims.len() <= 1 || !input.is_stored())
        && product(&dims) == Some(ints.len())
    {
        let reason = cx.reason("needs a number of its shape as it is");
        wanted.iter().for_each(|int| cx.expose(int, reason));
        cx.set_ints(dims, ints.clone());
        return Ok(());
    }
    let carried = match input.layout().cloned() {
        Some(layout) => match follow(cx, &input, &layout, &wanted, &dims) {
            Err(Stop::Freeze(reason)) => {
                let kind = cx.lose_channels(&input, &reason);
                cx.set(0, Value { dims: Some(dims.clone()), ints: None, kind });
                None
            }
            other => Some(other?),
        },
        None => None,
    };
    // A constant that only gets axes of one element stays what it is; whoever claims its axes has them counted.
    let turned = input.is_stored().then(|| turned(&input, &dims)).flatten();
    let reason = cx.reason("needs a number of its shape as it is");
    for (axis, int) in wanted.iter().enumerate() {
        let is_counted = carried.as_ref().is_some_and(|layout| layout.carries(axis))
            || turned.as_ref().is_some_and(|from| from[axis].is_some());
        if !is_counted {
            cx.expose(int, reason);
        }
    }
    if let Some(layout) = carried {
        cx.set(0, Value { dims: Some(dims), ints: None, kind: Kind::Channels(layout) });
    } else if let Some(from) = turned {
        let mut input = input;
        if let Kind::Stored(stored) = &mut input.kind {
            let copies_zero = cx.node().int("allowzero", 0) == 0;
            for (axis, old) in from.iter().enumerate().filter_map(|(axis, old)| Some((axis, (*old)?))) {
                let follows = wanted[axis].value == Some(-1) || copies_zero && wanted[axis].value == Some(0);
                if let (Some(root), false) = (stored.axes[old], follows) {
                    let mut int = wanted[axis].clone();
                    cx.sign(&mut int.origin);
                    stored.lengths.push((root, int));
                }
            }
        }
        rearrange(cx, input, from)?;
    } else if input.layout().is_none() {
        cx.keep_numbers(&input);
        let kind = cx.carried(&input);
        cx.set(0, Value { dims: Some(dims), ints: None, kind });
    }
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

/// Where the channels end up, with every number of the shape that counts them.
fn follow(cx: &mut Cx<'_>, input: &Value, layout: &Layout, wanted: &[Int], dims: &Dims) -> Result<Layout, Stop> {
    // A single channel leaves no trace in the shapes, and cannot go anyway.
    let give_up = || Stop::Freeze("rearranges the channels in a way that has no rule here".to_owned());
    let before = input.dims.as_ref().ok_or_else(give_up)?;
    let after = layout.reshape(before, dims).ok_or_else(give_up)?;
    let copies_zero = cx.node().int("allowzero", 0) == 0;
    for (axis, int) in wanted.iter().enumerate() {
        let is_copied = copies_zero && int.value == Some(0);
        if is_copied && layout.carries(axis) != after.carries(axis) {
            return Err(give_up());
        }
        if !after.carries(axis) || int.value == Some(-1) {
            continue;
        }
        let extent = Extent::whole(&after, axis);
        if is_copied {
            cx.equal(Extent::whole(layout, axis), extent);
        } else {
            cx.follow(int, extent)?;
        }
    }
    Ok(after)
}

/// The axes of a constant that only gets or loses axes of one element.
fn turned(input: &Value, dims: &Dims) -> Option<Vec<Option<usize>>> {
    let before = input.dims.as_ref()?;
    let mut long = (0..before.len()).filter(|&axis| before[axis] != Some(1));
    let mut from = Vec::with_capacity(dims.len());
    for dim in dims {
        from.push(if *dim == Some(1) { None } else { Some(long.next().filter(|&old| before[old] == *dim)?) });
    }
    long.next().is_none().then_some(from)
}
