//! Constant folding: weights and biases that nodes compute from constants alone become constants.
//!
//! It happens when a model is opened: the file's bytes are rewritten in memory, the computing nodes are gone, and
//! initializers with the names of their outputs hold the results. All that follows sees ordinary weights, and a pruned
//! file holds the folded tensors. Only f32 results are folded: arithmetic on shapes is followed by the rules, which know
//! what has to change with the number of channels.

mod array;
mod evaluate;

use crate::constant::{Constant, Home};
use crate::graph::{Graph, Node, TensorId};
use crate::rope::Rope;
use crate::splice::{number, stated, tensor, text_of};
use crate::walk::Kind;
use crate::wire::{Change, WireError, length_field, rewrite};
use array::Array;
use bytes::Bytes;
use netspec::ElementType;
use std::collections::{BTreeMap, HashMap, HashSet};

/// Operators that only turn a constant around or change its type, which the rules follow.
const TURNS: [&str; 5] = ["Identity", "Cast", "Transpose", "Squeeze", "Unsqueeze"];

/// Elements that all results may have together, beside those that the file could hold.
const MAX_ELEMENTS: usize = 1 << 20;

/// Metadata of files whose constants stay as they are: a plan names the tensors of the module that was exported.
const KEEP: (&[u8], &[u8]) = (b"locp.fold", b"never");

/// ONNX's number of f32.
const F32: i64 = 1;

/// Files before this IR version list initializers among the inputs.
const UNLISTED: i64 = 4;

/// Returns the model's bytes with folded constants, or `None` if there is nothing to fold.
pub(crate) fn folded(graph: &Graph, model: &Bytes, ir_version: i64) -> Option<Bytes> {
    let results = results(graph)?;
    Plan::new(graph, results).rewritten(model, ir_version < UNLISTED).ok().map(|rope| rope.to_vec().into())
}

/// What each node computes that is folded, by its index; `None` if there is no such node.
fn results(graph: &Graph) -> Option<BTreeMap<usize, Array>> {
    // Where activations are quantized, the runtime computes with the quantized weights.
    let is_asked = graph.metadata.iter().any(|entry| entry.key == KEEP.0 && entry.value == KEEP.1);
    if is_asked || graph.nodes.iter().any(|node| node.op == "QuantizeLinear") {
        return None;
    }
    // Outputs of nodes that could be computed, and those among them that are more than a constant turned around.
    let (mut known, mut computed) = (HashSet::new(), HashSet::new());
    let mut nodes = Vec::new();
    for (index, node) in graph.nodes.iter().enumerate() {
        let is_known = |id: &TensorId| graph.constants.contains_key(id) || known.contains(id);
        let (Some(output), true) = (only_output(node), evaluate::is_known(node)) else { continue };
        let is_output = graph.outputs.iter().any(|port| port.name == graph.name(output));
        if is_output || node.inputs.is_empty() || !node.inputs.iter().flatten().all(is_known) {
            continue;
        }
        if !TURNS.contains(&node.op.as_str()) || node.inputs.iter().flatten().any(|id| computed.contains(id)) {
            computed.insert(output);
        }
        known.insert(output);
        nodes.push((index, output));
    }
    // Constants are turned around only for what computes.
    let mut wanted = computed.clone();
    graph.leading_to(&mut wanted, &HashSet::new());
    let mut left = graph.file_bytes / ElementType::F32.bytes() + MAX_ELEMENTS;
    let mut arrays = HashMap::new();
    for &(index, output) in nodes.iter().filter(|(_, output)| wanted.contains(output)) {
        if let Some(array) = evaluate::evaluate(&graph.nodes[index], &Inputs { graph, arrays: &arrays }, left) {
            let Some(rest) = left.checked_sub(array.data.len()) else { continue };
            left = rest;
            arrays.insert(output, array);
        }
    }
    let results = nodes.iter().filter(|(_, output)| computed.contains(output));
    let results: BTreeMap<usize, Array> =
        results.filter_map(|(index, output)| Some((*index, arrays.remove(output)?))).collect();
    (!results.is_empty()).then_some(results)
}

/// The output of a node that has one output.
fn only_output(node: &Node) -> Option<TensorId> {
    match node.outputs.as_slice() {
        [Some(output)] if node.is_standard() && node.captured.is_empty() => Some(*output),
        _ => None,
    }
}

/// What a node reads.
pub(crate) struct Inputs<'a> {
    graph: &'a Graph,
    arrays: &'a HashMap<TensorId, Array>,
}

