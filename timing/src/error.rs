//! Why a latency could not be measured or is not known.

use netspec::ConvSpec;
use std::fmt;
use std::path::PathBuf;

const RECORD: &str = "record it there, or choose an engine that measures";
const COOL: &str = "let it cool, lock its clocks, or raise the limit of discarded readings";
const RUN_AGAIN: &str = "what was measured is kept, run again to go on";

/// Why an engine cannot run here, found out before it is used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unavailable {
    /// The engine's name, as in `Machine::engine`.
    pub engine: String,
    /// What is missing or wrong.
    pub reason: String,
    /// Files, folders, symbols or devices that were looked for, in order.
    pub looked_for: Vec<String>,
    /// What to do about it.
    pub remedy: String,
}

impl fmt::Display for Unavailable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} cannot run here: {}", self.engine, self.reason)?;
        if !self.looked_for.is_empty() {
            write!(f, "; looked for {}", self.looked_for.join(", "))?;
        }
        write!(f, "; {}", self.remedy)
    }
}

impl std::error::Error for Unavailable {}

/// Why a latency could not be measured, or is not known.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum TimingError {
    /// The engine cannot run here at all.
    Unavailable(Unavailable),
    /// The engine runs here, but not this convolution.
    Unsupported {
        /// The convolution.
        spec: Box<ConvSpec>,
        /// The engine's reason.
        reason: String,
    },
    /// The source only knows what was measured before, and not this convolution.
    Missing {
        /// The convolution.
        spec: Box<ConvSpec>,
        /// Where it was looked for.
        place: String,
    },
    /// A model could not be loaded.
    Model {
        /// Its file.
        path: PathBuf,
        /// The engine's reason.
        reason: String,
    },
    /// An input does not fit the model.
    Input {
        /// Its position among the model's inputs.
        index: usize,
        /// What does not fit.
        reason: String,
    },
    /// A run failed.
    Run {
        /// What ran.
        what: String,
        /// What went wrong.
        reason: String,
    },
    /// Every reading was throttled.
    Throttled {
        /// Readings that were discarded.
        discarded: u32,
    },
    /// The latency lookup table could not be read or written.
    Table {
        /// What went wrong, with the file and the remedy.
        reason: String,
    },
    /// The time budget for measuring is spent; what was measured is kept.
    OutOfTime {
        /// The budget in seconds.
        budget_s: f64,
    },
    /// The user asked to stop; what was measured before is kept.
    Interrupted,
}

impl TimingError {
    /// The engine cannot run this convolution.
    pub fn unsupported(spec: &ConvSpec, reason: impl Into<String>) -> TimingError {
        TimingError::Unsupported { spec: Box::new(spec.clone()), reason: reason.into() }
    }

    /// The source does not know this convolution.
    pub fn missing(spec: &ConvSpec, place: impl Into<String>) -> TimingError {
        TimingError::Missing { spec: Box::new(spec.clone()), place: place.into() }
    }

    /// A run failed.
    pub fn run(what: impl fmt::Display, reason: impl fmt::Display) -> TimingError {
        TimingError::Run { what: what.to_string(), reason: reason.to_string() }
    }

    /// A source broke its contract and left a request without an answer.
    pub fn unanswered(spec: &ConvSpec) -> TimingError {
        TimingError::run(format_args!("`{spec}`"), "the source gave no answer")
    }

    /// What to do, in the words of the error's text; `None` if no step is known, or if the reason of the error states it.
    pub fn remedy(&self) -> Option<&str> {
        match self {
            TimingError::Unavailable(unavailable) => Some(&unavailable.remedy),
            TimingError::Missing { .. } => Some(RECORD),
            TimingError::Throttled { .. } => Some(COOL),
            TimingError::OutOfTime { .. } | TimingError::Interrupted => Some(RUN_AGAIN),
            _ => None,
        }
    }

    /// Names the convolution in an error of a run that did not know it.
    pub(crate) fn of_spec(self, spec: &ConvSpec) -> TimingError {
        match self {
            TimingError::Run { reason, .. } => TimingError::run(format_args!("`{spec}`"), reason),
            other => other,
        }
    }

    /// Whether the whole work has to stop, not only this convolution: nothing more can be measured or kept.
    pub fn ends_everything(&self) -> bool {
        matches!(self, TimingError::Interrupted | TimingError::Table { .. } | TimingError::OutOfTime { .. })
    }
}

impl From<Unavailable> for TimingError {
    fn from(unavailable: Unavailable) -> TimingError {
        TimingError::Unavailable(unavailable)
    }
}

impl fmt::Display for TimingError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TimingError::Unavailable(unavailable) => unavailable.fmt(f),
            TimingError::Unsupported { spec, reason } => write!(f, "the engine cannot run `{spec}`: {reason}"),
            TimingError::Missing { spec, place } => {
                write!(f, "`{spec}` is not recorded in {place}; {RECORD}")
            }
            TimingError::Model { path, reason } => {
                write!(f, "{}: the engine cannot load the model: {reason}", path.display())
            }
            TimingError::Input { index, reason } => write!(f, "input {index} does not fit the model: {reason}"),
            TimingError::Run { what, reason } => write!(f, "running {what} failed: {reason}"),
            TimingError::Throttled { discarded } => {
                write!(f, "the device was throttled in {discarded} readings; {COOL}")
            }
            TimingError::Table { reason } => f.write_str(reason),
            TimingError::OutOfTime { budget_s } => {
                write!(f, "the time budget of {budget_s:.0} s for measuring is spent; {RUN_AGAIN}")
            }
            TimingError::Interrupted => write!(f, "interrupted; {RUN_AGAIN}"),
        }
    }
}

impl std::error::Error for TimingError {}
