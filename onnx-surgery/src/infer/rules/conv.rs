//! Conv: dense convolutions make channels; grouped and depthwise ones tie them into blocks.

use super::window::Window;
use super::{Cx, Stop};
use crate::dependency::{Labels, Layout};
use crate::infer::{Kind, LayerDraft, Value, product};
use netspec::{ConvSpec, DType, ElementType, Role};

pub(super) fn conv(cx: &mut Cx<'_>) -> Result<(), Stop> {
    let weight = match cx.weight(1) {
        Err(Stop::Freeze(reason)) => {
            cx.unmeasurable("cannot be timed, for its weights are computed at run time", cx.free(), None);
            return Err(Stop::Freeze(reason));
        }
        weight => weight?,
    };
    let dtype = dtype(weight.element)?;
    let dims = weight.dims;
    let groups = groups(cx)?;
    if dims.len() < 3 || dims.contains(&0) || !dims[0].is_multiple_of(groups) {
        return Err(cx.refuse(format!("its weights have the shape {dims:?} in {groups} groups")));
    }
    let (c_out, per_group) = (dims[0], dims[1]);
    let c_in = per_group.checked_mul(groups).ok_or_else(|| cx.refuse("`group` is out of range"))?;
    let (input, inputs) = image(cx, &dims, c_in)?;
    let has_bias = has_bias(cx, c_out)?;
    let window = Window::new(cx, dims[2..].to_vec())?;
    let mut out_dims = vec![input.dim(0), Some(c_out)];
    for axis in 0..window.kernel.len() {
        let length = input.dim(axis + 2);
        out_dims.push(length.map(|length| window.output(cx, axis, length)).transpose()?);
    }

    let outputs = if groups == 1 {
        let outputs = cx.produce(c_out)?;
        cx.claim(1, 0, Role::Producer, &outputs)?;
        if let Some(labels) = &inputs {
            cx.claim(1, 1, Role::Consumer, labels)?;
        }
        Some(outputs)
    } else {
        grouped(cx, groups, c_out, inputs.as_ref(), false)?
    };
    let macs = product(&out_dims).and_then(|written| macs(&[&[written], &dims[1..]].concat()));
    let source = finish(cx, &input, out_dims, outputs.as_ref(), has_bias)?;

    let mut spec = ConvSpec::new(c_in, c_out, [1, 1], [1, 1]);
    (spec.groups, spec.epilogue.bias) = (groups, has_bias);
    let placed = place(&mut spec, &input, &window).and_then(|()| {
        spec.dtype = dtype.ok_or(DOUBLE)?;
        Ok(())
    });
    match placed {
        Ok(()) => cx.layer(LayerDraft { node: cx.node_index(), weight: weight.name, spec, inputs, outputs }),
        Err(reason) => cx.unmeasurable(reason, source, macs),
    }
    Ok(())
}

/// The product, unless it overflows.
pub(super) fn macs(factors: &[usize]) -> Option<u64> {
    factors.iter().try_fold(1_u64, |n, &factor| n.checked_mul(u64::try_from(factor).ok()?))
}

/// The attribute `group`.
pub(super) fn groups(cx: &Cx<'_>) -> Result<usize, Stop> {
    let groups = usize::try_from(cx.node().int("group", 1)).ok().filter(|&g| g > 0);
    groups.ok_or_else(|| cx.refuse("`group` is not positive"))
}

/// The image that is convolved, and the labels of its channels, if it has any.
pub(super) fn image(cx: &mut Cx<'_>, weight: &[usize], c_in: usize) -> Result<(Value, Option<Labels>), Stop> {
    let input = cx.input(0)?.clone();
    let fits = input.rank().is_none_or(|rank| rank == weight.len()) && input.dim(1).is_none_or(|c| c == c_in);
    if !fits || input.is_stored() {
        return Err(cx.refuse(format!("its input {} does not fit its {c_in} channels", shape(&input))));
    }
    let labels = cx.line(&input, 1)?;
    Ok((input, labels))
}

pub(super) fn has_bias(cx: &Cx<'_>, c_out: usize) -> Result<bool, Stop> {
    let has_bias = cx.optional(2).is_some();
    if has_bias && cx.weight(2)?.dims != [c_out] {
        return Err(cx.refuse(format!("its bias does not have {c_out} elements")));
    }
    Ok(has_bias)
}

/// Claims the bias and writes the output. Answers what its channels come from, where they cannot change.
pub(super) fn finish(
    cx: &mut Cx<'_>,
    input: &Value,
    dims: Vec<Option<usize>>,
    outputs: Option<&Labels>,
    has_bias: bool,
) -> Result<crate::dependency::Reason, Stop> {
    if let (Some(labels), true) = (outputs, has_bias) {
        cx.claim(2, 0, Role::Parameter, labels)?;
    }
    let source = if let Kind::Fixed(reason) = input.kind { reason } else { cx.free() };
    let kind =
        outputs.map_or(Kind::Fixed(source), |labels| Kind::Channels(Layout::on_axis(labels.clone(), dims.len(), 1)));
    cx.set(0, Value { dims: Some(dims), ints: None, kind });
    Ok(source)
}

/// A convolution group's kernels go as a whole, with all channels that they read and write.
///
/// The weight's first axis counts inputs in a transposed convolution, and outputs in any other.
pub(super) fn grouped(
    cx: &mut Cx<'_>,
    groups: usize,
    c_out: usize,
    inputs: Option<&Labels>,
    is_transposed: bool,
) -> Result<Option<Labels>, Stop> {
    let Some(inputs) = inputs else { return Ok(None) };
    cx.take_positions(c_out)?;
    let reason = cx.reason("ties channels that may go to some that must stay");
    let tied = cx.deps.tie(inputs, inputs.len() / groups, reason);
    let outputs = tied.merged(1, c_out / groups);
    cx.claim(1, 0, Role::Parameter, if is_transposed { inputs } else { &outputs })?;
    cx.count_attribute("group", None, &tied);
    Ok(Some(outputs))
}

/// Puts image, window and batch into the spec.
fn place(spec: &mut ConvSpec, input: &Value, window: &Window) -> Result<(), &'static str> {
    const UNKNOWN: &str = "cannot be timed, for its input's size is unknown: state the sizes of the inputs, or export with shape inference";
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

pub(super) const DOUBLE: &str = "cannot be timed, for it computes in double precision";

/// The type that a layer computes in; nothing for one that cannot be timed.
pub(super) fn dtype(element: Result<ElementType, i32>) -> Result<Option<DType>, Stop> {
    match element {
        Ok(ElementType::F32) => Ok(Some(DType::F32)),
        Ok(ElementType::F16) => Ok(Some(DType::F16)),
        Ok(ElementType::Bf16) => Ok(Some(DType::Bf16)),
        Ok(ElementType::F64) => Ok(None),
        _ => Err(Stop::Freeze("has weights that are not floating-point".to_owned())),
    }
}

/// A shape for an error message.
pub(super) fn shape(value: &Value) -> String {
    let dim = |d: &Option<usize>| d.map_or("?".to_owned(), |d| d.to_string());
    value.dims.as_ref().map_or("of unknown rank".to_owned(), |dims| {
        format!("[{}]", dims.iter().map(dim).collect::<Vec<_>>().join(", "))
    })
}
