//! Conv: dense convolutions make channels; grouped and depthwise ones tie them into blocks.

use super::window::Window;
use super::{Cx, Stop};
use crate::constant::Constant;
use crate::dependency::Labels;
use crate::infer::{CountAt, Kind, LayerDraft, Value};
use netspec::{ConvSpec, DType, ElementType, Role};

pub(super) fn conv(cx: &mut Cx<'_>) -> Result<(), Stop> {
    let (weight, constant) = cx.constant(1)?;
    let dims = constant.dims.clone();
    let dtype = dtype(constant).ok_or_else(|| Stop::Freeze("has weights that are not floating-point".to_owned()))?;
    let groups = usize::try_from(cx.node().int("group", 1)).ok().filter(|&g| g > 0);
    let groups = groups.ok_or_else(|| cx.refuse("`group` is not positive"))?;
    if dims.len() < 3 || dims.contains(&0) || !dims[0].is_multiple_of(groups) {
        return Err(cx.refuse(format!("its weights have the shape {dims:?} in {groups} groups")));
    }
    let (c_out, per_group) = (dims[0], dims[1]);
    let c_in = per_group.checked_mul(groups).ok_or_else(|| cx.refuse("`group` is out of range"))?;

    let input = cx.input(0)?.clone();
    let fits = input.rank().is_none_or(|rank| rank == dims.len()) && input.dim(1).is_none_or(|c| c == c_in);
    if !fits || input.is_constant() {
        return Err(cx.refuse(format!("its input {} does not fit its {c_in} channels", shape(&input))));
    }
    if input.channels().is_some_and(|(axis, _)| axis != 1) {
        return Err(Stop::Freeze("convolves over the channels".to_owned()));
    }
    let has_bias = cx.optional(2).is_some();
    if has_bias && cx.constant(2)?.1.dims != [c_out] {
        return Err(cx.refuse(format!("its bias does not have {c_out} elements")));
    }
    let window = Window::new(cx, dims[2..].to_vec())?;
    let mut out_dims = vec![input.dim(0), Some(c_out)];
    for axis in 0..window.kernel.len() {
        let length = input.dim(axis + 2);
        out_dims.push(length.map(|length| window.output(cx, axis, length)).transpose()?);
    }

    let inputs = input.channels().map(|(_, labels)| labels.clone());
    let outputs =
        if groups == 1 { dense(cx, c_out, inputs.as_ref())? } else { grouped(cx, groups, c_out, inputs.as_ref())? };
    if let (Some(labels), true) = (&outputs, has_bias) {
        cx.claim(2, 0, Role::Parameter, labels)?;
    }
    let source = if let Kind::Fixed(reason) = input.kind { reason } else { cx.free() };
    let kind = outputs.clone().map_or(Kind::Fixed(source), |labels| Kind::Channels { axis: 1, labels });
    cx.set(0, Value { dims: Some(out_dims), ints: None, kind });

    let mut spec = ConvSpec::new(c_in, c_out, [1, 1], [1, 1]);
    (spec.groups, spec.dtype, spec.epilogue.bias) = (groups, dtype, has_bias);
    match place(&mut spec, &input, &window) {
        Ok(()) => cx.layer(LayerDraft { node: cx.node_index(), weight, spec, inputs, outputs }),
        Err(reason) => cx.unmeasurable(reason, source),
    }
    Ok(())
}

fn dense(cx: &mut Cx<'_>, c_out: usize, inputs: Option<&Labels>) -> Result<Option<Labels>, Stop> {
    let outputs = cx.deps.produce(&cx.node().name, c_out);
    cx.claim(1, 0, Role::Producer, &outputs)?;
    if let Some(labels) = inputs {
        cx.claim(1, 1, Role::Consumer, labels)?;
    }
    Ok(Some(outputs))
}

/// A convolution group's kernels go as a whole, with all channels that they read and write.
fn grouped(cx: &mut Cx<'_>, groups: usize, c_out: usize, inputs: Option<&Labels>) -> Result<Option<Labels>, Stop> {
    let Some(inputs) = inputs else { return Ok(None) };
    let reason = cx.reason("ties channels that may go to some that must stay");
    let tied = cx.deps.tie(inputs, inputs.len() / groups, reason);
    let outputs = tied.merged(1, c_out / groups);
    cx.claim(1, 0, Role::Parameter, &outputs)?;
    cx.count(CountAt::Groups(cx.node_index()), tied);
    Ok(Some(outputs))
}

/// Puts image, window and batch into the spec.
fn place(spec: &mut ConvSpec, input: &Value, window: &Window) -> Result<(), &'static str> {
    const UNKNOWN: &str =
        "cannot be timed, for its input's size is unknown: export with a fixed image size, or with shape inference";
    let sides = 2..2 + window.kernel.len();
    let image: Option<Vec<usize>> = sides.map(|axis| input.dim(axis)).collect();
    let (Some(image), Some(batch)) = (image, input.dim(0)) else { return Err(UNKNOWN) };
    // A signal is an image of one row.
    let first = match image.len() {
        1 => 1,
        2 => 0,
        _ => return Err("cannot be timed, for it convolves over three or more axes"),
    };
    (spec.batch, spec.height) = (batch, 1);
    for (i, &length) in image.iter().enumerate() {
        let axis = first + i;
        *[&mut spec.height, &mut spec.width][axis] = length;
        spec.kernel[axis] = window.kernel[i];
        spec.stride[axis] = window.strides[i];
        spec.dilation[axis] = window.dilations[i];
        [spec.padding[axis], spec.padding[axis + 2]] = window.padding(i, length);
    }
    spec.validate().map_err(|_| "cannot be timed, for it has a dimension of 0")
}

pub(super) fn dtype(weight: &Constant) -> Option<DType> {
    match weight.element {
        Ok(ElementType::F32) => Some(DType::F32),
        Ok(ElementType::F16) => Some(DType::F16),
        Ok(ElementType::Bf16) => Some(DType::Bf16),
        _ => None,
    }
}

/// A shape for an error message.
pub(super) fn shape(value: &Value) -> String {
    let dim = |d: &Option<usize>| d.map_or("?".to_owned(), |d| d.to_string());
    value.dims.as_ref().map_or("of unknown rank".to_owned(), |dims| {
        format!("[{}]", dims.iter().map(dim).collect::<Vec<_>>().join(", "))
    })
}
