//! Judges every search on recorded sweeps: what it finds, and what it costs in readings and device seconds.
//!
//! ```text
//! steps_judge FIRST.jsonl SECOND.jsonl [--lines]     # two recordings of the same layers by steps_record
//! ```
//!
//! A search draws its readings from the second recording, at random from those of the width it asks for.
//! What is true is told by each recording's medians, all readings used: an edge must be found where in *both* every
//! larger width costs at least 4.5 % more, at exactly this width. It is false where neither has such a riser of 1.5 %
//! or more within eight channels (on a slope no width is better than its neighbor), by medians and by the optimal
//! segmentation; everything else is don't-care.
//! How well one recording does as a search against the other is the first row: no search can be trusted to do better.
//!
//! Cost is held against a sweep that reads every width nine times. Device seconds are readings, one run to warm up
//! for every width and round, and the preparation of every width.
//! The lattices are found once for each kind of line and then confirmed, and a width gets six readings at most, as the
//! pipeline does it; of each three layers
//! the first one was looked at while the search was tuned, and is reported apart from the other two.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "an example prints its result")]
use serde_json::Value;
use stairstep::{Ask, Config, Readings, Sample, Search, Strategy};
use std::collections::BTreeMap;
use std::error::Error;
use std::fs::read_to_string;

type Widths = BTreeMap<usize, Width>;

/// One width of a recorded line.
struct Width {
    ns: Vec<f64>,
    prepare_ns: f64,
}

impl Width {
    fn mean(&self) -> f64 {
        self.ns.iter().sum::<f64>() / self.ns.len() as f64
    }
}

/// One axis of one layer.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Name {
    layer: String,
    axis: String,
}

impl Name {
    /// Lines of one kind share lattices.
    fn kind(&self) -> (String, bool, bool) {
        (self.axis.clone(), self.layer.contains(" g"), self.layer.contains(" k1 "))
    }
}

/// The lines of a recording in its order.
fn read(path: &str) -> Result<Vec<(Name, Widths)>, Box<dyn Error>> {
    let mut lines: Vec<(Name, Widths)> = Vec::new();
    for row in read_to_string(path)?.lines() {
        let row: Value = serde_json::from_str(row)?;
        let text = |field: &str| row[field].as_str().unwrap_or_default().to_owned();
        let name = Name { layer: text("layer"), axis: text("axis") };
        if lines.last().is_none_or(|(last, _)| *last != name) {
            lines.push((name, Widths::new()));
        }
        let ns = row["ns"].as_array().ok_or("no readings")?.iter().filter_map(Value::as_f64).collect();
        let width = Width { ns, prepare_ns: row["prepare_ns"].as_f64().unwrap_or(0.0) };
        let channels = row["channels"].as_u64().ok_or("no channels")? as usize;
        lines.last_mut().ok_or("no line")?.1.insert(channels, width);
    }
    Ok(lines)
}

fn medians(widths: &Widths) -> Vec<f64> {
    widths.values().filter_map(|width| stats::median(&width.ns)).collect()
}

/// How much more the cheapest larger width costs, for each of neighboring widths: 0.05 is 5 %; infinite for the last.
fn risers(ns: &[f64]) -> Vec<f64> {
    let mut least = f64::INFINITY;
    let mut risers: Vec<f64> = ns
        .iter()
        .rev()
        .map(|&here| {
            let riser = least / here - 1.0;
            least = least.min(here);
            riser
        })
        .collect();
    risers.reverse();
    risers
}

/// The last index of each tread of a finished sweep, by exact dynamic programming in O(n^2) (Jackson et al., "An
/// algorithm for optimal partitioning of data on an interval", IEEE Signal Processing Letters 12, 2005).
///
/// Minimizes the squared deviations of ln(ns) from each run's mean, plus a penalty for each run: the larger one of
/// `tolerance`^2 / 2 and the Schwarz criterion's 2 s^2 ln n, s being the scatter of neighbors.
fn tread_ends(ns: &[f64], tolerance: f64) -> Vec<usize> {
    let ln: Vec<f64> = ns.iter().map(|ns| ns.ln()).collect();
    let pairs: Vec<f64> = ln.windows(2).map(|pair| (pair[0] - pair[1]).abs()).collect();
    // The median of |X - Y| for two normal readings of standard deviation 1 is 0.6745 times the square root of 2.
    let scatter = stats::median(&pairs).unwrap_or(0.0) / 0.953_873;
    let penalty = f64::max(tolerance.ln_1p().powi(2) / 2.0, 2.0 * scatter * scatter * (ln.len().max(1) as f64).ln());
    // Prefix sums about the mean, so that squares of large numbers do not cancel.
    let mean = ln.iter().sum::<f64>() / ln.len().max(1) as f64;
    let mut sums = vec![(0.0, 0.0)];
    for x in &ln {
        let (sum, squares) = sums[sums.len() - 1];
        sums.push((sum + (x - mean), squares + (x - mean) * (x - mean)));
    }
    let cost = |from: usize, to: usize| {
        let (sum, squares) = (sums[to].0 - sums[from].0, sums[to].1 - sums[from].1);
        f64::max(squares - sum * sum / (to - from) as f64, 0.0)
    };
    // The least cost of ln[..to], and where its last run begins.
    let mut best = vec![(0.0, 0)];
    for to in 1..=ln.len() {
        let of = |from: usize| (best[from].0 + cost(from, to) + penalty, from);
        best.extend((0..to).map(of).min_by(|a, b| a.0.total_cmp(&b.0)));
    }
    let mut ends = Vec::new();
    let mut to = ln.len();
    while to > 0 {
        ends.push(to - 1);
        to = best[to].1;
    }
    ends.reverse();
    ends
}

