//! What `explain` and `lint` report.

use super::{Header, ModelReport};
use netspec::GroupId;
use serde::Serialize;

/// Result of `explain`.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct ExplainReport {
    /// Schema, engine, machine.
    #[serde(flatten)]
    pub header: Header,
    /// The model.
    pub model: ModelReport,
    /// The groups that layers read or write, in their order.
    pub groups: Vec<GroupExplained>,
    /// Measurements made for it.
    pub measured: u64,
    /// Questions that the table answered.
    pub shared: u64,
    /// Time that the engine was busy, in seconds.
    pub device_seconds: f64,
}

/// Where a group's width stands.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct GroupExplained {
    /// The group.
    pub id: GroupId,
    /// Its width.
    pub channels: usize,
    /// The layers that read or write it.
    pub members: Vec<MemberReport>,
    /// What these take together now; nothing where a table does not hold all of them.
    pub latency_ms: Option<f64>,
    /// Why it keeps its channels, where it does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub frozen: Option<String>,
    /// The next narrower width that saves something; nothing where none does.
    pub prune_to: Option<StepTo>,
    /// The widest width that costs no more than today's, where there is a wider one: today's is dominated then.
    pub grow_to: Option<usize>,
    /// The width below which nothing more is gained, where that is not the narrowest one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gains_nothing_below: Option<usize>,
    /// The same for people.
    pub words: String,
}

/// A layer that reads or writes a group.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct MemberReport {
    /// Its name.
    pub layer: String,
    /// `c_out` where it writes the group, `c_in` where it reads it.
    pub axes: Vec<&'static str>,
}

/// A width and what going there saves.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct StepTo {
    /// The width.
    pub channels: usize,
    /// Time saved over all members.
    pub saves_ms: f64,
    /// The same as a share of what they take now.
    pub saves: f64,
}

/// Result of `lint`.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct LintReport {
    /// Schema, engine, machine.
    #[serde(flatten)]
    pub header: Header,
    /// The model.
    pub model: ModelReport,
    /// Groups that were looked at.
    pub groups: usize,
    /// What was found, in the order of the groups.
    pub findings: Vec<Finding>,
    /// Groups with layers that the table does not hold.
    pub unknown: usize,
}

/// One finding.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct Finding {
    /// `dominated-width`: a wider group costs no more. `unknown`: not in the table.
    pub kind: &'static str,
    /// The group.
    pub group: GroupId,
    /// Its first layer.
    pub layer: String,
    /// What to do.
    pub message: String,
}

impl From<ExplainReport> for LintReport {
    fn from(report: ExplainReport) -> LintReport {
        let finding = |group: &GroupExplained| {
            let kind = match (group.latency_ms, group.grow_to) {
                (None, _) => "unknown",
                (Some(_), Some(_)) => "dominated-width",
                (Some(_), None) => return None,
            };
            let layer = group.members.first().map_or_else(String::new, |member| member.layer.clone());
            Some(Finding { kind, group: group.id, layer, message: group.words.clone() })
        };
        let findings: Vec<Finding> = report.groups.iter().filter_map(finding).collect();
        let unknown = findings.iter().filter(|finding| finding.kind == "unknown").count();
        let header = Header { schema: "locp.lint/1", ..report.header };
        LintReport { header, model: report.model, groups: report.groups.len(), findings, unknown }
    }
}

impl LintReport {
    /// Whether a width was found that a wider one dominates.
    pub fn has_dominated(&self) -> bool {
        self.findings.iter().any(|finding| finding.kind == "dominated-width")
    }
}
