//! Judges every strategy on random stairs with noise, drift, contaminated readings, bumps and dips: what it finds and
//! what it costs.
//!
//! ```text
//! stairstep_judge [ENGINES]     # 100 by default, of ten lines each
//! ```
//!
//! An engine has one granularity and ten lines of widths. Nothing is known of it at first: a search is given the
//! granularities that were found on the lines before.
//! A step must be found where every larger width costs at least 4.5 % more (*recall*), and must not be reported where
//! some larger width costs less than 1.5 % more (*false*); between, either answer is right. Cost is readings, against
//! those of a sweep that reads every width nine times.
//! A contaminated reading takes 5 % to several times longer: preemption, an evicted cache.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "an example prints its result")]
use stairstep::{Ask, Config, Granularity, Readings, Sample, Search, Staircase, Strategy};
use stats::Rng;

/// A random staircase without noise: the price of every width from 1 on.
struct Stairs {
    ns: Vec<f64>,
    granularity: usize,
}

fn stairs(granularity: usize, rng: &mut Rng) -> Stairs {
    let cells = 16 + rng.below(17);
    let uniform = |rng: &mut Rng, from: f64, to: f64| from + (to - from) * rng.uniform();
    let mut prices = Vec::new();
    let mut price = 1e5;
    while prices.len() < cells {
        let width = if rng.below(3) == 0 { 1 + rng.below(12) } else { 1 + rng.below(3) };
        prices.extend(vec![price; width]);
        price *= 1.0 + uniform(rng, 0.01, 0.3);
    }
    prices.truncate(cells);
    // Bumps and dips, one to three granules wide.
    for _ in 0..rng.below(4) {
        let (from, width) = (rng.below(cells), 1 + rng.below(3));
        let factor = if rng.below(2) == 0 { 1.0 + uniform(rng, 0.05, 0.3) } else { 1.0 - uniform(rng, 0.05, 0.25) };
        prices.iter_mut().skip(from).take(width).for_each(|price| *price *= factor);
    }
    let slow = if rng.below(2) == 0 { 1.0 } else { uniform(rng, 1.05, 1.37) };
    let ns = (1..=cells * granularity)
        .map(|c| prices[c.div_ceil(granularity) - 1] * if c % granularity == 0 { 1.0 } else { slow });
    Stairs { ns: ns.collect(), granularity }
}

/// A machine that reads a staircase: core noise, contamination, and a slow drift of 3 % up and down.
struct Machine<'a> {
    stairs: &'a Stairs,
    noise: f64,
    contamination: f64,
    rng: Rng,
    phase: f64,
    period: f64,
    readings: usize,
}

impl Machine<'_> {
    fn read(&mut self, channels: usize) -> f64 {
        self.readings += 1;
        let turn = self.phase + self.readings as f64 / self.period;
        let drift = 1.0 + 0.03 * (std::f64::consts::TAU * turn).sin();
        let is_contaminated = self.rng.uniform() < self.contamination;
        let excess = if is_contaminated { 1.05 - 0.35 * (1.0 - self.rng.uniform()).ln() } else { 1.0 };
        self.stairs.ns[channels - 1] * drift * excess * (1.0 + self.noise * self.rng.normal())
    }

    /// Everything outstanding takes turns, as a pipeline does it.
    fn drive(&mut self, search: &mut dyn Search) {
        loop {
            let mut probes = Vec::new();
            while let Ask::Probe(probe) = search.ask() {
                probes.push((probe, Vec::new()));
            }
            if probes.is_empty() {
                return;
            }
            for turn in 0.. {
                let mut open: Vec<_> = probes.iter_mut().filter(|(probe, _)| turn < probe.readings).collect();
                if open.is_empty() {
                    break;
                }
                self.rng.shuffle(&mut open);
                open.into_iter().for_each(|(probe, ns)| ns.push(self.read(probe.channels)));
            }
            for (probe, ns) in probes {
                search.tell(Sample { channels: probe.channels, readings: Readings::Raw(ns) });
            }
        }
    }
}

#[derive(Default)]
struct Score {
    must: usize,
    hit: usize,
    found: usize,
    wrong: usize,
    between: usize,
    readings: usize,
    widths: usize,
    of: usize,
}

