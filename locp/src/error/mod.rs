//! Everything that can end a command, with a word for programs and a remedy for people.

mod fault;
mod kind;
mod parameter;
mod text;

pub use fault::Fault;
pub use kind::ErrorKind;
pub use parameter::Parameter;

use crate::FreeInput;
use crate::report::ErrorReport;
use std::path::{Path, PathBuf};

/// Why a command ended without its result.
///
/// To react to an error, match its [`kind`](Error::kind). Its text names the [parameters](Error::parameters) of this
/// library; a user interface can add how the user sets them.
#[derive(Debug, thiserror::Error)]
#[error("{}", self.line())]
#[non_exhaustive]
pub enum Error {
    /// A file could not be read.
    Read {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// A file could not be written.
    Write {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// The output would replace an input, the table, or another output.
    SameFile {
        /// The file.
        path: PathBuf,
    },
    /// The output's folder does not exist.
    NoFolder {
        /// The output.
        path: PathBuf,
    },
    /// The output is a folder or a device.
    NoFile {
        /// The output.
        path: PathBuf,
    },
    /// An array file is not what it should be.
    Array {
        /// The file.
        path: PathBuf,
        /// What is wrong, and what was expected.
        fault: Fault,
    },
    /// A picture could not be read.
    Picture {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        what: String,
    },
    /// A folder of pictures without a statement of how the model takes them.
    NoPreprocess {
        /// The folder.
        path: PathBuf,
    },
    /// The preprocessing of pictures cannot be understood, or does not fit the model.
    Preprocess {
        /// The preprocessing as given.
        text: String,
        /// What is wrong.
        why: String,
    },
    /// Scores from a file do not fit the model.
    Scores {
        /// The file.
        path: PathBuf,
        /// What does not fit.
        source: benefit::ValueError,
    },
    /// A pattern fits no group.
    NoMatch {
        /// The parameter that holds the pattern.
        parameter: Parameter,
        /// The pattern.
        pattern: String,
    },
    /// Two constraints exclude each other.
    Contradiction {
        /// The one constraint.
        first: String,
        /// The other one.
        second: String,
        /// Why.
        why: String,
        /// The parameters that state them.
        parameters: Vec<Parameter>,
    },
    /// As many labels as images are needed.
    Count {
        /// Images.
        images: usize,
        /// Labels.
        labels: usize,
    },
    /// A label is past the model's classes.
    Label {
        /// Position of the label.
        index: usize,
        /// The label.
        label: usize,
        /// Outputs of the model.
        classes: usize,
    },
    /// Images do not fit the model's input.
    ImageShape {
        /// The images.
        path: PathBuf,
        /// Shape of one image.
        found: Vec<usize>,
        /// The model's input.
        input: String,
        /// What it takes.
        expected: String,
    },
    /// The model's first output is not a list of scores.
    Output {
        /// The model.
        path: PathBuf,
    },
    /// Two models whose outputs cannot be compared.
    Incomparable {
        /// The one model.
        dense: PathBuf,
        /// The other.
        pruned: PathBuf,
        /// What differs.
        what: String,
    },
    /// A layer's weights cannot be reconstructed.
    Repair {
        /// The layer, or the group whose readers were to be fitted.
        layer: String,
        /// Why.
        source: compensate::CompensateError,
    },
    /// There is no such engine.
    UnknownEngine {
        /// The name as given.
        name: String,
    },
    /// Neither a table nor a device that is simulated.
    NoTable {
        /// The name as given.
        name: String,
    },
    /// A table holds no machine that was asked for, or several.
    WhichMachine {
        /// The table.
        path: PathBuf,
        /// Those that fit.
        machines: Vec<String>,
    },
    /// A table that is whole was to be set aside.
    Whole {
        /// The table.
        path: PathBuf,
    },
    /// The engine cannot do what the command needs.
    NoModels {
        /// The engine.
        engine: String,
        /// The command.
        what: &'static str,
    },
    /// The engine runs whole models as they are stored, and another data type was asked for.
    StoredType {
        /// The model.
        path: PathBuf,
        /// The engine.
        engine: String,
        /// The type of its weights.
        stored: netspec::DType,
        /// What was asked for.
        dtype: netspec::DType,
    },
    /// Inputs have free dimensions, and no size is stated for them.
    FreeSizes {
        /// The model.
        path: PathBuf,
        /// The inputs.
        inputs: Vec<FreeInput>,
    },
    /// No layer can be timed alone, on an engine that does not run whole models.
    NothingTimed {
        /// The model.
        path: PathBuf,
        /// The first layer's name.
        first: String,
        /// Why.
        reason: String,
        /// The engine.
        engine: String,
    },
    /// Two models that are compared do not take or give the same tensors.
    Unrelated {
        /// The one model.
        a: PathBuf,
        /// The other one.
        b: PathBuf,
        /// What differs.
        what: String,
    },
    /// The engine cannot run here.
    #[error(transparent)]
    Unavailable(#[from] timing::Unavailable),
    /// Something could not be timed or run.
    #[error(transparent)]
    Timing(timing::TimingError),
    /// The model cannot be used.
    #[error(transparent)]
    Model(#[from] onnx_surgery::ModelError),
    /// The plan cannot be carried out on this model.
    #[error(transparent)]
    Surgery(#[from] onnx_surgery::SurgeryError),
    /// The latency table cannot be used.
    #[error(transparent)]
    Table(#[from] sharing::StoreError),
    /// The planning problem is not valid.
    #[error(transparent)]
    Problem(#[from] benefit::ProblemError),
    /// Sum and whole could not be related.
    #[error(transparent)]
    LatencyFit(#[from] benefit::FitError),
    /// The budget is not valid.
    #[error(transparent)]
    Budget(#[from] benefit::BudgetError),
    /// The importance of a group's channels cannot be determined.
    #[error(transparent)]
    Value(#[from] benefit::ValueError),
    /// No plan holds the budget.
    #[error(transparent)]
    Infeasible(#[from] benefit::Infeasible),
    /// Nothing in the model can be pruned.
    NothingToPrune {
        /// The model.
        path: PathBuf,
        /// The reason.
        why: String,
    },
    /// Only residual streams could be pruned, and they are protected.
    OnlyResidual {
        /// The model.
        path: PathBuf,
    },
    /// The best plan within the budget has a lower value than was asked for.
    Floor {
        /// The latency that was aimed at.
        limit_ms: f64,
        /// The plan's value.
        value: f64,
        /// What was asked for.
        floor: f64,
        /// What no plan exceeds, where that is proven.
        bound: Option<f64>,
    },
    /// The pruned model is not faster, or misses the budget, on the device.
    NotFaster {
        /// What was measured.
        why: String,
        /// What may help.
        remedy: &'static str,
    },
    /// A search asked for a width outside of the line that it searches.
    SearchOutOfRange {
        /// What it asked for, in units of the line.
        asked: usize,
        /// The largest width, in units of the line.
        most: usize,
    },
    /// There is no such layer.
    NoLayer {
        /// The name as given.
        name: String,
    },
    /// A plan file is not a plan, or is for another model.
    Plan {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        fault: Fault,
    },
    /// The user stopped it.
    Interrupted,
}

impl Error {
    /// The error as programs read it.
    pub fn report(&self) -> ErrorReport {
        ErrorReport::new(self.code(), self.to_string(), &self.remedy().unwrap_or_default())
    }

    pub(crate) fn read(path: &Path, source: std::io::Error) -> Error {
        Error::Read { path: path.to_owned(), source }
    }

    pub(crate) fn write(path: &Path, source: std::io::Error) -> Error {
        Error::Write { path: path.to_owned(), source }
    }
}

/// Interruptions become [`Error::Interrupted`], whichever crate reports them.
impl From<timing::TimingError> for Error {
    fn from(error: timing::TimingError) -> Error {
        match error {
            timing::TimingError::Interrupted => Error::Interrupted,
            timing::TimingError::Unavailable(unavailable) => Error::Unavailable(unavailable),
            other => Error::Timing(other),
        }
    }
}
