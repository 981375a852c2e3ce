//! The pruning problem as plain data.

use crate::builder::ProblemBuilder;
use crate::cells::{Cell, LayerCost};
use crate::choice::Levels;
use crate::error::ProblemError;
use crate::loading::Loading;
use crate::ticks::{Ticks, nanoseconds, ticks};
use crate::value::ValueKind;
use netspec::{GroupId, Provenance, Width};
use std::collections::BTreeSet;

/// A channel group with the widths that it may take.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Group {
    /// Its name, for people.
    pub name: String,
    /// Channels before pruning.
    pub channels: usize,
    /// Widths that it may take, ascending; the last one is `channels`. At 0 it goes with all layers around it.
    pub levels: Vec<usize>,
    /// The value at each level: minus the predicted damage, 0 at full width.
    pub value: Vec<f64>,
}

impl Group {
    /// The index of the full width among the levels.
    pub fn full(&self) -> usize {
        self.levels.len() - 1
    }

    /// The index of the narrowest level that leaves channels: below it the group is gone, and no layer is narrower.
    pub(crate) fn narrowest(&self) -> usize {
        usize::from(self.levels.first() == Some(&0))
    }

    /// Whether there is a choice.
    pub fn is_free(&self) -> bool {
        self.levels.len() > 1
    }
}

/// An operator between layers: its cost is affine in the elements that it moves.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct OperatorCost {
    pub(crate) name: String,
    /// What its channels follow.
    pub(crate) width: Width,
    /// Elements read and written per channel, for the whole batch.
    pub(crate) elements_per_channel: f64,
    /// Nanoseconds per element and beside, if profiles told them.
    #[cfg_attr(feature = "serde", serde(default))]
    pub(crate) known: Option<[f64; 2]>,
}

/// A change of layout that the whole model pays for at widths that are not multiples of something.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct Reformat {
    pub(crate) multiple: usize,
    /// For each element that a layer writes at such a width.
    pub(crate) ns_per_element: f64,
}

/// What a choice of levels costs.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct Cost {
    /// Predicted latency in nanoseconds.
    pub ns: f64,
    /// How many of its cells are estimates.
    pub estimated: usize,
}

/// A cell that a choice of levels uses.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct CellUse {
    /// The layer's index.
    pub layer: usize,
    /// Input channels; 0 on both sides where the layer goes with a group that it neither reads nor computes.
    pub c_in: usize,
    /// Output channels.
    pub c_out: usize,
    /// What it costs.
    pub cell: Cell,
}

impl CellUse {
    /// Whether the layer runs at all: without channels on one side there is nothing to measure.
    pub fn runs(&self) -> bool {
        self.c_in > 0 && self.c_out > 0
    }
}

/// Groups that may be narrowed, what narrowing loses, and what every layer costs at every width.
///
/// The predicted latency of a choice is
/// `fixed_ns + scale * (sum of cells) + ns_per_element * (elements that operators move)`, and what reformats and weights
/// cost beyond; where [profiles](Problem::fit_profiles) of the whole model tell, layers and operators cost what they say instead.
/// [`fit_latency`](crate::fit_latency) sets the coefficients from runs of the whole model.
/// Costs are summed in whole units of 2^-32 ns, so that neither the order of the layers nor the order of the
/// moves changes a sum.
///
/// A choice of one level per group is a [`Levels`].
///
/// With feature `serde` a problem is written with everything it rests on, and checked when it is read.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(try_from = "crate::wire::Wire", into = "crate::wire::Wire"))]
pub struct Problem {
    pub(crate) groups: Vec<Group>,
    pub(crate) layers: Vec<LayerCost>,
    pub(crate) operators: Vec<OperatorCost>,
    pub(crate) fixed_ns: f64,
    pub(crate) scale: f64,
    pub(crate) ns_per_element: f64,
    /// What each weight costs beyond.
    pub(crate) ns_per_weight: f64,
    /// What profiles say of weights.
    pub(crate) loading: Option<Loading>,
    /// Whether runs of the whole model show that operators cost anything.
    pub(crate) operators_cost: bool,
    pub(crate) reformat: Option<Reformat>,
    pub(crate) value_kind: ValueKind,
    pub(crate) estimate_error: Option<f64>,
}