/// The rise from each width to the cheapest larger one, by the medians.
fn rises(widths: &Widths) -> BTreeMap<usize, f64> {
    widths.keys().copied().zip(risers(&medians(widths))).collect()
}

/// The same by the levels of the optimal segmentation.
fn levels(widths: &Widths) -> BTreeMap<usize, f64> {
    let medians = medians(widths);
    let mut levels = Vec::new();
    for end in tread_ends(&medians, 0.03) {
        let run = &medians[levels.len()..=end];
        let level = (run.iter().map(|ns| ns.ln()).sum::<f64>() / run.len() as f64).exp();
        levels.extend(vec![level; run.len()]);
    }
    widths.keys().copied().zip(risers(&levels)).collect()
}

/// Answers a search from a recording.
struct Machine<'a> {
    widths: &'a Widths,
    rng: stats::Rng,
    readings: usize,
    ns: f64,
    prepared: BTreeMap<usize, Vec<f64>>,
}

impl<'a> Machine<'a> {
    fn new(widths: &'a Widths, seed: u64) -> Machine<'a> {
        Machine { widths, rng: stats::Rng::new(seed), readings: 0, ns: 0.0, prepared: BTreeMap::new() }
    }

    fn drive(&mut self, search: &mut dyn Search) {
        loop {
            match search.ask() {
                Ask::Probe(probe) => {
                    let width = &self.widths[&probe.channels];
                    let fresh = !self.prepared.contains_key(&probe.channels);
                    let pool = self.prepared.entry(probe.channels).or_default();
                    self.ns += if fresh { width.prepare_ns } else { 0.0 } + width.mean();
                    let mut ns = Vec::new();
                    for _ in 0..probe.readings {
                        if pool.is_empty() {
                            pool.clone_from(&width.ns);
                            self.rng.shuffle(pool);
                        }
                        ns.extend(pool.pop());
                    }
                    self.readings += ns.len();
                    self.ns += ns.iter().sum::<f64>();
                    search.tell(Sample { channels: probe.channels, readings: Readings::Raw(ns) });
                }
                Ask::Waiting | Ask::Done(_) => return,
            }
        }
    }
}

#[derive(Clone, Copy, Default)]
struct Score {
    must: usize,
    hit: usize,
    found: usize,
    wrong: usize,
    readings: usize,
    ns: f64,
    widths: usize,
    lines: usize,
    of_widths: usize,
    of_ns: f64,
}

impl Score {
    fn add(&mut self, edges: &[usize], recordings: [&Widths; 2]) {
        let widths = recordings[1];
        let by_median = recordings.map(rises);
        let by_level = recordings.map(levels);
        let least = |c: &usize| f64::min(by_median[0][c], by_median[1][c]);
        let most =
            |c: &usize| by_median.iter().chain(&by_level).map(|rises| rises[c]).fold(f64::NEG_INFINITY, f64::max);
        let last = widths.keys().next_back().copied().unwrap_or(0);
        for c in widths.keys().filter(|&&c| c != last) {
            let is_found = edges.binary_search(c).is_ok();
            self.must += usize::from(least(c) >= 0.045);
            self.hit += usize::from(least(c) >= 0.045 && is_found);
            self.found += usize::from(is_found);
            let near = widths.range(c.saturating_sub(8)..=c + 8).map(|(c, _)| most(c)).fold(0.0, f64::max);
            self.wrong += usize::from(is_found && near < 0.015);
        }
        self.lines += 1;
        self.of_widths += widths.len();
        self.of_ns += widths.values().map(|width| width.prepare_ns + 10.0 * width.mean()).sum::<f64>();
    }

