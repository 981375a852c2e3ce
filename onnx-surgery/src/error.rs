//! What can go wrong, with the file, node or tensor and the remedy.

use netspec::PlanError;
use std::path::PathBuf;

/// Why a file is no model that can be worked on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ModelError {
    /// The file could not be read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// The file is something else.
    #[error("{file} is not an ONNX model ({why}); expected a file as `torch.onnx.export` writes it")]
    NotOnnx {
        /// The file's path, or `the model` where it came from memory.
        file: String,
        /// What it lacks.
        why: String,
    },
    /// The file begins like a model and ends too early.
    #[error("{file} is truncated ({why}); copy or export it again")]
    Truncated {
        /// The file's path, or `the model` where it came from memory.
        file: String,
        /// What is cut off.
        why: String,
    },
    /// Weights lie in another file, and cannot be read there.
    #[error("tensor `{tensor}` keeps its data outside the file, in {location:?}: {problem}")]
    ExternalData {
        /// The first such tensor.
        tensor: String,
        /// Where the model says that the data are.
        location: String,
        /// Why they cannot be read, and what to do.
        problem: ExternalProblem,
    },
    /// A tensor's dims, type and data contradict each other.
    #[error("tensor `{tensor}`: {why}; export the model again")]
    Tensor {
        /// The tensor.
        tensor: String,
        /// The contradiction.
        why: String,
    },
    /// A node reads what nothing makes.
    #[error(
        "node `{node}` ({op}) reads `{tensor}`, which no node, input or initializer provides; export the model again"
    )]
    MissingTensor {
        /// The node.
        node: String,
        /// Its operator.
        op: String,
        /// The tensor.
        tensor: String,
    },
    /// A model output is made by nothing.
    #[error("the model's output `{tensor}` is made by no node; export the model again")]
    MissingOutput {
        /// The output.
        tensor: String,
    },
    /// Two things have one name.
    #[error("tensor `{tensor}` is made twice; tensor names must be unique, export the model again")]
    Duplicate {
        /// The tensor.
        tensor: String,
    },
    /// Nodes wait for each other.
    #[error("node `{node}` ({op}) takes part in a cycle; an ONNX graph must not have any, export the model again")]
    Cycle {
        /// One of the nodes.
        node: String,
        /// Its operator.
        op: String,
    },
    /// A node's inputs do not fit each other.
    #[error("node `{node}` ({op}): {why}; the model could not run, export it again")]
    Contradiction {
        /// The node.
        node: String,
        /// Its operator.
        op: String,
        /// What does not fit.
        why: String,
    },
    /// Shapes ask for more positions than a model of this size can have.
    #[error("node `{node}` ({op}): its shapes ask for too many channels ({channels}) for a file of this size")]
    TooLarge {
        /// The node.
        node: String,
        /// Its operator.
        op: String,
        /// Channel positions that it asks for.
        channels: usize,
    },
    /// There is nothing to measure.
    #[error("{file} has no convolution or fully connected layer of known shape: {why}")]
    NoLayers {
        /// The file's path, or `the model` where it came from memory.
        file: String,
        /// The first reason.
        why: String,
    },
    /// The model was exported for another batch size.
    #[error(
        "the model's input `{input}` has the fixed batch size {fixed}, not {wanted}: use {fixed}, or export with a dynamic batch"
    )]
    FixedBatch {
        /// The input.
        input: String,
        /// The batch size in the file.
        fixed: usize,
        /// The batch size that was asked for.
        wanted: usize,
    },
}

