//! What `bench` reports.

use super::{Header, Latency};
use netspec::{CacheState, StopReason};
use serde::Serialize;

/// Result of `bench`.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct BenchReport {
    /// Schema, engine, machine.
    #[serde(flatten)]
    pub header: Header,
    /// What each run found in the caches; a simulated device has none.
    pub cache: Option<CacheState>,
    /// One entry per convolution, in the order asked.
    pub rows: Vec<BenchRow>,
    /// What was seen of the device's own speed.
    pub drift: Drift,
}

/// One convolution, timed or not.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct BenchRow {
    /// The convolution, in canonical text.
    pub spec: String,
    /// Its latency.
    #[serde(flatten)]
    pub latency: Option<Latency>,
    /// Samples that it rests on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub samples: Option<u32>,
    /// Why sampling stopped.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stop: Option<StopReason>,
    /// Throttled readings that are not among the samples.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub discarded: Option<u32>,
    /// The device's median clock meanwhile in MHz, where it tells.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clock_mhz: Option<f64>,
    /// Operations per second that this comes to, in units of 10^12, a product and a sum being two.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tflops: Option<f64>,
    /// What the engine ran, where it has a choice and says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub algorithm: Option<String>,
    /// Why it was not timed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// Whether the device changed speed while others were timed.
#[derive(Clone, Copy, Debug, Serialize)]
#[non_exhaustive]
pub struct Drift {
    /// Times that convolutions were measured again because an anchor had moved.
    pub repeated: u32,
    /// Times that one moved during the last repetition too.
    pub unsettled: u32,
    /// The largest relative move of an anchor.
    pub worst_move: f64,
}

impl From<timing::DriftReport> for Drift {
    fn from(of: timing::DriftReport) -> Drift {
        Drift { repeated: of.repeated, unsettled: of.unsettled, worst_move: of.worst_move }
    }
}
