//! One walk over the graph: shapes, folded integers and channel labels together.
//!
//! Every operator family has a rule in its own file under `rules`. A rule reads what is known about its
//! node's inputs from a [`Cx`] and writes what follows for the outputs. An operator without a rule, or one
//! whose rule does not cover what the node does, freezes exactly the channels that reach it.

mod claims;
mod cx;
pub(crate) mod rules;
mod value;

pub(crate) use cx::{Count, CountAt, Cx, LayerDraft, Stop};
pub(crate) use value::{Int, Kind, Origin, Value, product};

use crate::dependency::Grouping;
use crate::error::ModelError;
use crate::graph::{Graph, TensorId};
use netspec::{Frozen, Width};
use rules::Reads;

/// All that the walk found.
pub(crate) struct Inference {
    pub(crate) grouping: Grouping,
    /// What is known about each tensor, by its number.
    pub(crate) values: Vec<Option<Value>>,
    pub(crate) layers: Vec<LayerDraft>,
    /// Numbers in the file that follow channels.
    pub(crate) counts: Vec<(CountAt, Width)>,
    /// Nodes (by index) whose results depend on no image: shapes and their arithmetic.
    pub(crate) folded: Vec<bool>,
    /// Layers whose shape is not known.
    pub(crate) unmeasurable: Vec<Frozen>,
}

/// Walks the graph at a batch size.
pub(crate) fn infer(graph: &Graph, batch: usize) -> Result<Inference, ModelError> {
    let mut cx = Cx::new(graph, batch)?;
    let mut folded = Vec::with_capacity(graph.nodes.len());
    for index in 0..graph.nodes.len() {
        cx.enter(index);
        let rule = rules::rule_for(cx.node());
        let reads = rule.map_or(Reads::Images, |rule| rule.reads);
        let result = match rule {
            Some(rule) => (rule.apply)(&mut cx),
            None => Err(Stop::Freeze("has no rule here, so the channels that reach it must all stay".to_owned())),
        };
        match result {
            Ok(()) => cx.leave(reads),
            Err(Stop::Freeze(reason)) => cx.freeze_node(&reason),
            Err(Stop::Refuse(error)) => return Err(*error),
        }
        folded.push(cx.is_folded());
    }
    Ok(cx.finish(folded))
}

impl Inference {
    pub(crate) fn value(&self, id: TensorId) -> Option<&Value> {
        self.values.get(id.0 as usize).and_then(Option::as_ref)
    }

    /// What a tensor's channel axis follows, if it has one that can change.
    pub(crate) fn width(&self, id: TensorId) -> Option<(usize, Width)> {
        let (axis, labels) = self.value(id)?.channels()?;
        Some((axis, self.grouping.width(labels)))
    }
}
