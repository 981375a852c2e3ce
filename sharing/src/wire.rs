//! The bytes of a table file. Nothing else in this crate knows bincode or the layout.
//!
//! A file is a header and records, all numbers little-endian:
//!
//! | part | bytes |
//! |---|---|
//! | header | magic `LOCPTBL\n` (8), format (u32), kind (u8), zero (3), CRC-32 of the 16 bytes before (u32) |
//! | record | payload length (u32), CRC-32 of the payload (u32), CRC-32 of the 8 bytes before (u32), payload |
//!
//! The payload of format 1 is [`EntryV1`] in bincode 2's standard configuration, that of format 2 the same with the
//! algorithm's name behind it, where there is one. bincode does not describe itself: what comes behind the struct tells
//! the two apart, so a file of format 1 becomes one of format 2 by its header alone. Format 3 knows one more reason to stop,
//! and is otherwise format 2: a version that cannot read it must not take such an entry for damage.
//! The length has a checksum of its own, so that a damaged length is not taken for a record cut short by a kill.

use crate::{Entry, Key, TableKind};
use bincode::{Decode, Encode};
use netspec::{CacheState, Measurement, Provenance, StopReason};

/// The newest format, the one that is written.
pub(crate) const FORMAT: u32 = 3;
/// The oldest format that is read.
const OLDEST: u32 = 1;
pub(crate) const HEADER: usize = 20;
const MAGIC: &[u8; 8] = b"LOCPTBL\n";
const RECORD_HEADER: usize = 12;
/// No payload is longer: keys and tool names of an entry are a few hundred bytes.
const LIMIT: usize = 1 << 16;

const KINDS: [(u8, TableKind); 3] = [(0, TableKind::Live), (1, TableKind::Recorded), (2, TableKind::Simulated)];
const PROVENANCES: [(u8, Provenance); 3] =
    [(0, Provenance::Measured), (1, Provenance::Recorded), (2, Provenance::Simulated)];
const CACHES: [(u8, CacheState); 3] = [(0, CacheState::Warm), (1, CacheState::Cold), (2, CacheState::Network)];
const STOPS: [(u8, StopReason); 6] = [
    (0, StopReason::Precise),
    (1, StopReason::NoiseSettled),
    (2, StopReason::SampleLimit),
    (3, StopReason::TimeLimit),
    (4, StopReason::NotSampled),
    (5, StopReason::Decided),
];

/// An entry as format 1 has it. Never change it: see the module's docs.
#[derive(Encode, Decode)]
struct EntryV1 {
    spec: String,
    machine: String,
    median_ns: f64,
    interval_ns: [f64; 2],
    samples: u32,
    provenance: u8,
    cache: u8,
    stop: u8,
    unix_s: u64,
    tool: String,
}

/// What the beginning of a file is.
pub(crate) enum Header {
    /// A table of this kind; its header may be of an older format.
    Table { kind: TableKind, is_old: bool },
    /// A header cut short: the file was made and nothing else.
    Torn,
    /// A table of this newer format.
    Newer(u32),
    /// Something else.
    Foreign,
}

