//! Gather: elements of a shape, or some channels by their positions.

use super::axes::axis_of;
use super::{Cx, Stop};
use crate::infer::{Int, Kind, Value};

pub(super) fn gather(cx: &mut Cx<'_>) -> Result<(), Stop> {
    let (input, indices) = (cx.input(0)?.clone(), cx.input(1)?.clone());
    let Some(rank) = input.rank() else {
        return Err(Stop::Freeze("picks from a tensor of unknown rank".to_owned()));
    };
    let (Some(picked_dims), axis) = (indices.dims.clone(), axis_of(cx, 0, rank)?) else {
        return Err(Stop::Freeze("picks by positions of unknown number".to_owned()));
    };
    if let (Some(list), true) = (&input.ints, indices.ints.is_some()) {
        let wanted = cx.integers(1, "indices")?.unwrap_or_default();
        let picked: Option<Vec<Int>> = wanted.iter().map(|&i| list.get(at(i, list.len())?).cloned()).collect();
        let picked = picked.ok_or_else(|| cx.refuse(format!("indices {wanted:?} are out of range")))?;
        cx.set_ints(picked_dims, picked);
        return Ok(());
    }
    let mut dims = input.dims.clone().unwrap_or_default();
    dims.splice(axis..axis + 1, picked_dims.iter().copied());
    let kind = match input.layout().cloned() {
        None => cx.carried(&input),
        Some(layout) => {
            let mut layout = layout;
            if layout.carries(axis) {
                let n = layout.len(axis);
                // The list itself is not short, and so not among the integers that the walk follows.
                let wanted = cx.constant(1)?.view().and_then(|view| view.to_i64().ok());
                let wanted = wanted.and_then(|list| list.iter().map(|&i| at(i, n)).collect::<Option<Vec<usize>>>());
                let wanted = wanted.ok_or_else(|| cx.refuse("its indices are out of range"))?;
                cx.take_positions(wanted.len())?;
                cx.spell_out(&layout, n)?;
                if layout.only_axis().is_some() {
                    let line = layout.line(axis);
                    if picked_dims.is_empty() {
                        let reason = cx.reason("picks a single channel, which must stay where it is");
                        cx.deps.freeze(&line, reason);
                    } else {
                        cx.renumber(1, &line, wanted.clone())?;
                    }
                } else {
                    let reason = cx.reason("takes a part of channels that are spread over several axes");
                    if !cx.deps.mix(&layout, &[axis], reason) {
                        return Err(Stop::Freeze("takes a part of the channels".to_owned()));
                    }
                }
                layout = layout.select(axis, &wanted);
                cx.deps.part(layout.labels());
            }
            if picked_dims.len() > 1 {
                return Err(Stop::Freeze("picks by more than a list of positions".to_owned()));
            }
            // A single position takes its axis away, with the label of a channel that was frozen.
            let from: Vec<Option<usize>> =
                (0..rank).filter(|&a| a != axis || !picked_dims.is_empty()).map(Some).collect();
            if picked_dims.is_empty() && layout.carries(axis) {
                layout = layout.without(axis);
            }
            match layout.rearrange(&from) {
                Some(layout) if !layout.axes().is_empty() => Kind::Channels(layout),
                _ => cx.lose_channels(&input, "picks a single channel"),
            }
        }
    };
    if !input.carries(axis) {
        cx.keep_numbers(&indices);
    }
    cx.keep_numbers(&input);
    cx.set(0, Value { dims: Some(dims), ints: None, kind });
    Ok(())
}

/// A position counted from the front.
fn at(index: i64, n: usize) -> Option<usize> {
    let index = if index < 0 { index.checked_add(n as i64)? } else { index };
    usize::try_from(index).ok().filter(|&i| i < n)
}
