//! What `steps` and `measure` report.

use super::{Header, Interval, ModelReport};
use netspec::{Axis, Provenance};
use serde::Serialize;

/// Result of `steps`, and of `measure`.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct StepsReport {
    /// Schema, engine, machine.
    #[serde(flatten)]
    pub header: Header,
    /// The model.
    pub model: ModelReport,
    /// One staircase per layer and axis.
    pub layers: Vec<StairReport>,
    /// How many measurements were made.
    pub measured: u64,
    /// How many were answered from the table.
    pub shared: u64,
    /// Time that the engine ran for, in seconds.
    pub device_seconds: f64,
}

/// One staircase.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct StairReport {
    /// The layer's name.
    pub name: String,
    /// The convolution at full width.
    pub spec: String,
    /// The axis.
    pub axis: Axis,
    /// Channels at full width.
    pub channels: usize,
    /// Channels from one step to the next; 1 if there is no granularity.
    pub granularity: usize,
    /// Steps follow the widths that leave this remainder when divided by `granularity`; mostly 0.
    pub offset: usize,
    /// Multiples that were looked at: the granularity, or a multiple of it.
    pub step: usize,
    /// Right ends of treads: the most channels for their price.
    pub edges: Vec<EdgeReport>,
    /// Ranges of widths that some larger width equals or beats.
    pub dominated: Vec<RangeReport>,
    /// All widths with a latency of their own.
    pub points: Vec<PointReport>,
    /// How many widths have a latency of their own, from this run or from the table.
    pub measured: usize,
    /// What was checked of the widths that the search did not look at.
    pub audit: AuditReport,
}

/// Random checks of widths that a search did not look at, and what they leave possible.
#[derive(Clone, Copy, Debug, Serialize)]
#[non_exhaustive]
pub struct AuditReport {
    /// Widths that were not looked at.
    pub unseen: usize,
    /// Those that were checked at random.
    pub audits: usize,
    /// Those of them that were cheaper than the staircase had it; their surroundings were searched then.
    pub exceptions: usize,
    /// How many of the unseen may be so at most, at 95 %; all of them where nothing was checked.
    pub at_most: usize,
}

/// An edge.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct EdgeReport {
    /// Channels.
    pub channels: usize,
    /// Latency there.
    pub latency_ms: f64,
    /// What the next edge costs more; nothing at the full width.
    pub jump_ms: Option<f64>,
    /// Whether latency steps right after this width, by measurements of it and of the next width; otherwise it rises over
    /// several widths.
    pub is_step: bool,
    /// The probability that the jump is more than half of what counts as one, by its readings.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub confidence: Option<f64>,
    /// The neighbors that it was compared with, at most a granularity step below and above, where these were measured.
    pub neighbors: [Option<usize>; 2],
    /// Where the engine runs another algorithm past this edge: the one here, and the one there. Such a riser is the
    /// library's choice rather than the hardware's, and may move with its version.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub algorithm_change: Option<[String; 2]>,
}

/// Widths from `from` to `to`, both included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct RangeReport {
    /// The smallest.
    pub from: usize,
    /// The largest.
    pub to: usize,
    /// Whether some of them were not timed: the granularity says so, not a measurement of each.
    pub inferred: bool,
}

/// A measured width.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct PointReport {
    /// Channels.
    pub channels: usize,
    /// Latency there.
    pub latency_ms: f64,
    /// Its interval.
    pub interval_ms: Interval,
    /// Where it comes from.
    pub provenance: Provenance,
    /// What the engine ran, where it has a choice and says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub algorithm: Option<String>,
}
