//! A model as a tree of protobuf fields, so that single fields can be damaged while the rest stays well-formed.
#![allow(dead_code)]

use crate::support::Message;

/// What a message is, as far as its sub-messages are known.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Kind {
    Model,
    Graph,
    Node,
    Attribute,
    Tensor,
    Value,
    Type,
    TensorType,
    Shape,
    Dim,
    Opset,
}

impl Kind {
    fn inside(self, number: u64) -> Option<Kind> {
        Some(match (self, number) {
            (Kind::Model, 7) | (Kind::Attribute, 6 | 11) => Kind::Graph,
            (Kind::Model, 8) => Kind::Opset,
            (Kind::Graph, 1) => Kind::Node,
            (Kind::Graph, 5) | (Kind::Attribute, 5) => Kind::Tensor,
            (Kind::Graph, 11..=13) => Kind::Value,
            (Kind::Node, 5) => Kind::Attribute,
            (Kind::Value, 2) => Kind::Type,
            (Kind::Type, 1) => Kind::TensorType,
            (Kind::TensorType, 2) => Kind::Shape,
            (Kind::Shape, 1) => Kind::Dim,
            _ => return None,
        })
    }

    /// Whether a field is text: a name, an operator.
    fn is_text(self, number: u64) -> bool {
        match self {
            Kind::Node => matches!(number, 1..=4 | 7),
            Kind::Attribute => matches!(number, 1 | 4),
            Kind::Tensor => number == 8,
            Kind::Value => number == 1,
            Kind::Dim => number == 2,
            _ => false,
        }
    }
}

#[derive(Clone, Debug)]
enum Payload {
    Number(u64),
    /// Text, data, or packed numbers.
    Bytes(Vec<u8>),
    Message(Vec<Field>),
}

/// A field and what it is in.
#[derive(Clone, Debug)]
struct Field {
    number: u64,
    within: Kind,
    payload: Payload,
}

/// A whole model.
#[derive(Clone, Debug)]
pub(crate) struct Tree(Vec<Field>);

/// What happens to one field.
#[derive(Clone, Debug)]
pub(crate) enum Damage {
    /// It goes.
    Drop,
    /// It stands there twice.
    Double,
    /// It trades places with the field behind it.
    Swap,
    /// The next number (at or behind it) becomes this one.
    Number(i64),
    /// The next text becomes another one of the model's, or none.
    Text(usize),
    /// The next data loses its end.
    Shorten(usize),
}

fn varint(bytes: &[u8], at: &mut usize) -> u64 {
    let mut value = 0;
    for shift in (0..).step_by(7) {
        let byte = bytes[*at];
        *at += 1;
        value |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            break;
        }
    }
    value
}

fn parse(bytes: &[u8], within: Kind) -> Vec<Field> {
    let (mut fields, mut at) = (Vec::new(), 0);
    while at < bytes.len() {
        let tag = varint(bytes, &mut at);
        let number = tag >> 3;
        let payload = match tag & 7 {
            0 => Payload::Number(varint(bytes, &mut at)),
            2 => {
                let length = varint(bytes, &mut at) as usize;
                at += length;
                let data = &bytes[at - length..at];
                within
                    .inside(number)
                    .map_or_else(|| Payload::Bytes(data.to_vec()), |kind| Payload::Message(parse(data, kind)))
            }
            5 => {
                at += 4;
                // A float; kept as bytes under a tag of its own by `write`.
                Payload::Bytes(bytes[at - 4..at].to_vec())
            }
            other => panic!("no model here has wire type {other}"),
        };
        fields.push(Field { number: if tag & 7 == 5 { number | FLOAT } else { number }, within, payload });
    }
    fields
}

/// Marks a field that is a float.
const FLOAT: u64 = 1 << 40;

fn write(fields: &[Field]) -> Message {
    fields.iter().fold(Message::default(), |message, field| match &field.payload {
        Payload::Number(value) => message.int(field.number, *value as i64),
        Payload::Bytes(bytes) if field.number & FLOAT != 0 => {
            let float: [u8; 4] = bytes.as_slice().try_into().unwrap_or_default();
            message.float(field.number & !FLOAT, f32::from_le_bytes(float))
        }
        Payload::Bytes(bytes) => message.bytes(field.number, bytes),
        Payload::Message(inner) => message.inner(field.number, write(inner)),
    })
}

impl Tree {
    pub(crate) fn new(model: &[u8]) -> Tree {
        Tree(parse(model, Kind::Model))
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        write(&self.0).0
    }

    /// Number of fields at any depth.
    pub(crate) fn len(&self) -> usize {
        count(&self.0)
    }

    pub(crate) fn damage(&mut self, at: usize, damage: &Damage) {
        let mut texts = Vec::new();
        collect(&self.0, &mut texts);
        apply(&mut self.0, &mut { at }, damage, &texts);
    }
}

fn count(fields: &[Field]) -> usize {
    let inner = |field: &Field| if let Payload::Message(inner) = &field.payload { count(inner) } else { 0 };
    fields.iter().map(|field| 1 + inner(field)).sum()
}

fn collect(fields: &[Field], texts: &mut Vec<Vec<u8>>) {
    for field in fields {
        match &field.payload {
            Payload::Bytes(text) if field.within.is_text(field.number) => texts.push(text.clone()),
            Payload::Message(inner) => collect(inner, texts),
            _ => (),
        }
    }
}

/// Goes `left` fields on, in file order, and damages what is there; answers whether it has done so.
fn apply(fields: &mut Vec<Field>, left: &mut usize, damage: &Damage, texts: &[Vec<u8>]) -> bool {
    let mut i = 0;
    while i < fields.len() {
        if *left == 0 {
            let is_text = fields[i].within.is_text(fields[i].number);
            let done = match (damage, &mut fields[i].payload) {
                (Damage::Drop, _) => {
                    fields.remove(i);
                    true
                }
                (Damage::Double, _) => {
                    fields.insert(i, fields[i].clone());
                    true
                }
                (Damage::Swap, _) => {
                    let next = (i + 1) % fields.len();
                    fields.swap(i, next);
                    true
                }
                (Damage::Number(new), Payload::Number(value)) => {
                    *value = *new as u64;
                    true
                }
                (Damage::Text(which), Payload::Bytes(text)) if is_text => {
                    *text = texts.get(which % (texts.len() + 1)).cloned().unwrap_or_default();
                    true
                }
                (Damage::Shorten(by), Payload::Bytes(data)) if !is_text => {
                    data.truncate(data.len().saturating_sub(*by));
                    true
                }
                _ => false,
            };
            if done {
                return true;
            }
        } else {
            *left -= 1;
        }
        if let Payload::Message(inner) = &mut fields[i].payload
            && apply(inner, left, damage, texts)
        {
            return true;
        }
        i += 1;
    }
    false
}