/// What comes next in a file.
pub(crate) enum Record {
    /// An entry, and how many bytes it took.
    Entry { key: Key, entry: Entry, bytes: usize },
    /// Nothing.
    End,
    /// A record cut short by the end of the file: its writer was killed before it acknowledged it.
    Torn,
    /// Damage; behind it, a record may begin after so many bytes.
    Damaged { reason: &'static str, skip: Option<usize> },
}

fn code_of<T: PartialEq + Copy>(table: &[(u8, T)], value: T) -> Option<u8> {
    table.iter().find(|(_, v)| *v == value).map(|&(code, _)| code)
}

fn value_of<T: Copy>(table: &[(u8, T)], code: u8) -> Option<T> {
    table.iter().find(|(c, _)| *c == code).map(|&(_, value)| value)
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

pub(crate) fn header(kind: TableKind) -> Vec<u8> {
    let mut bytes = MAGIC.to_vec();
    bytes.extend(FORMAT.to_le_bytes());
    bytes.extend([code_of(&KINDS, kind).unwrap_or(u8::MAX), 0, 0, 0]);
    bytes.extend(crc32fast::hash(&bytes).to_le_bytes());
    bytes
}

pub(crate) fn read_header(bytes: &[u8]) -> Header {
    let is_beginning = |bytes: &[u8]| KINDS.iter().any(|&(_, kind)| header(kind).starts_with(bytes));
    let table = |kind, format| Header::Table { kind, is_old: format < FORMAT };
    let (Some(format), Some(check)) = (u32_at(bytes, MAGIC.len()), u32_at(bytes, HEADER - 4)) else {
        return if is_beginning(bytes) { Header::Torn } else { Header::Foreign };
    };
    if !bytes.starts_with(MAGIC) {
        return Header::Foreign;
    }
    // The first 20 bytes are the same in all formats: a damaged format is not taken for a newer one.
    if crc32fast::hash(&bytes[..HEADER - 4]) != check {
        return Header::Foreign;
    }
    if format > FORMAT {
        return Header::Newer(format);
    }
    let kind = bytes.get(12).and_then(|&code| value_of(&KINDS, code)).filter(|_| format >= OLDEST);
    kind.map_or(Header::Foreign, |kind| table(kind, format))
}

/// The bytes of a record, or nothing for an entry that the format has no room for.
pub(crate) fn record(key: &Key, entry: &Entry) -> Option<Vec<u8>> {
    let m = &entry.measurement;
    let wire = EntryV1 {
        spec: key.spec.clone(),
        machine: key.machine.clone(),
        median_ns: m.median_ns,
        interval_ns: m.interval_ns,
        samples: m.samples,
        provenance: code_of(&PROVENANCES, m.provenance)?,
        cache: code_of(&CACHES, m.cache)?,
        stop: code_of(&STOPS, m.stop)?,
        unix_s: entry.unix_s,
        tool: entry.tool.clone(),
    };
    let config = bincode::config::standard().with_limit::<LIMIT>();
    let mut payload = bincode::encode_to_vec(wire, config).ok()?;
    if let Some(algorithm) = &m.algorithm {
        payload.extend(bincode::encode_to_vec(algorithm, config).ok()?);
    }
    let length = u32::try_from(payload.len()).ok().filter(|&length| length as usize <= LIMIT)?;
    let mut bytes = length.to_le_bytes().to_vec();
    bytes.extend(crc32fast::hash(&payload).to_le_bytes());
    bytes.extend(crc32fast::hash(&bytes).to_le_bytes());
    bytes.extend(payload);
    Some(bytes)
}

/// Reads the record at the beginning of `bytes`, which reach to the end of the file.
pub(crate) fn read_record(bytes: &[u8]) -> Record {
    if bytes.is_empty() {
        return Record::End;
    }
    let (Some(length), Some(payload_check), Some(check)) = (u32_at(bytes, 0), u32_at(bytes, 4), u32_at(bytes, 8))
    else {
        return Record::Torn;
    };
    if crc32fast::hash(&bytes[..8]) != check {
        // A file system that lost power may have made the file longer before it wrote what belongs there.
        let zeros = bytes.iter().all(|&byte| byte == 0);
        return if zeros { Record::Torn } else { Record::Damaged { reason: "the record's header", skip: None } };
    }
    let end = RECORD_HEADER + length as usize;
    let Some(payload) = bytes.get(RECORD_HEADER..end) else { return Record::Torn };
    let damaged = |reason| Record::Damaged { reason, skip: Some(end) };
    if crc32fast::hash(payload) != payload_check {
        return damaged("the record's content");
    }
    match read_payload(payload) {
        Some((key, entry)) => Record::Entry { key, entry, bytes: end },
        None => damaged("a record of no known form"),
    }
}

fn read_payload(payload: &[u8]) -> Option<(Key, Entry)> {
    let config = bincode::config::standard().with_limit::<LIMIT>();
    let (wire, mut read): (EntryV1, usize) = bincode::decode_from_slice(payload, config).ok()?;
    let mut algorithm = None;
    if read < payload.len() {
        let (name, more): (String, usize) = bincode::decode_from_slice(&payload[read..], config).ok()?;
        algorithm = Some(name);
        read += more;
    }
    let measurement = Measurement {
        median_ns: wire.median_ns,
        interval_ns: wire.interval_ns,
        samples: wire.samples,
        provenance: value_of(&PROVENANCES, wire.provenance)?,
        cache: value_of(&CACHES, wire.cache)?,
        stop: value_of(&STOPS, wire.stop)?,
        algorithm,
    };
    let entry = Entry { measurement, unix_s: wire.unix_s, tool: wire.tool };
    (read == payload.len()).then_some((Key { spec: wire.spec, machine: wire.machine }, entry))
}