impl Inputs<'_> {
    fn id(&self, node: &Node, input: usize) -> Option<TensorId> {
        node.inputs.get(input).copied().flatten()
    }

    fn constant(&self, node: &Node, input: usize) -> Option<&Constant> {
        self.graph.constants.get(&self.id(node, input)?)
    }

    /// An f32 input.
    fn array(&self, node: &Node, input: usize) -> Option<Array> {
        if let Some(array) = self.arrays.get(&self.id(node, input)?) {
            return Some(array.clone());
        }
        let constant = self.constant(node, input).filter(|constant| constant.element == Ok(ElementType::F32))?;
        Some(Array { dims: constant.dims.clone(), data: constant.view()?.to_f32().ok()? })
    }

    /// An input of any type that is a constant of the file, as numbers.
    fn numbers(&self, node: &Node, input: usize) -> Option<Array> {
        let constant = self.constant(node, input)?;
        Some(Array { dims: constant.dims.clone(), data: constant.view()?.to_f32().ok()? })
    }

    /// A list of integers, from an input or an attribute; `Some(None)` if there is neither.
    fn integers(&self, node: &Node, input: usize, attribute: &str) -> Option<Option<Vec<i64>>> {
        match self.id(node, input) {
            Some(_) => self.constant(node, input)?.integers().map(Some),
            None => Some(node.ints(attribute).map(<[i64]>::to_vec)),
        }
    }
}

/// What becomes of the file.
struct Plan {
    /// Places of the nodes that go.
    nodes: HashSet<usize>,
    /// Indices of the initializers that go, and their names.
    initializers: HashSet<usize>,
    names: HashSet<String>,
    /// New initializers.
    added: Vec<(String, Array)>,
}

impl Plan {
    fn new(graph: &Graph, results: BTreeMap<usize, Array>) -> Plan {
        let mut gone: HashSet<usize> = results.keys().copied().collect();
        let consumers = graph.consumers();
        // Whether only nodes that go read a tensor.
        let goes = |id: TensorId, gone: &HashSet<usize>| {
            let is_output = graph.outputs.iter().any(|port| port.name == graph.name(id));
            let readers = consumers.get(&id).map(Vec::as_slice).unwrap_or_default();
            !is_output && !readers.is_empty() && readers.iter().all(|reader| gone.contains(reader))
        };
        for (index, node) in graph.nodes.iter().enumerate().rev() {
            let is_turn = TURNS.contains(&node.op.as_str());
            if is_turn && only_output(node).is_some_and(|output| goes(output, &gone)) {
                gone.insert(index);
            }
        }
        let mut plan = Plan {
            nodes: gone.iter().map(|&index| graph.nodes[index].place).collect(),
            initializers: HashSet::new(),
            names: HashSet::new(),
            added: Vec::new(),
        };
        for (&id, constant) in graph.constants.iter().filter(|(id, _)| goes(**id, &gone)) {
            match constant.home {
                Home::Initializer(index) => {
                    plan.initializers.insert(index);
                    plan.names.insert(graph.name(id).to_owned());
                }
                Home::Node { node, .. } => _ = plan.nodes.insert(node),
            }
        }
        for (index, array) in results {
            let output = only_output(&graph.nodes[index]).expect("a node that is folded has one output");
            if !goes(output, &gone) {
                plan.added.push((graph.name(output).to_owned(), array));
            }
        }
        plan
    }

    fn rewritten(&self, model: &Bytes, lists_initializers: bool) -> Result<Rope, WireError> {
        rewrite(model, |field, payload| {
            if Kind::Model.inner(field.number) != Some(Kind::Graph) || !field.has_length {
                return Ok(Change::Keep);
            }
            let (mut node, mut initializer) = (0.., 0..);
            let mut rope = rewrite(&payload, |field, value| {
                let goes = match field.number {
                    number::GRAPH_NODE => node.next().is_some_and(|place| self.nodes.contains(&place)),
                    number::GRAPH_INITIALIZER => initializer.next().is_some_and(|i| self.initializers.contains(&i)),
                    number::GRAPH_INPUT => {
                        let name = text_of(&value, number::VALUE_NAME)?;
                        name.is_some_and(|name| std::str::from_utf8(name).is_ok_and(|name| self.names.contains(name)))
                    }
                    _ => false,
                };
                Ok(if goes { Change::Drop } else { Change::Keep })
            })?;
            for (name, array) in &self.added {
                let bytes: Vec<u8> = array.data.iter().flat_map(|v| v.to_le_bytes()).collect();
                let tensor = tensor::message(name, &array.dims, F32, bytes.into());
                rope.append(length_field(number::GRAPH_INITIALIZER, tensor));
                if lists_initializers {
                    let shape = Some(stated::shape(&array.dims));
                    rope.append(length_field(number::GRAPH_INPUT, stated::tensor(name, F32, shape)));
                }
            }
            Ok(Change::Replace(length_field(field.number, rope)))
        })
    }
}
