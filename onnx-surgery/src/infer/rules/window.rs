//! Windows that slide over an image: what convolutions and pools have in common.

use super::{Cx, Stop};
use crate::constant::MAX_DIM;

/// A window's attributes, a value per spatial axis.
pub(super) struct Window {
    pub(super) kernel: Vec<usize>,
    pub(super) strides: Vec<usize>,
    pub(super) dilations: Vec<usize>,
    /// All begins, then all ends; `auto_pad` is resolved by [`Window::padding`].
    pads: Vec<usize>,
    auto_pad: AutoPad,
    rounds_up: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum AutoPad {
    No,
    Valid,
    SameUpper,
    SameLower,
}

impl Window {
    /// Reads the attributes of a node whose kernel is known.
    pub(super) fn new(cx: &Cx<'_>, kernel: Vec<usize>) -> Result<Window, Stop> {
        let n = kernel.len();
        let node = cx.node();
        let list = |name: &str, length: usize, default: usize, least: i64| {
            let Some(ints) = node.ints(name) else { return Ok(vec![default; length]) };
            let read = |&i: &i64| usize::try_from(i).ok().filter(|&v| i >= least && v < MAX_DIM);
            let values: Option<Vec<usize>> = ints.iter().map(read).collect();
            let values = values.filter(|values| values.len() == length);
            values
                .ok_or_else(|| cx.refuse(format!("`{name}` is {ints:?}; expected {length} values of at least {least}")))
        };
        let auto_pad = match node.text("auto_pad") {
            "" | "NOTSET" => AutoPad::No,
            "VALID" => AutoPad::Valid,
            "SAME_UPPER" => AutoPad::SameUpper,
            "SAME_LOWER" => AutoPad::SameLower,
            other => return Err(cx.refuse(format!("`auto_pad` is `{other}`"))),
        };
        if kernel.contains(&0) {
            return Err(cx.refuse("its kernel has a side of 0"));
        }
        Ok(Window {
            strides: list("strides", n, 1, 1)?,
            dilations: list("dilations", n, 1, 1)?,
            pads: list("pads", 2 * n, 0, 0)?,
            rounds_up: node.int("ceil_mode", 0) != 0,
            kernel,
            auto_pad,
        })
    }

    fn reach(&self, axis: usize) -> usize {
        (self.kernel[axis] - 1) * self.dilations[axis] + 1
    }

    /// Padding before and behind one axis of a length.
    pub(super) fn padding(&self, axis: usize, length: usize) -> [usize; 2] {
        let n = self.kernel.len();
        let total = length.div_ceil(self.strides[axis]).saturating_sub(1).saturating_mul(self.strides[axis]);
        let total = total.saturating_add(self.reach(axis)).saturating_sub(length);
        match self.auto_pad {
            AutoPad::No => [self.pads[axis], self.pads[n + axis]],
            AutoPad::Valid => [0, 0],
            AutoPad::SameUpper => [total / 2, total - total / 2],
            AutoPad::SameLower => [total - total / 2, total / 2],
        }
    }

    /// Whether each pixel along an axis is a window of its own.
    pub(super) fn is_pointwise(&self, axis: usize) -> bool {
        let pads = [self.pads[axis], self.pads[self.kernel.len() + axis]];
        let is_padded = self.auto_pad == AutoPad::No && pads != [0, 0];
        self.kernel[axis] == 1 && self.strides[axis] == 1 && !is_padded
    }

    /// The output's length along one axis.
    pub(super) fn output(&self, cx: &Cx<'_>, axis: usize, length: usize) -> Result<usize, Stop> {
        let [before, behind] = self.padding(axis, length);
        let padded = length.saturating_add(before + behind);
        let room = padded.checked_sub(self.reach(axis)).ok_or_else(|| {
            cx.refuse(format!("its window of {} does not fit into {padded} pixels", self.reach(axis)))
        })?;
        let stride = self.strides[axis];
        if !self.rounds_up {
            return Ok(room / stride + 1);
        }
        // A window that would start in the padding behind the image does not count.
        let last = room.div_ceil(stride);
        Ok(if last.saturating_mul(stride) >= length.saturating_add(before) { last } else { last + 1 })
    }

    /// The output's length along one axis of a transposed convolution.
    pub(super) fn transposed(&self, cx: &Cx<'_>, axis: usize, length: usize, extra: usize) -> Result<usize, Stop> {
        let stride = self.strides[axis];
        let out_of_range = || cx.refuse("its output has no size");
        let spread = length.checked_sub(1).and_then(|n| n.checked_mul(stride)).ok_or_else(out_of_range)?;
        let full = spread.checked_add(self.reach(axis)).and_then(|n| n.checked_add(extra)).ok_or_else(out_of_range)?;
        match self.auto_pad {
            AutoPad::No => {
                let pads = self.pads[axis] + self.pads[self.kernel.len() + axis];
                full.checked_sub(pads).ok_or_else(out_of_range)
            }
            AutoPad::Valid => Ok(full),
            AutoPad::SameUpper | AutoPad::SameLower => length.checked_mul(stride).ok_or_else(out_of_range),
        }
    }
}
