//! The table of all searches on all recordings.

use crate::about::{self, Faults};
use crate::device::{Cost, Device};
use crate::recording::{Name, Recording, Widths, read};
use crate::score::Score;
use crate::searches::{Found, bisection, medians, nine, three_point};
use crate::truth::{self, Truth, rises_of, steps};
use anyhow::ensure;
use netspec::ConvSpec;
use stairstep::{Granularity, Strategy};
use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// Lines whose widths are not known to this are left out: half of what lies between the steps that a search must find
/// and the edges that are false is 1.5 %, and a rise depends on every larger width.
const KNOWN: f64 = 0.025;

/// A line with what is true of it.
pub(crate) struct Judged<'a> {
    pub(crate) name: &'a Name,
    pub(crate) quiet: [&'a Widths; 2],
    pub(crate) truth: Truth,
}

impl Judged<'_> {
    fn full(&self) -> usize {
        self.quiet[0].keys().next_back().copied().unwrap_or(0)
    }

    /// Lines of one kind share granularities.
    fn kind(&self) -> (String, bool, bool) {
        (self.name.1.clone(), self.name.0.contains(" g"), self.name.0.contains(" k1 "))
    }
}

/// Prints one table for each engine.
///
/// # Errors
/// A recording cannot be read, or an engine has not two quiet ones.
pub(crate) fn judge(paths: &[PathBuf], with_lines: bool) -> anyhow::Result<()> {
    // By the whole machine: an engine of another version, or timed by another method, is another one.
    let mut machines: BTreeMap<String, Vec<Recording>> = BTreeMap::new();
    for path in paths {
        let recording = read(path)?;
        machines.entry(recording.machine.clone()).or_default().push(recording);
    }
    for (machine, recordings) in machines {
        let quiet: Vec<&Recording> = recordings.iter().filter(|recording| recording.load == "quiet").collect();
        ensure!(quiet.len() == 2, "{machine}: {} quiet recordings, not two", quiet.len());
        let engine = &quiet[0].engine;
        println!("{machine}");
        let (lines, unknown) = judged([quiet[0], quiet[1]]);
        let of = lines.len() + unknown.len();
        println!("{engine}: {} of {of} lines are not known to {:.1} %, and left out", unknown.len(), 100.0 * KNOWN);
        unknown.iter().chain(&lines).filter(|_| with_lines).for_each(about::line);
        about::agreement(engine, &lines);
        recordings.iter().for_each(|recording| about::load(recording, &lines));
        println!(
            "\n| engine | load | search | found of must | exactly | right of reported | off slopes | readings | device time |"
        );
        println!("|---|---|---|---|---|---|---|---|---|");
        references(engine, &lines);
        let mut loads: BTreeMap<&str, Vec<&Recording>> = BTreeMap::new();
        recordings.iter().for_each(|recording| loads.entry(&recording.load).or_default().push(recording));
        for (load, recordings) in loads {
            rivals(&format!("| {engine} | {load} |"), &lines, &recordings, with_lines);
        }
    }
    Ok(())
}

/// The lines of both quiet recordings, those that are known and those that are not, the widest first as in the pipeline,
/// because they show a granularity best.
fn judged<'a>(quiet: [&'a Recording; 2]) -> (Vec<Judged<'a>>, Vec<Judged<'a>>) {
    let line = |(name, first): (&'a Name, &'a Widths)| {
        let quiet = [first, quiet[1].lines.get(name)?];
        Some(Judged { name, quiet, truth: Truth::of(quiet, truth::p10) })
    };
    let mut lines: Vec<Judged<'a>> = quiet[0].lines.iter().filter_map(line).collect();
    let macs = |layer: &str| layer.parse().map_or(0, |spec: ConvSpec| spec.macs());
    lines.sort_by_key(|line| Reverse((line.full().min(128), macs(&line.name.0))));
    lines.into_iter().partition(|line| about::known_to(line.quiet) <= KNOWN)
}

