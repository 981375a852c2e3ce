//! Everything that can end a command, with a word for programs and a remedy for people.

use crate::report::ErrorReport;
use std::path::{Path, PathBuf};

/// Why a command ended without its result.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file could not be read.
    #[error("cannot read {}: {source}; check the path and its permissions", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// A file could not be written.
    #[error("cannot write {}: {source}; check the path, its permissions and the free space", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// The output would replace an input, the table, or another output.
    #[error("the output {} is already an input or another output; choose another path", path.display())]
    SameFile {
        /// The file.
        path: PathBuf,
    },
    /// The output's folder does not exist.
    #[error("the folder of the output {} does not exist; make it first or choose another path", path.display())]
    NoFolder {
        /// The output.
        path: PathBuf,
    },
    /// The output is a folder or a device.
    #[error("the output {} is no regular file; name a file that exists or is to be made", path.display())]
    NoFile {
        /// The output.
        path: PathBuf,
    },
    /// An array file is not what it should be.
    #[error("{}: {what}", path.display())]
    Array {
        /// The file.
        path: PathBuf,
        /// What is wrong, and what was expected.
        what: String,
    },
    /// A picture could not be read.
    #[error("the picture {} {what}; repair it or take it out of the folder", path.display())]
    Picture {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        what: String,
    },
    /// What was said of pictures makes no sense.
    #[error(
        "--preprocess {text}: {why}; write imagenet, inception or unit, and after it, separated by commas, any of mean=, std= (one number, or one per channel with / between), crop=SHARE, range=1|255, order=rgb|bgr, filter=bilinear|bicubic, count=N"
    )]
    Preprocess {
        /// What was said.
        text: String,
        /// What is wrong.
        why: String,
    },
    /// Scores from a file do not fit the model.
    #[error("{}: {source}", path.display())]
    Scores {
        /// The file.
        path: PathBuf,
        /// What does not fit.
        source: benefit::ValueError,
    },
    /// A pattern fits no group.
    #[error(
        "`{pattern}` ({flag}) fits no channel group; `locp inspect` lists their names, and `*` stands for any text"
    )]
    NoMatch {
        /// The flag it was given by.
        flag: &'static str,
        /// The pattern.
        pattern: String,
    },
    /// Two constraints exclude each other.
    #[error("{first} and {second} exclude each other: {why}; leave out one of them")]
    Contradiction {
        /// The one constraint.
        first: String,
        /// The other one.
        second: String,
        /// On what.
        why: String,
    },
    /// As many labels as images are needed.
    #[error("there are {images} images and {labels} labels; give one label per image")]
    Count {
        /// Images.
        images: usize,
        /// Labels.
        labels: usize,
    },
    /// A label is past the model's classes.
    #[error("label {index} is {label}, but the model has {classes} outputs; give class indices from 0 to {}", classes.saturating_sub(1))]
    Label {
        /// Position of the label.
        index: usize,
        /// The label.
        label: usize,
        /// Outputs of the model.
        classes: usize,
    },
    /// Images do not fit the model's input.
    #[error("{}: one image is {found:?}, but the model's input `{input}` takes {expected}; save the images in that shape", path.display())]
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
    /// The model's first output is no list of scores.
    #[error("{}: its first output is no N x classes tensor of floating-point scores; accuracy needs a classifier", path.display())]
    Output {
        /// The model.
        path: PathBuf,
    },
    /// Two models whose outputs are not of one kind.
    #[error("{} and {} cannot be compared: {what}; give a model and one that was made from it", dense.display(), pruned.display())]
    Incomparable {
        /// The one model.
        dense: PathBuf,
        /// The other.
        pruned: PathBuf,
        /// What differs.
        what: String,
    },
    /// A layer cannot be fitted anew.
    #[error("layer `{layer}` cannot be fitted to the calibration images: {source}")]
    Repair {
        /// The layer, or the group whose readers were to be fitted.
        layer: String,
        /// Why.
        source: compensate::CompensateError,
    },
    /// There is no such engine.
    #[error(
        "there is no engine `{name}`; use auto, tract, onnxruntime[:cuda|:tensorrt], cuda[:INDEX][:autotune], simulated:h100, simulated:t4, simulated:orin or recorded:FILE"
    )]
    UnknownEngine {
        /// The name as given.
        name: String,
    },
    /// Neither a table nor a device that is simulated.
    #[error(
        "there is no table {name}; give a latency table, recorded:FILE, or simulated:h100, simulated:t4 or simulated:orin"
    )]
    NoTable {
        /// The name as given.
        name: String,
    },
    /// A table holds no machine that was asked for, or several.
    #[error("{} holds {} machines that fit ({}); say which with --machine", path.display(), machines.len(), machines.join(", "))]
    WhichMachine {
        /// The table.
        path: PathBuf,
        /// Those that fit.
        machines: Vec<String>,
    },
    /// A table that is whole was to be set aside.
    #[error("the table {} is not damaged and stays where it is; to start a new one all the same, move it by hand or name another with --table", path.display())]
    Whole {
        /// The table.
        path: PathBuf,
    },
    /// The engine cannot do what the command needs.
    #[error("the engine {engine} has no device to run whole models on, which {what} needs; use --engine tract")]
    NoModels {
        /// The engine.
        engine: String,
        /// The command.
        what: &'static str,
    },
    /// The engine runs whole models as they are stored, and another data type was asked for.
    #[error("{}: {engine} runs it as it is stored, in {stored}, not in {dtype}; use --dtype {stored}, or an engine that times convolutions in {dtype} (cuda, simulated:h100)", path.display())]
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
    /// Layers whose latency nobody can tell, on an engine that sums layers.
    #[error("{}: {count} of its layers cannot be timed alone (first `{first}`: {reason}), and {engine} sums layers; use --engine tract, which times the whole model", path.display())]
    Untimed {
        /// The model.
        path: PathBuf,
        /// How many.
        count: usize,
        /// The first one's name.
        first: String,
        /// Why.
        reason: String,
        /// The engine.
        engine: String,
    },
    /// No layer's latency can be told, so no width can be chosen.
    #[error("{}: none of its layers can be timed (first `{first}`: {reason}); `inspect` and `apply` work on it all the same", path.display())]
    NothingTimed {
        /// The model.
        path: PathBuf,
        /// The first layer's name.
        first: String,
        /// Why.
        reason: String,
    },
    /// Two models that are compared do not take or give the same tensors.
    #[error("{} is no version of {}: {what}; compare a model with one that was made from it", b.display(), a.display())]
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
    /// The model is no model that can be worked on.
    #[error(transparent)]
    Model(#[from] onnx_surgery::ModelError),
    /// The plan cannot be carried out on this model.
    #[error(transparent)]
    Surgery(#[from] onnx_surgery::SurgeryError),
    /// The latency table cannot be used.
    #[error(transparent)]
    Table(#[from] sharing::StoreError),
    /// A recorded table cannot be used.
    #[error(transparent)]
    Record(#[from] replay::RecordError),
    /// The problem makes no sense.
    #[error(transparent)]
    Problem(#[from] benefit::ProblemError),
    /// Sum and whole could not be related.
    #[error(transparent)]
    Calibrate(#[from] benefit::CalibrateError),
    /// The budget makes no sense.
    #[error(transparent)]
    Budget(#[from] benefit::BudgetError),
    /// A group's channels cannot be valued.
    #[error(transparent)]
    Value(#[from] benefit::ValueError),
    /// No plan holds the budget.
    #[error("{0} (flags: --latency, --min-share, --multiple-of, --at-least, --freeze, --only, --prune-residual)")]
    Infeasible(#[from] benefit::Infeasible),
    /// Nothing in the model can be pruned.
    #[error("{}: nothing can be pruned: {why}", path.display())]
    NothingToPrune {
        /// The model.
        path: PathBuf,
        /// The reason.
        why: String,
    },
    /// The best plan within the budget is worth less than was asked for.
    #[error(
        "--latency and --value-floor contradict each other: the best plan that was found within {limit_ms:.4} ms is worth {value}, below {floor}{}; allow more time or a lower value",
        bound.map_or(String::new(), |bound| format!(" (and none is worth more than {bound})"))
    )]
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
    #[error("not written: {why}; {remedy}")]
    NotFaster {
        /// What was measured.
        why: String,
        /// What may help.
        remedy: &'static str,
    },
    /// A search asked for a width outside of the line that it searches.
    #[error("the search asked for width {asked} of a line of {most}; ask for 1 to {most}")]
    SearchOutOfRange {
        /// What it asked for, in units of the line.
        asked: usize,
        /// The largest width, in units of the line.
        most: usize,
    },
    /// There is no such layer.
    #[error("the model has no prunable layer `{name}`; `locp inspect` lists the layers")]
    NoLayer {
        /// The name as given.
        name: String,
    },
    /// A plan file is no plan, or one for another model.
    #[error("{}: {what}", path.display())]
    Plan {
        /// The file.
        path: PathBuf,
        /// What is wrong, and the remedy.
        what: String,
    },
    /// Somebody asked to stop.
    #[error("interrupted; what was measured is kept, run again to go on")]
    Interrupted,
}

impl Error {
    /// Whether the command ran and the answer is no, rather than an error.
    pub fn is_an_answer(&self) -> bool {
        let is_no_plan = matches!(self, Error::Infeasible(_) | Error::Floor { .. });
        is_no_plan || matches!(self, Error::NothingToPrune { .. } | Error::NotFaster { .. })
    }

    /// A stable word for programs.
    pub fn kind(&self) -> &'static str {
        match self {
            Error::Read { .. } => "read",
            Error::Write { .. } => "write",
            Error::SameFile { .. } => "same-file",
            Error::NoFolder { .. } => "no-folder",
            Error::NoFile { .. } => "no-file",
            Error::Array { .. } => "array",
            Error::Picture { .. } => "picture",
            Error::Preprocess { .. } => "preprocess",
            Error::Scores { .. } => "scores",
            Error::NoMatch { .. } => "no-match",
            Error::Contradiction { .. } => "contradiction",
            Error::Count { .. } => "count",
            Error::Label { .. } => "label",
            Error::ImageShape { .. } => "image-shape",
            Error::Output { .. } => "output",
            Error::Incomparable { .. } => "incomparable",
            Error::UnknownEngine { .. } => "unknown-engine",
            Error::Repair { .. } => "repair",
            Error::NoTable { .. } => "no-table",
            Error::WhichMachine { .. } => "which-machine",
            Error::Whole { .. } => "whole",
            Error::NoModels { .. } => "no-models",
            Error::StoredType { .. } => "stored-type",
            Error::Untimed { .. } | Error::NothingTimed { .. } => "untimed",
            Error::Unrelated { .. } => "unrelated",
            Error::Unavailable(_) => "unavailable",
            Error::Timing(_) => "timing",
            Error::Model(_) => "model",
            Error::Surgery(_) => "surgery",
            Error::Table(_) => "table",
            Error::Record(_) => "record",
            Error::Problem(_) => "problem",
            Error::Calibrate(_) => "calibrate",
            Error::Budget(_) => "budget",
            Error::Value(_) => "value",
            Error::Infeasible(_) => "infeasible",
            Error::NothingToPrune { .. } => "nothing-to-prune",
            Error::Floor { .. } => "value-floor",
            Error::NotFaster { .. } => "not-faster",
            Error::SearchOutOfRange { .. } => "search-out-of-range",
            Error::NoLayer { .. } => "no-layer",
            Error::Plan { .. } => "plan",
            Error::Interrupted => "interrupted",
        }
    }

    /// The error as programs read it.
    ///
    /// Messages are built as "what happened; what to do", and taken apart at the last such place.
    pub fn report(&self) -> ErrorReport {
        let message = self.to_string();
        let remedy = match message.rsplit_once("; ") {
            Some((_, remedy)) => remedy.to_owned(),
            None => String::new(),
        };
        ErrorReport {
            schema: "locp.error/1",
            kind: self.kind().to_owned(),
            message,
            remedy,
            simulated: false,
            recorded: false,
        }
    }

    pub(crate) fn read(path: &Path, source: std::io::Error) -> Error {
        Error::Read { path: path.to_owned(), source }
    }

    pub(crate) fn write(path: &Path, source: std::io::Error) -> Error {
        Error::Write { path: path.to_owned(), source }
    }
}

/// An interruption is one, whoever noticed it first.
impl From<timing::TimingError> for Error {
    fn from(error: timing::TimingError) -> Error {
        match error {
            timing::TimingError::Interrupted => Error::Interrupted,
            timing::TimingError::Unavailable(unavailable) => Error::Unavailable(unavailable),
            other => Error::Timing(other),
        }
    }
}
