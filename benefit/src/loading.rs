//! Weights that each run of the whole model loads anew, where a layer that runs alone finds them in a cache.

use crate::choice::Levels;
use crate::problem::Problem;

/// What loading weights costs.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct Loading {
    /// What each weight costs that is loaded.
    pub(crate) ns_per_weight: f64,
    /// The number of weights that stay in a cache from run to run.
    pub(crate) cached: f64,
}

/// What may stay in a cache, as sixteenths of the dense model's weights.
pub(crate) fn capacities(dense_weights: f64) -> impl Iterator<Item = f64> {
    (0..16).map(move |sixteenths| f64::from(sixteenths) / 16.0 * dense_weights)
}

/// How many of `weights` each run loads.
///
/// Models of several sizes on a CPU show the excess to be loaded, though a strict replacement of what was used least
/// recently would load all weights of a model that is a little too large.
pub(crate) fn loaded(weights: f64, cached: f64) -> f64 {
    (weights - cached).max(0.0)
}

impl Problem {
    /// The weights of the layers that run.
    pub(crate) fn weights(&self, levels: &Levels) -> f64 {
        let uses = self.cells(levels);
        let running = uses.iter().filter(|used| used.runs());
        running.map(|used| self.layers[used.layer].weights_at(used.c_in, used.c_out)).sum()
    }
}
