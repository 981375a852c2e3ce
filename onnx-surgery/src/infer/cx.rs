//! What a rule sees of the walk.

use super::claims::Claims;
use super::rules::Reads;
use super::{Inference, Int, Kind, Origin, Value};
use crate::constant::Constant;
use crate::dependency::{Dependencies, Labels, Mismatch, Reason};
use crate::error::ModelError;
use crate::graph::{Dims, Graph, Node, TensorId};
use netspec::{ConvSpec, Frozen, Role};

/// Why a rule gives up.
pub(crate) enum Stop {
    /// The node does something that the rule does not cover: its channels must stay.
    Freeze(String),
    /// The model contradicts itself.
    Refuse(Box<ModelError>),
}

/// A convolution or fully connected layer.
pub(crate) struct LayerDraft {
    /// The node's index in the graph.
    pub(crate) node: usize,
    pub(crate) weight: TensorId,
    /// The convolution without its epilogue.
    pub(crate) spec: ConvSpec,
    pub(crate) inputs: Option<Labels>,
    pub(crate) outputs: Option<Labels>,
}

/// A number in the file that counts channels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum CountAt {
    /// The attribute `group` of the node at this index of the graph.
    Groups(usize),
    /// An element of a constant.
    Element(TensorId, usize),
}

/// Where a count stands, and the channels that it counts.
pub(crate) struct Count {
    pub(crate) at: CountAt,
    pub(crate) labels: Labels,
}

/// The walk's state, and the node it is at.
pub(crate) struct Cx<'g> {
    pub(crate) graph: &'g Graph,
    pub(crate) batch: usize,
    pub(crate) deps: Dependencies,
    index: usize,
    values: Vec<Option<Value>>,
    claims: Claims,
    layers: Vec<LayerDraft>,
    counts: Vec<Count>,
    unmeasurable: Vec<Frozen>,
    /// The reason for "depends on no image", which freezes nothing by itself.
    free: Reason,
    /// Positions that labels without a weight behind them may still take.
    positions_left: usize,
}

impl<'g> Cx<'g> {
    pub(super) fn new(graph: &'g Graph, batch: usize) -> Result<Cx<'g>, ModelError> {
        let mut deps = Dependencies::new();
        let free = deps.reason(Frozen {
            node: String::new(),
            op: String::new(),
            reason: "meets values that no channel count may change".to_owned(),
        });
        let mut cx = Cx {
            graph,
            batch,
            deps,
            index: 0,
            values: vec![None; graph.names.len()],
            claims: Claims::default(),
            layers: vec![],
            counts: vec![],
            unmeasurable: vec![],
            free,
            positions_left: graph.file_bytes.saturating_add(1 << 20),
        };
        for input in &graph.inputs {
            let mut dims = (!input.shape.is_empty()).then(|| input.shape.clone());
            if let Some(first) = dims.as_mut().and_then(|dims| dims.first_mut()) {
                first.get_or_insert(batch);
            }
            let reason = "is a model input, whose shape must not change".to_owned();
            let reason = cx.deps.reason(Frozen { node: input.name.clone(), op: "Input".to_owned(), reason });
            cx.values[graph.ids[&input.name].0 as usize] = Some(Value { dims, ints: None, kind: Kind::Fixed(reason) });
        }
        for (&id, constant) in &graph.constants {
            let ints = constant.integers().map(|list| {
                let int = |(i, value)| Int { value: Some(value), origin: Origin::Written(id, i) };
                list.into_iter().enumerate().map(int).collect()
            });
            let dims = Some(constant.dims.iter().map(|&d| Some(d)).collect());
            cx.values[id.0 as usize] = Some(Value { dims, ints, kind: Kind::Constant(id) });
        }
        Ok(cx)
    }

    pub(super) fn enter(&mut self, index: usize) {
        self.index = index;
    }

    pub(crate) fn node(&self) -> &'g Node {
        &self.graph.nodes[self.index]
    }

    pub(crate) fn node_index(&self) -> usize {
        self.index
    }

    /// The reason for values that depend on no image.
    pub(crate) fn free(&self) -> Reason {
        self.free
    }

