//! Expand and Tile: a tensor is repeated along axes.

use super::binary::broadcast;
use super::{Cx, Stop};
use crate::dependency::{Extent, Labels, Layout};
use crate::infer::{Kind, Value};

pub(super) fn expand(cx: &mut Cx<'_>) -> Result<(), Stop> {
    let input = cx.input(0)?.clone();
    let (Some(wanted), Some(before)) = (cx.numbers(1, "shape")?, &input.dims) else {
        return Err(Stop::Freeze("expands to a shape that is computed at run time".to_owned()));
    };
    let asked = wanted.iter().map(|int| int.value.and_then(|n| usize::try_from(n).ok())).collect();
    let dims = broadcast(before, &asked).ok_or_else(|| cx.refuse("its input does not fit the shape it asks for"))?;
    let rank = dims.len();
    let shift = rank - before.len();
    let from: Vec<Option<usize>> = (0..rank).map(|axis| axis.checked_sub(shift)).collect();
    let layout = input.layout().and_then(|layout| layout.rearrange(&from));
    let first = rank - wanted.len();
    let reason = cx.reason("needs a number of its shape as it is");
    for (i, int) in wanted.iter().enumerate() {
        let axis = first + i;
        match &layout {
            Some(layout) if layout.carries(axis) && layout.len(axis) == 1 && dims[axis] != Some(1) => {
                return Err(Stop::Freeze("spreads a single channel over others".to_owned()));
            }
            // A 1 fits any length.
            Some(layout) if layout.carries(axis) && int.value != Some(1) => {
                cx.follow(int, Extent::whole(layout, axis))?;
            }
            _ => cx.expose(int, reason),
        }
    }
    let kind = layout.map_or_else(|| cx.carried(&input), Kind::Channels);
    cx.keep_numbers(&input);
    cx.set(0, Value { dims: Some(dims), ints: None, kind });
    Ok(())
}

pub(super) fn tile(cx: &mut Cx<'_>) -> Result<(), Stop> {
    let input = cx.input(0)?.clone();
    let (Some(repeats), Some(before)) = (cx.integers(1, "repeats")?, input.dims.clone()) else {
        return Err(Stop::Freeze("repeats a tensor of unknown shape".to_owned()));
    };
    let repeats: Option<Vec<usize>> = repeats.iter().map(|&n| usize::try_from(n).ok()).collect();
    let repeats = repeats.filter(|list| list.len() == before.len());
    let repeats = repeats.ok_or_else(|| cx.refuse("`repeats` does not fit its input"))?;
    let times = |(dim, &n): (&Option<usize>, &usize)| dim.and_then(|dim| dim.checked_mul(n));
    let dims: Vec<Option<usize>> = before.iter().zip(&repeats).map(times).collect();
    let repeated = input.layout().map(Layout::axes).unwrap_or_default().into_iter().find(|&axis| repeats[axis] != 1);
    let kind = match repeated {
        Some(axis) => {
            let labels = cx.line(&input, axis)?.unwrap_or_else(|| Labels::fixed(0));
            cx.take_positions(labels.len().saturating_mul(repeats[axis]))?;
            Kind::Channels(Layout::on_axis(labels.merged(repeats[axis], 1), dims.len(), axis))
        }
        None => cx.carried(&input),
    };
    cx.keep_numbers(&input);
    cx.set(0, Value { dims: Some(dims), ints: None, kind });
    Ok(())
}
