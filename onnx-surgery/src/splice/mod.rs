//! Writes a model with a few changes, copying every other byte of its file.
//!
//! The walk goes from the model to the graph, its nodes, initializers and stated shapes. A message with a change
//! inside is copied field by field and gets a new length, as do the messages around it; all others are copied whole.

mod data;
mod node;
pub(crate) mod number;
pub(crate) mod stated;
pub(crate) mod tensor;
#[cfg(test)]
mod tests;

use crate::constant::Home;
use crate::external::External;
use crate::rope::Rope;
use crate::walk::{Kind, place_in};
use crate::wire::{Change, Field, WireError, fields, length_field, rewrite, varint};
use bytes::Bytes;
use data::DataFile;
use netspec::ElementType;
use std::collections::{HashMap, HashSet};

/// A constant's new dims and elements.
pub(crate) struct TensorEdit {
    pub(crate) dims: Vec<usize>,
    /// Little-endian elements in C order, as many as `dims` ask for.
    pub(crate) data: Rope,
    pub(crate) element: Option<ElementType>,
}

/// A node's attribute that gets a new number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct AttributeEdit {
    pub(crate) name: String,
    /// The element of a list of integers; nothing where the attribute is one integer.
    pub(crate) element: Option<usize>,
    pub(crate) value: i64,
}

/// A new initializer: a copy of the constant at `from` with another name and the edit's elements.
pub(crate) struct Added {
    pub(crate) from: Home,
    pub(crate) name: String,
    pub(crate) edit: TensorEdit,
}

/// What changes in a file. Nodes and homes are those of the file's graph before any change.
#[derive(Default)]
pub(crate) struct Edits {
    pub(crate) constants: HashMap<Home, TensorEdit>,
    /// Attributes by the place of their node.
    pub(crate) attributes: HashMap<usize, Vec<AttributeEdit>>,
    /// New names of inputs, by the place of their node and their index there.
    pub(crate) inputs: HashMap<(usize, usize), String>,
    /// Places of nodes that vanish.
    pub(crate) dropped: HashSet<usize>,
    /// Names of initializers that vanish, and of tensors whose shapes are stated no more.
    pub(crate) gone: HashSet<String>,
    /// They follow the last initializer.
    pub(crate) added: Vec<Added>,
    /// Axes and new lengths of the shapes that are stated for a name.
    pub(crate) stated: HashMap<String, Vec<(usize, usize)>>,
}

/// Where data go that the source keeps outside its file.
pub(crate) enum Placement {
    /// Into the model.
    Inside,
    /// Into one new file of this name, beside the model.
    Beside(String),
}

/// A model, and the file beside it. The latter is empty where all data are in the model.
pub(crate) struct Spliced {
    pub(crate) model: Rope,
    pub(crate) data: Rope,
}

/// The file with the edits, as pieces to be written.
///
/// An edit of what is not in the file is an error, as is a file that is no message.
pub(crate) fn splice(
    model: &Bytes,
    external: &External,
    placement: &Placement,
    edits: &Edits,
) -> Result<Spliced, WireError> {
    let constants = edits.constants.keys().filter_map(|home| match home {
        Home::Node { node, .. } => Some(*node),
        Home::Initializer(_) => None,
    });
    let edited = edits.attributes.keys().copied().chain(edits.inputs.keys().map(|(node, _)| *node)).chain(constants);
    let edited = edited.collect();
    let mut splicer = Splicer { file: model, external, placement, edits, edited, data: DataFile::default() };
    let lists_initializers = ir_version(model)? < LISTED_UNTIL;
    let model = rewrite(model, |field, payload| {
        Ok(match Kind::Model.inner(field.number) {
            Some(Kind::Graph) if field.has_length => {
                Change::Replace(length_field(field.number, splicer.graph(&payload, lists_initializers)?))
            }
            Some(kind) => splicer.inside(kind, field, &payload)?,
            None => Change::Keep,
        })
    })?;
    Ok(Spliced { model, data: splicer.data.rope })
}

/// Before this version of ONNX's format every initializer is an input of the graph, too.
const LISTED_UNTIL: i64 = 4;

fn ir_version(model: &Bytes) -> Result<i64, WireError> {
    let mut version = 0;
    for field in fields(model) {
        let field = field?;
        if field.number == number::MODEL_IR_VERSION && !field.has_length {
            version = varint(model, field.payload)?.0 as i64;
        }
    }
    Ok(version)
}

struct Splicer<'a> {
    file: &'a Bytes,
    external: &'a External,
    placement: &'a Placement,
    edits: &'a Edits,
    /// Places of nodes with an edit inside.
    edited: HashSet<usize>,
    data: DataFile,
}

