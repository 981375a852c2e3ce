//! A rule per operator family, and the table that finds it.

mod arithmetic;
mod axes;
mod binary;
mod concat;
mod conv;
mod conv_transpose;
mod einsum;
mod expand;
mod fold;
mod gather;
mod gemm;
mod norm;
mod pad;
mod pointwise;
mod pool;
mod recurrent;
mod reduce;
mod reshape;
mod resize;
mod sample;
mod slice;
mod space;
mod window;

use super::{Cx, Stop};
use crate::graph::Node;

/// What a rule does with numbers and constants among its inputs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reads {
    /// Any number that it reads must not change.
    Images,
    /// It passes numbers on, or says itself what becomes of them.
    Numbers,
    /// It gives its input another name.
    Aliases,
}

#[derive(Clone, Copy)]
pub(crate) struct Rule {
    pub(crate) apply: fn(&mut Cx<'_>) -> Result<(), Stop>,
    pub(crate) reads: Reads,
}

const NO_RULE: &str = "has no rule here, so the channels that reach it must all stay";
const INNER_GRAPHS: &str = "runs inner graphs, which are not followed";
const QUANTIZED: &str = "computes with quantized numbers: prune the floating-point model, and quantize the result";

const OPTIMIZED: &str =
    "is an operator of ONNX Runtime's own, so the file was optimized by it: prune the model from which it was made";
const FOREIGN: &str = "is of a domain other than ONNX's own and has no rule here; if the file defines it as a function, \
                       inline that first (`onnx.inliner.inline_local_functions`)";

/// Whether a reason says what is the matter with the whole file.
pub(crate) fn is_of_file(reason: &str) -> bool {
    [QUANTIZED, OPTIMIZED, FOREIGN].contains(&reason)
}

/// The rule for a node's operator, or why there is none.
pub(crate) fn rule_for(node: &Node) -> Result<Rule, &'static str> {
    let images = |apply| Ok(Rule { apply, reads: Reads::Images });
    let numbers = |apply| Ok(Rule { apply, reads: Reads::Numbers });
    if node.domain.starts_with("com.microsoft") {
        return Err(OPTIMIZED);
    }
    if !node.is_standard() {
        return Err(FOREIGN);
    }
    match node.op.as_str() {
        "Conv" => images(conv::conv),
        "ConvTranspose" => images(conv_transpose::conv_transpose),
        "Gemm" => images(gemm::gemm),
        "MatMul" => images(gemm::matmul),
        "Einsum" => images(einsum::einsum),
        "LSTM" | "GRU" | "RNN" => images(recurrent::recurrent),
        "BatchNormalization" => images(norm::batch_normalization),
        "InstanceNormalization" => images(norm::instance_normalization),
        "GroupNormalization" => images(norm::group_normalization),
        "LayerNormalization" | "RMSNormalization" => images(norm::layer_normalization),
        "MeanVarianceNormalization" | "LpNormalization" => images(norm::over_axes),
        "LRN" => images(norm::local_response),
        "Relu" | "Sigmoid" | "HardSigmoid" | "HardSwish" | "LeakyRelu" | "Elu" | "Selu" | "Celu" | "Tanh"
        | "Softplus" | "Softsign" | "ThresholdedRelu" | "Gelu" | "Mish" | "Swish" | "Shrink" | "Erf" | "Exp"
        | "Log" | "Sqrt" | "Reciprocal" | "Abs" | "Neg" | "Sign" | "Ceil" | "Floor" | "Round" | "Sin" | "Cos"
        | "Tan" | "Asin" | "Acos" | "Atan" | "Sinh" | "Cosh" | "Asinh" | "Acosh" | "Atanh" | "Not" | "IsNaN"
        | "IsInf" | "BitwiseNot" => images(pointwise::unary),
        "Clip" => images(pointwise::clip),
        "PRelu" => images(pointwise::prelu),
        "Dropout" => images(pointwise::dropout),
        "Identity" => Ok(Rule { apply: pointwise::identity, reads: Reads::Aliases }),
        "Cast" => numbers(pointwise::cast),
        "Add" | "Sub" | "Mul" | "Div" | "Pow" | "Mod" | "Min" | "Max" | "Sum" | "Mean" | "And" | "Or" | "Xor"
        | "Equal" | "Greater" | "Less" | "GreaterOrEqual" | "LessOrEqual" | "Where" | "BitwiseAnd" | "BitwiseOr"
        | "BitwiseXor" | "BitShift" => numbers(binary::elementwise),
        "MaxPool" | "AveragePool" | "LpPool" => images(pool::pool),
        "GlobalAveragePool" | "GlobalMaxPool" | "GlobalLpPool" => images(pool::global),
        "MaxUnpool" => numbers(pool::unpool),
        "GridSample" => images(sample::grid_sample),
        "RoiAlign" => images(sample::roi_align),
        "ReduceMean" | "ReduceSum" | "ReduceMax" | "ReduceMin" | "ReduceProd" | "ReduceL1" | "ReduceL2"
        | "ReduceLogSum" | "ReduceLogSumExp" | "ReduceSumSquare" | "ArgMax" | "ArgMin" => images(reduce::reduce),
        "Softmax" | "LogSoftmax" | "Hardmax" => images(reduce::softmax),
        "CumSum" => images(reduce::cumulative),
        "Pad" => numbers(pad::pad),
        "Slice" => numbers(slice::slice),
        "Split" => numbers(slice::split),
        "Concat" => numbers(concat::concat),
        "Gather" => numbers(gather::gather),
        "Resize" | "Upsample" => numbers(resize::resize),
        "DepthToSpace" => images(space::depth_to_space),
        "SpaceToDepth" => images(space::space_to_depth),
        "Expand" => numbers(expand::expand),
        "Tile" => numbers(expand::tile),
        "Flatten" => images(reshape::flatten),
        "Reshape" => numbers(reshape::reshape),
        "Squeeze" => numbers(axes::squeeze),
        "Unsqueeze" => numbers(axes::unsqueeze),
        "Transpose" => images(axes::transpose),
        "Constant" => numbers(fold::constant),
        "ConstantOfShape" => numbers(fold::constant_of_shape),
        "Shape" => numbers(fold::shape),
        "QuantizeLinear"
        | "DequantizeLinear"
        | "DynamicQuantizeLinear"
        | "QLinearConv"
        | "QLinearMatMul"
        | "ConvInteger"
        | "MatMulInteger" => Err(QUANTIZED),
        "If" => images(fold::branch),
        "Loop" | "Scan" => Err(INNER_GRAPHS),
        _ => Err(NO_RULE),
    }
}
