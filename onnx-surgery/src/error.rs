//! What can go wrong, with the file, node or tensor and the remedy.

use crate::size_error::SizeError;
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
    #[error("{file} is not an ONNX model ({why}); {EXPECTED}")]
    NotOnnx {
        /// The file's path, or `the model` where it came from memory.
        file: String,
        /// What it lacks.
        why: String,
    },
    /// The file begins like a model and ends too early.
    #[error("{file} is truncated ({why}); {COPY_AGAIN}")]
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
    #[error("tensor `{tensor}`: {why}; {EXPORT_AGAIN}")]
    Tensor {
        /// The tensor.
        tensor: String,
        /// The contradiction.
        why: String,
    },
    /// A node reads what nothing makes.
    #[error("node `{node}` ({op}) reads `{tensor}`, which no node, input or initializer provides; {EXPORT_AGAIN}")]
    MissingTensor {
        /// The node.
        node: String,
        /// Its operator.
        op: String,
        /// The tensor.
        tensor: String,
    },
    /// A model output is made by nothing.
    #[error("the model's output `{tensor}` is made by no node; {EXPORT_AGAIN}")]
    MissingOutput {
        /// The output.
        tensor: String,
    },
    /// Two things have one name.
    #[error("tensor `{tensor}` is made twice, but tensor names must be unique; {EXPORT_AGAIN}")]
    Duplicate {
        /// The tensor.
        tensor: String,
    },
    /// Nodes wait for each other.
    #[error("node `{node}` ({op}) takes part in a cycle, which an ONNX graph must not have; {EXPORT_AGAIN}")]
    Cycle {
        /// One of the nodes.
        node: String,
        /// Its operator.
        op: String,
    },
    /// A node's inputs do not fit each other.
    #[error("node `{node}` ({op}): {why}, so the model could not run; {EXPORT_AGAIN}")]
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
    #[error("the model's input `{input}` has the fixed batch size {fixed}, not {wanted}; {USE_FIXED}")]
    FixedBatch {
        /// The input.
        input: String,
        /// The batch size in the file.
        fixed: usize,
        /// The batch size that was asked for.
        wanted: usize,
    },
    /// The sizes that are stated for its inputs do not fit it.
    #[error(transparent)]
    Sizes(#[from] SizeError),
}

/// Why data outside a model's file cannot be read. What is written out ends in what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ExternalProblem {
    /// The model came from memory.
    #[error("a model from memory has no folder to look in; {FROM_FILE}")]
    NoFolder,
    /// The model does not say where.
    #[error("the model does not name the file; {EXPORT_AGAIN}")]
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
    #[error("a link leads from there out of the model's folder, and nothing outside it is read; {COPY_THERE}")]
    LeadsOut,
    /// There is no such file.
    #[error("there is no file {}; {PUT_THERE}", expected.display())]
    Missing {
        /// Where it is expected.
        expected: PathBuf,
    },
    /// There is a folder or a device.
    #[error("that is not a regular file; {COPY_THERE}")]
    NoFile,
    /// An offset or a length is no number.
    #[error("its {key} {value:?} is not a number of bytes; {EXPORT_AGAIN}")]
    Number {
        /// `offset` or `length`.
        key: &'static str,
        /// What it is.
        value: String,
    },
    /// The data end past the end of the file.
    #[error("{length} bytes from {offset} on are not in that file of {file_bytes}; {COPY_OR_EXPORT}")]
    PastTheEnd {
        /// Where the data begin.
        offset: usize,
        /// Their length.
        length: usize,
        /// The length of the file.
        file_bytes: usize,
    },
    /// The length contradicts the tensor's dims and type.
    #[error("they are {length} bytes where its dims and type ask for {expected}; {EXPORT_AGAIN}")]
    Length {
        /// Bytes that the model names.
        length: usize,
        /// Bytes that the tensor needs.
        expected: usize,
    },
    /// Two tensors have some of their bytes in common.
    #[error("some of its bytes, but not all, are those of tensor `{other}`, too; {EXPORT_AGAIN}")]
    Overlap {
        /// The other tensor.
        other: String,
    },
}

