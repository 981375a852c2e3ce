//! The graph as the library's descriptors.

use super::descriptor::Descriptor;
use super::handle::Handle;
use super::problem::{Binary, Node, Problem, Tensor, Unary};
use crate::GpuError;
use cudarc::cudnn::sys::{
    cudnnBackendAttributeName_t as Attribute, cudnnBackendAttributeType_t as Type,
    cudnnBackendDescriptorType_t as Kind, cudnnConvolutionMode_t as ConvolutionMode, cudnnDataType_t as DataType,
    cudnnPointwiseMode_t as Mode,
};
use netspec::DType;

/// What device allocations are aligned to at least, and rotated operands too; vector loads need 16 bytes.
const ALIGNMENT: i64 = 16;

/// A finalized operation graph with everything that it refers to.
#[derive(Debug)]
pub(crate) struct OperationGraph {
    graph: Descriptor,
    /// The graph refers to its nodes, and they to their tensors and parameters.
    _parts: Vec<Descriptor>,
}

impl OperationGraph {
    /// Builds the descriptors and finalizes them, the graph last.
    pub(crate) fn new(handle: &Handle, problem: &Problem) -> Result<OperationGraph, GpuError> {
        OperationGraph::build(Some(handle), problem)
    }

    fn build(handle: Option<&Handle>, problem: &Problem) -> Result<OperationGraph, GpuError> {
        let Parts { nodes, mut others } = parts(problem)?;
        let mut graph = Descriptor::new(Kind::CUDNN_BACKEND_OPERATIONGRAPH_DESCRIPTOR)?;
        if let Some(handle) = handle {
            graph.set(Attribute::CUDNN_ATTR_OPERATIONGRAPH_HANDLE, Type::CUDNN_TYPE_HANDLE, &[handle.raw()])?;
        }
        graph.refer(Attribute::CUDNN_ATTR_OPERATIONGRAPH_OPS, &nodes.iter().collect::<Vec<_>>())?;
        graph.finalize()?;
        others.extend(nodes);
        Ok(OperationGraph { graph, _parts: others })
    }

    pub(super) fn descriptor(&self) -> &Descriptor {
        &self.graph
    }
}

/// The graph alone, which the library finalizes without a device too.
#[cfg(test)]
pub(super) fn without_handle(problem: &Problem) -> Result<OperationGraph, GpuError> {
    OperationGraph::build(None, problem)
}

/// Finalized descriptors: the nodes in order, and what they refer to.
pub(super) struct Parts {
    pub(super) nodes: Vec<Descriptor>,
    pub(super) others: Vec<Descriptor>,
}

/// Every descriptor of the graph but the graph itself.
pub(super) fn parts(problem: &Problem) -> Result<Parts, GpuError> {
    let mut tensors = Vec::new();
    for tensor in &problem.tensors {
        tensors.push((tensor.uid, tensor_descriptor(tensor, problem.dtype)?));
    }
    let of = |uid: i64| {
        let found = tensors.iter().find(|(of, _)| *of == uid);
        &found.expect("every node names tensors of its own graph").1
    };
    let mut nodes = Vec::new();
    let mut others = Vec::new();
    for node in &problem.nodes {
        let (mut node_descriptor, parameters) = match *node {
            Node::Convolution { x, w, y } => {
                let convolution = convolution(problem)?;
                let mut node = Descriptor::new(Kind::CUDNN_BACKEND_OPERATION_CONVOLUTION_FORWARD_DESCRIPTOR)?;
                node.refer(Attribute::CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_X, &[of(x)])?;
                node.refer(Attribute::CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_W, &[of(w)])?;
                node.refer(Attribute::CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_Y, &[of(y)])?;
                node.refer(Attribute::CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_CONV_DESC, &[&convolution])?;
                let float = Type::CUDNN_TYPE_FLOAT;
                node.set(Attribute::CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_ALPHA, float, &[1.0_f32])?;
                node.set(Attribute::CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_BETA, float, &[0.0_f32])?;
                (node, convolution)
            }
            Node::Binary { mode, x, b, y } => {
                let pointwise = pointwise(match mode {
                    Binary::Add => Mode::CUDNN_POINTWISE_ADD,
                    Binary::Min => Mode::CUDNN_POINTWISE_MIN,
                })?;
                let mut node = pointwise_node(&pointwise, of(x), of(y))?;
                node.refer(Attribute::CUDNN_ATTR_OPERATION_POINTWISE_BDESC, &[of(b)])?;
                (node, pointwise)
            }
            Node::Unary { mode, x, y } => {
                let pointwise = pointwise(match mode {
                    Unary::Relu => Mode::CUDNN_POINTWISE_RELU_FWD,
                    Unary::Swish => Mode::CUDNN_POINTWISE_SWISH_FWD,
                    Unary::Sigmoid => Mode::CUDNN_POINTWISE_SIGMOID_FWD,
                })?;
                (pointwise_node(&pointwise, of(x), of(y))?, pointwise)
            }
        };
        node_descriptor.finalize()?;
        nodes.push(node_descriptor);
        others.push(parameters);
    }
    others.extend(tensors.into_iter().map(|(_, descriptor)| descriptor));
    Ok(Parts { nodes, others })
}

