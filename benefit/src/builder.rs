//! Problems by hand.

use crate::cells::{Cell, LayerCost};
use crate::error::ProblemError;
use crate::problem::{Group, OperatorCost, Problem, reachable};
use crate::sweep::{Knot, Sweep};
use crate::value::{ValueCurve, ValueKind};
use netspec::{Axis, ChannelGroup, Constraint, GroupId, Provenance, Width};

/// Where a group's values come from until its levels are known.
#[derive(Clone, Debug)]
enum Values {
    PerLevel(Vec<f64>),
    Curve(ValueCurve),
}

#[derive(Clone, Debug)]
struct DraftGroup {
    name: String,
    channels: usize,
    levels: Vec<usize>,
    values: Values,
    floor: usize,
    /// Whether it may lose all of its channels at once, whatever the floor.
    may_go: bool,
    constraints: Vec<Constraint>,
}

/// Collects groups, layers and operators; [`build`](ProblemBuilder::build) tells the first thing that was wrong.
///
/// ```
/// use benefit::{Budget, Planner, Problem, TwoStage};
/// let mut problem = Problem::builder();
/// let a = problem.group("conv1", 64).levels(&[16, 32, 48, 64]).value(&[-3.0, -1.0, -0.25, 0.0]);
/// let b = problem.group("conv2", 128).every(32).value(&[-3.0, -1.0, -0.25, 0.0]);
/// let tiles = |channels: usize| channels.div_ceil(32) as f64;
/// problem.layer("conv1", 3, a, |_, c_out| 100.0 * tiles(c_out));
/// problem.layer("conv2", [a], b, |c_in, c_out| 50.0 * tiles(c_in) * tiles(c_out));
/// problem.layer("classifier", b, 10, |c_in, _| 10.0 * tiles(c_in));
/// let problem = problem.build()?;
/// let solution = TwoStage::default().plan(&problem, Budget::ratio(0.6))?;
/// assert_eq!(solution.widths, [32, 128]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct ProblemBuilder {
    groups: Vec<DraftGroup>,
    layers: Vec<LayerCost>,
    operators: Vec<OperatorCost>,
    fixed_ns: f64,
    ns_per_element: f64,
    value_kind: ValueKind,
    error: Option<ProblemError>,
}

impl Default for ProblemBuilder {
    fn default() -> ProblemBuilder {
        ProblemBuilder {
            groups: Vec::new(),
            layers: Vec::new(),
            operators: Vec::new(),
            fixed_ns: 0.0,
            ns_per_element: 0.0,
            value_kind: ValueKind::File,
            error: None,
        }
    }
}

/// Says which widths a new group may take and what they are worth.
#[derive(Debug)]
#[must_use = "a group has no values until one of `value`, `curve` and `frozen` ends its description"]
pub struct GroupBuilder<'a> {
    builder: &'a mut ProblemBuilder,
    id: GroupId,
}

impl GroupBuilder<'_> {
    /// The widths that the group may take, ascending, the full width last. At 0 the layers that compute or read nothing
    /// but the group's channels take no time.
    pub fn levels(self, levels: &[usize]) -> Self {
        self.builder.groups[self.id.0].levels = levels.to_vec();
        self
    }

    /// Every multiple of `step`, and the full width.
    pub fn every(self, step: usize) -> Self {
        let channels = self.builder.groups[self.id.0].channels;
        let mut levels: Vec<usize> = (step..channels).step_by(step.max(1)).filter(|&level| level > 0).collect();
        levels.push(channels);
        self.levels(&levels)
    }

    /// The value of each level, in the order of the levels: at most 0, the full width's being 0.
    pub fn value(self, values: &[f64]) -> GroupId {
        self.builder.groups[self.id.0].values = Values::PerLevel(values.to_vec());
        self.id
    }

    /// A value for every number of removed channels; those of the levels are taken from it.
    pub fn curve(self, curve: &ValueCurve) -> GroupId {
        self.builder.groups[self.id.0].values = Values::Curve(curve.clone());
        self.id
    }

    /// Only the full width.
    pub fn frozen(self) -> GroupId {
        let channels = self.builder.groups[self.id.0].channels;
        self.levels(&[channels]).value(&[0.0])
    }
}