impl Problem {
    /// Starts a problem by hand.
    pub fn builder() -> ProblemBuilder {
        ProblemBuilder::default()
    }

    /// The groups; a group's id is its index.
    pub fn groups(&self) -> &[Group] {
        &self.groups
    }

    /// The layers.
    pub fn layers(&self) -> &[LayerCost] {
        &self.layers
    }

    /// What the values mean.
    pub fn value_kind(&self) -> ValueKind {
        self.value_kind
    }

    /// The summed value of these levels: 0 for the dense network, negative otherwise.
    ///
    /// # Panics
    /// If the levels belong to a problem with other group or level counts.
    pub fn value(&self, levels: &Levels) -> f64 {
        self.value_at(self.own(levels))
    }

    /// What these levels cost.
    ///
    /// # Panics
    /// If the levels belong to a problem with other group or level counts.
    pub fn cost(&self, levels: &Levels) -> Cost {
        let levels = self.own(levels);
        let mut total = self.constant_ticks();
        for g in 0..self.groups.len() {
            total += self.operator_ticks(GroupId(g), self.width_of(levels, GroupId(g)));
        }
        let mut estimated = 0;
        for layer in 0..self.layers.len() {
            let used = self.cell_use(layer, levels);
            total += self.used_ticks(&used);
            estimated += usize::from(used.cell.provenance == Provenance::Interpolated);
        }
        Cost { ns: nanoseconds(total), estimated }
    }

    /// What the dense network costs, in nanoseconds.
    pub fn dense_ns(&self) -> f64 {
        self.cost(&self.dense()).ns
    }

    /// The cells that these levels use, one per layer.
    ///
    /// # Panics
    /// If the levels belong to a problem with other group or level counts.
    pub fn cells(&self, levels: &Levels) -> Vec<CellUse> {
        let levels = self.own(levels);
        (0..self.layers.len()).map(|layer| self.cell_use(layer, levels)).collect()
    }

    /// The cells that these levels use and that are estimates: measure them, [`Problem::set_cell`], solve again.
    ///
    /// # Panics
    /// If the levels belong to a problem with other group or level counts.
    pub fn unmeasured_cells(&self, levels: &Levels) -> Vec<CellUse> {
        let mut cells = self.cells(levels);
        cells.retain(|used| used.cell.provenance == Provenance::Interpolated);
        cells
    }

    /// Replaces the price of one cell by a better one.
    pub fn set_cell(
        &mut self,
        layer: usize,
        c_in: usize,
        c_out: usize,
        ns: f64,
        provenance: Provenance,
    ) -> Result<(), ProblemError> {
        let layers = self.layers.len();
        let layer = self.layers.get_mut(layer).ok_or(ProblemError::UnknownLayer { index: layer, layers })?;
        layer.set_exact(c_in, c_out, Cell { ns, provenance })
    }

    /// All pairs of widths (c_in, c_out) that a layer can come to.
    pub fn reachable(&self, layer: usize) -> BTreeSet<(usize, usize)> {
        self.layers.get(layer).map(|layer| reachable(&self.groups, layer)).unwrap_or_default()
    }

    pub(crate) fn value_at(&self, levels: &[usize]) -> f64 {
        // Groups at full width add 0, and an empty sum is -0 unless it starts at 0.
        0.0 + self.groups.iter().zip(levels).map(|(group, &level)| group.value[level]).sum::<f64>()
    }

    pub(crate) fn width_of(&self, levels: &[usize], group: GroupId) -> usize {
        self.groups[group.0].levels[levels[group.0]]
    }