/// Rows that show what the scores can tell: no search should do better than the first, and the others are worthless.
fn references(engine: &str, lines: &[Judged<'_>]) {
    let (mut other, mut all, mut none) = (Score::default(), Score::default(), Score::default());
    for line in lines {
        for [search, truth] in [[0, 1], [1, 0]].map(|order| order.map(|i| line.quiet[i])) {
            let edges = steps(&rises_of(&[search], truth::p10), 0.03);
            other.add(&edges, &Truth::of([truth, truth], truth::p10));
        }
        let widths: Vec<usize> = line.quiet[0].keys().copied().filter(|&channels| channels != line.full()).collect();
        all.add(&widths, &line.truth);
        none.add(&[], &line.truth);
    }
    for (name, score) in [("the other recording", other), ("reports every width", all), ("reports nothing", none)] {
        row(&format!("| {engine} | quiet | {name} |"), score, None);
    }
}

fn rivals(start: &str, lines: &[Judged<'_>], recordings: &[&Recording], with_lines: bool) {
    let mut granularities: BTreeMap<(Name, usize), Granularity> = BTreeMap::new();
    let mut known: BTreeMap<_, Vec<Granularity>> = BTreeMap::new();
    let mut product = |device: &mut Device<'_>, line: &Judged<'_>, draw: usize| {
        let known = known.entry((draw, line.kind())).or_default();
        let found = three_point(device, known, draw as u64);
        known.push(found.granularity);
        granularities.insert((line.name.clone(), draw), found.granularity);
        found
    };
    table_row(&format!("{start} three points |"), lines, recordings, with_lines, &mut product);
    let mut grid = |device: &mut Device<'_>, line: &Judged<'_>, draw| {
        let known = granularities.get(&(line.name.clone(), draw)).copied().unwrap_or(Granularity::NONE);
        nine(device, Strategy::Grid(known.step))
    };
    table_row(&format!("{start} grid of the granularity |"), lines, recordings, false, &mut grid);
    let row = |name: &str, search: fn(&mut Device<'_>) -> Found| {
        table_row(&format!("{start} {name} |"), lines, recordings, false, &mut |device, _, _| search(device));
    };
    row("grid of 8", |device| nine(device, Strategy::Grid(8)));
    row("bisection", bisection);
    row("every width, as `exhaustive`", |device| nine(device, Strategy::Exhaustive));
    row("every width, medians of nine", medians);
}

type Run<'r> = dyn FnMut(&mut Device<'_>, &Judged<'_>, usize) -> Found + 'r;

/// Runs a search on all lines of some recordings, once from each block on, and prints its row.
fn table_row(start: &str, lines: &[Judged<'_>], recordings: &[&Recording], with_lines: bool, search: &mut Run<'_>) {
    let (mut score, mut spent, mut sweep) = (Score::default(), Cost::default(), Cost::default());
    for (i, line) in lines.iter().enumerate() {
        let mut faults = Faults::default();
        for (n, widths) in recordings.iter().filter_map(|recording| recording.lines.get(line.name)).enumerate() {
            let blocks = widths.values().map(|row| row.blocks.len()).min().unwrap_or(0);
            for first in 0..blocks {
                let mut device = Device::new(widths, first);
                let mut found = search(&mut device, line, n * blocks + first);
                found.edges.retain(|&edge| edge != line.full());
                score.add(&found.edges, &line.truth);
                spent.add(device.cost);
                sweep.add(Device::sweep(widths));
                faults.add(&found, &line.truth);
            }
        }
        if with_lines {
            eprintln!("{start} {i} {} {}: {faults}", line.name.0, line.name.1);
        }
    }
    row(start, score, Some((spent, sweep)));
}

fn row(start: &str, score: Score, cost: Option<(Cost, Cost)>) {
    let share = |part: usize, all: usize| match all {
        0 => format!("none of {all}"),
        _ => format!("{:.3} of {all}", part as f64 / all as f64),
    };
    let costs = cost.map_or("| |".to_owned(), |(spent, sweep)| {
        let readings = 100.0 * spent.readings as f64 / sweep.readings as f64;
        format!("{readings:.1} % | {:.1} % |", 100.0 * spent.ns / sweep.ns)
    });
    let (hit, exact) = (share(score.hit, score.must), score.exact as f64 / score.must.max(1) as f64);
    let (right, level) = (share(score.right, score.found), share(score.right_level, score.found_level));
    println!("{start} {hit} | {exact:.3} | {right} | {level} | {costs}");
}
