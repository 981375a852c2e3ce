//! Errors by what can be done about them.

use super::Error;
use sharing::StoreError;

/// What an error is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// A file or folder cannot be read or written.
    Io,
    /// A parameter or an input file does not fit the model, or contradicts another one.
    Input,
    /// Images, labels or their preprocessing.
    Images,
    /// The model, or two models that are compared.
    Model,
    /// The engine cannot do what is needed, or a run failed.
    Engine,
    /// A latency table.
    Table,
    /// A latency table is damaged; [`table_set_aside`](crate::table_set_aside) makes room for a new one.
    DamagedTable,
    /// A latency table is to be written, and has the form that is only read; [`table_import`](crate::table_import) reads
    /// it into a store.
    PortableTable,
    /// The latency budget makes no sense.
    Budget,
    /// A plan file, or the problem that a plan is made from.
    Plan,
    /// Everything ran, and the answer is no: no plan fits the budget, or the result would not be faster.
    Refused,
    /// The user stopped it.
    Interrupted,
}

impl Error {
    /// What the error is about.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Error::Read { .. }
            | Error::Write { .. }
            | Error::SameFile { .. }
            | Error::NoFolder { .. }
            | Error::NoFile { .. } => ErrorKind::Io,
            Error::Array { .. }
            | Error::Scores { .. }
            | Error::NoMatch { .. }
            | Error::Contradiction { .. }
            | Error::NoLayer { .. }
            | Error::FreeSizes { .. }
            | Error::SearchOutOfRange { .. }
            | Error::Value(_) => ErrorKind::Input,
            Error::Picture { .. }
            | Error::NoPreprocess { .. }
            | Error::Preprocess { .. }
            | Error::Count { .. }
            | Error::Label { .. }
            | Error::ImageShape { .. }
            | Error::Repair { .. } => ErrorKind::Images,
            Error::Output { .. }
            | Error::Incomparable { .. }
            | Error::Unrelated { .. }
            | Error::Model(_)
            | Error::Surgery(_) => ErrorKind::Model,
            Error::UnknownEngine { .. }
            | Error::NoModels { .. }
            | Error::StoredType { .. }
            | Error::NothingTimed { .. }
            | Error::Unavailable(_)
            | Error::Timing(_) => ErrorKind::Engine,
            Error::Table(StoreError::Damaged { .. }) => ErrorKind::DamagedTable,
            Error::Table(StoreError::Portable { .. }) => ErrorKind::PortableTable,
            Error::NoTable { .. } | Error::WhichMachine { .. } | Error::Whole { .. } | Error::Table(_) => {
                ErrorKind::Table
            }
            Error::Budget(_) => ErrorKind::Budget,
            Error::Plan { .. } | Error::Problem(_) | Error::LatencyFit(_) => ErrorKind::Plan,
            Error::Infeasible(_)
            | Error::Floor { .. }
            | Error::NothingToPrune { .. }
            | Error::OnlyResidual { .. }
            | Error::NotFaster { .. } => ErrorKind::Refused,
            Error::Interrupted => ErrorKind::Interrupted,
        }
    }

    /// Whether everything ran and the answer is no, rather than an error.
    pub fn is_an_answer(&self) -> bool {
        self.kind() == ErrorKind::Refused
    }

    /// A stable word for programs, finer than the [kind](Error::kind): `kind` in an
    /// [`ErrorReport`](crate::report::ErrorReport).
    pub fn code(&self) -> &'static str {
        match self {
            Error::Read { .. } => "read",
            Error::Write { .. } => "write",
            Error::SameFile { .. } => "same-file",
            Error::NoFolder { .. } => "no-folder",
            Error::NoFile { .. } => "no-file",
            Error::Array { .. } | Error::NoPreprocess { .. } => "array",
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
            Error::NothingTimed { .. } => "untimed",
            Error::FreeSizes { .. } => "free-sizes",
            Error::Unrelated { .. } => "unrelated",
            Error::Unavailable(_) => "unavailable",
            Error::Timing(_) => "timing",
            Error::Model(_) => "model",
            Error::Surgery(_) => "surgery",
            Error::Table(_) => "table",
            Error::Problem(_) => "problem",
            Error::LatencyFit(_) => "latency-fit",
            Error::Budget(_) => "budget",
            Error::Value(_) => "value",
            Error::Infeasible(_) => "infeasible",
            Error::NothingToPrune { .. } | Error::OnlyResidual { .. } => "nothing-to-prune",
            Error::Floor { .. } => "value-floor",
            Error::NotFaster { .. } => "not-faster",
            Error::NoLayer { .. } => "no-layer",
            Error::SearchOutOfRange { .. } => "search-out-of-range",
            Error::Plan { .. } => "plan",
            Error::Interrupted => "interrupted",
        }
    }
}
