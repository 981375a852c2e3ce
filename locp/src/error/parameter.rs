//! The parameters that errors refer to.

use std::fmt;

/// A parameter that the user sets, by the name that it has in this library and in the Python package.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Parameter {
    /// Groups that keep a minimum of their channels.
    AtLeast,
    /// Images per run.
    Batch,
    /// The calibration images.
    Calib,
    /// The data type that the network runs in.
    Dtype,
    /// The engine.
    Engine,
    /// Groups that keep all their channels.
    Freeze,
    /// The images that accuracy is reported on.
    Images,
    /// Shapes of the model's inputs.
    Input,
    /// The latency budget.
    Latency,
    /// A part of the text of one of a table's machines.
    Machine,
    /// The smallest share of its channels that a group keeps.
    MinShare,
    /// The number that every group keeps a multiple of.
    MultipleOf,
    /// The only groups that may lose channels.
    Only,
    /// How pictures become what the model takes.
    Preprocess,
    /// Whether residual streams may be pruned.
    PruneResidual,
    /// The latency table.
    Table,
    /// The least value that a plan may have.
    ValueFloor,
}

impl Parameter {
    /// All of them.
    pub const ALL: [Parameter; 17] = [
        Parameter::AtLeast,
        Parameter::Batch,
        Parameter::Calib,
        Parameter::Dtype,
        Parameter::Engine,
        Parameter::Freeze,
        Parameter::Images,
        Parameter::Input,
        Parameter::Latency,
        Parameter::Machine,
        Parameter::MinShare,
        Parameter::MultipleOf,
        Parameter::Only,
        Parameter::Preprocess,
        Parameter::PruneResidual,
        Parameter::Table,
        Parameter::ValueFloor,
    ];

    /// Its name: `prune_residual`.
    pub const fn name(self) -> &'static str {
        match self {
            Parameter::AtLeast => "at_least",
            Parameter::Batch => "batch",
            Parameter::Calib => "calib",
            Parameter::Dtype => "dtype",
            Parameter::Engine => "engine",
            Parameter::Freeze => "freeze",
            Parameter::Images => "images",
            Parameter::Input => "input",
            Parameter::Latency => "latency",
            Parameter::Machine => "machine",
            Parameter::MinShare => "min_share",
            Parameter::MultipleOf => "multiple_of",
            Parameter::Only => "only",
            Parameter::Preprocess => "preprocess",
            Parameter::PruneResidual => "prune_residual",
            Parameter::Table => "table",
            Parameter::ValueFloor => "value_floor",
        }
    }
}

impl fmt::Display for Parameter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`", self.name())
    }
}
