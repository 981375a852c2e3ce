//! One walk over the graph: shapes, folded integers and channel labels together.
//!
//! Every operator family has a rule in its own file under `rules`. A rule reads what is known about its
//! node's inputs from a [`Cx`] and writes what follows for the outputs. An operator without a rule, or one
//! whose rule does not cover what the node does, freezes exactly the channels that reach it.

mod channels;
mod claims;
mod cx;
mod finish;
pub(crate) mod rules;
mod value;

pub(crate) use claims::Readers;
use cx::Renumber;
pub(crate) use cx::{Alias, Count, CountAt, Cx, LayerDraft, Stop};
pub(crate) use value::{Follows, Int, Kind, Origin, Reader, Stored, Value, product};

use crate::dependency::Grouping;
use crate::error::ModelError;
use crate::graph::{Graph, Node, TensorId};
use netspec::{Frozen, Untimed, Width};
use rules::Reads;
use std::collections::{HashMap, HashSet};

/// All that the walk found.
pub(crate) struct Inference {
    pub(crate) grouping: Grouping,
    /// What is known about each tensor, by its number.
    pub(crate) values: Vec<Option<Value>>,
    pub(crate) layers: Vec<LayerDraft>,
    /// Numbers in the file that count channels.
    pub(crate) counts: Vec<Count>,
    /// Lists of positions in the file that point at channels.
    pub(crate) renumbers: Vec<Renumber>,
    /// Who reads which constant, by its name or that of an Identity behind it.
    pub(crate) readers: Readers,
    /// Constants by the names that their copies would have.
    pub(crate) copies: HashMap<String, TensorId>,
    /// Constants that something reads that cannot change.
    pub(crate) whole: HashSet<TensorId>,
    /// The constant behind a name that an Identity gave it.
    pub(crate) aliases: HashMap<TensorId, Alias>,
    /// Constants that ConstantOfShape makes, whose elements are nowhere.
    pub(crate) fills: HashSet<TensorId>,
    /// Nodes (by index) whose results depend on no image: shapes and their arithmetic.
    pub(crate) folded: Vec<bool>,
    /// Layers that cannot be timed alone.
    pub(crate) unmeasurable: Vec<Untimed>,
    /// The first node that was not followed, or that says what is the matter with the whole file.
    pub(crate) stopped: Option<Frozen>,
}

/// Walks the graph at a batch size.
pub(crate) fn infer(graph: &Graph, batch: usize) -> Result<Inference, ModelError> {
    let mut cx = Cx::new(graph, batch)?;
    let mut folded = Vec::with_capacity(graph.nodes.len());
    let (mut stopped, mut is_of_file) = (None, false);
    for index in 0..graph.nodes.len() {
        cx.enter(index);
        let rule = rules::rule_for(cx.node());
        let reads = rule.as_ref().map_or(Reads::Images, |rule| rule.reads);
        let result = match rule {
            Ok(rule) => (rule.apply)(&mut cx),
            Err(reason) => Err(Stop::Freeze(reason.to_owned())),
        };
        match result {
            Ok(()) => cx.leave(reads),
            Err(Stop::Freeze(reason)) => {
                cx.freeze_node(&reason);
                let node = cx.node();
                if stopped.as_ref().is_none_or(|_| rules::is_of_file(&reason) && !is_of_file) {
                    is_of_file = rules::is_of_file(&reason);
                    stopped = Some(Frozen { node: node.name.clone(), op: node.op.clone(), reason });
                }
            }
            Err(Stop::Refuse(error)) => return Err(*error),
        }
        folded.push(cx.is_folded());
    }
    Ok(Inference { stopped, ..cx.finish(folded) })
}

impl Inference {
    pub(crate) fn value(&self, id: TensorId) -> Option<&Value> {
        self.values.get(id.0 as usize).and_then(Option::as_ref)
    }

    /// The constant that is read by a name.
    pub(crate) fn root(&self, name: TensorId) -> TensorId {
        self.aliases.get(&name).map_or(name, |alias| alias.root)
    }

    /// Whether a node adds two tensors of one shape, both computed from images.
    pub(crate) fn is_residual(&self, node: &Node) -> bool {
        let value = |input: usize| self.value((*node.inputs.get(input)?)?);
        let (Some(a), Some(b)) = (value(0), value(1)) else { return false };
        node.op == "Add" && !a.is_stored() && !b.is_stored() && a.dims == b.dims && node.inputs[0] != node.inputs[1]
    }

    /// The axis of a tensor that can change, and what its length follows.
    pub(crate) fn width(&self, id: TensorId) -> Option<(usize, Width)> {
        self.grouping.widths(self.value(id)?.layout()?).into_iter().next()
    }
}
