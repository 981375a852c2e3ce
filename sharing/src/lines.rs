//! The staircases that lie in a table: widths of one axis, all else equal.

use crate::index::rank;
use crate::{Entry, Key, Store, StoreError};
use netspec::{Axis, CacheState, ConvSpec, Measurement};
use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::ops::ControlFlow;

/// A line: a convolution whose width on one axis is left open.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Line {
    /// The convolution; its channels on the axis are 0, and so are its groups where they follow the channels.
    spec: ConvSpec,
    axis: Axis,
}

impl Line {
    /// The line of a convolution along an axis, and where on it the convolution stands.
    ///
    /// A depthwise convolution has one line, along `c_out`, on which input, output and groups move together.
    pub fn of(spec: &ConvSpec, axis: Axis) -> Option<(Line, usize)> {
        let mut open = spec.clone();
        let channels = match axis {
            _ if spec.is_depthwise() && spec.c_in == spec.c_out => {
                (open.c_in, open.c_out, open.groups) = (0, 0, 0);
                if axis == Axis::CIn {
                    return None;
                }
                spec.c_out
            }
            Axis::CIn => std::mem::take(&mut open.c_in),
            Axis::COut => std::mem::take(&mut open.c_out),
        };
        Some((Line { spec: open, axis }, channels))
    }

    /// The axis that it runs along.
    pub fn axis(&self) -> Axis {
        self.axis
    }

    /// The convolution at a width of this line.
    pub fn at(&self, channels: usize) -> ConvSpec {
        let mut spec = self.spec.clone();
        match self.axis {
            _ if spec.groups == 0 => (spec.c_in, spec.c_out, spec.groups) = (channels, channels, channels),
            Axis::CIn => spec.c_in = channels,
            Axis::COut => spec.c_out = channels,
        }
        spec
    }
}

/// The convolution's text with `*` for the open width: `64>* 14x14 k3 p1`.
impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = self.spec.to_string();
        // The widths are the only word with this sign; depthwise ones and their groups are all open.
        let words = text.split(' ').map(|word| match (word.split_once('>'), self.axis) {
            (Some(_), _) if self.spec.groups == 0 => "*>*".to_owned(),
            (Some((_, c_out)), Axis::CIn) => format!("*>{c_out}"),
            (Some((c_in, _)), Axis::COut) => format!("{c_in}>*"),
            (None, _) if word == "g0" => "g*".to_owned(),
            (None, _) => word.to_owned(),
        });
        f.write_str(&words.collect::<Vec<_>>().join(" "))
    }
}

/// The latencies of one machine along one line, by channels.
pub type Stair = BTreeMap<usize, Measurement>;

/// All lines of a table, read in one scan, so that asking for many of them costs one.
#[derive(Clone, Debug, Default)]
pub struct Lines {
    lines: HashMap<Line, BTreeMap<String, Stair>>,
}

impl Lines {
    /// Reads the lines of one cache state of what `wanted` lets through; entries whose spec cannot be read have no line.
    pub fn read(
        store: &dyn Store,
        cache: CacheState,
        mut wanted: impl FnMut(&Key) -> bool,
    ) -> Result<Lines, StoreError> {
        // A scan may come in any order; of each key the entry that answers counts.
        let mut first: HashMap<Key, Entry> = HashMap::new();
        store.scan(&mut |key, entry| {
            if key.cache == cache && wanted(&key) {
                match first.get_mut(&key) {
                    Some(known) if rank(&entry) < rank(known) => *known = entry,
                    Some(_) => {}
                    None => _ = first.insert(key, entry),
                }
            }
            ControlFlow::Continue(())
        })?;
        let mut lines: HashMap<Line, BTreeMap<String, Stair>> = HashMap::new();
        for (key, entry) in first {
            let Ok(spec) = key.conv_spec() else { continue };
            for (line, channels) in [Axis::CIn, Axis::COut].into_iter().filter_map(|axis| Line::of(&spec, axis)) {
                let machines = lines.entry(line).or_default();
                let stair = match machines.get_mut(&key.machine) {
                    Some(stair) => stair,
                    None => machines.entry(key.machine.clone()).or_default(),
                };
                stair.insert(channels, entry.measurement.clone());
            }
        }
        Ok(Lines { lines })
    }

    /// The stairs of a line, by the canonical text of their machine.
    pub fn stairs(&self, line: &Line) -> impl Iterator<Item = (&str, &Stair)> {
        self.lines.get(line).into_iter().flatten().map(|(machine, stair)| (machine.as_str(), stair))
    }

    /// All lines, in order.
    pub fn iter(&self) -> impl Iterator<Item = &Line> {
        let mut lines: Vec<&Line> = self.lines.keys().collect();
        lines.sort_unstable();
        lines.into_iter()
    }
}
