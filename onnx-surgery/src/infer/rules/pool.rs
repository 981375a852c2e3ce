//! Pooling: the image shrinks, channels pass through. And its inverse, which puts values back to where they came from.

use super::window::Window;
use super::{Cx, Stop};
use crate::constant::MAX_DIM;
use crate::dependency::{Extent, Layout};
use crate::infer::{Kind, Value};

pub(super) fn pool(cx: &mut Cx<'_>) -> Result<(), Stop> {
    let input = image(cx)?;
    let window = window(cx, &input)?;
    let mut dims = vec![input.dim(0), input.dim(1)];
    for axis in 0..window.kernel.len() {
        let length = input.dim(axis + 2);
        dims.push(length.map(|length| window.output(cx, axis, length)).transpose()?);
    }
    // Windows of one pixel combine nothing: channels may be on such an axis, and pass.
    let sides = (0..window.kernel.len()).filter(|&axis| !window.is_pointwise(axis)).map(|axis| axis + 2);
    let kind = cx.combined(&input, &sides.collect::<Vec<_>>())?;
    if let Some(Some(indices)) = cx.node().outputs.get(1).copied() {
        cx.indices.insert(indices, input.dims.unwrap_or_default());
        cx.set(1, Value { dims: Some(dims.clone()), ints: None, kind: kind.clone() });
    }
    cx.set(0, Value { dims: Some(dims), ints: None, kind });
    Ok(())
}

pub(super) fn global(cx: &mut Cx<'_>) -> Result<(), Stop> {
    let input = image(cx)?;
    let dims = input.dims.clone().map(|mut dims| {
        dims.iter_mut().skip(2).for_each(|dim| *dim = Some(1));
        dims
    });
    let kind = cx.combined(&input, &(2..input.rank().unwrap_or(2)).collect::<Vec<_>>())?;
    cx.set(0, Value { dims, ints: None, kind });
    Ok(())
}

/// MaxUnpool: an index counts all elements of what MaxPool read, so both tensors must be of one size.
///
/// The pruned model's MaxPool computes indices into its own, narrower tensor, and they lead to the same pixels.
pub(super) fn unpool(cx: &mut Cx<'_>) -> Result<(), Stop> {
    let input = image(cx)?;
    let indices = cx.input(1)?.clone();
    let window = window(cx, &input)?;
    let stated = cx.numbers(2, "output_shape")?;
    let Some(rank) = input.rank() else {
        return Err(Stop::Freeze("unpools a tensor of unknown rank".to_owned()));
    };
    let mut dims = input.dims.clone().unwrap_or_default();
    for (axis, dim) in dims.iter_mut().skip(2).enumerate() {
        *dim = dim.map(|length| window.transposed(cx, axis, length, 0)).transpose()?;
    }
    if let Some(stated) = stated.as_ref().filter(|stated| stated.len() == rank) {
        dims = stated.iter().map(|int| int.value.and_then(|n| usize::try_from(n).ok())).collect();
    }
    let pooled = cx.node().inputs.get(1).copied().flatten().and_then(|id| cx.indices.get(&id));
    let fits = |pooled: &Vec<Option<usize>>| pooled.get(1..) == dims.get(1..) && !dims.contains(&None);
    let kind = if pooled.is_some_and(fits) {
        let (labels, others) = (cx.line_if_there(&input, 1)?, cx.line_if_there(&indices, 1)?);
        let reason = cx.reason("unpools these channels by indices of channels that must stay");
        match (labels, others) {
            (Some(labels), Some(others)) => {
                cx.deps.unite(&labels, &others, reason).map_err(|mismatch| cx.mismatch(mismatch))?;
                Kind::Channels(Layout::on_axis(labels, rank, 1))
            }
            _ => {
                cx.freeze(&indices, reason);
                cx.lose_channels(&input, "unpools these channels by indices of channels that must stay")
            }
        }
    } else {
        let reason = "unpools by indices into a tensor of another size, or of one that is not known";
        cx.lose_channels(&indices, reason);
        cx.lose_channels(&input, reason)
    };
    let reason = cx.reason("needs a size as it is");
    for (axis, int) in stated.iter().flatten().enumerate() {
        match &kind {
            Kind::Channels(layout) if axis == 1 => cx.follow(int, Extent::whole(layout, 1))?,
            _ => cx.expose(int, reason),
        }
    }
    cx.set(0, Value { dims: Some(dims), ints: None, kind });
    Ok(())
}

/// The attributes of a window that fits the input.
fn window(cx: &Cx<'_>, input: &Value) -> Result<Window, Stop> {
    let kernel = cx.node().ints("kernel_shape").unwrap_or_default();
    let kernel: Option<Vec<usize>> = kernel.iter().map(|&k| usize::try_from(k).ok().filter(|&k| k < MAX_DIM)).collect();
    let kernel = kernel.filter(|kernel| input.rank().is_none_or(|rank| rank == kernel.len() + 2));
    Window::new(cx, kernel.ok_or_else(|| cx.refuse("`kernel_shape` does not fit its input"))?)
}

fn image(cx: &Cx<'_>) -> Result<Value, Stop> {
    let input = cx.input(0)?.clone();
    if input.is_stored() {
        return Err(Stop::Freeze("pools a constant".to_owned()));
    }
    Ok(input)
}