impl Splicer<'_> {
    fn graph(&mut self, graph: &Bytes, lists_initializers: bool) -> Result<Rope, WireError> {
        let edits = self.edits;
        let last =
            |number| Ok(fields(graph).collect::<Result<Vec<_>, _>>()?.iter().filter(|f| f.number == number).count());
        let (inputs, initializers) = (last(number::GRAPH_INPUT)?, last(number::GRAPH_INITIALIZER)?);
        let mut added = self.added(graph)?;
        let mut listed = if lists_initializers { self.listed(graph)? } else { Rope::default() };
        let (mut nodes, mut initializer, mut input) = (0.., 0, 0);
        let mut rope = rewrite(graph, |field, payload| {
            let mut change = match field.number {
                number::GRAPH_NODE => {
                    let place = nodes.next().unwrap_or(usize::MAX);
                    if edits.dropped.contains(&place) { Change::Drop } else { self.node(place, field, &payload)? }
                }
                number::GRAPH_INITIALIZER if self.is_gone(&payload, number::TENSOR_NAME)? => {
                    initializer += 1;
                    Change::Drop
                }
                number::GRAPH_INITIALIZER => {
                    initializer += 1;
                    match edits.constants.get(&Home::Initializer(initializer - 1)) {
                        Some(edit) => {
                            Change::Replace(length_field(field.number, self.tensor(&payload, Some(edit), None)?))
                        }
                        None => self.inside(Kind::Tensor, field, &payload)?,
                    }
                }
                number::GRAPH_VALUE_INFO | number::GRAPH_INPUT => {
                    input += usize::from(field.number == number::GRAPH_INPUT);
                    match stated::splice(&payload, &edits.stated)? {
                        _ if self.is_gone(&payload, number::VALUE_NAME)? => Change::Drop,
                        Some(rope) => Change::Replace(length_field(field.number, rope)),
                        None => Change::Keep,
                    }
                }
                number => match Kind::Graph.inner(number) {
                    Some(kind) => self.inside(kind, field, &payload)?,
                    None => Change::Keep,
                },
            };
            // What is new follows the last of its kind.
            let mut new = Rope::default();
            if field.number == number::GRAPH_INITIALIZER && initializer == initializers {
                new = std::mem::take(&mut added);
            } else if field.number == number::GRAPH_INPUT && input == inputs {
                new = std::mem::take(&mut listed);
            }
            if new.len() > 0 {
                let mut old = match change {
                    Change::Keep => graph.slice(field.start..field.end).into(),
                    Change::Drop => Rope::default(),
                    Change::Replace(rope) => rope,
                };
                old.append(new);
                change = Change::Replace(old);
            }
            Ok(change)
        })?;
        // There was none of its kind.
        rope.append(added);
        rope.append(listed);
        Ok(rope)
    }

    /// Whether what a message names goes.
    fn is_gone(&self, message: &Bytes, name: u64) -> Result<bool, WireError> {
        if self.edits.gone.is_empty() {
            return Ok(false);
        }
        let name = text_of(message, name)?.and_then(|name| std::str::from_utf8(name).ok());
        Ok(name.is_some_and(|name| self.edits.gone.contains(name)))
    }

    /// A message whose only changes are those of data outside the file.
    fn inside(&mut self, kind: Kind, field: &Field, message: &Bytes) -> Result<Change, WireError> {
        let place = place_in(self.file, message);
        if !field.has_length {
            return Ok(Change::Keep);
        }
        if kind == Kind::Tensor {
            return Ok(match self.external.data(place) {
                Some(_) => Change::Replace(length_field(field.number, self.tensor(message, None, None)?)),
                None => Change::Keep,
            });
        }
        if !self.external.is_around(place) {
            return Ok(Change::Keep);
        }
        let rope = rewrite(message, |field, payload| match kind.inner(field.number) {
            Some(inner) => self.inside(inner, field, &payload),
            None => Ok(Change::Keep),
        })?;
        Ok(Change::Replace(length_field(field.number, rope)))
    }
}

/// The last text with this field number in a message.
pub(crate) fn text_of(message: &Bytes, number: u64) -> Result<Option<&[u8]>, WireError> {
    let mut found = None;
    for field in fields(message) {
        let field = field?;
        if field.number == number && field.has_length {
            found = Some(&message[field.payload..field.end]);
        }
    }
    Ok(found)
}

/// The payload of the field with a number and length that has so many of its kind before it.
fn nth(message: &Bytes, number: u64, index: usize) -> Result<Bytes, WireError> {
    let mut left = index;
    for field in fields(message) {
        let field = field?;
        if field.number == number && field.has_length {
            if left == 0 {
                return Ok(message.slice(field.payload..field.end));
            }
            left -= 1;
        }
    }
    Err(WireError::Malformed)
}
