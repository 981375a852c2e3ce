//! What `align` reports.

use super::{Covers, Header, Interval, ModelReport};
use crate::modules::ModuleKeep;
use netspec::{DType, GroupId, GroupPlan};
use serde::Serialize;
use std::collections::BTreeMap;

/// Result of `align`: another pruner's widths and those next to them that pay, as a plan.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct AlignReport {
    /// Schema, engine, machine.
    #[serde(flatten)]
    pub header: Header,
    /// The model.
    pub model: ModelReport,
    /// Images per run.
    pub batch: usize,
    /// The data type that the network is timed in.
    pub dtype: DType,
    /// What latencies cover.
    pub covers: Covers,
    /// By what the channels that stay are chosen where only their number was given, as in a plan.
    pub value_kind: String,
    /// How it was computed.
    pub value_name: String,
    /// What the network is worth with the widths that were asked for, each group keeping its best channels.
    pub value_asked: f64,
    /// The same with the aligned widths.
    pub value_aligned: f64,
    /// Groups that were asked to lose channels, or that keep fewer than all now.
    pub widths: Vec<AlignedWidth>,
    /// Latency with the widths that were asked for, measured next to the aligned ones.
    pub asked_ms: f64,
    /// Its interval.
    pub asked_interval_ms: Interval,
    /// Latency with the aligned widths.
    pub aligned_ms: f64,
    /// Its interval.
    pub aligned_interval_ms: Interval,
    /// The latter as a share of the former, paired.
    pub ratio: f64,
    /// Its interval.
    pub ratio_interval: Interval,
    /// Parameters with the widths that were asked for.
    pub params_asked: usize,
    /// Parameters with the aligned widths.
    pub params_aligned: usize,
    /// Measurements made for it.
    pub measured: u64,
    /// Questions that the table answered.
    pub shared: u64,
    /// Time that the engine was busy, in seconds.
    pub device_seconds: f64,
    /// What each group keeps.
    pub groups: Vec<GroupPlan>,
    /// The same for each module.
    pub modules: BTreeMap<String, ModuleKeep>,
    /// Weights of such modules whose names the export did not keep.
    pub modules_unnamed: Vec<String>,
}

/// One group's width before and after.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct AlignedWidth {
    /// The group.
    pub id: GroupId,
    /// Its first producer.
    pub name: String,
    /// Channels of the model.
    pub channels: usize,
    /// Channels that were asked for.
    pub asked: usize,
    /// Channels that it keeps.
    pub aligned: usize,
    /// What all layers that read or write it took, with all groups as asked for; nothing where a table does not tell.
    pub asked_ms: Option<f64>,
    /// The same with all groups as aligned.
    pub aligned_ms: Option<f64>,
}
