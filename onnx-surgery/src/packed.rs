//! ONNX's tensors as messages, with elements in typed fields left as they are until somebody reads them.
//!
//! The decoder's own lists would take up to eight times the bytes that a file spends on a small integer, for every
//! tensor at once. Here such elements stay in the file's bytes, and are converted one tensor at a time, on demand.

use crate::wire::{put_varint, varint};
use bytes::{Buf, Bytes};
use netspec::ElementType;
use prost::encoding::{self, DecodeContext, WireType};
use prost::{DecodeError, Message};

/// Field numbers of a tensor's typed elements.
const FLOAT: u32 = 4;
const INT32: u32 = 5;
const INT64: u32 = 7;
const DOUBLE: u32 = 10;
const UINT64: u32 = 11;

/// Shorter pieces are copied: keeping one costs more than its bytes.
const WORTH_KEEPING: usize = 64;

#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct TensorProto {
    pub(crate) dims: Vec<i64>,
    pub(crate) data_type: i32,
    pub(crate) name: String,
    pub(crate) raw_data: Option<Bytes>,
    /// Keys and values that say where data outside the file lie.
    pub(crate) external_data: Vec<EntryProto>,
    pub(crate) data_location: i32,
    typed: Vec<(u32, Packed)>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct EntryProto {
    #[prost(string, tag = "1")]
    pub(crate) key: String,
    #[prost(string, tag = "2")]
    pub(crate) value: String,
}

impl TensorProto {
    /// The typed field in which elements of a type stand; nothing if the tensor does not have it.
    pub(crate) fn typed(&self, element: ElementType) -> Option<&Packed> {
        let number = field_of(element);
        self.typed.iter().find(|(field, _)| *field == number).map(|(_, packed)| packed)
    }
}

fn field_of(element: ElementType) -> u32 {
    match element {
        ElementType::F32 => FLOAT,
        ElementType::F64 => DOUBLE,
        ElementType::I64 => INT64,
        ElementType::U32 | ElementType::U64 => UINT64,
        // The narrow types share one field, an element per entry; 16-bit floats as their bits.
        _ => INT32,
    }
}

/// Elements of a typed field, one behind the other as in a packed list.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Packed {
    pieces: Vec<Bytes>,
    /// The last piece, while elements that stand alone are collected.
    loose: Vec<u8>,
}

impl Packed {
    fn push(&mut self, piece: Bytes) {
        if piece.len() < WORTH_KEEPING {
            self.loose.extend_from_slice(&piece);
            return;
        }
        if !self.loose.is_empty() {
            self.pieces.push(std::mem::take(&mut self.loose).into());
        }
        self.pieces.push(piece);
    }

    fn slices(&self) -> impl Iterator<Item = &[u8]> {
        self.pieces.iter().map(|piece| &**piece).chain([&*self.loose])
    }

    /// How many elements there are; nothing where they cannot be read.
    pub(crate) fn count(&self, element: ElementType) -> Option<usize> {
        let width = match element {
            ElementType::F32 | ElementType::F64 => element.bytes(),
            _ => return self.slices().try_fold(0, |n, slice| Some(n + count_varints(slice)?)),
        };
        self.slices().try_fold(0, |n, slice| slice.len().is_multiple_of(width).then(|| n + slice.len() / width))
    }

    /// The elements as `raw_data` has them. Copies nothing where the file has the same bytes in one piece.
    pub(crate) fn to_raw(&self, element: ElementType) -> Bytes {
        if matches!(element, ElementType::F32 | ElementType::F64) {
            return match (self.pieces.as_slice(), self.loose.is_empty()) {
                ([piece], true) => piece.clone(),
                _ => self.slices().collect::<Vec<_>>().concat().into(),
            };
        }
        let width = element.bytes();
        let mut raw = Vec::with_capacity(self.count(element).unwrap_or(0) * width);
        for slice in self.slices() {
            let mut at = 0;
            while let Ok((value, next)) = varint(slice, at) {
                raw.extend_from_slice(&value.to_le_bytes()[..width]);
                at = next;
            }
        }
        raw.into()
    }
}

/// The numbers in a packed list; nothing if one does not end, or has no end in sight.
fn count_varints(slice: &[u8]) -> Option<usize> {
    let (mut n, mut length) = (0, 0);
    for byte in slice {
        length += 1;
        if *byte < 0x80 {
            (n, length) = (n + 1, 0);
        } else if length == 10 {
            return None;
        }
    }
    (length == 0).then_some(n)
}

impl Message for TensorProto {
    /// Nothing: writing copies the file's own bytes, and never encodes this.
    fn encode_raw(&self, _: &mut impl bytes::BufMut) {}

    fn encoded_len(&self) -> usize {
        0
    }

    fn clear(&mut self) {
        *self = TensorProto::default();
    }

    fn merge_field(
        &mut self,
        tag: u32,
        wire_type: WireType,
        buf: &mut impl Buf,
        ctx: DecodeContext,
    ) -> Result<(), DecodeError> {
        match tag {
            1 => encoding::int64::merge_repeated(wire_type, &mut self.dims, buf, ctx),
            2 => encoding::int32::merge(wire_type, &mut self.data_type, buf, ctx),
            8 => encoding::string::merge(wire_type, &mut self.name, buf, ctx),
            9 => encoding::bytes::merge(wire_type, self.raw_data.get_or_insert_default(), buf, ctx),
            13 => encoding::message::merge_repeated(wire_type, &mut self.external_data, buf, ctx),
            14 => encoding::int32::merge(wire_type, &mut self.data_location, buf, ctx),
            FLOAT | INT32 | INT64 | DOUBLE | UINT64 => {
                let known = self.typed.iter().position(|(field, _)| *field == tag);
                let index = known.unwrap_or_else(|| {
                    self.typed.push((tag, Packed::default()));
                    self.typed.len() - 1
                });
                merge_elements(tag, &mut self.typed[index].1, wire_type, buf, ctx)
            }
            _ => encoding::skip_field(wire_type, tag, buf, ctx),
        }
    }
}

