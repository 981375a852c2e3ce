//! ConvTranspose: its weight has the input channels first.

use super::conv::{dtype, finish, grouped, groups, has_bias, image, macs};
use super::window::Window;
use super::{Cx, Stop};
use crate::infer::product;
use netspec::Role;

pub(super) fn conv_transpose(cx: &mut Cx<'_>) -> Result<(), Stop> {
    let weight = cx.weight(1)?;
    dtype(weight.element)?;
    let dims = weight.dims;
    let groups = groups(cx)?;
    if dims.len() < 3 || dims.contains(&0) || !dims[0].is_multiple_of(groups) {
        return Err(cx.refuse(format!("its weights have the shape {dims:?} in {groups} groups")));
    }
    let c_out = dims[1].checked_mul(groups).ok_or_else(|| cx.refuse("`group` is out of range"))?;
    let (input, inputs) = image(cx, &dims, dims[0])?;
    let has_bias = has_bias(cx, c_out)?;
    let sides = output(cx, &dims[2..], &(2..dims.len()).map(|axis| input.dim(axis)).collect::<Vec<_>>())?;
    let out_dims = [input.dim(0), Some(c_out)].into_iter().chain(sides).collect();
    let positions = input.dims.as_ref().and_then(|dims| product(dims));
    let macs = positions.and_then(|inputs| macs(&[&[inputs], &dims[1..]].concat()));

    let outputs = if groups == 1 {
        let outputs = cx.produce(c_out)?;
        cx.claim(1, 1, Role::Producer, &outputs)?;
        if let Some(labels) = &inputs {
            cx.claim(1, 0, Role::Consumer, labels)?;
        }
        Some(outputs)
    } else {
        grouped(cx, groups, c_out, inputs.as_ref(), true)?
    };
    let source = finish(cx, &input, out_dims, outputs.as_ref(), has_bias)?;
    cx.unmeasurable("cannot be timed alone, for it is a transposed convolution", source, macs);
    Ok(())
}

/// The output's sides: `stride * (side - 1) + output_padding + reach - pads`, or what the node states.
fn output(cx: &Cx<'_>, kernel: &[usize], sides: &[Option<usize>]) -> Result<Vec<Option<usize>>, Stop> {
    let window = Window::new(cx, kernel.to_vec())?;
    let node = cx.node();
    let stated = |name: &str, axis: usize| node.ints(name).and_then(|list| list.get(axis)).copied();
    sides
        .iter()
        .enumerate()
        .map(|(axis, side)| {
            if let Some(side) = stated("output_shape", axis) {
                return Ok(usize::try_from(side).ok());
            }
            let Some(side) = *side else { return Ok(None) };
            let extra = usize::try_from(stated("output_padding", axis).unwrap_or(0)).unwrap_or(0);
            window.transposed(cx, axis, side, extra).map(Some)
        })
        .collect()
}
