//! Stores of formats 1 to 3, whose keys did not contain the cache state.

use super::place::about;
use super::{Database, ENTRIES};
use crate::{StoreError, TableKind, wire};
use redb::{ReadableTable, TableDefinition, WriteTransaction};
use std::collections::BTreeMap;

/// (spec, machine) to the records of every cache state.
const OLDER: TableDefinition<(&str, &str), &[u8]> = TableDefinition::new("entries");

/// Moves every record below the key with its cache state, byte for byte, and writes the new format's number.
pub(super) fn migrate(
    database: &Database,
    transaction: &WriteTransaction,
    kind: TableKind,
) -> Result<Result<bool, StoreError>, redb::Error> {
    {
        // Empty, and empty again, if another process was faster.
        let older = transaction.open_table(OLDER)?;
        let mut entries = transaction.open_table(ENTRIES)?;
        for item in older.iter()? {
            let (name, value) = item?;
            let (spec, machine) = name.value();
            let mut states: BTreeMap<u8, Vec<u8>> = BTreeMap::new();
            let mut rest = value.value();
            while !rest.is_empty() {
                let record = wire::read_record(rest).filter(|(key, ..)| key.spec == spec && key.machine == machine);
                let Some((key, _, length)) = record else {
                    return Ok(Err(database.damaged(&format!("a record of `{spec}` on {machine}"))));
                };
                // Their order within a state is the canonical one already.
                states.entry(wire::cache_code(key.cache)).or_default().extend(&rest[..length]);
                rest = &rest[length..];
            }
            for (cache, records) in states {
                entries.insert((spec, machine, cache), records.as_slice())?;
            }
        }
    }
    transaction.delete_table(OLDER)?;
    about(transaction, kind)
}
