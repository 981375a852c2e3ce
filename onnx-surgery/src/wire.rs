//! Protobuf's wire format: walking a message's fields, and writing the few that change.

use crate::rope::Rope;
use bytes::Bytes;

/// Why bytes are no protobuf message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WireError {
    /// A field ends past the end of its message.
    Truncated,
    /// A tag or a number that no writer produces.
    Malformed,
}

/// One field of a message, with the place of its bytes in it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Field {
    pub(crate) number: u64,
    /// Where tag and payload begin.
    pub(crate) start: usize,
    /// Where the payload begins, behind the tag and, for a field with a length, behind that.
    pub(crate) payload: usize,
    pub(crate) end: usize,
    /// Whether the payload has a length, and so may be a message.
    pub(crate) has_length: bool,
}

/// As deep as the decoder goes: what it accepts must be possible to copy.
const GROUP_DEPTH: usize = 100;

/// The fields of a message, in file order.
pub(crate) fn fields(bytes: &[u8]) -> impl Iterator<Item = Result<Field, WireError>> + '_ {
    let mut at = 0;
    std::iter::from_fn(move || {
        if at >= bytes.len() {
            return None;
        }
        let field = read_field(bytes, at);
        at = field.as_ref().map_or(bytes.len(), |f| f.end);
        Some(field)
    })
}

fn read_field(bytes: &[u8], start: usize) -> Result<Field, WireError> {
    let (tag, payload) = varint(bytes, start)?;
    let (number, kind) = (tag >> 3, tag & 7);
    if number == 0 {
        return Err(WireError::Malformed);
    }
    let (payload, end) = payload_range(bytes, payload, kind, number, 0)?;
    Ok(Field { number, start, payload, end, has_length: kind == 2 })
}

fn payload_range(bytes: &[u8], at: usize, kind: u64, number: u64, depth: usize) -> Result<(usize, usize), WireError> {
    let until = |start: usize, length: u64| {
        let end = usize::try_from(length).ok().and_then(|n| start.checked_add(n));
        end.filter(|&end| end <= bytes.len()).map(|end| (start, end)).ok_or(WireError::Truncated)
    };
    match kind {
        0 => varint(bytes, at).map(|(_, end)| (at, end)),
        1 => until(at, 8),
        2 => varint(bytes, at).and_then(|(length, start)| until(start, length)),
        3 if depth < GROUP_DEPTH => group_end(bytes, at, number, depth).map(|end| (at, end)),
        5 => until(at, 4),
        _ => Err(WireError::Malformed),
    }
}

/// Where a field in the retired group encoding ends.
fn group_end(bytes: &[u8], mut at: usize, group: u64, depth: usize) -> Result<usize, WireError> {
    loop {
        let (tag, payload) = varint(bytes, at)?;
        let (number, kind) = (tag >> 3, tag & 7);
        if kind == 4 {
            return if number == group { Ok(payload) } else { Err(WireError::Malformed) };
        }
        at = payload_range(bytes, payload, kind, number, depth + 1)?.1;
    }
}

/// The number at `at`, and where the next byte is.
pub(crate) fn varint(bytes: &[u8], at: usize) -> Result<(u64, usize), WireError> {
    let mut value = 0u64;
    for i in 0..10 {
        let byte = *bytes.get(at + i).ok_or(WireError::Truncated)?;
        value |= u64::from(byte & 0x7f) << (7 * i);
        if byte < 0x80 {
            return Ok((value, at + i + 1));
        }
    }
    Err(WireError::Malformed)
}

/// Appends a number in its shortest form.
pub(crate) fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// A field that holds one number.
pub(crate) fn number_field(number: u64, value: i64) -> Rope {
    let mut out = Vec::new();
    put_varint(&mut out, number << 3);
    put_varint(&mut out, value as u64);
    out.into()
}

/// A field that holds bytes: a nested message, or data.
pub(crate) fn length_field(number: u64, payload: Rope) -> Rope {
    let mut out = Vec::new();
    put_varint(&mut out, number << 3 | 2);
    put_varint(&mut out, payload.len() as u64);
    let mut rope = Rope::from(out);
    rope.append(payload);
    rope
}

/// What becomes of a field.
pub(crate) enum Change {
    /// Its bytes are copied as they are.
    Keep,
    /// It goes.
    Drop,
    /// These bytes, tag included, stand in its place.
    Replace(Rope),
}

/// Copies a message, field by field; `change` says what becomes of each one, given its payload.
pub(crate) fn rewrite(
    message: &Bytes,
    mut change: impl FnMut(&Field, Bytes) -> Result<Change, WireError>,
) -> Result<Rope, WireError> {
    let mut rope = Rope::default();
    let mut copied = 0;
    for field in fields(message) {
        let field = field?;
        let change = change(&field, message.slice(field.payload..field.end))?;
        if !matches!(change, Change::Keep) {
            rope.push_copy(message.slice(copied..field.start));
            copied = field.end;
        }
        if let Change::Replace(new) = change {
            rope.append(new);
        }
    }
    rope.push_copy(message.slice(copied..));
    Ok(rope)
}