    fn row(&self, name: &str) {
        let share = |a: f64, b: f64| 100.0 * a / b.max(1.0);
        println!(
            "| {name} | {:.3} of {} | {:.1} % of {} | {:.1} % | {:.1} % of {} | {:.1} % of {:.1} s |",
            self.hit as f64 / self.must.max(1) as f64,
            self.must,
            share(self.wrong as f64, self.found as f64),
            self.found,
            share(self.widths as f64, self.of_widths as f64),
            share(self.readings as f64, 9.0 * self.of_widths as f64),
            9 * self.of_widths,
            share(self.ns, self.of_ns),
            self.of_ns / 1e9
        );
    }
}

/// A search over all lines, in their order: the strategy of a line, given what the lattices of its kind are so far.
fn judge(
    [first, second]: [&[(Name, Widths)]; 2],
    layers: &[String],
    verbose: bool,
    mut strategy: impl FnMut(&Name, Config) -> (Strategy, Config),
    mut learn: impl FnMut(&Name, usize),
) -> [Score; 2] {
    let mut scores = [Score::default(); 2];
    for (n, ((name, of_first), (_, widths))) in first.iter().zip(second).enumerate() {
        let place = layers.iter().position(|layer| *layer == name.layer);
        let seen = usize::from(place.is_none_or(|place| place % 3 != 0));
        let (Some(&min), Some(&max)) = (widths.keys().next(), widths.keys().next_back()) else { continue };
        let (strategy, config) = strategy(name, Config::new(max).min_channels(min).seed(n as u64));
        let mut search = strategy.into_search(&config);
        let mut machine = Machine::new(widths, n as u64);
        machine.drive(&mut *search);
        let stairs = search.stairs();
        learn(name, stairs.lattice());
        let edges: Vec<usize> = stairs.edges().iter().map(|edge| edge.channels).collect();
        let before = scores[seen];
        let score = &mut scores[seen];
        score.add(&edges, [of_first, widths]);
        score.readings += machine.readings;
        score.ns += machine.ns;
        score.widths += stairs.probed().len();
        if verbose {
            let truths = [of_first, widths].map(rises);
            let must = |c: &usize| truths.iter().all(|rises| rises[c] >= 0.045) && *c != max;
            let missed: Vec<usize> =
                widths.keys().copied().filter(|c| must(c) && edges.binary_search(c).is_err()).collect();
            eprintln!(
                "{} {}: lattice {}, {} edges, {} of {} found, {} false, {:.1} % of readings; missed {missed:?}",
                name.layer,
                name.axis,
                stairs.lattice(),
                edges.len(),
                score.hit - before.hit,
                score.must - before.must,
                score.wrong - before.wrong,
                100.0 * machine.readings as f64 / (9 * widths.len()) as f64
            );
        }
    }
    scores
}

fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let files: Vec<&String> = args.iter().filter(|arg| !arg.starts_with("--")).collect();
    let [first, second] = files[..] else {
        println!("usage: steps_judge FIRST.jsonl SECOND.jsonl [--lines]");
        return Ok(());
    };
    let mut recordings = [read(first)?, read(second)?];
    let mut layers: Vec<String> = recordings[0].iter().map(|(name, _)| name.layer.clone()).collect();
    layers.dedup();
    let names = recordings.each_ref().map(|r| r.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>());
    // The widest lines first, as the pipeline has it: they show a lattice best.
    for recording in &mut recordings {
        recording.retain(|(name, _)| names.iter().all(|names| names.contains(name)));
        recording.sort_by_key(|(_, widths)| std::cmp::Reverse(widths.len().min(128)));
    }
    let both = [recordings[0].as_slice(), recordings[1].as_slice()];
    let print = |name: &str, scores: [Score; 2]| {
        let [tuned, apart] = scores;
        tuned.row(&format!("{name} (looked at, {} lines)", tuned.lines));
        apart.row(&format!("{name} (not looked at, {} lines)", apart.lines));
    };
    println!("| search | recall | false | widths | readings | device seconds |");
    println!("|---|---|---|---|---|---|");
    let mut reference = Score::default();
    for ((_, one), (_, other)) in both[0].iter().zip(both[1]) {
        let edges = levels(other).into_iter().filter(|(_, riser)| *riser >= 0.03).map(|(c, _)| c).collect::<Vec<_>>();
        reference.add(&edges, [one, one]);
    }
    reference.row("the second recording against the first");

    let lattices: std::cell::RefCell<BTreeMap<_, Vec<usize>>> = std::cell::RefCell::default();
    let learn = |name: &Name, lattice: usize| {
        let mut lattices = lattices.borrow_mut();
        let known = lattices.entry(name.kind()).or_default();
        if !known.contains(&lattice) {
            known.push(lattice);
        }
    };
    let of_line: std::cell::RefCell<BTreeMap<Name, usize>> = std::cell::RefCell::default();
    let verbose = args.iter().any(|arg| arg == "--lines");
    let three_point = |name: &Name, config: Config| {
        let known = lattices.borrow().get(&name.kind()).cloned().unwrap_or_default();
        (Strategy::ThreePoint, config.lattices(&known).max_readings(6))
    };
    let note = |name: &Name, lattice: usize| {
        learn(name, lattice);
        of_line.borrow_mut().insert(name.clone(), lattice);
    };
    print("three points", judge(both, &layers, verbose, three_point, note));
    let nine = |config: Config| config.readings(9).max_readings(9);
    let lattice = |name: &Name| of_line.borrow().get(name).copied().unwrap_or(1);
    print("grid of the lattice", judge(both, &layers, false, |n, c| (Strategy::Grid(lattice(n)), nine(c)), |_, _| ()));
    for step in [4, 8, 16] {
        print(
            &format!("grid of {step}"),
            judge(both, &layers, false, |_, c| (Strategy::Grid(step), nine(c)), |_, _| ()),
        );
    }
    print("every width", judge(both, &layers, false, |_, c| (Strategy::Exhaustive, nine(c)), |_, _| ()));
    Ok(())
}