impl ProblemBuilder {
    /// Adds a group, at first with its full width only.
    pub fn group(&mut self, name: &str, channels: usize) -> GroupBuilder<'_> {
        let id = GroupId(self.groups.len());
        self.groups.push(DraftGroup {
            name: name.to_owned(),
            channels,
            levels: vec![channels],
            values: Values::PerLevel(vec![0.0]),
            floor: 1,
            may_go: false,
            constraints: Vec::new(),
        });
        GroupBuilder { builder: self, id }
    }

    /// Adds a layer and asks `ns` for its cost in nanoseconds at every pair (c_in, c_out) that levels can reach.
    /// The groups' levels must be known by then. Returns the layer's index.
    pub fn layer(
        &mut self,
        name: &str,
        inputs: impl Into<Width>,
        outputs: impl Into<Width>,
        ns: impl FnMut(usize, usize) -> f64,
    ) -> usize {
        let layer = self.bare_layer(name, inputs, outputs, false);
        self.fill(layer, ns);
        layer
    }

    /// Adds a depthwise layer: both of its sides follow one group. `ns` tells the cost per channel count.
    pub fn depthwise(&mut self, name: &str, group: GroupId, mut ns: impl FnMut(usize) -> f64) -> usize {
        let layer = self.bare_layer(name, group, group, true);
        self.fill(layer, |_, channels| ns(channels));
        layer
    }

    /// Adds a layer without costs, to be given by [`sweep`](Self::sweep) or [`fill`](Self::fill).
    /// `coupled` says that it is depthwise or grouped: c_in moves with c_out.
    pub fn bare_layer(
        &mut self,
        name: &str,
        inputs: impl Into<Width>,
        outputs: impl Into<Width>,
        coupled: bool,
    ) -> usize {
        self.layers.push(LayerCost::new(name.to_owned(), inputs.into(), outputs.into(), coupled));
        self.layers.len() - 1
    }

    /// Says that a layer does not run where one of these groups has no channels, though it neither reads nor computes them.
    pub fn gone_with(&mut self, layer: usize, groups: &[GroupId]) -> &mut Self {
        if let Some(cost) = self.known_layer(layer) {
            cost.gone_with = groups.to_vec();
        }
        self
    }

    /// Sets how many elements a layer writes per output channel, for the whole batch: what changes of layout go by.
    pub fn writes(&mut self, layer: usize, elements_per_channel: f64) -> &mut Self {
        if let Some(cost) = self.known_layer(layer) {
            cost.elements_per_channel = elements_per_channel;
        }
        self
    }

    /// Sets how many weights a layer has at full width: they may cost more to load inside of a model than alone.
    pub fn weights(&mut self, layer: usize, weights: f64) -> &mut Self {
        if let Some(cost) = self.known_layer(layer) {
            cost.weights = weights;
        }
        self
    }

    /// Gives a layer the staircase of one axis, the other axis at its full width (in a coupled layer: c_out,
    /// with c_in following). Together the two axes price every cell.
    pub fn sweep(&mut self, layer: usize, axis: Axis, knots: Vec<Knot>) -> &mut Self {
        let Some(cost) = self.known_layer(layer) else { return self };
        match Sweep::new(knots) {
            Ok(sweep) => *(if axis == Axis::CIn { &mut cost.by_in } else { &mut cost.by_out }) = Some(sweep),
            Err(reason) => {
                let layer = cost.name.clone();
                self.fail(ProblemError::Sweep { layer, axis, reason });
            }
        }
        self
    }

    /// Asks `ns` for the cost of every cell of a layer that the levels, as they are now, can reach.
    pub fn fill(&mut self, layer: usize, mut ns: impl FnMut(usize, usize) -> f64) -> &mut Self {
        let groups: Vec<Group> = self.groups.iter().map(DraftGroup::sketch).collect();
        let Some(cost) = self.known_layer(layer) else { return self };
        let mut result = Ok(());
        for (c_in, c_out) in reachable(&groups, cost).into_iter().filter(|&(c_in, c_out)| c_in > 0 && c_out > 0) {
            let cell = Cell { ns: ns(c_in, c_out), provenance: Provenance::Recorded };
            result = result.and(cost.set_exact(c_in, c_out, cell));
        }
        if let Err(error) = result {
            self.fail(error);
        }
        self
    }

    /// Adds an operator that moves `elements_per_channel` elements per channel, for the whole batch.
    pub fn operator(&mut self, name: &str, width: impl Into<Width>, elements_per_channel: f64) -> &mut Self {
        self.operators.push(OperatorCost {
            name: name.to_owned(),
            width: width.into(),
            elements_per_channel,
            known: None,
        });
        self
    }

    /// What costs the same at all widths, in nanoseconds; below 0 if layers alone pay for what the whole does not.
    pub fn fixed_ns(&mut self, ns: f64) -> &mut Self {
        self.fixed_ns = ns;
        self
    }

    /// What operators pay per element that they move, in nanoseconds.
    pub fn ns_per_element(&mut self, ns: f64) -> &mut Self {
        self.ns_per_element = ns;
        self
    }

    /// What the values mean; `File` unless said otherwise.
    pub fn value_kind(&mut self, kind: ValueKind) -> &mut Self {
        self.value_kind = kind;
        self
    }

    /// Checks everything and makes the problem.
    pub fn build(self) -> Result<Problem, ProblemError> {
        if let Some(error) = self.error {
            return Err(error);
        }
        let groups = self.groups.into_iter().map(DraftGroup::finish).collect::<Result<_, _>>()?;
        let ProblemBuilder { layers, operators, fixed_ns, ns_per_element, value_kind, .. } = self;
        let (scale, ns_per_weight, operators_cost) = (1.0, 0.0, false);
        let (loading, reformat, estimate_error) = (None, None, None);
        Problem {
            groups,
            layers,
            operators,
            fixed_ns,
            scale,
            ns_per_element,
            ns_per_weight,
            loading,
            operators_cost,
            reformat,
            value_kind,
            estimate_error,
        }
        .checked()
    }

    /// The narrowest level that [`set_levels`](Self::set_levels) lets a group have: its full width if it is frozen.
    pub(crate) fn floor(&self, group: GroupId) -> Option<usize> {
        self.groups.get(group.0).map(|draft| draft.floor)
    }

    /// Sets a group's levels where its values come from a curve: ascending, without those below its floor and those
    /// that its constraints forbid, the full width added, and 0 where it may go as a whole.
    pub fn set_levels(&mut self, group: GroupId, levels: &[usize]) -> &mut Self {
        let groups = self.groups.len();
        let Some(draft) = self.groups.get_mut(group.0) else {
            self.fail(ProblemError::UnknownGroup { name: "set_levels".to_owned(), group: group.0, groups });
            return self;
        };
        let is_allowed =
            |&level: &usize| level >= draft.floor && draft.constraints.iter().all(|c| c.allows(level, draft.channels));
        draft.levels = levels.iter().copied().filter(is_allowed).collect();
        draft.levels.push(draft.channels);
        draft.levels.extend(draft.may_go.then_some(0));
        draft.levels.sort_unstable();
        draft.levels.dedup();
        self
    }

    /// Adds a network's group; without a curve it stays at its full width.
    pub(crate) fn draft_group(&mut self, group: &ChannelGroup, curve: Option<ValueCurve>, floor: usize, may_go: bool) {
        let ChannelGroup { name, channels, constraints, .. } = group.clone();
        let values = curve.map_or(Values::PerLevel(vec![0.0]), Values::Curve);
        let levels = vec![channels];
        self.groups.push(DraftGroup { name, channels, levels, values, floor, may_go, constraints });
    }

    pub(crate) fn constraints(&self, group: GroupId) -> &[Constraint] {
        self.groups.get(group.0).map_or(&[], |draft| &draft.constraints)
    }

    pub(crate) fn layers(&self) -> &[LayerCost] {
        &self.layers
    }

    pub(crate) fn group_channels(&self) -> Vec<usize> {
        self.groups.iter().map(|draft| draft.channels).collect()
    }

    fn known_layer(&mut self, index: usize) -> Option<&mut LayerCost> {
        let layers = self.layers.len();
        if index >= layers {
            self.fail(ProblemError::UnknownLayer { index, layers });
        }
        self.layers.get_mut(index)
    }

    /// The first error is the one that `build` returns: later ones are often its consequences.
    fn fail(&mut self, error: ProblemError) {
        self.error.get_or_insert(error);
    }
}

impl DraftGroup {
    /// The group's levels, before anybody has checked them.
    fn sketch(&self) -> Group {
        let DraftGroup { name, channels, levels, .. } = self.clone();
        Group { name, channels, levels, value: Vec::new() }
    }

    fn finish(self) -> Result<Group, ProblemError> {
        let sketch = self.sketch();
        let value = match self.values {
            Values::PerLevel(values) => values,
            Values::Curve(curve) if curve.channels() != self.channels => {
                let (expected, found) = (self.channels + 1, curve.channels() + 1);
                return Err(ProblemError::ValueLength { group: self.name, expected, found });
            }
            Values::Curve(curve) => self.levels.iter().map(|&level| curve.value(level)).collect(),
        };
        Ok(Group { value, ..sketch })
    }
}