impl Score {
    fn row(&self, noise: f64, contamination: f64, name: &str) {
        let percent = |a: usize, b: usize| 100.0 * a as f64 / b.max(1) as f64;
        println!(
            "| {:.1} % | {:.0} % | {name} | {:.4} of {} | {:.2} % of {} | {} | {:.1} % | {:.1} % |",
            100.0 * noise,
            100.0 * contamination,
            self.hit as f64 / self.must.max(1) as f64,
            self.must,
            percent(self.wrong, self.found),
            self.found,
            self.between,
            percent(self.widths, self.of),
            percent(self.readings, 9 * self.of),
        );
    }
}

/// How much more the cheapest larger width costs, for each width but the largest: 0.05 is 5 %.
fn risers(ns: &[f64]) -> Vec<f64> {
    let mut least = f64::INFINITY;
    let mut risers: Vec<f64> = ns
        .windows(2)
        .rev()
        .map(|pair| {
            least = least.min(pair[1]);
            least / pair[0] - 1.0
        })
        .collect();
    risers.reverse();
    risers
}

const LINES: usize = 10;

fn judge(noise: f64, contamination: f64, n: usize, strategy: impl Fn(&Stairs) -> (Strategy, Config)) -> Score {
    let mut score = Score::default();
    for engine in 0..n {
        let granularity = [4, 8, 16, 32][engine % 4];
        let mut learned: Vec<Granularity> = Vec::new();
        for line in 0..LINES {
            let seed = (engine * LINES + line) as u64;
            let mut rng = Rng::new(seed);
            let stairs = stairs(granularity, &mut rng);
            let (strategy, config) = strategy(&stairs);
            let mut search = strategy.into_search(&config.granularities(&learned).seed(seed));
            let (phase, period) = (rng.uniform(), 100.0 + 2000.0 * rng.uniform());
            let mut machine = Machine { stairs: &stairs, noise, contamination, rng, phase, period, readings: 0 };
            machine.drive(&mut *search);
            let found = search.stairs();
            learned.push(found.granularity());
            score.add(&stairs, &found, machine.readings);
        }
    }
    score
}

impl Score {
    fn add(&mut self, stairs: &Stairs, found: &Staircase, readings: usize) {
        let steps: Vec<usize> = found.edges().iter().filter(|edge| edge.is_step).map(|edge| edge.channels).collect();
        let risers = risers(&stairs.ns);
        // The largest width is an edge to everybody.
        for c in 1..stairs.ns.len() {
            let reported = steps.binary_search(&c).is_ok();
            let riser = risers[c - 1];
            self.must += usize::from(riser >= 0.045);
            self.hit += usize::from(riser >= 0.045 && reported);
            self.found += usize::from(reported);
            self.wrong += usize::from(reported && riser < 0.015);
            self.between += usize::from(reported && (0.015..0.045).contains(&riser));
        }
        self.readings += readings;
        self.widths += found.probed().len();
        self.of += stairs.ns.len();
    }
}

fn main() {
    let n = std::env::args().nth(1).and_then(|n| n.parse().ok()).unwrap_or(100);
    println!("{n} engines of {LINES} lines\n");
    println!(
        "| noise | contaminated | search | recall of steps >= 4.5 % | false (< 1.5 %) | between | widths | readings |"
    );
    println!("|---|---|---|---|---|---|---|---|");
    for noise in [0.005, 0.015, 0.03] {
        for contamination in [0.0, 0.1, 0.3] {
            let nine = |stairs: &Stairs| Config::new(stairs.ns.len()).readings(9).max_readings(9);
            let row = |name: &str, strategy: &dyn Fn(&Stairs) -> (Strategy, Config)| {
                judge(noise, contamination, n, strategy).row(noise, contamination, name);
            };
            let turns = |stairs: &Stairs| Config::new(stairs.ns.len()).readings(4).max_readings(48);
            row("three points", &|s| (Strategy::ThreePoint, turns(s)));
            row("grid of the granularity", &|s| (Strategy::Grid(s.granularity), nine(s)));
            row("grid of 8", &|s| (Strategy::Grid(8), nine(s)));
            row("every width", &|s| (Strategy::Exhaustive, nine(s)));
        }
    }
}
