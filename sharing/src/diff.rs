//! Where the stairs of two tables differ.

use crate::{Key, Store, StoreError};
use netspec::ConvSpec;
use std::collections::BTreeMap;
use std::fmt;
use std::ops::ControlFlow;

/// The axis along which widths vary.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Axis {
    /// Input channels, the output channels being fixed.
    CIn,
    /// Output channels, the input channels being fixed.
    COut,
    /// Both together, of a grouped convolution.
    Groups,
}

/// All widths of one convolution along one axis: a conv spec with a blank for its width.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct StairLine {
    /// The axis.
    pub axis: Axis,
    /// The spec with 1 (of a grouped convolution: one group) in place of the width.
    pub spec: ConvSpec,
}

impl StairLine {
    /// The lines that a convolution lies on, and its width there: both axes, or one where it is grouped.
    pub fn of(spec: &ConvSpec) -> Vec<(StairLine, usize)> {
        if spec.groups > 1 {
            let one = ConvSpec { groups: 1, ..spec.with_channels(spec.c_in / spec.groups, spec.c_out / spec.groups) };
            return vec![(StairLine { axis: Axis::Groups, spec: one }, spec.groups)];
        }
        vec![
            (StairLine { axis: Axis::CIn, spec: spec.with_channels(1, spec.c_out) }, spec.c_in),
            (StairLine { axis: Axis::COut, spec: spec.with_channels(spec.c_in, 1) }, spec.c_out),
        ]
    }
}

/// The spec's text with `*` where the width stands.
impl fmt::Display for StairLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = self.spec.to_string();
        let word = |word: &str| match (word.split_once('>'), self.axis) {
            (Some((_, c_out)), Axis::CIn) => format!("*>{c_out}"),
            (Some((c_in, _)), Axis::COut) => format!("{c_in}>*"),
            (Some((c_in, c_out)), Axis::Groups) => format!("*{c_in}>*{c_out} g*"),
            (None, _) => word.to_owned(),
        };
        f.write_str(&text.split(' ').map(word).collect::<Vec<_>>().join(" "))
    }
}

/// The latency of a width and half of its interval's width.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct WidthLatency {
    /// Median in nanoseconds.
    pub ns: f64,
    /// Half of the 95 % interval's width, relative to the median.
    pub half_width: f64,
}

/// The latencies of every line, by width; of the machines that `wanted` takes by their texts.
///
/// Of several machines that it takes, and of the history of a key, the first answers.
pub fn stair_lines(store: &dyn Store, wanted: &dyn Fn(&str) -> bool) -> Result<StairLines, StoreError> {
    let mut lines = StairLines::new();
    store.scan(&mut |key: Key, entry| {
        if let (true, Ok(spec)) = (wanted(&key.machine), key.conv_spec()) {
            for (line, width) in StairLine::of(&spec) {
                let m = &entry.measurement;
                let latency = WidthLatency { ns: m.median_ns, half_width: m.relative_half_width() };
                lines.entry(line).or_default().entry(width).or_insert(latency);
            }
        }
        ControlFlow::Continue(())
    })?;
    Ok(lines)
}

/// Latencies by line and width.
pub type StairLines = BTreeMap<StairLine, BTreeMap<usize, WidthLatency>>;

/// A rise between two widths that follow each other in both tables, in one of them only.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MovedRiser {
    /// The width below the rise.
    pub from: usize,
    /// The next width that both have.
    pub to: usize,
    /// The rise in the first table, 0.05 being 5 %.
    pub first: f64,
    /// The rise in the second table.
    pub second: f64,
}

/// How one line differs.
#[derive(Clone, Debug, PartialEq)]
pub struct LineDiff {
    /// The line.
    pub line: StairLine,
    /// Widths that both tables have.
    pub widths: usize,
    /// The median over these widths of second / first: how much slower the second device is as a whole.
    pub ratio: f64,
    /// The width whose own ratio is furthest from that, and by how much, 0.1 being 10 %.
    pub worst: (usize, f64),
    /// Rises of `tolerance` or more in one table that are less than half of it in the other, and differ by more than the
    /// intervals of the four latencies explain.
    pub moved: Vec<MovedRiser>,
}

/// Widths that two tables must share for a line to be compared.
const FEWEST: usize = 3;

/// Where the stairs of two tables differ, line by line, those that differ most first.
///
/// A device that is slower by one factor has the same stairs, so ratios are held against their median.
pub fn diff(first: &StairLines, second: &StairLines, tolerance: f64) -> Vec<LineDiff> {
    let mut all: Vec<LineDiff> = first
        .iter()
        .filter_map(|(line, ours)| {
            let theirs = second.get(line)?;
            let common: Vec<Common> =
                ours.iter().filter_map(|(&width, &a)| Some((width, a, *theirs.get(&width)?))).collect();
            (common.len() >= FEWEST).then(|| line_diff(line, &common, tolerance))
        })
        .collect();
    all.sort_by(|a, b| b.worst.1.total_cmp(&a.worst.1));
    all
}

/// A width that both have, and its latency in each.
type Common = (usize, WidthLatency, WidthLatency);

fn line_diff(line: &StairLine, common: &[Common], tolerance: f64) -> LineDiff {
    let mut ratios: Vec<f64> = common.iter().map(|(_, a, b)| b.ns / a.ns).collect();
    ratios.sort_by(f64::total_cmp);
    let ratio = ratios[ratios.len() / 2];
    let apart = |&(width, a, b): &Common| (width, (b.ns / a.ns / ratio).ln().abs().exp_m1());
    let worst = common.iter().map(apart).max_by(|a, b| a.1.total_cmp(&b.1)).unwrap_or((0, 0.0));
    let moved = common.windows(2).filter_map(|pair| {
        let [(from, a0, b0), (to, a1, b1)] = [pair[0], pair[1]];
        let riser = MovedRiser { from, to, first: a1.ns / a0.ns - 1.0, second: b1.ns / b0.ns - 1.0 };
        let (low, high) = (riser.first.min(riser.second), riser.first.max(riser.second));
        let noise = [a0, a1, b0, b1].iter().map(|latency| latency.half_width.powi(2)).sum::<f64>().sqrt();
        (high >= tolerance && low < tolerance / 2.0 && high - low > noise).then_some(riser)
    });
    LineDiff { line: line.clone(), widths: common.len(), ratio, worst, moved: moved.collect() }
}