fn data_type(dtype: DType) -> Result<DataType, GpuError> {
    match dtype {
        // Whether f32 data is multiplied as TF32 is a matter of the engine, not of the tensor.
        DType::F32 | DType::Tf32 => Ok(DataType::CUDNN_DATA_FLOAT),
        DType::F16 => Ok(DataType::CUDNN_DATA_HALF),
        DType::Bf16 => Ok(DataType::CUDNN_DATA_BFLOAT16),
        other => Err(GpuError::Unsupported { reason: format!("cuDNN has no tensors of {other}") }),
    }
}

fn tensor_descriptor(tensor: &Tensor, dtype: DType) -> Result<Descriptor, GpuError> {
    let is_f32 = tensor.is_virtual || tensor.is_scalar;
    let of = if is_f32 { DataType::CUDNN_DATA_FLOAT } else { data_type(dtype)? };
    let mut descriptor = Descriptor::new(Kind::CUDNN_BACKEND_TENSOR_DESCRIPTOR)?;
    let int = Type::CUDNN_TYPE_INT64;
    descriptor.set(Attribute::CUDNN_ATTR_TENSOR_DATA_TYPE, Type::CUDNN_TYPE_DATA_TYPE, &[of])?;
    descriptor.set(Attribute::CUDNN_ATTR_TENSOR_DIMENSIONS, int, &tensor.dims)?;
    descriptor.set(Attribute::CUDNN_ATTR_TENSOR_STRIDES, int, &tensor.strides)?;
    descriptor.set(Attribute::CUDNN_ATTR_TENSOR_UNIQUE_ID, int, &[tensor.uid])?;
    descriptor.set(Attribute::CUDNN_ATTR_TENSOR_BYTE_ALIGNMENT, int, &[ALIGNMENT])?;
    descriptor.set(Attribute::CUDNN_ATTR_TENSOR_IS_VIRTUAL, Type::CUDNN_TYPE_BOOLEAN, &[tensor.is_virtual])?;
    descriptor.finalize()?;
    Ok(descriptor)
}

fn convolution(problem: &Problem) -> Result<Descriptor, GpuError> {
    let mut descriptor = Descriptor::new(Kind::CUDNN_BACKEND_CONVOLUTION_DESCRIPTOR)?;
    let (int, data) = (Type::CUDNN_TYPE_INT64, Type::CUDNN_TYPE_DATA_TYPE);
    descriptor.set(Attribute::CUDNN_ATTR_CONVOLUTION_COMP_TYPE, data, &[DataType::CUDNN_DATA_FLOAT])?;
    let mode = [ConvolutionMode::CUDNN_CROSS_CORRELATION];
    descriptor.set(Attribute::CUDNN_ATTR_CONVOLUTION_CONV_MODE, Type::CUDNN_TYPE_CONVOLUTION_MODE, &mode)?;
    descriptor.set(Attribute::CUDNN_ATTR_CONVOLUTION_SPATIAL_DIMS, int, &[2_i64])?;
    descriptor.set(Attribute::CUDNN_ATTR_CONVOLUTION_DILATIONS, int, &problem.dilation)?;
    descriptor.set(Attribute::CUDNN_ATTR_CONVOLUTION_FILTER_STRIDES, int, &problem.stride)?;
    descriptor.set(Attribute::CUDNN_ATTR_CONVOLUTION_PRE_PADDINGS, int, &problem.pre_padding)?;
    descriptor.set(Attribute::CUDNN_ATTR_CONVOLUTION_POST_PADDINGS, int, &problem.post_padding)?;
    descriptor.finalize()?;
    Ok(descriptor)
}

fn pointwise(mode: Mode) -> Result<Descriptor, GpuError> {
    let mut descriptor = Descriptor::new(Kind::CUDNN_BACKEND_POINTWISE_DESCRIPTOR)?;
    let data = Type::CUDNN_TYPE_DATA_TYPE;
    descriptor.set(Attribute::CUDNN_ATTR_POINTWISE_MODE, Type::CUDNN_TYPE_POINTWISE_MODE, &[mode])?;
    descriptor.set(Attribute::CUDNN_ATTR_POINTWISE_MATH_PREC, data, &[DataType::CUDNN_DATA_FLOAT])?;
    descriptor.finalize()?;
    Ok(descriptor)
}

fn pointwise_node(pointwise: &Descriptor, x: &Descriptor, y: &Descriptor) -> Result<Descriptor, GpuError> {
    let mut node = Descriptor::new(Kind::CUDNN_BACKEND_OPERATION_POINTWISE_DESCRIPTOR)?;
    node.refer(Attribute::CUDNN_ATTR_OPERATION_POINTWISE_PW_DESCRIPTOR, &[pointwise])?;
    node.refer(Attribute::CUDNN_ATTR_OPERATION_POINTWISE_XDESC, &[x])?;
    node.refer(Attribute::CUDNN_ATTR_OPERATION_POINTWISE_YDESC, &[y])?;
    Ok(node)
}
