//! A patch: what a plan changes in a model, as a value.
//!
//! It is built and audited before anything is written, prints as a diff, and is applied as a whole or not at all.

mod audit;
mod build;
mod cut;
mod display;
mod write;

pub(crate) use cut::{AxisCut, Cut};

use crate::error::SurgeryError;
use crate::model::Model;
use netspec::PrunePlan;

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
    /// A convolution has fewer groups.
    Groups {
        /// The node.
        node: String,
        /// The node's index in the file.
        place: usize,
        /// Its attribute `group` before.
        before: usize,
        /// And after.
        after: usize,
    },
    /// A number in a constant counts channels.
    Number {
        /// The constant.
        tensor: String,
        /// The number's index in it.
        index: usize,
        /// The number before.
        before: usize,
        /// And after.
        after: usize,
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

/// What a plan changes in a model.
pub struct Patch<'m> {
    model: &'m Model,
    changes: Vec<Change>,
}

impl<'m> Patch<'m> {
    /// The changes that remove the channels which `plan` does not keep.
    ///
    /// # Errors
    /// The plan is not for this model ([`SurgeryError::Plan`]), or the patched graph contradicts itself.
    pub fn build(model: &'m Model, plan: &PrunePlan) -> Result<Patch<'m>, SurgeryError> {
        plan.validate(model.network())?;
        let patch = Patch { model, changes: build::removal(model, plan)? };
        patch.audit(plan)?;
        Ok(patch)
    }

    /// The changes that disconnect those channels instead: weights that read them become zero.
    ///
    /// The result computes what the pruned model computes, at the original's shapes and cost: what is lost by
    /// pruning can be studied with it, and that surgery is right be checked.
    ///
    /// # Errors
    /// The plan is not for this model.
    pub fn disconnect(model: &'m Model, plan: &PrunePlan) -> Result<Patch<'m>, SurgeryError> {
        plan.validate(model.network())?;
        Ok(Patch { model, changes: build::disconnection(model, plan) })
    }

    /// The changes, tensors first.
    pub fn changes(&self) -> &[Change] {
        &self.changes
    }
}
