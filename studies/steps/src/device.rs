//! A recording that answers a search as a device would.

use crate::recording::Widths;
use std::collections::BTreeMap;

/// Readings of the sweep that costs are compared with.
pub(crate) const SWEEP: usize = 9;

/// What a search cost, over all lines and draws.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Cost {
    pub(crate) readings: usize,
    pub(crate) ns: f64,
}

impl Cost {
    pub(crate) fn add(&mut self, other: Cost) {
        self.readings += other.readings;
        self.ns += other.ns;
    }
}

/// One line of a recording, read from one of its blocks on.
///
/// Each question is a turn of a convolution that is prepared anew, as in the pipeline: questions go to the two
/// preparations of the recording by turns, and each takes the readings of the next block, going on to the block after
/// it if they do not suffice. So what was slow for a while when it was recorded is slow for neighboring readings here.
pub(crate) struct Device<'a> {
    pub(crate) widths: &'a Widths,
    first: usize,
    /// Turns of each width so far.
    turns: BTreeMap<usize, usize>,
    pub(crate) cost: Cost,
}

impl<'a> Device<'a> {
    /// `first` is the block with which every width begins.
    pub(crate) fn new(widths: &'a Widths, first: usize) -> Device<'a> {
        Device { widths, first, turns: BTreeMap::new(), cost: Cost::default() }
    }

    /// Returns readings of a width; none for one that was not recorded.
    pub(crate) fn read(&mut self, channels: usize, readings: usize) -> Vec<f64> {
        let Some(row) = self.widths.get(&channels) else { return Vec::new() };
        let turns = self.turns.entry(channels).or_insert(0);
        let turn = self.first + *turns;
        *turns += 1;
        let preparations = row.prepare_ns.len();
        let (preparation, blocks) = (turn % preparations, row.blocks.len() / preparations);
        // Three runs, at least, until the caches have settled before each turn.
        self.cost.ns += 3.0 * mean(&row.blocks) + row.prepare_ns[preparation] as f64;
        let mut ns = Vec::with_capacity(readings);
        for block in turn / preparations.. {
            let block = &row.blocks[preparation * blocks + block % blocks];
            ns.extend(block.iter().take(readings - ns.len()).map(|&ns| ns as f64));
            if ns.len() == readings {
                break;
            }
        }
        self.cost.readings += ns.len();
        self.cost.ns += ns.iter().sum::<f64>();
        ns
    }

    /// Returns what it costs to read every width nine times.
    pub(crate) fn sweep(widths: &Widths) -> Cost {
        let ns = |row: &crate::recording::Row| row.prepare_ns[0] as f64 + (SWEEP + 1) as f64 * mean(&row.blocks);
        Cost { readings: SWEEP * widths.len(), ns: widths.values().map(ns).sum() }
    }
}

fn mean(blocks: &[Vec<u64>]) -> f64 {
    let readings: usize = blocks.iter().map(Vec::len).sum();
    blocks.iter().flatten().sum::<u64>() as f64 / readings as f64
}
