//! What the recordings and the searches show, line by line.

use crate::judge::Judged;
use crate::recording::{Recording, Row, Widths};
use crate::score::{NEAR, matched};
use crate::searches::Found;
use crate::truth::{MAY, MUST, Statistic, Truth, mode, p10, p25, quantile, rises_of, steps};
use std::collections::BTreeMap;
use std::fmt;

/// Prints whether other statistics see the same steps.
pub(crate) fn agreement(engine: &str, lines: &[Judged<'_>]) {
    let others: [(&str, Statistic); 2] = [("25 % quantile", p25), ("half-sample mode", mode)];
    for (name, statistic) in others {
        let (mut seen, mut all) = (0, 0);
        for line in lines {
            let rises = rises_of(&line.quiet, statistic);
            let places = matched(&line.truth.must, &steps(&rises, MAY), NEAR);
            seen += places.iter().filter(|is_seen| **is_seen).count();
            all += places.len();
        }
        let percent = 100.0 * MUST;
        println!("{engine}: {seen} of {all} steps over {percent:.1} % by the 10 % quantile are steps by the {name}");
    }
}

/// Prints how much of a recording was disturbed: all readings, and the first and the last ones of turns.
pub(crate) fn load(recording: &Recording, lines: &[Judged<'_>]) {
    let (mut all, mut first, mut last, mut shifts) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for line in lines {
        for (channels, row) in recording.lines.get(line.name).into_iter().flatten() {
            let ns = readings(row);
            let low = p10(&ns);
            let is_slow = |ns: u64| f64::from(u8::from(ns as f64 > 1.05 * low));
            all.extend(row.blocks.iter().flatten().map(|&ns| is_slow(ns)));
            first.extend(row.blocks.iter().filter_map(|block| block.first()).map(|&ns| is_slow(ns)));
            last.extend(row.blocks.iter().filter_map(|block| block.last()).map(|&ns| is_slow(ns)));
            let quiet: Vec<f64> = line.quiet.iter().filter_map(|q| q.get(channels)).flat_map(readings).collect();
            shifts.push(low / p10(&quiet));
        }
    }
    let percent = |slow: &[f64]| 100.0 * slow.iter().sum::<f64>() / slow.len() as f64;
    println!(
        "{} {}: {:.1} % of {} readings are over 5 % above their width's 10 % quantile ({:.1} % of the first ones of \
         turns, {:.1} % of the last ones), which is {:.3} of the quiet one",
        recording.engine,
        recording.load,
        percent(&all),
        all.len(),
        percent(&first),
        percent(&last),
        quantile(&shifts, 0.5)
    );
}

/// Prints the steps of a line, and how well its widths are known.
pub(crate) fn line(line: &Judged<'_>) {
    let Truth { must, may, slopes } = &line.truth;
    let (may, slopes, all) = (may.len(), slopes.len(), line.quiet[0].len());
    let (layer, axis) = line.name;
    let known = 100.0 * known_to(line.quiet);
    eprintln!("{layer} {axis}: must {must:?}, {may} may, {slopes} of {all} on slopes, known to {known:.1} %");
}

/// Returns how far the 10 % quantiles of two recordings are apart, but for what is common to the line, at nine in ten
/// widths.
pub(crate) fn known_to([first, second]: [&Widths; 2]) -> f64 {
    let both = first.iter().filter_map(|(channels, row)| Some((row, second.get(channels)?)));
    let ratios: Vec<f64> = both.map(|(a, b)| p10(&readings(a)) / p10(&readings(b))).collect();
    let common = quantile(&ratios, 0.5);
    let apart: Vec<f64> = ratios.iter().map(|ratio| (ratio / common).ln().abs()).collect();
    quantile(&apart, 0.9)
}

fn readings(row: &Row) -> Vec<f64> {
    row.blocks.iter().flatten().map(|&ns| ns as f64).collect()
}

/// What went wrong on a line, off slopes, with the number of draws in which it did.
#[derive(Default)]
pub(crate) struct Faults {
    draws: usize,
    granularities: BTreeMap<String, usize>,
    missed: BTreeMap<usize, usize>,
    wrong: BTreeMap<usize, usize>,
}

impl Faults {
    pub(crate) fn add(&mut self, found: &Found, truth: &Truth) {
        self.draws += 1;
        *self.granularities.entry(found.granularity.to_string()).or_default() += 1;
        count(&truth.must, &found.edges, &mut self.missed);
        count(&found.edges, &truth.may, &mut self.wrong);
        self.wrong.retain(|channels, _| !truth.slopes.contains(channels));
    }
}

/// Counts those of `a` that have no partner in `b`.
fn count(a: &[usize], b: &[usize], counts: &mut BTreeMap<usize, usize>) {
    let alone = a.iter().zip(matched(a, b, NEAR)).filter(|(_, is_matched)| !is_matched);
    alone.for_each(|(channels, _)| *counts.entry(*channels).or_default() += 1);
}

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [missed, wrong] = [&self.missed, &self.wrong].map(list);
        write!(f, "{} draws, granularity {}; missed {missed}; false {wrong}", self.draws, list(&self.granularities))
    }
}

/// Things with their counts.
fn list<T: fmt::Display>(counts: &BTreeMap<T, usize>) -> String {
    let each: Vec<String> = counts.iter().map(|(what, draws)| format!("{what}({draws})")).collect();
    each.join(" ")
}
