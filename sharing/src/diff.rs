//! Where two devices' stairs differ.

use crate::{Lines, Stair, Store, StoreError};
use netspec::{Axis, CacheState, Measurement};
use std::collections::BTreeSet;

/// What is compared, and from where on a rise is a jump.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct DiffOptions {
    /// Machines of the first table: those whose canonical text contains this, all of them by default.
    pub machine_a: Option<String>,
    /// Machines of the second table: those whose canonical text contains this, all of them by default.
    pub machine_b: Option<String>,
    /// The smallest relative change between neighbors that counts as a jump, 0.03 by default.
    pub jump: f64,
}

impl Default for DiffOptions {
    fn default() -> DiffOptions {
        DiffOptions { machine_a: None, machine_b: None, jump: 0.03 }
    }
}

/// One line that both tables have, seen on two machines.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct LineDiff {
    /// The line, with `*` for the open width.
    pub line: String,
    /// The axis that it runs along.
    pub axis: Axis,
    /// The cache state of both.
    pub cache: CacheState,
    /// The first machine's canonical text.
    pub machine_a: String,
    /// The second machine's canonical text.
    pub machine_b: String,
    /// Widths that only the first one has.
    pub only_a: usize,
    /// Widths that only the second one has.
    pub only_b: usize,
    /// The median over the common widths of the second latency by the first: what the one device is faster by.
    pub ratio: f64,
    /// The common widths.
    pub points: Vec<PointDiff>,
    /// Jumps of one machine that the other one lacks.
    pub jumps: Vec<JumpDiff>,
}

impl LineDiff {
    /// The largest relative difference of a point, in either direction: 0.1 if one width is 10 % off the line's ratio.
    pub fn largest(&self) -> f64 {
        self.points.iter().map(|point| point.relative.ln().abs().exp() - 1.0).fold(0.0, f64::max)
    }
}

/// One width on two machines.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct PointDiff {
    /// Channels.
    pub channels: usize,
    /// The first machine's latency in nanoseconds.
    pub a_ns: f64,
    /// The second machine's latency in nanoseconds.
    pub b_ns: f64,
    /// `b_ns / a_ns` divided by the line's ratio: 1 where the stairs are alike, whichever device is faster.
    pub relative: f64,
}

/// Which of two tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Side {
    /// The first.
    A,
    /// The second.
    B,
}

/// A jump between two neighboring common widths that one machine has and the other one lacks.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct JumpDiff {
    /// The lower width.
    pub from: usize,
    /// The upper width.
    pub to: usize,
    /// Who has it.
    pub side: Side,
    /// The first machine's relative change from the lower width to the upper: 0.1 is 10 % more.
    pub a: f64,
    /// The second machine's.
    pub b: f64,
}

/// Compares the lines that two tables have in common, line by line and in each cache state, and every pair of their machines that the options
/// let through. Lines of fewer than three common widths are left out: two ratios have no middle to be held against.
///
/// With `r(w) = b(w) / a(w)` at the common widths `w`, a point's `relative` is `r(w) / median(r)`: a device that is
/// merely faster has 1 everywhere. Between neighbors `v < w` the change of a machine is `c = t(w) / t(v) - 1`; it is a
/// **jump** if `|ln(1 + c)| >= ln(1 + jump)` and the two intervals do not touch. A jump has its **counterpart** if the
/// other machine's change goes the same way and is at least half as large, both as logarithms; jumps without one are
/// listed. Swapping the tables swaps the sides and inverts the ratios, and changes nothing else.
///
/// ```
/// use netspec::{CacheState, ConvSpec, Machine, Measurement, Provenance};
/// use sharing::{DiffOptions, Entry, Key, MemoryStore, Side, Store, TableKind, diff};
/// let table = |device: &str, ns: [f64; 4]| -> Result<MemoryStore, sharing::StoreError> {
///     let machine = Machine { engine: "tract".into(), device: device.into(), ..Machine::default() };
///     let mut table = MemoryStore::new(TableKind::Live);
///     for (channels, ns) in [8, 16, 24, 32].into_iter().zip(ns) {
///         let key = Key::new(&ConvSpec::new(64, channels, [14, 14], [3, 3]), &machine, CacheState::Network);
///         table.put(&key, &Entry::now(Measurement::exact(ns, Provenance::Measured), "doc"))?;
///     }
///     Ok(table)
/// };
/// // Twice as fast, and its step at 24 is missing.
/// let a = table("old", [100.0, 100.0, 120.0, 120.0])?;
/// let b = table("new", [50.0, 50.0, 50.0, 50.0])?;
/// let lines = diff(&a, &b, &DiffOptions::default())?;
/// assert_eq!(lines[0].line, "64>* 14x14 k3");
/// assert_eq!((lines[0].jumps[0].from, lines[0].jumps[0].to, lines[0].jumps[0].side), (16, 24, Side::A));
/// assert_eq!(lines[0].jumps.len(), 1);
/// # Ok::<(), sharing::StoreError>(())
/// ```
pub fn diff(a: &dyn Store, b: &dyn Store, options: &DiffOptions) -> Result<Vec<LineDiff>, StoreError> {
    let read = |store, cache, machine: &Option<String>| {
        Lines::read(store, cache, |key| machine.as_ref().is_none_or(|part| key.machine.contains(part)))
    };
    let mut found = Vec::new();
    for cache in [CacheState::Network, CacheState::Warm, CacheState::Cold] {
        let (a, b) = (read(a, cache, &options.machine_a)?, read(b, cache, &options.machine_b)?);
        for line in a.iter() {
            for (machine_a, stair_a) in a.stairs(line) {
                let pairs = b.stairs(line).map(|(machine_b, stair_b)| {
                    let (points, ratio) = points(stair_a, stair_b)?;
                    Some(LineDiff {
                        line: line.to_string(),
                        axis: line.axis(),
                        cache,
                        machine_a: machine_a.to_owned(),
                        machine_b: machine_b.to_owned(),
                        only_a: stair_a.len() - points.len(),
                        only_b: stair_b.len() - points.len(),
                        jumps: jumps(stair_a, stair_b, &points, options.jump),
                        ratio,
                        points,
                    })
                });
                found.extend(pairs.flatten());
            }
        }
    }
    Ok(found)
}

