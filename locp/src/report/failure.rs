//! What every command reports if it fails.

use super::Schema;
use serde::Serialize;

/// A failure.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct ErrorReport {
    /// The schema's name and version.
    pub schema: Schema,
    /// A stable word for programs.
    pub kind: String,
    /// What happened, naming the thing.
    pub message: String,
    /// What to do about it.
    pub remedy: String,
    /// Present and true where the engine's figures, if the message holds any, come from an analytic model of a device.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub simulated: bool,
    /// Present and true where they come from a recorded table.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub recorded: bool,
}

impl ErrorReport {
    /// A failure by its word for programs, what happened, and what to do about it.
    pub fn new(kind: &str, message: String, remedy: &str) -> ErrorReport {
        let (kind, remedy) = (kind.to_owned(), remedy.to_owned());
        ErrorReport { schema: "locp.error/1", kind, message, remedy, simulated: false, recorded: false }
    }
}
