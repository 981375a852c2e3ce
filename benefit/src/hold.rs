//! Why something takes the time that it takes, whatever is pruned.

use crate::problem::{CellUse, Group, Problem};
use std::fmt;

/// What keeps a layer's time up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "kebab-case"))]
#[non_exhaustive]
pub enum Hold {
    /// None of its widths may change.
    Frozen,
    /// It is at its narrowest allowed widths, and took more before.
    Narrowest,
    /// No allowed widths make it faster: it stands on its edge already.
    OnEdge,
    /// The same, and it takes about as long as the shortest layers: starting it takes the time.
    LaunchFloor,
    /// The same, and it moves its data nearly as fast as any layer does: channels that stay take the time.
    MemoryBound,
    /// It is not a layer: operators between layers, or the fixed part.
    NoLayer,
}

impl fmt::Display for Hold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Hold::Frozen => "frozen",
            Hold::Narrowest => "at its narrowest",
            Hold::OnEdge => "already on its edge",
            Hold::LaunchFloor => "launch floor",
            Hold::MemoryBound => "memory bound",
            Hold::NoLayer => "not a layer",
        })
    }
}

/// What a layer has to save, of its time at full width, for pruning to count.
const COUNTS: f64 = 0.1;

impl Problem {
    /// What keeps a layer's time up, as far as costs alone tell: it is frozen, on its edge, or at its narrowest.
    pub fn hold(&self, layer: usize) -> Hold {
        let Some(cost) = self.layers().get(layer) else { return Hold::NoLayer };
        let is_free = |group: usize| self.groups().get(group).is_some_and(|group| group.is_free());
        let mut parts = cost.inputs().parts.iter().chain(&cost.outputs().parts);
        if !parts.any(|part| is_free(part.group.0)) {
            return Hold::Frozen;
        }
        let ns = |levels: &[usize]| -> f64 {
            let CellUse { cell, .. } = self.cell_use(layer, levels);
            cell.ns
        };
        // Without all of a group's channels the layer would not run: that says nothing of its edge.
        let narrowest: Vec<usize> = self.groups().iter().map(Group::narrowest).collect();
        if ns(&narrowest) > (1.0 - COUNTS) * ns(&self.full_levels()) { Hold::OnEdge } else { Hold::Narrowest }
    }
}
