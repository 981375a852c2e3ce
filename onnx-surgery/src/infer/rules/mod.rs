//! A rule per operator family, and the table that finds it.

mod axes;
mod binary;
mod concat;
mod conv;
mod fold;
mod gemm;
mod norm;
mod pointwise;
mod pool;
mod reduce;
mod reshape;
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

/// The rule for a node's operator, if there is one.
pub(crate) fn rule_for(node: &Node) -> Option<Rule> {
    let images = |apply| Some(Rule { apply, reads: Reads::Images });
    let numbers = |apply| Some(Rule { apply, reads: Reads::Numbers });
    if !node.is_standard {
        return None;
    }
    match node.op.as_str() {
        "Conv" => images(conv::conv),
        "Gemm" => images(gemm::gemm),
        "MatMul" => images(gemm::matmul),
        "BatchNormalization" => images(norm::batch_normalization),
        "Relu" | "Sigmoid" | "HardSigmoid" | "HardSwish" | "LeakyRelu" | "Elu" | "Selu" | "Celu" | "Tanh"
        | "Softplus" | "Softsign" | "ThresholdedRelu" | "Gelu" | "Mish" | "Erf" | "Exp" | "Sqrt" | "Abs" | "Neg" => {
            images(pointwise::unary)
        }
        "Clip" => images(pointwise::clip),
        "Dropout" => images(pointwise::dropout),
        "Identity" => Some(Rule { apply: pointwise::identity, reads: Reads::Aliases }),
        "Cast" => numbers(pointwise::cast),
        "Add" | "Sub" | "Mul" | "Div" => images(binary::binary),
        "MaxPool" | "AveragePool" | "LpPool" => images(pool::pool),
        "GlobalAveragePool" | "GlobalMaxPool" => images(pool::global),
        "ReduceMean" | "ReduceSum" | "ReduceMax" | "ReduceMin" | "ReduceL2" => images(reduce::reduce),
        "Flatten" => images(reshape::flatten),
        "Reshape" => numbers(reshape::reshape),
        "Squeeze" => numbers(axes::squeeze),
        "Unsqueeze" => numbers(axes::unsqueeze),
        "Transpose" => images(axes::transpose),
        "Concat" => numbers(concat::concat),
        "Constant" => numbers(fold::constant),
        "Shape" => numbers(fold::shape),
        "Gather" => numbers(fold::gather),
        "Slice" => numbers(fold::slice),
        _ => None,
    }
}