    /// Registers why this node keeps channels from being pruned.
    pub(crate) fn reason(&mut self, reason: &str) -> Reason {
        let node = self.node();
        self.deps.reason(Frozen { node: node.name.clone(), op: node.op.clone(), reason: reason.to_owned() })
    }

    /// Says that the model contradicts itself at this node.
    pub(crate) fn refuse(&self, why: impl Into<String>) -> Stop {
        let node = self.node();
        let (node, op) = (node.name.clone(), node.op.clone());
        Stop::Refuse(Box::new(ModelError::Contradiction { node, op, why: why.into() }))
    }

    /// What is known of an input, if the node has it.
    pub(crate) fn optional(&self, input: usize) -> Option<&Value> {
        let id = (*self.node().inputs.get(input)?)?;
        self.values[id.0 as usize].as_ref()
    }

    /// What is known of an input that the operator cannot do without.
    pub(crate) fn input(&self, input: usize) -> Result<&Value, Stop> {
        self.optional(input).ok_or_else(|| self.refuse(format!("its input number {input} is missing")))
    }

    /// An input whose elements are in the file, and its number.
    pub(crate) fn constant(&self, input: usize) -> Result<(TensorId, &'g Constant), Stop> {
        match self.input(input)?.kind {
            Kind::Constant(id) => Ok((id, &self.graph.constants[&id])),
            _ => Err(Stop::Freeze(format!("computes its input number {input} (a weight) at run time"))),
        }
    }

    /// A list of integers, from an input or (in older operator sets) an attribute.
    pub(crate) fn integers(&mut self, input: usize, attribute: &str) -> Result<Option<Vec<i64>>, Stop> {
        let Some(value) = self.optional(input) else { return Ok(self.node().ints(attribute).map(<[i64]>::to_vec)) };
        let unknown = || Stop::Freeze(format!("computes `{attribute}` at run time"));
        let ints = value.ints.clone().ok_or_else(unknown)?;
        let reason = self.reason("reads a number that would have to change");
        ints.iter().for_each(|int| self.expose(int, reason));
        ints.iter().map(|int| int.value).collect::<Option<Vec<i64>>>().ok_or_else(unknown).map(Some)
    }

    /// Writes what is known of an output.
    pub(crate) fn set(&mut self, output: usize, value: Value) {
        if let Some(Some(id)) = self.node().outputs.get(output) {
            self.values[id.0 as usize] = Some(value);
        }
    }

    /// Writes an output that depends on no image.
    pub(crate) fn set_ints(&mut self, dims: Dims, ints: Vec<Int>) {
        let kind = Kind::Fixed(self.free);
        self.set(0, Value { dims: Some(dims), ints: Some(ints), kind });
    }

    /// Whether any output but the first is used.
    pub(crate) fn has_more_outputs(&self) -> bool {
        self.node().outputs.iter().skip(1).any(Option::is_some)
    }

    /// Takes positions for labels that no weight in the file stands behind.
    pub(crate) fn take_positions(&mut self, channels: usize) -> Result<(), Stop> {
        let node = self.node();
        self.positions_left = self.positions_left.checked_sub(channels).ok_or_else(|| {
            let (node, op) = (node.name.clone(), node.op.clone());
            Stop::Refuse(Box::new(ModelError::TooLarge { node, op, channels }))
        })?;
        Ok(())
    }

    /// A constant input's axis follows these channels.
    pub(crate) fn claim(&mut self, input: usize, axis: usize, role: Role, labels: &Labels) -> Result<(), Stop> {
        let (id, _) = self.constant(input)?;
        self.claims.claim(id, axis);
        let name = self.graph.name(id);
        let result = self.deps.member(name, axis, role, labels);
        result.map_err(|mismatch| self.mismatch(mismatch))
    }

    /// A number in the file counts these channels.
    pub(crate) fn count(&mut self, at: CountAt, labels: Labels) {
        self.counts.push(Count { at, labels });
    }

    pub(crate) fn mismatch(&self, mismatch: Mismatch) -> Stop {
        self.refuse(mismatch.to_string())
    }

    pub(crate) fn layer(&mut self, layer: LayerDraft) {
        self.layers.push(layer);
    }

