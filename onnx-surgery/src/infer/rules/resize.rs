//! Resize and Upsample: the image gets another size.

use super::{Cx, Stop};
use crate::dependency::Extent;
use crate::infer::Value;

pub(super) fn resize(cx: &mut Cx<'_>) -> Result<(), Stop> {
    let input = cx.input(0)?.clone();
    let Some(before) = input.dims.clone() else {
        return Err(Stop::Freeze("resizes a tensor of unknown rank".to_owned()));
    };
    // Before operator set 11 the second input were the scales.
    let is_old = cx.node().op == "Upsample" || cx.graph.opset < 11;
    let scales_at = if is_old { 1 } else { 2 };
    let axes = cx.node().ints("axes").map_or_else(|| (0..before.len() as i64).collect(), <[i64]>::to_vec);
    let axes = super::axes::normalize(cx, &axes, before.len())?;
    let sizes = if !is_old && cx.optional(3).is_some() { cx.numbers(3, "sizes")? } else { None };
    let scales = match (cx.optional(scales_at), cx.node().floats("scales")) {
        (Some(_), _) => cx.constant(scales_at).ok().and_then(|c| c.view()?.to_f32().ok()),
        (None, attribute) => attribute.map(<[f32]>::to_vec),
    }
    .filter(|scales| !scales.is_empty());
    let output = cx.node().outputs.first().copied().flatten();
    let stated = output.and_then(|id| cx.graph.stated_dims(id, cx.batch)).filter(|dims| dims.len() == before.len());
    let mut dims = before.clone();
    for (i, &axis) in axes.iter().enumerate() {
        dims[axis] = match (&sizes, &scales) {
            (Some(sizes), _) if sizes.len() == axes.len() => size(cx, &input, axis, &sizes[i])?,
            (_, Some(scales)) if scales.len() == axes.len() => {
                if scales[i] != 1.0 && input.carries(axis) {
                    return Err(Stop::Freeze("resizes the channels".to_owned()));
                }
                before[axis].map(|dim| (dim as f64 * f64::from(scales[i])).floor() as usize)
            }
            // Computed factors: what the file says of the result must do.
            _ if input.carries(axis) && stated.as_ref().is_none_or(|dims| dims[axis] != before[axis]) => {
                return Err(Stop::Freeze("resizes by factors that are computed at run time".to_owned()));
            }
            _ => stated.as_ref().and_then(|dims| dims[axis]),
        };
    }
    let kind = cx.carried(&input);
    cx.set(0, Value { dims: Some(dims), ints: None, kind });
    Ok(())
}

/// The length that is asked for along one axis, which must be the channels' own along theirs.
fn size(cx: &mut Cx<'_>, input: &Value, axis: usize, int: &crate::infer::Int) -> Result<Option<usize>, Stop> {
    let wanted = int.value.and_then(|n| usize::try_from(n).ok());
    match input.layout() {
        Some(layout) if layout.carries(axis) => {
            if wanted != input.dim(axis) {
                return Err(Stop::Freeze("resizes the channels".to_owned()));
            }
            cx.follow(int, Extent::whole(&layout.clone(), axis))?;
        }
        _ => {
            let reason = cx.reason("needs a size as it is");
            cx.expose(int, reason);
        }
    }
    Ok(wanted)
}
