//! Field numbers.

pub(super) const MODEL_IR_VERSION: u64 = 1;
pub(crate) const GRAPH_NODE: u64 = 1;
pub(crate) const GRAPH_INITIALIZER: u64 = 5;
pub(crate) const GRAPH_INPUT: u64 = 11;
pub(crate) const GRAPH_OUTPUT: u64 = 12;
pub(crate) const GRAPH_VALUE_INFO: u64 = 13;
pub(super) const NODE_INPUT: u64 = 1;
pub(super) const NODE_ATTRIBUTE: u64 = 5;
pub(super) const ATTRIBUTE_NAME: u64 = 1;
pub(super) const ATTRIBUTE_INT: u64 = 3;
pub(super) const ATTRIBUTE_TENSOR: u64 = 5;
pub(super) const ATTRIBUTE_FLOATS: u64 = 7;
pub(super) const ATTRIBUTE_INTS: u64 = 8;
pub(super) const TENSOR_DIMS: u64 = 1;
pub(super) const TENSOR_TYPE: u64 = 2;
pub(super) const TENSOR_NAME: u64 = 8;
pub(super) const TENSOR_RAW: u64 = 9;
/// The typed fields of a tensor's elements, and the raw one.
pub(super) const TENSOR_DATA: [u64; 6] = [4, 5, 7, TENSOR_RAW, 10, 11];
pub(super) const TENSOR_EXTERNAL: u64 = 13;
pub(super) const TENSOR_LOCATION: u64 = 14;
pub(super) const ENTRY_KEY: u64 = 1;
pub(super) const ENTRY_VALUE: u64 = 2;
pub(crate) const VALUE_NAME: u64 = 1;
pub(super) const VALUE_TYPE: u64 = 2;
pub(super) const TYPE_TENSOR: u64 = 1;
pub(super) const TENSOR_TYPE_ELEMENT: u64 = 1;
pub(super) const TENSOR_TYPE_SHAPE: u64 = 2;
pub(super) const SHAPE_DIM: u64 = 1;
pub(super) const DIM_VALUE: u64 = 1;
