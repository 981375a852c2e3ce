//! The bytes of a record in the database. Nothing else in this crate knows bincode or the layout.
//!
//! | part | bytes, little-endian |
//! |---|---|
//! | header | payload length (u32), CRC-32 of the payload (u32), CRC-32 of the 8 bytes before (u32) |
//! | payload | [`EntryV1`] in bincode 2's standard configuration, then the algorithm's name if there is one |
//!
//! The record is the same in all formats. Format 2 added the algorithm, format 3 the stop reason `Decided`, and format
//! 4 changed the database around it: the key contains the cache state (`database/older.rs`).
//! `tests/golden` holds a store of format 3.

use crate::{Entry, Key, TableKind};
use bincode::{Decode, Encode};
use netspec::{CacheState, Measurement, Provenance, StopReason};

/// The newest format, the one that is written.
pub(crate) const FORMAT: u32 = 4;
/// The oldest format that is read.
pub(crate) const OLDEST: u32 = 1;
/// The last format whose keys did not contain the cache state.
pub(crate) const WITHOUT_CACHE: u32 = 3;
const HEADER: usize = 12;
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
    // Since format 3.
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

pub(crate) fn kind_code(kind: TableKind) -> u8 {
    code_of(&KINDS, kind).unwrap_or(u8::MAX)
}

pub(crate) fn cache_code(cache: CacheState) -> u8 {
    code_of(&CACHES, cache).unwrap_or(u8::MAX)
}

pub(crate) fn cache_of(code: u8) -> Option<CacheState> {
    value_of(&CACHES, code)
}

pub(crate) fn kind_of(code: u8) -> Option<TableKind> {
    value_of(&KINDS, code)
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

/// The bytes of a record; `None` if the format has no room for the entry.
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

/// Reads the record at the beginning of `bytes` and returns its length too; `None` if it is damaged.
pub(crate) fn read_record(bytes: &[u8]) -> Option<(Key, Entry, usize)> {
    let (length, payload_check, check) = (u32_at(bytes, 0)?, u32_at(bytes, 4)?, u32_at(bytes, 8)?);
    let end = HEADER + length as usize;
    let payload = bytes.get(HEADER..end)?;
    if crc32fast::hash(&bytes[..8]) != check || crc32fast::hash(payload) != payload_check {
        return None;
    }
    let (key, entry) = read_payload(payload)?;
    Some((key, entry, end))
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
    let cache = value_of(&CACHES, wire.cache)?;
    let measurement = Measurement {
        median_ns: wire.median_ns,
        interval_ns: wire.interval_ns,
        samples: wire.samples,
        provenance: value_of(&PROVENANCES, wire.provenance)?,
        cache,
        stop: value_of(&STOPS, wire.stop)?,
        algorithm,
    };
    let entry = Entry { measurement, unix_s: wire.unix_s, tool: wire.tool };
    (read == payload.len()).then_some((Key { spec: wire.spec, machine: wire.machine, cache }, entry))
}
