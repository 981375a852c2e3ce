//! The searches that are compared: each takes a line's device, and returns edges.

use crate::device::{Device, SWEEP};
use crate::truth::{rises, steps};
use stairstep::{Ask, Config, Granularity, Readings, Sample, Search, Strategy};
use std::collections::BTreeMap;

/// The relative difference that makes two latencies two prices, as in the pipeline.
const TOLERANCE: f64 = 0.03;

/// What a search says of a line: its edges, ascending, and the granularity that it found.
pub(crate) struct Found {
    pub(crate) edges: Vec<usize>,
    pub(crate) granularity: Granularity,
}

/// The product's search, configured as the pipeline does it: `known` are the granularities of lines of this kind.
pub(crate) fn three_point(device: &mut Device<'_>, known: &[Granularity], seed: u64) -> Found {
    let config = config(device).granularities(known).audits(2).readings(4).max_readings(12).seed(seed);
    drive(Strategy::ThreePoint.into_search(&config), device)
}

/// A search of the product's that reads each of its widths nine times.
pub(crate) fn nine(device: &mut Device<'_>, strategy: Strategy) -> Found {
    let config = config(device).readings(SWEEP).max_readings(SWEEP);
    drive(strategy.into_search(&config), device)
}

/// Every width, nine readings each: steps of the medians.
pub(crate) fn medians(device: &mut Device<'_>) -> Found {
    let widths: Vec<usize> = device.widths.keys().copied().collect();
    of_medians(&widths.into_iter().map(|channels| (channels, median(device, channels))).collect())
}

/// Halves every interval whose ends differ, nine readings each.
pub(crate) fn bisection(device: &mut Device<'_>) -> Found {
    let ends = [device.widths.keys().next(), device.widths.keys().next_back()].map(|end| end.copied().unwrap_or(0));
    let mut known: BTreeMap<usize, f64> = ends.iter().map(|&end| (end, median(device, end))).collect();
    let mut open = vec![ends];
    while let Some([left, right]) = open.pop() {
        let differ = (known[&right] / known[&left]).ln().abs() > TOLERANCE.ln_1p();
        if differ && right - left > 1 {
            let middle = left.midpoint(right);
            known.insert(middle, median(device, middle));
            open.extend([[left, middle], [middle, right]]);
        }
    }
    of_medians(&known)
}

fn config(device: &Device<'_>) -> Config {
    let (first, last) = (device.widths.keys().next(), device.widths.keys().next_back());
    Config::new(last.copied().unwrap_or(1)).min_channels(first.copied().unwrap_or(1)).tolerance(TOLERANCE)
}

/// Everything outstanding is answered at once, as the pipeline does it.
fn drive(mut search: Box<dyn Search>, device: &mut Device<'_>) -> Found {
    loop {
        let mut probes = Vec::new();
        while let Ask::Probe(probe) = search.ask() {
            probes.push(probe);
        }
        if probes.is_empty() {
            break;
        }
        for probe in probes {
            let readings = Readings::Raw(device.read(probe.channels, probe.readings));
            search.tell(Sample { channels: probe.channels, readings });
        }
    }
    let stairs = search.stairs();
    let steps = stairs.edges().iter().filter(|edge| edge.is_step);
    Found { edges: steps.map(|edge| edge.channels).collect(), granularity: stairs.granularity() }
}

fn median(device: &mut Device<'_>, channels: usize) -> f64 {
    stats::median(&device.read(channels, SWEEP)).unwrap_or(f64::NAN)
}

fn of_medians(medians: &BTreeMap<usize, f64>) -> Found {
    Found { edges: steps(&rises(medians), TOLERANCE), granularity: Granularity::NONE }
}