    /// This node is a layer that cannot be timed; its input comes from what `source` names.
    pub(crate) fn unmeasurable(&mut self, reason: &str, source: Reason) {
        let node = self.node();
        let reason = if source == self.free {
            reason.to_owned()
        } else {
            let Frozen { node, op, .. } = self.deps.registered(source);
            format!("{reason} (it comes from `{node}`, {op})")
        };
        self.unmeasurable.push(Frozen { node: node.name.clone(), op: node.op.clone(), reason });
    }

    /// What an output carries whose rule knows its shape, but not where the input's channels went: nothing that
    /// can change, and neither can they.
    pub(crate) fn lose_channels(&mut self, input: &Value, reason: &str) -> Kind {
        let reason = self.reason(reason);
        if let Some((_, labels)) = input.channels() {
            self.deps.freeze(labels, reason);
        }
        Kind::Fixed(reason)
    }

    /// An integer is used for something that must not change with channels.
    pub(crate) fn expose(&mut self, int: &Int, reason: Reason) {
        match &int.origin {
            Origin::Written(id, element) => self.claims.expose(*id, *element, reason),
            Origin::Follows(labels) => self.deps.freeze(labels, reason),
            Origin::Free => (),
        }
    }

    /// Behind a rule: what the node read without claiming it must not change.
    pub(super) fn leave(&mut self, reads: Reads) {
        let node = self.node();
        for id in node.all_inputs() {
            let Some(value) = self.values[id.0 as usize].clone() else { continue };
            if let (Kind::Constant(root), true) = (&value.kind, reads != Reads::Aliases) {
                self.claims.read(*root, self.index);
            }
            if let (Some(ints), Reads::Images) = (&value.ints, reads) {
                let reason = self.reason("reads a number that would have to change");
                ints.iter().for_each(|int| self.expose(int, reason));
            }
        }
        self.claims.end_node();
    }

    /// Nothing that reaches this node may change; what leaves it is unknown.
    pub(super) fn freeze_node(&mut self, reason: &str) {
        let node = self.node();
        let reason = self.reason(reason);
        for id in node.all_inputs() {
            if let Some((_, labels)) = self.values[id.0 as usize].as_ref().and_then(Value::channels) {
                let labels = labels.clone();
                self.deps.freeze(&labels, reason);
            }
        }
        for &id in node.outputs.iter().flatten() {
            if !self.graph.constants.contains_key(&id) {
                let dims = self.graph.stated_dims(id, self.batch);
                self.values[id.0 as usize] = Some(Value { dims, ints: None, kind: Kind::Fixed(reason) });
            }
        }
        // What a rule claimed before it gave up does not count.
        self.claims.end_node();
        self.leave(Reads::Images);
    }

    /// Whether the node's result is a list of integers or stands in the file.
    pub(super) fn is_folded(&self) -> bool {
        let mut outputs = self.node().outputs.iter().flatten();
        outputs.all(|id| self.values[id.0 as usize].as_ref().is_some_and(|v| v.ints.is_some() || v.is_constant()))
    }

    pub(super) fn finish(mut self, folded: Vec<bool>) -> Inference {
        for output in &self.graph.outputs {
            let id = self.graph.ids[&output.name];
            let reason = "is a model output, whose shape must not change".to_owned();
            let reason = self.deps.reason(Frozen { node: output.name.clone(), op: "Output".to_owned(), reason });
            let Some(value) = self.values[id.0 as usize].clone() else { continue };
            match &value.kind {
                Kind::Channels { labels, .. } => self.deps.freeze(labels, reason),
                Kind::Constant(root) => self.claims.read_whole(*root, reason),
                Kind::Fixed(_) => (),
            }
            value.ints.iter().flatten().for_each(|int| self.expose(int, reason));
        }
        self.claims.settle(self.graph, &mut self.deps, &self.counts);
        let grouping = self.deps.finish();
        let counts = self.counts.iter().map(|count| (count.at, grouping.width(&count.labels))).collect();
        let Cx { values, layers, unmeasurable, .. } = self;
        Inference { grouping, values, layers, counts, folded, unmeasurable }
    }
}
