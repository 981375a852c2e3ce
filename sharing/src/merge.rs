//! Uniting tables.

use crate::{Put, Store, StoreError};
use std::ops::ControlFlow;

/// What a merge did.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Merged {
    /// Keys that are new.
    pub inserted: usize,
    /// Further entries of keys that were there.
    pub history: usize,
    /// Entries that were there already.
    pub known: usize,
}

/// Adds every entry of `from` to `into`.
///
/// A table is a set of entries and this is their union: commutative, associative and idempotent.
/// Of the entries of one key, the earliest answers; of those of one second, the first in the canonical order of
/// their fields. The first entry that `into` refuses, or cannot write, ends the merge; what was added before stays,
/// and merging again goes on.
pub fn merge(into: &mut dyn Store, from: &dyn Store) -> Result<Merged, StoreError> {
    let mut merged = Merged::default();
    let mut outcome = Ok(());
    from.scan(&mut |key, entry| match into.put(&key, &entry) {
        Ok(put) => {
            match put {
                Put::Inserted => merged.inserted += 1,
                Put::History => merged.history += 1,
                Put::Known => merged.known += 1,
            }
            ControlFlow::Continue(())
        }
        Err(error) => {
            outcome = Err(error);
            ControlFlow::Break(())
        }
    })?;
    outcome.map(|()| merged)
}
