//! What a model's messages hold, before anything is decoded.
//!
//! A sub-message without content is two bytes in the file and hundreds once it is decoded, and a message that may
//! stand there once but stands there twice is merged by decoders: neither is written by any exporter, the first
//! would take memory out of proportion, and the second could not be rewritten where it stands.

use crate::packed::TensorProto;
use crate::proto::{
    AttributeProto, DimensionProto, EntryProto, GraphProto, NodeProto, OperatorSetIdProto, SparseTensorProto,
    TypeProto, ValueInfoProto,
};
use crate::wire;

/// Messages inside messages, as deep as the decoder goes.
const DEPTH: usize = 100;

/// Bytes that decoded messages may take per byte of the file. A node of one-letter names takes twelve.
const PER_BYTE: usize = 16;
const AT_LEAST: usize = 1 << 20;

#[derive(Clone, Copy)]
enum Kind {
    Model,
    Graph,
    Node,
    Attribute,
    Tensor,
    Sparse,
    Value,
    Type,
    TensorType,
    Shape,
    Dim,
    Opset,
    Entry,
}

impl Kind {
    /// The kind of the message in a field, and whether the field may stand there several times.
    fn inside(self, number: u64) -> Option<(Kind, bool)> {
        Some(match (self, number) {
            (Kind::Model, 7) | (Kind::Attribute, 6) => (Kind::Graph, false),
            (Kind::Model, 8) => (Kind::Opset, true),
            (Kind::Model, 14) => (Kind::Entry, true),
            (Kind::Graph, 1) => (Kind::Node, true),
            (Kind::Graph, 5) => (Kind::Tensor, true),
            (Kind::Graph, 11..=13) => (Kind::Value, true),
            (Kind::Graph, 15) => (Kind::Sparse, true),
            (Kind::Node, 5) => (Kind::Attribute, true),
            (Kind::Attribute, 5) | (Kind::Sparse, 1) => (Kind::Tensor, false),
            (Kind::Attribute, 11) => (Kind::Graph, true),
            (Kind::Value, 2) => (Kind::Type, false),
            (Kind::Type, 1) => (Kind::TensorType, false),
            (Kind::TensorType, 2) => (Kind::Shape, false),
            (Kind::Shape, 1) => (Kind::Dim, true),
            _ => return None,
        })
    }

    /// Bytes that the decoded message takes by itself.
    fn size(self) -> usize {
        match self {
            Kind::Model | Kind::TensorType | Kind::Shape => 0,
            Kind::Graph => size_of::<GraphProto>(),
            Kind::Node => size_of::<NodeProto>(),
            Kind::Attribute => size_of::<AttributeProto>(),
            Kind::Tensor => size_of::<TensorProto>(),
            Kind::Sparse => size_of::<SparseTensorProto>(),
            Kind::Value => size_of::<ValueInfoProto>(),
            Kind::Type => size_of::<TypeProto>(),
            Kind::Dim => size_of::<DimensionProto>(),
            Kind::Opset => size_of::<OperatorSetIdProto>(),
            Kind::Entry => size_of::<EntryProto>(),
        }
    }
}

/// Whether the model may be decoded; the reason if not. What is malformed is left to the decoder to complain about.
pub(crate) fn check(model: &[u8]) -> Result<(), &'static str> {
    let mut left = model.len().saturating_mul(PER_BYTE).saturating_add(AT_LEAST);
    walk(model, Kind::Model, 0, &mut left)
}

fn walk(message: &[u8], kind: Kind, depth: usize, left: &mut usize) -> Result<(), &'static str> {
    if depth > DEPTH {
        return Err("its graphs are nested deeper than the recursion limit");
    }
    let mut seen = 0u32;
    for field in wire::fields(message).map_while(Result::ok) {
        let Some((inner, is_repeated)) = kind.inside(field.number).filter(|_| field.has_length) else { continue };
        let bit = 1 << field.number;
        if !is_repeated && seen & bit != 0 {
            return Err(match inner {
                Kind::Graph => "it has several graphs where one belongs",
                _ => "a message that may stand there once stands there twice",
            });
        }
        seen |= bit;
        *left = left.checked_sub(inner.size()).ok_or("nearly all of its messages are empty")?;
        walk(&message[field.payload..field.end], inner, depth + 1, left)?;
    }
    Ok(())
}
