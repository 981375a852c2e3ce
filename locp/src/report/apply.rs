//! What `apply` reports.

use super::{ModelReport, Schema};
use crate::Repair;
use crate::modules::ModuleKeep;
use onnx_surgery::Change;
use serde::Serialize;
use std::collections::BTreeMap;

/// Result of `apply`.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct ApplyReport {
    /// The schema's name and version.
    pub schema: Schema,
    /// The model.
    pub model: ModelReport,
    /// Where the pruned model was written, unless it was a dry run.
    pub output: Option<String>,
    /// What changes, for people.
    pub diff: String,
    /// The same for programs, tensors first.
    pub changes: Vec<ChangeReport>,
    /// What each module that loses channels keeps, where the export kept its name.
    pub modules: BTreeMap<String, ModuleKeep>,
    /// Weights that lose output channels and whose modules' names the export did not keep.
    pub modules_unnamed: Vec<String>,
    /// Elements of all weights before.
    pub params_before: usize,
    /// And after.
    pub params_after: usize,
    /// What calibration images repaired, where there were any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub repair: Option<Repair>,
}

/// One change to the model's file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "change", rename_all = "kebab-case")]
#[non_exhaustive]
pub enum ChangeReport {
    /// A tensor loses positions of an axis.
    Shrink {
        /// The tensor.
        tensor: String,
        /// The axis.
        axis: usize,
        /// Its length before.
        before: usize,
        /// And after.
        after: usize,
        /// What goes, as ranges with both ends included.
        removed: Vec<[usize; 2]>,
    },
    /// A tensor that several nodes share becomes another one for some of them.
    Copy {
        /// The tensor that is shared.
        tensor: String,
        /// The new one.
        copy: String,
    },
    /// An attribute counts channels.
    Attribute {
        /// The node.
        node: String,
        /// The attribute.
        name: String,
        /// Which number, if it is a list.
        element: Option<usize>,
        /// The number before.
        before: i64,
        /// And after.
        after: i64,
    },
    /// A number in a constant counts channels.
    Number {
        /// The constant.
        tensor: String,
        /// The number's index in it.
        index: usize,
        /// The number before; one below 0 counts channels from the end.
        before: i64,
        /// And after.
        after: i64,
    },
    /// The shape that the file states for a tensor.
    Stated {
        /// The tensor.
        tensor: String,
        /// The axis.
        axis: usize,
        /// Its length before.
        before: usize,
        /// And after.
        after: usize,
    },
    /// What a node computes becomes a constant: the branch that it is the end of goes.
    Constant {
        /// The node.
        node: String,
        /// The constant's name, which what the node computed had.
        tensor: String,
        /// Its channels.
        channels: usize,
    },
    /// A node goes, for it leads to nothing any more.
    Remove {
        /// The node.
        node: String,
    },
    /// A constant goes with all that read it.
    Unread {
        /// The constant.
        tensor: String,
    },
    /// Something else, in words.
    Other {
        /// What.
        what: String,
    },
}

impl From<&Change> for ChangeReport {
    fn from(change: &Change) -> ChangeReport {
        match change.clone() {
            Change::Shrink { tensor, axis, before, removed } => {
                let after = before - removed.len();
                ChangeReport::Shrink { tensor, axis, before, after, removed: ranges(&removed) }
            }
            Change::Copy { tensor, copy, .. } => ChangeReport::Copy { tensor, copy },
            Change::Attribute { node, name, element, before, after, .. } => {
                ChangeReport::Attribute { node, name, element, before, after }
            }
            Change::Number { tensor, index, before, after } => ChangeReport::Number { tensor, index, before, after },
            Change::Stated { tensor, axis, before, after } => ChangeReport::Stated { tensor, axis, before, after },
            Change::Constant { node, tensor, keep, .. } => {
                ChangeReport::Constant { node, tensor, channels: keep.len() }
            }
            Change::Remove { node, .. } => ChangeReport::Remove { node },
            Change::Unread { tensor } => ChangeReport::Unread { tensor },
            other => ChangeReport::Other { what: other.to_string() },
        }
    }
}

/// Ascending positions as ranges, both ends included.
fn ranges(positions: &[usize]) -> Vec<[usize; 2]> {
    positions.chunk_by(|a, b| a + 1 == *b).filter_map(|run| Some([*run.first()?, *run.last()?])).collect()
}

#[cfg(test)]
mod tests {
    use super::ranges;

    #[test]
    fn ranges_hold_every_position_once() {
        assert_eq!(ranges(&[0, 1, 3, 5, 6, 7]), [[0, 1], [3, 3], [5, 7]]);
        assert!(ranges(&[]).is_empty());
    }
}