/// A packed list, or one element that stands alone.
fn merge_elements(
    tag: u32,
    packed: &mut Packed,
    wire_type: WireType,
    buf: &mut impl Buf,
    ctx: DecodeContext,
) -> Result<(), DecodeError> {
    if wire_type == WireType::LengthDelimited {
        let mut piece = Bytes::new();
        encoding::bytes::merge(wire_type, &mut piece, buf, ctx)?;
        packed.push(piece);
        return Ok(());
    }
    match tag {
        FLOAT => {
            let mut bits = 0;
            encoding::fixed32::merge(wire_type, &mut bits, buf, ctx)?;
            packed.loose.extend_from_slice(&bits.to_le_bytes());
        }
        DOUBLE => {
            let mut bits = 0;
            encoding::fixed64::merge(wire_type, &mut bits, buf, ctx)?;
            packed.loose.extend_from_slice(&bits.to_le_bytes());
        }
        _ => {
            let mut value = 0;
            encoding::uint64::merge(wire_type, &mut value, buf, ctx)?;
            put_varint(&mut packed.loose, value);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::{length_field, number_field};

    fn varints(values: &[i64]) -> Vec<u8> {
        values.iter().fold(Vec::new(), |mut out, &v| {
            put_varint(&mut out, v as u64);
            out
        })
    }

    /// Decodes a tensor with these elements packed, alone, and in two pieces of which one is long.
    #[track_caller]
    fn check(element: ElementType, field: u64, values: &[i64], raw: &[u8]) {
        let whole = length_field(field, varints(values).into());
        let mut alone = crate::rope::Rope::default();
        values.iter().for_each(|&v| alone.append(number_field(field, v)));
        let mut both = length_field(field, varints(values).into());
        both.append(length_field(field, varints(&values.repeat(40)).into()));
        both.append(number_field(field, values[0]));
        for (message, times) in [(whole, 1), (alone, 1), (both, 41)] {
            let tensor = TensorProto::decode(Bytes::from(message.to_vec())).expect("well formed");
            let packed = tensor.typed(element).expect("the field is there");
            let mut expected = raw.repeat(times);
            if times > 1 {
                expected.extend_from_slice(&raw[..element.bytes()]);
            }
            assert_eq!(packed.count(element), Some(expected.len() / element.bytes()), "{element:?}");
            assert_eq!(&*packed.to_raw(element), &*expected, "{element:?}");
        }
    }

    #[test]
    fn integers_are_narrowed_to_their_type() {
        check(ElementType::I8, 5, &[-1, 2, 3], &[255, 2, 3]);
        check(ElementType::U8, 5, &[200, 2, 3], &[200, 2, 3]);
        check(ElementType::Bool, 5, &[1, 0, 1], &[1, 0, 1]);
        check(ElementType::I16, 5, &[-2, 256], &[254, 255, 0, 1]);
        check(ElementType::U16, 5, &[65535, 256], &[255, 255, 0, 1]);
        // 1.0 and -2.0 as bits.
        check(ElementType::F16, 5, &[0x3c00, 0xc000], &[0, 0x3c, 0, 0xc0]);
        check(ElementType::Bf16, 5, &[0x3f80, 0xc000], &[0x80, 0x3f, 0, 0xc0]);
        check(ElementType::I32, 5, &[-1, 7], &[255, 255, 255, 255, 7, 0, 0, 0]);
        check(ElementType::U32, 11, &[4294967295, 7], &[255, 255, 255, 255, 7, 0, 0, 0]);
        check(ElementType::I64, 7, &[-1], &[255; 8]);
        check(ElementType::U64, 11, &[-1], &[255; 8]);
    }

    #[test]
    fn floats_in_one_piece_are_not_copied() {
        let raw: Vec<u8> = (0..100u8).flat_map(|v| f32::from(v).to_le_bytes()).collect();
        let file = Bytes::from(length_field(FLOAT.into(), raw.clone().into()).to_vec());
        let tensor = TensorProto::decode(file.clone()).expect("well formed");
        let packed = tensor.typed(ElementType::F32).expect("the field is there");
        let found = packed.to_raw(ElementType::F32);
        assert_eq!((packed.count(ElementType::F32), &*found), (Some(100), &*raw));
        assert!(file.as_ptr_range().contains(&found.as_ptr()), "the bytes are the file's own");

        let mut more = length_field(FLOAT.into(), raw.clone().into());
        more.append(length_field(FLOAT.into(), vec![0, 0, 0x80, 0x3f].into()));
        let tensor = TensorProto::decode(Bytes::from(more.to_vec())).expect("well formed");
        let packed = tensor.typed(ElementType::F32).expect("the field is there");
        let found = packed.to_raw(ElementType::F32);
        assert_eq!((packed.count(ElementType::F32), &*found), (Some(101), &*[&raw[..], &[0, 0, 0x80, 0x3f]].concat()));
    }

    #[test]
    fn elements_that_cannot_be_read_have_no_count() {
        for (element, field, bytes) in [
            (ElementType::I64, 7, vec![0x80; 12]),
            (ElementType::I32, 5, vec![1, 0x80]),
            (ElementType::F32, 4, vec![0; 7]),
        ] {
            let tensor =
                TensorProto::decode(Bytes::from(length_field(field, bytes.into()).to_vec())).expect("well formed");
            assert_eq!(tensor.typed(element).expect("the field is there").count(element), None, "{element:?}");
        }
    }
}
