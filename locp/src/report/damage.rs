//! What `damage` reports.

use super::{Header, ModelReport};
use serde::Serialize;

/// Result of `damage`.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct DamageReport {
    /// Schema, engine, machine.
    #[serde(flatten)]
    pub header: Header,
    /// The model.
    pub model: ModelReport,
    /// The file of curves, for `--scores`.
    pub output: String,
    /// Images that it rests on.
    pub images: usize,
    /// The groups that have a curve, in the network's order.
    pub groups: Vec<DamageGroup>,
    /// Groups that may not lose channels, or are read by nothing that can be looked at.
    pub without: Vec<String>,
}

/// One group's damage: relative squared error of the network's outputs, as predicted, with what remains fitted.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct DamageGroup {
    /// The group.
    pub name: String,
    /// Its channels.
    pub channels: usize,
    /// The damage with three quarters of them left.
    pub three_quarters: f64,
    /// With half of them.
    pub half: f64,
    /// With a quarter.
    pub quarter: f64,
}