const EXPECTED: &str = "expected a file as `torch.onnx.export` writes it";
const EXPORT_AGAIN: &str = "export the model again";
const NAME_IT_AGAIN: &str = "export the model again, with its data beside it";
const COPY_AGAIN: &str = "copy or export it again";
const COPY_OR_EXPORT: &str = "copy it again, or export the model again";
const COPY_THERE: &str = "copy the file there";
const PUT_THERE: &str = "put it there, both files belong together";
const FROM_FILE: &str = "open it from a file, or export with the weights inside (`external_data=False`)";
const USE_FIXED: &str = "use that one, or export with a dynamic batch";
const FROM_THIS_MODEL: &str = "make the plan from this model";
const AS_INITIALIZER: &str = "store it as an initializer";
const REPORT: &str = "please report it with the model's topology";
const ANOTHER_PATH: &str = "choose another output path";
const CREATE_FOLDER: &str = "create it or choose another output path";

impl ModelError {
    /// What to do, as the error's text ends; `None` if no step is known.
    pub fn remedy(&self) -> Option<&'static str> {
        match self {
            ModelError::NotOnnx { .. } => Some(EXPECTED),
            ModelError::Truncated { .. } => Some(COPY_AGAIN),
            ModelError::ExternalData { problem, .. } => Some(problem.remedy()),
            ModelError::FixedBatch { .. } => Some(USE_FIXED),
            ModelError::Sizes(error) => Some(error.remedy()),
            ModelError::Tensor { .. }
            | ModelError::MissingTensor { .. }
            | ModelError::MissingOutput { .. }
            | ModelError::Duplicate { .. }
            | ModelError::Cycle { .. }
            | ModelError::Contradiction { .. } => Some(EXPORT_AGAIN),
            ModelError::Read { .. } | ModelError::TooLarge { .. } | ModelError::NoLayers { .. } => None,
        }
    }
}

impl ExternalProblem {
    /// What to do, as the error's text ends.
    pub fn remedy(&self) -> &'static str {
        match self {
            ExternalProblem::NoFolder => FROM_FILE,
            ExternalProblem::Absolute | ExternalProblem::Climbs | ExternalProblem::NotPortable => NAME_IT_AGAIN,
            ExternalProblem::LeadsOut | ExternalProblem::NoFile => COPY_THERE,
            ExternalProblem::Missing { .. } => PUT_THERE,
            ExternalProblem::PastTheEnd { .. } => COPY_OR_EXPORT,
            ExternalProblem::NoLocation
            | ExternalProblem::Number { .. }
            | ExternalProblem::Length { .. }
            | ExternalProblem::Overlap { .. } => EXPORT_AGAIN,
        }
    }
}

/// Why a plan cannot be applied, or its result not be written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SurgeryError {
    /// The plan does not fit the model.
    #[error("{source}; {FROM_THIS_MODEL}")]
    Plan {
        /// What does not fit.
        #[from]
        source: PlanError,
    },
    /// Part of a weight should become zero that the file only describes (a ConstantOfShape).
    #[error("`{tensor}` is filled with one value at run time, and cannot be zero in part; {AS_INITIALIZER}")]
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
    #[error("the pruned model would not run: {why}, so nothing was written; {REPORT}")]
    Audit {
        /// What the audit found.
        why: String,
    },
    /// The result would replace its own source.
    #[error("{} is the input itself; {ANOTHER_PATH}", path.display())]
    SameFile {
        /// The output path.
        path: PathBuf,
    },
    /// There is no folder to write to.
    #[error("the folder {} does not exist; {CREATE_FOLDER}", folder.display())]
    NoFolder {
        /// The missing folder.
        folder: PathBuf,
    },
    /// The result's data file would have a name that ONNX cannot state.
    #[error("{} is not text, and a model with a data file must state that file's name; {ANOTHER_PATH}", path.display())]
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

impl SurgeryError {
    /// What to do, as the error's text ends; `None` if no step is known.
    pub fn remedy(&self) -> Option<&'static str> {
        match self {
            SurgeryError::Plan { .. } => Some(FROM_THIS_MODEL),
            SurgeryError::NotStored { .. } => Some(AS_INITIALIZER),
            SurgeryError::Audit { .. } => Some(REPORT),
            SurgeryError::SameFile { .. } | SurgeryError::NoName { .. } => Some(ANOTHER_PATH),
            SurgeryError::NoFolder { .. } => Some(CREATE_FOLDER),
            SurgeryError::NoTensor { .. } | SurgeryError::Values { .. } | SurgeryError::Write { .. } => None,
        }
    }
}
