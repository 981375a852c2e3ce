//! A patch: what a plan changes in a model, as a value.
//!
//! It is built and audited before anything is written, prints as a diff, and is applied as a whole or not at all.

mod audit;
mod build;
mod cut;
mod display;
mod edits;
mod fate;
mod gone;
mod write;

pub(crate) use cut::{AxisCut, Cut};

use crate::error::SurgeryError;
use crate::model::Model;
use netspec::PrunePlan;
use std::collections::BTreeMap;
use std::fmt;

/// One change to a model's file.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Change {
    /// A tensor loses positions of an axis.
    Shrink {
        /// The tensor.
        tensor: String,
        /// The axis.
        axis: usize,
        /// Its length before.
        before: usize,
        /// Positions that go, ascending.
        removed: Vec<usize>,
    },
    /// Positions of a tensor's axis become zero.
    Zero {
        /// The tensor.
        tensor: String,
        /// The axis.
        axis: usize,
        /// The axis's length.
        length: usize,
        /// Positions that become zero, ascending.
        zeroed: Vec<usize>,
    },
    /// A tensor that several nodes share becomes another one for some of them.
    Copy {
        /// The tensor that is shared.
        tensor: String,
        /// The new one's name. What else happens to it is stated under this name.
        copy: String,
        /// The nodes that read it from now on: each one's index in the file, and the number of its input.
        readers: Vec<(usize, usize)>,
        /// The index in the file of an Identity that had made the name, and goes.
        identity: Option<usize>,
    },
    /// An attribute counts channels: a convolution's groups, a Split's sizes.
    Attribute {
        /// The node.
        node: String,
        /// The node's index in the file.
        place: usize,
        /// The attribute.
        name: String,
        /// Which number, if it is a list.
        element: Option<usize>,
        /// The number before.
        before: i64,
        /// And after.
        after: i64,
    },
    /// A number in a constant counts channels; one below 0 counts them from the end.
    Number {
        /// The constant.
        tensor: String,
        /// The number's index in it.
        index: usize,
        /// The number before.
        before: i64,
        /// And after.
        after: i64,
    },
    /// A list of positions of channels.
    Positions {
        /// The constant.
        tensor: String,
        /// Its length before.
        before: usize,
        /// The positions after.
        after: Vec<i64>,
    },
    /// What a node computes becomes a constant, one number for each channel: the branch that it is the end of goes.
    Constant {
        /// The node.
        node: String,
        /// What it computes: the constant's name.
        tensor: String,
        /// The layer that the constant is the bias of, by its index in the network.
        layer: usize,
        /// The layer's channels before.
        channels: usize,
        /// Those that stay, ascending.
        keep: Vec<usize>,
    },
    /// A node goes, for it leads to nothing any more.
    Remove {
        /// The node.
        node: String,
        /// The node's index in the file.
        place: usize,
    },
    /// A constant goes with all that read it.
    Unread {
        /// The constant.
        tensor: String,
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
}

impl Change {
    /// The tensor that changes, if one does.
    fn tensor(&self) -> Option<&str> {
        match self {
            Change::Shrink { tensor, .. }
            | Change::Zero { tensor, .. }
            | Change::Number { tensor, .. }
            | Change::Positions { tensor, .. }
            | Change::Constant { tensor, .. }
            | Change::Unread { tensor }
            | Change::Stated { tensor, .. } => Some(tensor),
            Change::Copy { .. } | Change::Attribute { .. } | Change::Remove { .. } => None,
        }
    }

    /// The name of a new copy.
    fn copy(&self) -> Option<&str> {
        if let Change::Copy { copy, .. } = self { Some(copy) } else { None }
    }
}

/// What a plan changes in a model.
pub struct Patch<'m> {
    model: &'m Model,
    changes: Vec<Change>,
    /// New elements of constants, by name.
    values: BTreeMap<String, Vec<f32>>,
}

impl fmt::Debug for Patch<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // New elements may be millions: their tensors' names stand for them.
        let values: Vec<&String> = self.values.keys().collect();
        f.debug_struct("Patch")
            .field("model", self.model)
            .field("changes", &self.changes)
            .field("values", &values)
            .finish()
    }
}

impl<'m> Patch<'m> {
    /// The changes that remove the channels which `plan` does not keep.
    ///
    /// Where it keeps none of a group's, which is [removable](netspec::ChannelGroup::removable), the branch that the group
    /// is the inside of goes: what it added to the stream becomes a constant, the bias of its last layer. A removable
    /// group of one channel is not the inside of a branch, and only that channel goes.
    ///
    /// # Errors
    /// The plan is not for this model ([`SurgeryError::Plan`]), or the patched graph contradicts itself.
    pub fn build(model: &'m Model, plan: &PrunePlan) -> Result<Patch<'m>, SurgeryError> {
        plan.validate(model.network())?;
        let patch = Patch { changes: build::removal(model, plan)?, ..Patch::nothing(model) };
        patch.audit(plan)?;
        Ok(patch)
    }

    /// The changes that disconnect those channels instead: weights that read them become zero.
    ///
    /// The result computes what the pruned model computes, at the original's shapes and cost: what is lost by
    /// pruning can be studied with it, and that surgery is right be checked.
    ///
    /// # Errors
    /// The plan is not for this model, or a weight is not stored in the file ([`SurgeryError::NotStored`]).
    pub fn disconnect(model: &'m Model, plan: &PrunePlan) -> Result<Patch<'m>, SurgeryError> {
        plan.validate(model.network())?;
        Ok(Patch { changes: build::disconnection(model, plan)?, ..Patch::nothing(model) })
    }

    /// Other elements for constants of the model, by name, in C order; shapes stay, and element types, to which the values
    /// are rounded.
    ///
    /// # Errors
    /// The model has no floating-point constant of this name and number of elements ([`SurgeryError::Values`]).
    pub fn exchange(model: &'m Model, values: BTreeMap<String, Vec<f32>>) -> Result<Patch<'m>, SurgeryError> {
        for (tensor, new) in &values {
            let constant = model.graph.ids.get(tensor).and_then(|id| model.graph.constants.get(id));
            let expected = match constant {
                Some(c) if c.is_floating() && c.elements() == new.len() => continue,
                Some(c) if c.is_floating() => format!("of {} elements", c.elements()),
                Some(_) => "not floating-point".to_owned(),
                None => "no constant of the model".to_owned(),
            };
            return Err(SurgeryError::Values { tensor: tensor.clone(), found: new.len(), expected });
        }
        Ok(Patch { values, ..Patch::nothing(model) })
    }

    /// No change.
    pub(crate) fn nothing(model: &'m Model) -> Patch<'m> {
        Patch { model, changes: Vec::new(), values: BTreeMap::new() }
    }

    /// The changes, tensors first; without elements that are [exchanged](Self::exchange).
    pub fn changes(&self) -> &[Change] {
        &self.changes
    }
}
