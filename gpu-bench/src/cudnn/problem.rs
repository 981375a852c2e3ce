//! A convolution and its epilogue as a graph, in plain data.

use netspec::{Activation, ConvSpec, DType, Layout};

/// A tensor of the graph.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Tensor {
    /// Names it among the graph's tensors, and in what is run.
    pub(crate) uid: i64,
    /// Batch, channels, height, width; for weights output channels, input channels per group, kernel height and width.
    pub(crate) dims: [i64; 4],
    /// Elements between neighbors along each dimension.
    pub(crate) strides: [i64; 4],
    /// Whether it exists inside of a kernel only; such tensors are in f32.
    pub(crate) is_virtual: bool,
    /// Whether it is one number in f32, whatever the type of the others.
    pub(crate) is_scalar: bool,
}

/// What one node does; tensors are named by their uid.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Node {
    /// The convolution itself.
    Convolution { x: i64, w: i64, y: i64 },
    /// One of two operands, element by element, a dimension of 1 being repeated.
    Binary { mode: Binary, x: i64, b: i64, y: i64 },
    /// One operand, element by element.
    Unary { mode: Unary, x: i64, y: i64 },
}

/// Functions of two operands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Binary {
    Add,
    Min,
}

/// Functions of one operand.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Unary {
    /// max(x, 0).
    Relu,
    /// x * sigmoid(x).
    Swish,
    Sigmoid,
}

/// The graph of a spec.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Problem {
    pub(crate) dtype: DType,
    pub(crate) tensors: Vec<Tensor>,
    pub(crate) nodes: Vec<Node>,
    pub(crate) pre_padding: [i64; 2],
    pub(crate) post_padding: [i64; 2],
    pub(crate) stride: [i64; 2],
    pub(crate) dilation: [i64; 2],
}

/// The tensors that exist outside of the graph; virtual ones are numbered from [`VIRTUAL`].
pub(crate) const X: i64 = 1;
pub(crate) const W: i64 = 2;
pub(crate) const Y: i64 = 3;
pub(crate) const BIAS: i64 = 4;
pub(crate) const RESIDUAL: i64 = 5;
/// The number six, where ReLU6 ends.
pub(crate) const SIX: i64 = 6;
const VIRTUAL: i64 = 100;

impl Problem {
    /// Convolution, residual, bias, activation: the order in which the library has compiled fusions; why not, where it has
    /// no node for one of them.
    pub(crate) fn new(spec: &ConvSpec) -> Result<Problem, String> {
        spec.validate().map_err(|error| error.to_string())?;
        let activation = match spec.epilogue.activation {
            Activation::None => None,
            // ReLU6 is ReLU and a minimum: a ReLU with an upper bound fits a fused pattern that only an engine without
            // tensor cores has a kernel for (seen with 9.28 for Turing, Ampere and Hopper).
            Activation::Relu | Activation::Relu6 => Some(Unary::Relu),
            Activation::Silu => Some(Unary::Swish),
            Activation::Sigmoid => Some(Unary::Sigmoid),
            other => return Err(format!("cuDNN has no pointwise mode for {other:?}")),
        };
        let [out_h, out_w] = spec.out_hw();
        let out = dims([spec.batch, spec.c_out, out_h, out_w]);
        let tensor =
            |uid, dims| Tensor { uid, dims, strides: strides(dims, spec.layout), is_virtual: false, is_scalar: false };
        let mut problem = Problem {
            dtype: spec.dtype,
            tensors: vec![
                tensor(X, dims([spec.batch, spec.c_in, spec.height, spec.width])),
                tensor(W, dims([spec.c_out, spec.c_in / spec.groups, spec.kernel[0], spec.kernel[1]])),
            ],
            nodes: Vec::new(),
            pre_padding: dims([spec.padding[0], spec.padding[1]]),
            post_padding: dims([spec.padding[2], spec.padding[3]]),
            stride: dims(spec.stride),
            dilation: dims(spec.dilation),
        };
        // What each node after the convolution does to the running result.
        let mut steps: Vec<Box<dyn Fn(i64, i64) -> Node>> = Vec::new();
        if spec.epilogue.residual {
            problem.tensors.push(tensor(RESIDUAL, out));
            steps.push(Box::new(|x, y| Node::Binary { mode: Binary::Add, x, b: RESIDUAL, y }));
        }
        if spec.epilogue.bias {
            problem.tensors.push(tensor(BIAS, dims([1, spec.c_out, 1, 1])));
            steps.push(Box::new(|x, y| Node::Binary { mode: Binary::Add, x, b: BIAS, y }));
        }
        if let Some(mode) = activation {
            steps.push(Box::new(move |x, y| Node::Unary { mode, x, y }));
        }
        if spec.epilogue.activation == Activation::Relu6 {
            problem.tensors.push(Tensor { is_scalar: true, ..tensor(SIX, [1; 4]) });
            steps.push(Box::new(|x, y| Node::Binary { mode: Binary::Min, x, b: SIX, y }));
        }
        let mut running = if steps.is_empty() { Y } else { VIRTUAL };
        problem.nodes.push(Node::Convolution { x: X, w: W, y: running });
        for (i, step) in steps.iter().enumerate() {
            problem.tensors.push(Tensor { is_virtual: true, ..tensor(running, out) });
            let next = if i + 1 == steps.len() { Y } else { running + 1 };
            problem.nodes.push(step(running, next));
            running = next;
        }
        problem.tensors.push(tensor(Y, out));
        Ok(problem)
    }
}

