//! Pooling: the image shrinks, channels pass through.

use super::window::Window;
use super::{Cx, Stop};
use crate::constant::MAX_DIM;
use crate::infer::Value;

pub(super) fn pool(cx: &mut Cx<'_>) -> Result<(), Stop> {
    if cx.has_more_outputs() {
        return Err(Stop::Freeze("also answers indices that count channels".to_owned()));
    }
    let input = image(cx, "pools")?;
    let kernel = cx.node().ints("kernel_shape").unwrap_or_default();
    let kernel: Option<Vec<usize>> = kernel.iter().map(|&k| usize::try_from(k).ok().filter(|&k| k < MAX_DIM)).collect();
    let kernel = kernel.filter(|kernel| input.rank().is_none_or(|rank| rank == kernel.len() + 2));
    let kernel = kernel.ok_or_else(|| cx.refuse("`kernel_shape` does not fit its input"))?;
    let window = Window::new(cx, kernel)?;
    let mut dims = vec![input.dim(0), input.dim(1)];
    for axis in 0..window.kernel.len() {
        let length = input.dim(axis + 2);
        dims.push(length.map(|length| window.output(cx, axis, length)).transpose()?);
    }
    cx.set(0, input.with_dims(Some(dims)));
    Ok(())
}

pub(super) fn global(cx: &mut Cx<'_>) -> Result<(), Stop> {
    let input = image(cx, "pools")?;
    let dims = input.dims.clone().map(|mut dims| {
        dims.iter_mut().skip(2).for_each(|dim| *dim = Some(1));
        dims
    });
    cx.set(0, input.with_dims(dims));
    Ok(())
}

/// The first input, with its channels, if it has any, on axis 1.
fn image(cx: &mut Cx<'_>, does: &str) -> Result<Value, Stop> {
    let input = cx.input(0)?.clone();
    if input.is_stored() {
        return Err(Stop::Freeze(format!("{does} a constant")));
    }
    let kind = cx.carried_on(&input, 1)?;
    Ok(Value { kind, ..input })
}
