//! Where in a model file tensors stand: in the graph, in graphs inside nodes, in functions and training steps.

use crate::constant::Home;
use crate::wire::{WireError, fields};
use bytes::Bytes;

/// How deep messages may nest; the decoder has the same limit.
const DEPTH: usize = 100;

/// Messages that a tensor may stand in, and the tensor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Model,
    Training,
    Function,
    Graph,
    Sparse,
    Node,
    Attribute,
    Tensor,
}

impl Kind {
    /// What a field of this message holds, if there may be a tensor in it.
    pub(crate) fn inner(self, number: u64) -> Option<Kind> {
        Some(match (self, number) {
            (Kind::Model, 7) | (Kind::Training, 1 | 2) | (Kind::Attribute, 6 | 11) => Kind::Graph,
            (Kind::Model, 20) => Kind::Training,
            (Kind::Model, 25) => Kind::Function,
            (Kind::Graph, 1) | (Kind::Function, 7) => Kind::Node,
            (Kind::Graph, 5) | (Kind::Sparse, 1 | 2) | (Kind::Attribute, 5 | 10) => Kind::Tensor,
            (Kind::Graph, 15) | (Kind::Attribute, 22 | 23) => Kind::Sparse,
            // A function's attributes with defaults are attributes, too.
            (Kind::Node, 5) | (Kind::Function, 11) => Kind::Attribute,
            _ => return None,
        })
    }
}

/// A step into a message: the field's number, and how many of that number stand before it.
pub(crate) type Step = (u64, usize);

/// What is called with a tensor, the messages around it from the outside in, and the path to it.
type Visit<'a> = dyn FnMut(&Bytes, &[Bytes], &[Step]) + 'a;

/// The place of the graph's own tensors, which surgery may change.
pub(crate) fn home(path: &[Step]) -> Option<Home> {
    match *path {
        [(7, 0), (5, index)] => Some(Home::Initializer(index)),
        [(7, 0), (1, node), (5, attribute), (5, 0)] => Some(Home::Node { node, attribute }),
        _ => None,
    }
}

/// Where a part of a file begins in it, which names the part: no two messages begin at one place.
///
/// An empty part is at no place; nothing of interest is empty.
pub(crate) fn place_in(file: &Bytes, part: &[u8]) -> Option<usize> {
    let place = (part.as_ptr() as usize).checked_sub(file.as_ptr() as usize)?;
    (!part.is_empty() && place < file.len()).then_some(place)
}

/// Calls `each` with every tensor.
///
/// Parts that cannot be read are skipped: the decoder has refused those that matter.
pub(crate) fn tensors(model: &Bytes, each: &mut Visit<'_>) {
    walk(Kind::Model, model, &mut vec![], &mut vec![], each);
}

fn walk(kind: Kind, message: &Bytes, around: &mut Vec<Bytes>, path: &mut Vec<Step>, each: &mut Visit<'_>) {
    if kind == Kind::Tensor {
        return each(message, around, path);
    }
    let is_whole = |field: Result<_, WireError>| field.is_ok();
    if around.len() == DEPTH || !fields(message).all(is_whole) {
        return;
    }
    around.push(message.clone());
    let mut seen: Vec<Step> = Vec::new();
    for field in fields(message).flatten().filter(|field| field.has_length) {
        let Some(inner) = kind.inner(field.number) else { continue };
        let index = match seen.iter_mut().find(|(number, _)| *number == field.number) {
            Some((_, count)) => {
                *count += 1;
                *count - 1
            }
            None => {
                seen.push((field.number, 1));
                0
            }
        };
        path.push((field.number, index));
        walk(inner, &message.slice(field.payload..field.end), around, path, each);
        path.pop();
    }
    around.pop();
}