/// Common widths from which on a line is compared.
const FEWEST: usize = 3;

/// The common widths and the median of their ratios; `None` if there are fewer than three.
fn points(a: &Stair, b: &Stair) -> Option<(Vec<PointDiff>, f64)> {
    let common = a.iter().filter_map(|(&channels, a)| {
        let (a_ns, b_ns) = (a.median_ns, b.get(&channels)?.median_ns);
        Some(PointDiff { channels, a_ns, b_ns, relative: b_ns / a_ns })
    });
    let mut points: Vec<PointDiff> = common.collect();
    if points.len() < FEWEST {
        return None;
    }
    // The median of the logarithms, so that swapping the tables inverts it also where it lies between two ratios.
    let mut logs: Vec<f64> = points.iter().map(|point| point.relative.ln()).collect();
    logs.sort_by(f64::total_cmp);
    let middle = logs.len() / 2;
    let median = if logs.len() % 2 == 1 { logs[middle] } else { (logs[middle - 1] + logs[middle]) / 2.0 };
    let ratio = median.exp();
    for point in &mut points {
        point.relative /= ratio;
    }
    Some((points, ratio))
}

fn jumps(a: &Stair, b: &Stair, points: &[PointDiff], least: f64) -> Vec<JumpDiff> {
    let widths: BTreeSet<usize> = points.iter().map(|point| point.channels).collect();
    let mut found = Vec::new();
    for (&from, &to) in widths.iter().zip(widths.iter().skip(1)) {
        let (changes_a, changes_b) = (Change::between(a, from, to), Change::between(b, from, to));
        let (Some(change_a), Some(change_b)) = (changes_a, changes_b) else { continue };
        // Both have one that the other lacks where one rises and the other falls.
        for (side, mine, other) in [(Side::A, &change_a, &change_b), (Side::B, &change_b, &change_a)] {
            let is_lacking = mine.log.signum() * other.log < mine.log.abs() / 2.0;
            if mine.is_apart && mine.log.abs() >= least.ln_1p() && is_lacking {
                found.push(JumpDiff { from, to, side, a: change_a.log.exp_m1(), b: change_b.log.exp_m1() });
            }
        }
    }
    found
}

/// What happens from one width to the next.
struct Change {
    /// The ratio of the medians, as a logarithm.
    log: f64,
    /// Whether the two intervals do not touch.
    is_apart: bool,
}

impl Change {
    fn between(stair: &Stair, from: usize, to: usize) -> Option<Change> {
        let (from, to): (&Measurement, &Measurement) = (stair.get(&from)?, stair.get(&to)?);
        let is_apart = from.interval_ns[1] < to.interval_ns[0] || to.interval_ns[1] < from.interval_ns[0];
        Some(Change { log: (to.median_ns / from.median_ns).ln(), is_apart })
    }
}
