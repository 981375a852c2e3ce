//! Gemm and MatMul with weights in the file: fully connected layers.

use super::conv::{DOUBLE, dtype, macs, shape};
use super::{Cx, Stop};
use crate::dependency::{Labels, Layout};
use crate::graph::TensorId;
use crate::infer::{Kind, LayerDraft, Value, product};
use netspec::{ConvSpec, DType, Role};

pub(super) fn gemm(cx: &mut Cx<'_>) -> Result<(), Stop> {
    let node = cx.node();
    if node.int("transA", 0) != 0 {
        return Err(Stop::Freeze("multiplies with its input transposed".to_owned()));
    }
    let out_axis = if node.int("transB", 0) != 0 { 0 } else { 1 };
    let full = Full::new(cx, out_axis)?;
    let bias = match cx.optional(2) {
        None => None,
        Some(_) => Some(cx.weight(2)?.dims),
    };
    // The addend has one element per output, or is broadcast.
    let follows = |dims: &Vec<usize>| dims.last().is_some_and(|&d| d == full.c_out && d > 1);
    let bias_axis = bias.as_ref().filter(|dims| follows(dims)).map(|dims| dims.len() - 1);
    full.apply(cx, bias.is_some(), bias_axis)
}

pub(super) fn matmul(cx: &mut Cx<'_>) -> Result<(), Stop> {
    Full::new(cx, 1)?.apply(cx, false, None)
}

/// A fully connected layer.
struct Full {
    weight: TensorId,
    dtype: Option<DType>,
    /// The weight's axis of output channels; the other one has the input channels.
    out_axis: usize,
    c_in: usize,
    c_out: usize,
    input: Value,
    inputs: Option<Labels>,
}

impl Full {
    /// Reads and checks; nothing is recorded yet.
    fn new(cx: &mut Cx<'_>, out_axis: usize) -> Result<Full, Stop> {
        let weight = cx.weight(1)?;
        let [rows, columns] = weight.dims[..] else {
            return Err(Stop::Freeze("multiplies with weights that are no matrix".to_owned()));
        };
        let dtype = dtype(weight.element)?;
        let (c_out, c_in) = if out_axis == 0 { (rows, columns) } else { (columns, rows) };
        let input = cx.input(0)?.clone();
        let Some(last) = input.rank().map(|rank| rank.saturating_sub(1)) else {
            return Err(Stop::Freeze("multiplies an input of unknown rank".to_owned()));
        };
        if c_in == 0 || c_out == 0 || last == 0 || input.dim(last).is_some_and(|c| c != c_in) {
            return Err(cx.refuse(format!("its input {} does not fit its {c_in} channels", shape(&input))));
        }
        if input.is_stored() {
            return Err(Stop::Freeze("multiplies two constants".to_owned()));
        }
        let inputs = cx.line(&input, last)?;
        Ok(Full { weight: weight.name, dtype, out_axis, c_in, c_out, input, inputs })
    }

    fn apply(self, cx: &mut Cx<'_>, has_bias: bool, bias_axis: Option<usize>) -> Result<(), Stop> {
        let Full { weight, dtype, out_axis, c_in, c_out, input, inputs } = self;
        let mut dims = input.dims.clone().unwrap_or_default();
        let last = dims.len() - 1;
        dims[last] = Some(c_out);
        let outputs = cx.produce(c_out)?;
        cx.claim(1, out_axis, Role::Producer, &outputs)?;
        if let Some(labels) = &inputs {
            cx.claim(1, 1 - out_axis, Role::Consumer, labels)?;
        }
        if let Some(axis) = bias_axis {
            cx.claim(2, axis, Role::Parameter, &outputs)?;
        }
        // Rows that are not images of the batch are the rows of one image.
        let rows = product(&dims[1..last]).filter(|&rows| rows > 0);
        match (dims[0].filter(|&batch| batch > 0), rows, dtype) {
            (Some(batch), Some(rows), Some(dtype)) => {
                let mut spec = ConvSpec::new(c_in, c_out, [rows, 1], [1, 1]);
                (spec.batch, spec.dtype, spec.epilogue.bias) = (batch, dtype, has_bias);
                let outputs = Some(outputs.clone());
                cx.layer(LayerDraft { node: cx.node_index(), weight, spec, inputs, outputs });
            }
            _ => {
                let source = if let Kind::Fixed(reason) = input.kind { reason } else { cx.free() };
                let rows = "cannot be timed, for its number of rows is unknown: export with fixed sizes";
                let macs = product(&dims[..last]).and_then(|rows| macs(&[rows, c_in, c_out]));
                cx.unmeasurable(if dtype.is_none() { DOUBLE } else { rows }, source, macs);
            }
        }
        let kind = Kind::Channels(Layout::on_axis(outputs, dims.len(), last));
        cx.set(0, Value { dims: Some(dims), ints: None, kind });
        Ok(())
    }
}
