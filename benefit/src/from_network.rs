//! Problems from networks.

use crate::builder::ProblemBuilder;
use crate::error::ProblemError;
use crate::levels::{LevelRule, levels_from};
use crate::sweep::Sweep;
use crate::value::Value;
use netspec::{GroupId, Network, Width};

/// How far a network may be pruned.
#[derive(Clone, Debug, PartialEq)]
pub struct Limits {
    min_share: f64,
    prune_residual: bool,
    remove_branches: bool,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits { min_share: 0.25, prune_residual: false, remove_branches: false }
    }
}

impl Limits {
    /// Every group keeps at least this share of its channels, in (0, 1], and at least one channel.
    ///
    /// By default a quarter: without calibration images nothing shows when a group is about to break.
    pub fn min_share(self, min_share: f64) -> Limits {
        Limits { min_share, ..self }
    }

    /// Whether groups on a residual stream may lose channels.
    ///
    /// By default not: every block reads and writes the stream, and removing an eighth of one stage's channels costs more
    /// accuracy than removing an eighth of all inner groups'.
    pub fn prune_residual(self, prune_residual: bool) -> Limits {
        Limits { prune_residual, ..self }
    }

    /// Whether residual branches may be removed as a whole, if a group is
    /// [`removable`](netspec::ChannelGroup::removable).
    ///
    /// By default not: magnitudes of weights do not predict what that costs.
    pub fn remove_branches(self, remove_branches: bool) -> Limits {
        Limits { remove_branches, ..self }
    }

    /// The share of its channels that every group keeps at least.
    pub fn get_min_share(&self) -> f64 {
        self.min_share
    }

    /// Whether groups on a residual stream may lose channels.
    pub fn get_prune_residual(&self) -> bool {
        self.prune_residual
    }

    /// Whether residual branches may be removed as a whole.
    pub fn get_remove_branches(&self) -> bool {
        self.remove_branches
    }
}

/// Levels of a group that no timed layer follows.
const UNTIMED_LEVELS: usize = 8;

impl ProblemBuilder {
    /// The skeleton of a network's problem: group i and layer i are those of the network, with no costs and no
    /// levels but the full widths yet. Frozen groups, and residual streams unless the limits allow them, stay so.
    ///
    /// Then, in this order:
    /// 1. [`sweep`](Self::sweep) every layer on the axes that move, with what was measured;
    /// 2. [`levels_from_sweeps`](Self::levels_from_sweeps), or [`set_levels`](Self::set_levels) per group;
    /// 3. [`build`](Self::build), then plan;
    /// 4. measure [`Problem::unmeasured_cells`](crate::Problem::unmeasured_cells) of the plan, give them to
    ///    [`Problem::set_cell`](crate::Problem::set_cell), plan again, until there are none;
    /// 5. [`fit_latency`](crate::fit_latency) to runs of the whole model, and plan once more.
    pub fn from_network(network: &Network, limits: &Limits, value: &dyn Value) -> Result<ProblemBuilder, ProblemError> {
        if !(limits.min_share > 0.0 && limits.min_share <= 1.0) {
            let (what, value) = ("the minimum share".to_owned(), limits.min_share);
            return Err(ProblemError::Number { what, value, low: f64::MIN_POSITIVE, high: 1.0 });
        }
        let mut builder = ProblemBuilder::default();
        builder.value_kind(value.kind());
        for group in &network.groups {
            let is_frozen = group.frozen.is_some() || (group.residual && !limits.prune_residual);
            if is_frozen {
                builder.draft_group(group, None, group.channels, false);
                continue;
            }
            let curve =
                value.curve(group.id).map_err(|source| ProblemError::Curve { group: group.name.clone(), source })?;
            let floor = (limits.min_share * group.channels as f64).ceil() as usize;
            let may_go = limits.remove_branches && group.allows(0).is_ok();
            builder.draft_group(group, Some(curve), floor.max(1), may_go);
        }
        for layer in &network.layers {
            let (inputs, outputs) = (layer.inputs.clone(), layer.outputs.clone());
            let index = builder.bare_layer(&layer.name, inputs, outputs, layer.spec.groups > 1);
            builder.gone_with(index, &layer.gone_with);
            let [_, weights, written] = layer.spec.elements();
            builder.writes(index, written as f64 / layer.spec.c_out as f64).weights(index, weights as f64);
        }
        // A network's layers share one batch size; operators move that many images' elements.
        let batch = network.layers.first().map_or(1, |layer| layer.spec.batch);
        for operator in &network.operators {
            let elements = operator.elements_per_channel as f64 * batch as f64;
            builder.operator(&operator.name, operator.width.clone(), elements);
        }
        Ok(builder)
    }

    /// Chooses every unfrozen group's levels by [`levels_from`] from the sweeps given so far; the rule's floor is
    /// raised to the group's own, and only widths that the group's constraints allow are taken, besides none at all where
    /// the limits let its branch go. A member without a sweep, and a concat's consumer, let no width be dominated. A group
    /// without members has eight levels.
    pub fn levels_from_sweeps(&mut self, rule: &LevelRule) -> &mut Self {
        for (g, channels) in self.group_channels().into_iter().enumerate() {
            let group = GroupId(g);
            let floor = self.floor(group).unwrap_or(channels);
            if floor >= channels {
                continue;
            }
            let mut rule = rule.clone().floor(floor.max(rule.floor));
            rule.constraints.extend_from_slice(self.constraints(group));
            let mut members = Vec::new();
            for layer in self.layers() {
                let sides = [(&layer.outputs, &layer.by_out), (&layer.inputs, &layer.by_in)];
                // The input side of a grouped layer moves with its output side and has no sweep of its own.
                for (width, sweep) in &sides[..if layer.coupled { 1 } else { 2 }] {
                    match staircase(width, group, sweep.as_ref()) {
                        Some(Some(sweep)) => members.push(sweep),
                        Some(None) => rule.sliding = true,
                        None => {}
                    }
                }
            }
            if members.is_empty() && !rule.sliding {
                // Only layers that cannot be timed alone follow it: nothing tells where its steps are.
                rule = rule.lattice(channels.div_ceil(UNTIMED_LEVELS)).sliding(true);
            }
            self.set_levels(group, &levels_from(channels, &members, &rule));
        }
        self
    }
}

/// A side's staircase over a group's channels: nothing where the side does not follow the group, `Some(None)`
/// where it does and its staircase cannot be told from one sweep.
fn staircase(width: &Width, group: GroupId, sweep: Option<&Sweep>) -> Option<Option<Sweep>> {
    let part = width.parts.iter().find(|part| part.group == group)?;
    let is_alone = width.parts.len() == 1 && part.repeat > 0;
    Some(if is_alone { sweep.and_then(|sweep| sweep.over_group(width.fixed, part.repeat)) } else { None })
}