    pub(crate) fn cell_use(&self, layer: usize, levels: &[usize]) -> CellUse {
        let cost = &self.layers[layer];
        let is_gone = cost.gone_with.iter().any(|&group| self.width_of(levels, group) == 0);
        let at = |width: &Width| if is_gone { 0 } else { width.at(|g| self.width_of(levels, g)) };
        let (c_in, c_out) = (at(&cost.inputs), at(&cost.outputs));
        let cell = cost.cell(c_in, c_out).expect("a problem is checked to price every cell that levels can reach");
        CellUse { layer, c_in, c_out, cell }
    }

    pub(crate) fn layer_ticks(&self, layer: usize, levels: &[usize]) -> Ticks {
        self.used_ticks(&self.cell_use(layer, levels))
    }

    /// What a layer costs at a pair of widths, or `None` if that is unknown.
    pub(crate) fn cell_ticks(&self, layer: usize, c_in: usize, c_out: usize) -> Option<Ticks> {
        let cell = self.layers[layer].cell(c_in, c_out)?;
        Some(self.used_ticks(&CellUse { layer, c_in, c_out, cell }))
    }

    /// What a layer costs in the whole model.
    fn used_ticks(&self, used: &CellUse) -> Ticks {
        if !used.runs() {
            return ticks(0.0);
        }
        let layer = &self.layers[used.layer];
        let reformatted = self
            .reformat
            .map_or(0.0, |reformat| reformat.ns_per_element * layer.reformatted(reformat.multiple, used.c_out));
        let loaded = self.ns_per_weight * layer.weights_at(used.c_in, used.c_out);
        ticks(self.scale * layer.in_context(used.cell.ns) + loaded + reformatted)
    }

    /// What costs the same at all levels, layers aside.
    pub(crate) fn constant_ticks(&self) -> Ticks {
        let fixed = |operator: &OperatorCost| {
            let beside = operator.known.map_or(0.0, |[_, beside]| self.scale * beside);
            self.element_ticks(operator, operator.width.fixed) + ticks(beside)
        };
        ticks(self.fixed_ns) + self.operators.iter().map(fixed).sum::<Ticks>()
    }

    /// What all operators cost for one group at a width.
    pub(crate) fn operator_ticks(&self, group: GroupId, width: usize) -> Ticks {
        let parts = self.operators.iter().flat_map(|op| op.width.parts.iter().map(move |part| (op, part)));
        parts
            .filter(|(_, part)| part.group == group)
            .map(|(operator, part)| self.element_ticks(operator, part.repeat * width))
            .sum()
    }

    fn element_ticks(&self, operator: &OperatorCost, channels: usize) -> Ticks {
        let ns_per_element = operator.known.map_or(self.ns_per_element, |[per_element, _]| self.scale * per_element);
        ticks(ns_per_element * operator.elements_per_channel * channels as f64)
    }
}

/// All pairs of widths that a layer can come to: one group after another, in all its levels.
pub(crate) fn reachable(groups: &[Group], layer: &LayerCost) -> BTreeSet<(usize, usize)> {
    let parts = layer.inputs.parts.iter().chain(&layer.outputs.parts);
    let follows: BTreeSet<usize> = parts.map(|part| part.group.0).filter(|&g| g < groups.len()).collect();
    let mut pairs = BTreeSet::from([(layer.inputs.fixed, layer.outputs.fixed)]);
    for g in follows {
        let repeat =
            |width: &Width| width.parts.iter().filter(|part| part.group.0 == g).map(|part| part.repeat).sum::<usize>();
        let (r_in, r_out) = (repeat(&layer.inputs), repeat(&layer.outputs));
        let levels = &groups[g].levels;
        pairs = pairs
            .iter()
            .flat_map(|&(i, o)| levels.iter().map(move |level| (i + r_in * level, o + r_out * level)))
            .collect();
    }
    pairs
}
