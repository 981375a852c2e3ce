//! A part of the work, for one of several devices of a kind.

use crate::line::Line;
use std::cmp::Reverse;
use std::fmt;
use std::str::FromStr;

/// The i-th of n parts, counted from 1.
///
/// ```
/// let shard: locp::Shard = "2/4".parse()?;
/// assert_eq!(shard.to_string(), "2/4");
/// assert!("5/4".parse::<locp::Shard>().is_err() && "0/4".parse::<locp::Shard>().is_err());
/// # Ok::<(), String>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shard {
    index: usize,
    of: usize,
}

impl FromStr for Shard {
    type Err = String;

    fn from_str(text: &str) -> Result<Shard, String> {
        let numbers = text.split_once('/').and_then(|(i, n)| Some((i.parse().ok()?, n.parse().ok()?)));
        match numbers {
            Some((index, of)) if 1 <= index && index <= of => Ok(Shard { index, of }),
            _ => Err("expected i/n with 1 <= i <= n, for example 2/4".to_owned()),
        }
    }
}

impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.index, self.of)
    }
}

impl Shard {
    /// This part of `items`, in their order, so that all parts have about the same `work`: the largest first, each to the
    /// part that has least so far. The parts depend on the items alone, are disjoint, and together are all of them.
    pub fn of<T: Ord>(self, items: Vec<T>, work: impl Fn(&T) -> u64) -> Vec<T> {
        let mut order: Vec<usize> = (0..items.len()).collect();
        order.sort_by_key(|&i| (Reverse(work(&items[i])), i));
        let mut loads = vec![0_u64; self.of];
        let mut part = vec![0; items.len()];
        for i in order {
            let least = (0..self.of).min_by_key(|&part| loads[part]).expect("there is at least one part");
            loads[least] = loads[least].saturating_add(work(&items[i]).max(1));
            part[i] = least + 1;
        }
        items.into_iter().zip(part).filter(|(_, part)| *part == self.index).map(|(item, _)| item).collect()
    }

    /// This part of the lines of a network: their work is that of all their widths.
    pub(crate) fn of_lines(self, lines: Vec<Line>) -> Vec<Line> {
        self.of(lines, |line| line.spec.macs().saturating_mul(line.last().0 as u64))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test")]
mod tests {
    use super::Shard;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn parts_are_disjoint_complete_and_about_equal(work in prop::collection::vec(1u64..1000, 0..60), n in 1usize..8) {
            let items: Vec<(usize, u64)> = work.iter().copied().enumerate().collect();
            let part = |i: usize| format!("{i}/{n}").parse::<Shard>().unwrap().of(items.clone(), |item| item.1);
            let parts: Vec<_> = (1..=n).map(part).collect();
            let mut all: Vec<_> = parts.iter().flatten().copied().collect();
            all.sort();
            prop_assert_eq!(&all, &items);
            let loads: Vec<u64> = parts.iter().map(|part| part.iter().map(|item| item.1).sum()).collect();
            let (least, most) = (loads.iter().min().unwrap(), loads.iter().max().unwrap());
            let largest = work.iter().max().copied().unwrap_or(0);
            prop_assert!(most - least <= largest, "{loads:?}");
        }
    }
}
