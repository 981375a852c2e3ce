//! Uniting tables.

use crate::{Entry, Key, Put, Store, StoreError};
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

impl Merged {
    /// Counts what became of one entry.
    pub fn count(&mut self, put: Put) {
        match put {
            Put::Inserted => self.inserted += 1,
            Put::History => self.history += 1,
            Put::Known => self.known += 1,
        }
    }

    /// Adds what another merge did.
    pub fn add(&mut self, other: Merged) {
        self.inserted += other.inserted;
        self.history += other.history;
        self.known += other.known;
    }
}

/// Entries that are written at once: few enough to lose by a kill, enough that the disk is not waited for each time.
const BATCH: usize = 4096;

/// Adds every entry of `from` to `into`.
///
/// A table is a set of entries and this is their union: commutative, associative and idempotent.
/// Of the entries of one key, the earliest answers, coarse ones last; of those of one second, the first in the
/// canonical order of their fields. The first entry that `into` refuses, or cannot write, ends the merge; what was
/// added before stays, and merging again goes on.
pub fn merge(into: &mut dyn Store, from: &dyn Store) -> Result<Merged, StoreError> {
    let mut merged = Merged::default();
    let mut outcome = Ok(());
    let mut batch = Vec::new();
    let mut flush = |batch: &mut Vec<(Key, Entry)>| {
        merged.add(into.put_all(batch)?);
        batch.clear();
        Ok(())
    };
    from.scan(&mut |key, entry| {
        batch.push((key, entry));
        if batch.len() == BATCH {
            outcome = flush(&mut batch);
        }
        if outcome.is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    })?;
    outcome?;
    flush(&mut batch)?;
    Ok(merged)
}