fn dims<const N: usize>(sizes: [usize; N]) -> [i64; N] {
    sizes.map(|size| i64::try_from(size).unwrap_or(i64::MAX))
}

/// Elements between neighbors of a dense tensor in this order.
fn strides([_, c, h, w]: [i64; 4], layout: Layout) -> [i64; 4] {
    match layout {
        Layout::Nhwc => [h * w * c, 1, w * c, c],
        _ => [c * h * w, h * w, w, 1],
    }
}

#[cfg(test)]
mod tests {
    use super::{BIAS, Binary, Node, Problem, RESIDUAL, SIX, Unary, VIRTUAL, W, X, Y};

    fn problem(text: &str) -> Problem {
        Problem::new(&text.parse().expect("a spec")).expect("a graph")
    }

    #[test]
    fn a_bare_convolution_is_one_node() {
        let bare = problem("n2 6>4 9x7 k3x5 s2x1 p1.0.2.3 g2 f16 nhwc");
        assert_eq!(bare.nodes, [Node::Convolution { x: X, w: W, y: Y }]);
        assert_eq!([bare.pre_padding, bare.post_padding], [[1, 0], [2, 3]]);
        // Output: (9 + 1 + 2 - 3) / 2 + 1 = 5 by 7 + 0 + 3 - 5 + 1 = 6.
        let shapes: Vec<_> = bare.tensors.iter().map(|t| (t.uid, t.dims, t.strides)).collect();
        assert_eq!(
            shapes,
            [(X, [2, 6, 9, 7], [378, 1, 42, 6]), (W, [4, 3, 3, 5], [45, 1, 15, 3]), (Y, [2, 4, 5, 6], [120, 1, 24, 4])]
        );
    }

    #[test]
    fn an_epilogue_adds_its_nodes_in_order() {
        let mut spec: netspec::ConvSpec = "n1 8>4 5x5 k1 f16 nhwc".parse().expect("a spec");
        spec.epilogue = netspec::Epilogue { bias: true, residual: true, activation: netspec::Activation::Relu6 };
        let full = Problem::new(&spec).expect("a graph");
        let [conv, added, biased, rectified] = [VIRTUAL, VIRTUAL + 1, VIRTUAL + 2, VIRTUAL + 3];
        assert_eq!(
            full.nodes,
            [
                Node::Convolution { x: X, w: W, y: conv },
                Node::Binary { mode: Binary::Add, x: conv, b: RESIDUAL, y: added },
                Node::Binary { mode: Binary::Add, x: added, b: BIAS, y: biased },
                Node::Unary { mode: Unary::Relu, x: biased, y: rectified },
                Node::Binary { mode: Binary::Min, x: rectified, b: SIX, y: Y }
            ]
        );
        let outside: Vec<i64> = full.tensors.iter().filter(|t| !t.is_virtual).map(|t| t.uid).collect();
        assert_eq!(outside, [X, W, RESIDUAL, BIAS, SIX, Y]);
        assert_eq!(full.tensors.iter().find(|t| t.uid == BIAS).map(|t| t.dims), Some([1, 4, 1, 1]));
    }

    #[test]
    fn what_the_library_has_no_node_for_says_so() {
        let mut spec: netspec::ConvSpec = "n1 8>4 5x5 k1".parse().expect("a spec");
        spec.epilogue.activation = netspec::Activation::HardSwish;
        assert_eq!(Problem::new(&spec), Err("cuDNN has no pointwise mode for HardSwish".to_owned()));
    }
}