/// Why data outside a model's file cannot be read. What is written out ends in what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ExternalProblem {
    /// The model came from memory.
    #[error(
        "a model from memory has no folder to look in; open it from a file, \
         or export with the weights inside (`external_data=False`)"
    )]
    NoFolder,
    /// The model does not say where.
    #[error("the model does not name the file; export it again")]
    NoLocation,
    /// The location is an absolute path.
    #[error("that is an absolute path, and only files below the model's folder are read; {NAME_IT_AGAIN}")]
    Absolute,
    /// The location climbs out of a folder.
    #[error("that path climbs with `..`, and only files below the model's folder are read; {NAME_IT_AGAIN}")]
    Climbs,
    /// The location has characters that mean something else on another system.
    #[error("that path has a backslash or a zero byte, which not every system takes for a name; {NAME_IT_AGAIN}")]
    NotPortable,
    /// A link leads out of the model's folder.
    #[error("a link leads from there out of the model's folder, and nothing outside it is read; copy the file there")]
    LeadsOut,
    /// There is no such file.
    #[error("there is no file {}; put it there, both files belong together", expected.display())]
    Missing {
        /// Where it is expected.
        expected: PathBuf,
    },
    /// There is a folder or a device.
    #[error("that is no regular file; copy the data file there")]
    NoFile,
    /// An offset or a length is no number.
    #[error("its {key} {value:?} is no number of bytes; export the model again")]
    Number {
        /// `offset` or `length`.
        key: &'static str,
        /// What it is.
        value: String,
    },
    /// The data end past the end of the file.
    #[error(
        "{length} bytes from {offset} on are not in that file of {file_bytes}; copy it again, or export the model again"
    )]
    PastTheEnd {
        /// Where the data begin.
        offset: usize,
        /// Their length.
        length: usize,
        /// The length of the file.
        file_bytes: usize,
    },
    /// The length contradicts the tensor's dims and type.
    #[error("they are {length} bytes where its dims and type ask for {expected}; export the model again")]
    Length {
        /// Bytes that the model names.
        length: usize,
        /// Bytes that the tensor needs.
        expected: usize,
    },
    /// Two tensors have some of their bytes in common.
    #[error("some of its bytes, but not all, are those of tensor `{other}`, too; export the model again")]
    Overlap {
        /// The other tensor.
        other: String,
    },
}

const NAME_IT_AGAIN: &str = "export the model again, with its data beside it";

/// Why a plan cannot be applied, or its result not be written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SurgeryError {
    /// The plan does not fit the model.
    #[error("{source}; make the plan from this model")]
    Plan {
        /// What does not fit.
        #[from]
        source: PlanError,
    },
    /// Part of a weight should become zero that the file only describes (a ConstantOfShape).
    #[error("`{tensor}` is filled with one value at run time, and cannot be zero in part; store it as an initializer")]
    NotStored {
        /// The weight.
        tensor: String,
    },
    /// There is no tensor of this name that a node computes.
    #[error("no node of the model computes `{tensor}`")]
    NoTensor {
        /// The name.
        tensor: String,
    },
    /// New values do not fit the constant they are for.
    #[error("the new values for `{tensor}` are {found} numbers; it is {expected}")]
    Values {
        /// The constant.
        tensor: String,
        /// How many there are.
        found: usize,
        /// What the constant is, in words.
        expected: String,
    },
    /// The result would not run. This is a defect of this crate, caught before anything is written.
    #[error("the pruned model would not run: {why}; nothing was written, please report it with the model's topology")]
    Audit {
        /// What the audit found.
        why: String,
    },
    /// The result would replace its own source.
    #[error("{} is the input itself; choose another output path", path.display())]
    SameFile {
        /// The output path.
        path: PathBuf,
    },
    /// There is no folder to write to.
    #[error("the folder {} does not exist; create it or choose another output path", folder.display())]
    NoFolder {
        /// The missing folder.
        folder: PathBuf,
    },
    /// The result's data file would have a name that ONNX cannot state.
    #[error("{} is no text, and a model with a data file must state that file's name; choose another output path", path.display())]
    NoName {
        /// The output path.
        path: PathBuf,
    },
    /// Writing failed; what was at the output path is still there.
    #[error("cannot write {}: {source}", path.display())]
    Write {
        /// The output path.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
}
