//! Gemm and MatMul with weights in the file: fully connected layers, whichever side the weights are on.

use super::conv::{DOUBLE, dtype, macs, shape};
use super::{Cx, Stop};
use crate::dependency::{Labels, Layout};
use crate::graph::TensorId;
use crate::infer::{Kind, LayerDraft, Value, product as count};
use netspec::{ConvSpec, DType, Role};

pub(super) fn gemm(cx: &mut Cx<'_>) -> Result<(), Stop> {
    let node = cx.node();
    if node.int("transA", 0) != 0 {
        return Err(Stop::Freeze("multiplies with its input transposed".to_owned()));
    }
    let out_axis = if node.int("transB", 0) != 0 { 0 } else { 1 };
    let full = Full::new(cx, 1, out_axis)?;
    let bias = match cx.optional(2) {
        None => None,
        Some(_) => Some(cx.weight(2)?.dims),
    };
    // The addend has one element per output, or is broadcast.
    let follows = |dims: &Vec<usize>| dims.last().is_some_and(|&d| d == full.c_out && d > 1);
    let bias_axis = bias.as_ref().filter(|dims| follows(dims)).map(|dims| dims.len() - 1);
    full.apply(cx, bias.is_some(), bias_axis)
}

/// `x @ W`, or `W @ x`, in which channels are the last axis of `x` but one.
pub(super) fn matmul(cx: &mut Cx<'_>) -> Result<(), Stop> {
    let is_left = cx.input(0)?.is_stored() && !cx.input(1)?.is_stored();
    if is_left { Full::new(cx, 0, 0)?.apply(cx, false, None) } else { Full::new(cx, 1, 1)?.apply(cx, false, None) }
}

/// A fully connected layer.
struct Full {
    /// Which input the weight is.
    place: usize,
    /// The weight's axis of output channels; the other one has the input channels.
    out_axis: usize,
    c_out: usize,
    /// The axis of channels in input and output.
    axis: usize,
    product: Product,
    input: Value,
}

impl Full {
    /// Reads and checks; nothing is recorded yet.
    fn new(cx: &mut Cx<'_>, place: usize, out_axis: usize) -> Result<Full, Stop> {
        let weight = cx.weight(place)?;
        let [rows, columns] = weight.dims[..] else {
            return Err(Stop::Freeze("multiplies with weights that are no matrix".to_owned()));
        };
        let dtype = dtype(weight.element)?;
        let (c_out, c_in) = if out_axis == 0 { (rows, columns) } else { (columns, rows) };
        let input = cx.input(1 - place)?.clone();
        let Some(rank) = input.rank() else {
            return Err(Stop::Freeze("multiplies an input of unknown rank".to_owned()));
        };
        let axis = rank.checked_sub(if place == 0 { 2 } else { 1 }).filter(|_| rank > 1);
        let fits = |axis: &usize| c_in > 0 && c_out > 0 && input.dim(*axis).is_none_or(|c| c == c_in);
        let axis = axis
            .filter(fits)
            .ok_or_else(|| cx.refuse(format!("its input {} does not fit its {c_in} channels", shape(&input))))?;
        if input.is_stored() {
            return Err(Stop::Freeze("multiplies two constants".to_owned()));
        }
        let inputs = cx.line(&input, axis)?;
        Ok(Full { place, out_axis, c_out, axis, product: Product { weight: weight.name, dtype, c_in, inputs }, input })
    }

    fn apply(self, cx: &mut Cx<'_>, has_bias: bool, bias_axis: Option<usize>) -> Result<(), Stop> {
        let Full { place, out_axis, c_out, axis, product, input } = self;
        let outputs = cx.produce(c_out)?;
        cx.claim(place, out_axis, Role::Producer, &outputs)?;
        if let Some(labels) = &product.inputs {
            cx.claim(place, 1 - out_axis, Role::Consumer, labels)?;
        }
        if let Some(axis) = bias_axis {
            cx.claim(2, axis, Role::Parameter, &outputs)?;
        }
        product.record(cx, &input, axis, &outputs, has_bias);
        let mut dims = input.dims.unwrap_or_default();
        dims[axis] = Some(c_out);
        let kind = Kind::Channels(Layout::on_axis(outputs, dims.len(), axis));
        cx.set(0, Value { dims: Some(dims), ints: None, kind });
        Ok(())
    }
}

/// A product with a matrix of weights along one axis of an input: a convolution of one pixel.
pub(super) struct Product {
    pub(super) weight: TensorId,
    /// The type that it computes in; `None` if it cannot be timed.
    pub(super) dtype: Option<DType>,
    pub(super) c_in: usize,
    /// The labels of the input channels, if they have any.
    pub(super) inputs: Option<Labels>,
}

impl Product {
    /// Records the layer. Its channels are on this axis of the input.
    pub(super) fn record(self, cx: &mut Cx<'_>, input: &Value, axis: usize, outputs: &Labels, has_bias: bool) {
        let Product { weight, dtype, c_in, inputs } = self;
        let dims = input.dims.as_deref().unwrap_or_default();
        let batch = if axis == 0 { Some(1) } else { dims.first().copied().flatten().filter(|&batch| batch > 0) };
        // Rows that are not images of the batch are the rows of one image.
        let rows = (0..dims.len()).filter(|&other| other != axis && other != 0).map(|other| dims[other]);
        let rows = count(&rows.collect::<Vec<_>>()).filter(|&rows| rows > 0);
        match (batch, rows, dtype) {
            (Some(batch), Some(rows), Some(dtype)) => {
                let mut spec = ConvSpec::new(c_in, outputs.len(), [rows, 1], [1, 1]);
                (spec.batch, spec.dtype, spec.epilogue.bias) = (batch, dtype, has_bias);
                let outputs = Some(outputs.clone());
                cx.layer(LayerDraft { node: cx.node_index(), weight, spec, inputs, outputs });
            }
            _ => {
                let source = if let Kind::Fixed(reason) = input.kind { reason } else { cx.free() };
                let rows = "cannot be timed, for its number of rows is unknown: export with fixed sizes";
                let others = (0..dims.len()).filter(|&other| other != axis).map(|other| dims[other]);
                let positions = count(&others.collect::<Vec<_>>());
                let macs = positions.and_then(|positions| macs(&[positions, c_in, outputs.len()]));
                cx.unmeasurable(if dtype.is_none() { DOUBLE } else { rows }, source, macs);
            }
        }
    }
}
