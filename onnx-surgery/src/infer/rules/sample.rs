//! GridSample and RoiAlign: each channel is read at positions that are computed elsewhere.

use super::conv::shape;
use super::{Cx, Stop};
use crate::constant::MAX_DIM;
use crate::infer::Value;

const POSITIONS: &str = "reads positions from here, none of which may go";

/// The image `[N, C, sides]` at a grid `[N, new sides, coordinates]`.
pub(super) fn grid_sample(cx: &mut Cx<'_>) -> Result<(), Stop> {
    let (input, grid) = (cx.input(0)?.clone(), cx.input(1)?.clone());
    let Some(rank) = input.rank().or(grid.rank()) else {
        return Err(Stop::Freeze("samples a tensor of unknown rank".to_owned()));
    };
    if rank < 3 || [&input, &grid].iter().any(|value| value.rank().is_some_and(|own| own != rank)) {
        return Err(cx.refuse(format!("its grid {} does not fit its input {}", shape(&grid), shape(&input))));
    }
    let reason = cx.reason(POSITIONS);
    cx.freeze(&grid, reason);
    let sides = (1..rank - 1).map(|axis| grid.dim(axis));
    let dims = [input.dim(0), input.dim(1)].into_iter().chain(sides).collect();
    apart(cx, &input, dims)
}

/// Boxes of an image, each a new image.
pub(super) fn roi_align(cx: &mut Cx<'_>) -> Result<(), Stop> {
    let (input, boxes, images) = (cx.input(0)?.clone(), cx.input(1)?.clone(), cx.input(2)?.clone());
    if input.rank().is_some_and(|rank| rank != 4) {
        return Err(cx.refuse(format!("its input {} does not have four axes", shape(&input))));
    }
    let reason = cx.reason(POSITIONS);
    [&boxes, &images].iter().for_each(|value| cx.freeze(value, reason));
    let side = |name: &str| {
        let side = usize::try_from(cx.node().int(name, 1)).ok().filter(|&side| side > 0 && side < MAX_DIM);
        side.map(Some).ok_or_else(|| cx.refuse(format!("`{name}` is out of range")))
    };
    let (height, width) = (side("output_height")?, side("output_width")?);
    let dims = vec![boxes.dim(0).or(images.dim(0)), input.dim(1), height, width];
    apart(cx, &input, dims)
}

/// The result has these dims and the input's channels, if those are its second axis.
fn apart(cx: &mut Cx<'_>, input: &Value, dims: Vec<Option<usize>>) -> Result<(), Stop> {
    let others: Vec<usize> = (0..dims.len()).filter(|&axis| axis != 1).collect();
    let kind = cx.combined(input, &others)?;
    cx.set(0, Value { dims: Some(dims), ints: None, kind });
    Ok(())
}
