//! What a rule sees of the walk.

use super::claims::Claims;
use super::value::{Reader, Stored, Written};
use super::{Int, Kind, Origin, Value};
use crate::constant::{Constant, MAX_DIM};
use crate::dependency::{Dependencies, Extent, Labels, Mismatch, Reason};
use crate::error::ModelError;
use crate::graph::{Dims, Graph, Node, TensorId};
use netspec::{ConvSpec, ElementType, Frozen, Untimed};
use std::collections::HashMap;

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
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum CountAt {
    /// An attribute of the node at this index of the graph, or an element of it if it is a list.
    Attribute { node: usize, name: &'static str, element: Option<usize> },
    /// An element of a constant.
    Element(Written),
}

/// Where a count stands, and what it counts.
pub(crate) struct Count {
    pub(crate) at: CountAt,
    pub(crate) extent: Extent,
    /// Whether the number is minus the count, as one that counts from the end.
    pub(crate) is_negative: bool,
}

/// A list of positions in the file: those that go leave it, and the others are renumbered.
pub(crate) struct Renumber {
    pub(crate) name: TensorId,
    pub(crate) reader: Reader,
    /// The labels of the axis that the list points into.
    pub(crate) labels: Labels,
    pub(crate) positions: Vec<usize>,
}

/// A name that an Identity gave a constant.
#[derive(Clone, Copy)]
pub(crate) struct Alias {
    /// The Identity's input, which may be such a name itself.
    pub(crate) of: TensorId,
    pub(crate) root: TensorId,
    /// The Identity's index in the graph.
    pub(crate) node: usize,
}

/// A weight as a node sees it.
pub(crate) struct Weight {
    pub(crate) name: TensorId,
    pub(crate) dims: Vec<usize>,
    pub(crate) element: Result<ElementType, i32>,
}

/// More axes than any operator makes sense for.
const MAX_RANK: usize = 64;

/// More numbers than any shape or list of paddings has.
const MAX_NUMBERS: usize = 1024;

pub(super) fn unknown_type(input: usize) -> Stop {
    Stop::Freeze(format!("reads its input number {input} in a type that has no rule here"))
}

/// The walk's state, and the node it is at.
pub(crate) struct Cx<'g> {
    pub(crate) graph: &'g Graph,
    pub(crate) batch: usize,
    pub(crate) deps: Dependencies,
    pub(super) index: usize,
    pub(super) values: Vec<Option<Value>>,
    /// The constant behind a name that an Identity gave it.
    pub(super) aliases: HashMap<TensorId, Alias>,
    /// Shapes of the constants that ConstantOfShape makes.
    pub(super) fills: HashMap<TensorId, Vec<Int>>,
    /// What the indices that a MaxPool answers point into.
    pub(super) indices: HashMap<TensorId, Dims>,
    pub(super) claims: Claims,
    pub(super) layers: Vec<LayerDraft>,
    pub(super) counts: Vec<Count>,
    pub(super) renumbers: Vec<Renumber>,
    /// Lengths that must stay equal, or at least whole where they are divided; and who needs it.
    pub(super) equalities: Vec<(super::Follows, Option<Extent>, Reason)>,
    pub(super) unmeasurable: Vec<Untimed>,
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
            aliases: HashMap::new(),
            fills: HashMap::new(),
            indices: HashMap::new(),
            claims: Claims::default(),
            layers: vec![],
            counts: vec![],
            renumbers: vec![],
            equalities: vec![],
            unmeasurable: vec![],
            free,
            positions_left: graph.file_bytes.saturating_add(1 << 17),
        };
        for (i, input) in graph.inputs.iter().enumerate() {
            let dims = (!input.shape.is_empty()).then(|| graph.dims_at(i, batch));
            let reason = "is a model input, whose shape must not change".to_owned();
            let reason = cx.deps.reason(Frozen { node: input.name.clone(), op: "Input".to_owned(), reason });
            cx.values[graph.ids[&input.name].0 as usize] = Some(Value { dims, ints: None, kind: Kind::Fixed(reason) });
        }
        for (&name, constant) in &graph.constants {
            let ints = constant.integers().map(|list| {
                let int = |(element, value)| Int {
                    value: Some(value),
                    real: None,
                    origin: Origin::Written(Written { name, element, reader: None }),
                };
                list.into_iter().enumerate().map(int).collect()
            });
            let dims = Some(constant.dims.iter().map(|&d| Some(d)).collect());
            let axes = (0..constant.dims.len()).map(Some).collect();
            let kind = Kind::Stored(Stored { name, axes, element: constant.element, via: None, lengths: vec![] });
            cx.values[name.0 as usize] = Some(Value { dims, ints, kind });
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

    pub(crate) fn mismatch(&self, mismatch: Mismatch) -> Stop {
        self.refuse(mismatch.to_string())
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

    /// What is known of every input.
    pub(crate) fn inputs(&self) -> Result<Vec<Value>, Stop> {
        let value = |input| {
            let mut value = self.input(input)?.clone();
            value.ints.iter_mut().flatten().for_each(|int| self.sign_as(&mut int.origin, input));
            Ok(value)
        };
        (0..self.node().inputs.len()).map(value).collect()
    }

    /// The constant with a name, its own or one that an Identity gave it.
    pub(crate) fn constant_named(&self, name: TensorId) -> Option<&'g Constant> {
        self.graph.constants.get(&self.aliases.get(&name).map_or(name, |alias| alias.root))
    }

    /// An input whose elements are in the file, for rules that read them.
    pub(crate) fn constant(&self, input: usize) -> Result<&'g Constant, Stop> {
        let at_run_time = || Stop::Freeze(format!("computes its input number {input} at run time"));
        match &self.input(input)?.kind {
            Kind::Stored(stored) if stored.element.is_err() => Err(unknown_type(input)),
            Kind::Stored(stored) if stored.axes.iter().copied().eq((0..stored.axes.len()).map(Some)) => {
                self.constant_named(stored.name).ok_or_else(at_run_time)
            }
            _ => Err(at_run_time()),
        }
    }

    /// An input that is made of a constant, for rules that only need its shape.
    pub(crate) fn weight(&self, input: usize) -> Result<Weight, Stop> {
        let at_run_time = || Stop::Freeze(format!("computes its input number {input} (a weight) at run time"));
        let value = self.input(input)?;
        let Kind::Stored(stored) = &value.kind else { return Err(at_run_time()) };
        if stored.element.is_err() {
            return Err(unknown_type(input));
        }
        let dims = value.dims.iter().flatten().copied().collect::<Option<Vec<usize>>>().ok_or_else(at_run_time)?;
        Ok(Weight { name: stored.name, dims, element: stored.element })
    }

    /// An Identity gives a constant another name.
    pub(crate) fn alias(&mut self, name: TensorId, alias: TensorId) {
        let root = self.aliases.get(&name).map_or(name, |before| before.root);
        self.aliases.insert(alias, Alias { of: name, root, node: self.index });
    }

    /// A tensor of one value has a shape of these numbers.
    pub(crate) fn fill(&mut self, name: TensorId, mut shape: Vec<Int>) {
        shape.iter_mut().for_each(|int| self.sign(&mut int.origin));
        self.fills.insert(name, shape);
    }

    /// A list of integers, from an input or (in older operator sets) an attribute.
    pub(crate) fn integers(&mut self, input: usize, attribute: &str) -> Result<Option<Vec<i64>>, Stop> {
        let Some(ints) = self.numbers(input, attribute)? else { return Ok(None) };
        let reason = self.reason("reads a number that would have to change");
        ints.iter().for_each(|int| self.expose(int, reason));
        let unknown = || Stop::Freeze(format!("computes `{attribute}` at run time"));
        ints.iter().map(|int| int.value).collect::<Option<Vec<i64>>>().ok_or_else(unknown).map(Some)
    }

    /// The same for rules that say themselves what becomes of each integer. Attributes come as free ones.
    pub(crate) fn numbers(&self, input: usize, attribute: &str) -> Result<Option<Vec<Int>>, Stop> {
        let free = |list: &[i64]| list.iter().map(|&i| Int::free(Some(i))).collect();
        let Some(value) = self.optional(input) else { return Ok(self.node().ints(attribute).map(free)) };
        let mut ints = value.ints.clone();
        ints.iter_mut().flatten().for_each(|int| self.sign_as(&mut int.origin, input));
        ints.map(Some).ok_or_else(|| Stop::Freeze(format!("computes `{attribute}` at run time")))
    }

    /// Writes what is known of an output.
    pub(crate) fn set(&mut self, output: usize, mut value: Value) {
        let Some(Some(id)) = self.node().outputs.get(output) else { return };
        // No tensor is as large: whatever claims to be cannot be computed with here.
        if value.rank().is_some_and(|rank| rank > MAX_RANK) {
            let kind = self.lose_channels(&value, "makes a tensor of very many axes");
            value = Value { dims: None, ints: None, kind };
        }
        for dim in value.dims.iter_mut().flatten() {
            *dim = dim.filter(|&dim| dim < MAX_DIM);
        }
        if let Some(layout) = value.layout()
            && layout.only_axis().is_none()
        {
            let reason = self.reason("ties channels that may go to some that must stay");
            self.deps.rectangle(layout, reason);
        }
        self.values[id.0 as usize] = Some(value);
    }

    /// Writes an output that depends on no image. Its numbers were read by this node.
    pub(crate) fn set_ints(&mut self, dims: Dims, ints: Vec<Int>) {
        self.set_ints_at(0, dims, ints);
    }

    /// The same for another output than the first.
    pub(crate) fn set_ints_at(&mut self, output: usize, dims: Dims, mut ints: Vec<Int>) {
        ints.iter_mut().for_each(|int| self.sign(&mut int.origin));
        let value = Value { dims: Some(dims), ints: Some(ints), kind: Kind::Fixed(self.free) };
        if value.ints.as_ref().is_some_and(|ints| ints.len() > MAX_NUMBERS) {
            self.keep_numbers(&value);
            self.set(output, Value { ints: None, ..value });
        } else {
            self.set(output, value);
        }
    }

    /// Writes down who read a number first.
    pub(crate) fn sign(&self, origin: &mut Origin) {
        if let Origin::Written(written) = origin
            && written.reader.is_none()
        {
            let input = self.node().inputs.iter().position(|id| *id == Some(written.name));
            written.reader = input.map(|input| Reader { node: self.index, input });
        }
    }

    /// The same for a number that is known to be read as this input: a node may read one constant several times.
    fn sign_as(&self, origin: &mut Origin, input: usize) {
        if let Origin::Written(written) = origin
            && self.node().inputs.get(input) == Some(&Some(written.name))
        {
            written.reader.get_or_insert(Reader { node: self.index, input });
        }
    }

    /// Whether any output but the first is used.
    pub(crate) fn has_more_outputs(&self) -> bool {
        self.node().outputs.iter().skip(1).any(Option::is_some)
    }

    /// Fresh labels for the channels that this node makes.
    pub(crate) fn produce(&mut self, channels: usize) -> Result<Labels, Stop> {
        // A weight of a file may be shared by any number of its nodes.
        self.take_positions(channels)?;
        Ok(self.deps.produce(&self.graph.nodes[self.index].name, channels))
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

    pub(crate) fn layer(&mut self, layer: LayerDraft) {
        self.layers.push(layer);
    }

    /// This node is a layer that cannot be timed; its input comes from what `source` names. It takes `macs`
    /// multiply-accumulate operations, if its size is known.
    pub(crate) fn unmeasurable(&mut self, reason: &str, source: Reason, macs: Option<u64>) {
        let node = self.node();
        let reason = if source == self.free {
            reason.to_owned()
        } else {
            let Frozen { node, op, .. } = self.deps.registered(source);
            format!("{reason} (it comes from `{node}`, {op})")
        };
        self.unmeasurable.push(Untimed { node: node.name.clone(), op: node.op.clone(), reason, macs });
    }
}
