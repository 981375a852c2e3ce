//! DepthToSpace and SpaceToDepth: channels become pixels, and pixels channels.

use super::{Cx, Stop};
use crate::dependency::Layout;
use crate::infer::{Kind, Value};

/// What both have in common: the block's side, the input, and its dims.
fn block(cx: &Cx<'_>) -> Result<(usize, Value, [Option<usize>; 4]), Stop> {
    let input = cx.input(0)?.clone();
    let dims: Option<[Option<usize>; 4]> = input.dims.as_ref().and_then(|dims| dims.as_slice().try_into().ok());
    let dims = dims.ok_or_else(|| Stop::Freeze("rearranges what is no batch of images".to_owned()))?;
    let side = usize::try_from(cx.node().int("blocksize", 0)).ok().filter(|&b| (1..1 << 15).contains(&b));
    Ok((side.ok_or_else(|| cx.refuse("`blocksize` is out of range"))?, input, dims))
}

pub(super) fn depth_to_space(cx: &mut Cx<'_>) -> Result<(), Stop> {
    let (side, input, [n, c, h, w]) = block(cx)?;
    if c.is_some_and(|c| !c.is_multiple_of(side * side)) {
        return Err(cx.refuse("its channels do not divide into blocks"));
    }
    let times = |d: Option<usize>| d.and_then(|d| d.checked_mul(side));
    let dims = vec![n, c.map(|c| c / (side * side)), times(h), times(w)];
    let kind = match cx.line(&input, 1)? {
        None => cx.carried(&input),
        Some(labels) => {
            let (blocks, channels) = (side * side, labels.len() / (side * side));
            if channels == 0 {
                return Err(cx.refuse("its channels do not divide into blocks"));
            }
            // All pixels of a block come from channels that go together.
            let place = |pixel: usize, channel: usize| match cx.node().text("mode") {
                "CRD" => channel * blocks + pixel,
                _ => pixel * channels + channel,
            };
            let pixels: Vec<_> =
                (0..blocks).map(|pixel| labels.select((0..channels).map(|channel| place(pixel, channel)))).collect();
            let reason = cx.reason("ties channels that may go to some that must stay");
            for pixel in &pixels[1..] {
                cx.deps.unite(&pixels[0], pixel, reason).map_err(|mismatch| cx.mismatch(mismatch))?;
            }
            Kind::Channels(Layout::on_axis(pixels[0].clone(), 4, 1))
        }
    };
    cx.set(0, Value { dims: Some(dims), ints: None, kind });
    Ok(())
}

pub(super) fn space_to_depth(cx: &mut Cx<'_>) -> Result<(), Stop> {
    let (side, input, [n, c, h, w]) = block(cx)?;
    let times = |d: Option<usize>| d.and_then(|d| d.checked_mul(side * side));
    let dims = vec![n, times(c), h.map(|h| h / side), w.map(|w| w / side)];
    let kind = match cx.line(&input, 1)? {
        None => cx.carried(&input),
        Some(labels) => {
            cx.take_positions(labels.len().saturating_mul(side * side))?;
            Kind::Channels(Layout::on_axis(labels.merged(side * side, 1), 4, 1))
        }
    };
    cx.set(0, Value { dims: Some(dims), ints: None, kind });
    Ok(())
}
