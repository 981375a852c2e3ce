//! The entries of a table in memory: a set, whatever order they came in.

use crate::{Entry, Key, Put};
use netspec::StopReason;
use std::collections::HashMap;
use std::ops::ControlFlow;

#[derive(Clone, Debug, PartialEq, Default)]
pub(crate) struct Index {
    /// The entries of each key in canonical order, without repetition.
    entries: HashMap<Key, Vec<Entry>>,
}

impl Index {
    pub(crate) fn get(&self, key: &Key) -> Option<&Entry> {
        self.entries.get(key)?.first()
    }

    pub(crate) fn insert(&mut self, key: Key, entry: Entry) -> Put {
        insert(self.entries.entry(key).or_default(), entry)
    }

    /// Shows a copy of every entry, in the order of the keys; a scan is rare, and a look-up is not.
    pub(crate) fn scan(&self, each: &mut dyn FnMut(Key, Entry) -> ControlFlow<()>) {
        let mut keys: Vec<_> = self.entries.iter().collect();
        keys.sort_unstable_by_key(|&(key, _)| key);
        let all = keys.into_iter().flat_map(|(key, entries)| entries.iter().map(move |entry| (key, entry)));
        for (key, entry) in all {
            if each(key.clone(), entry.clone()).is_break() {
                return;
            }
        }
    }

    pub(crate) fn keys(&self) -> usize {
        self.entries.len()
    }
}

/// Puts an entry where it belongs among the entries of its key.
pub(crate) fn insert(known: &mut Vec<Entry>, entry: Entry) -> Put {
    let place = known.partition_point(|other| rank(other) < rank(&entry));
    if known.get(place) == Some(&entry) {
        return Put::Known;
    }
    known.insert(place, entry);
    if known.len() == 1 { Put::Inserted } else { Put::History }
}

/// The canonical order, in which the first entry of a key answers: what was sampled to an end of its own before what
/// was read only until a comparison was settled, then by time, then by every other field.
///
/// It looks at nothing but the two entries, so a table's answers are a function of the set of its entries, however
/// they came together.
pub(crate) fn rank(entry: &Entry) -> impl Ord + '_ {
    let m = &entry.measurement;
    // Latencies are positive and finite: their bits are ordered as they are.
    let numbers = [m.median_ns, m.interval_ns[0], m.interval_ns[1]].map(f64::to_bits);
    let is_coarse = m.stop == StopReason::Decided;
    ((is_coarse, entry.unix_s), numbers, m.samples, (m.provenance, m.stop), entry.tool.as_str(), m.algorithm.as_deref())
}
