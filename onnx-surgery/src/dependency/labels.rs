//! Labels of an axis, and the index maps that compose on them.

use std::sync::Arc;

/// The label of a position that can never go.
pub(super) const FIXED: u32 = u32::MAX;

/// One label per position of an axis; positions with united labels live and die together.
///
/// Copies share their storage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Labels(Arc<[u32]>);

impl Labels {
    pub(super) fn new(labels: Vec<u32>) -> Labels {
        Labels(labels.into())
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = u32> + '_ {
        self.0.iter().copied()
    }

    /// Whether both are known to be equal without comparing them.
    pub(super) fn is_same(&self, other: &Labels) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// `n` positions that can never go.
    pub(crate) fn fixed(n: usize) -> Labels {
        Labels::new(vec![FIXED; n])
    }

    /// Number of positions.
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is no position.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// One axis behind the other, as Concat does.
    pub(crate) fn concat(parts: &[Labels]) -> Labels {
        if let [one] = parts {
            return one.clone();
        }
        Labels::new(parts.iter().flat_map(Labels::iter).collect())
    }

    /// The axis merged with `outer` positions before it and `inner` behind it, as Flatten does:
    /// every label is repeated `inner` times, and the whole `outer` times.
    pub(crate) fn merged(&self, outer: usize, inner: usize) -> Labels {
        if (outer, inner) == (1, 1) {
            return self.clone();
        }
        let once = || self.iter().flat_map(|label| std::iter::repeat_n(label, inner));
        Labels::new((0..outer).flat_map(|_| once()).collect())
    }

    /// The labels at some positions; those past the end are left out.
    pub(crate) fn select(&self, positions: impl IntoIterator<Item = usize>) -> Labels {
        Labels::new(positions.into_iter().filter_map(|p| self.0.get(p).copied()).collect())
    }
}
