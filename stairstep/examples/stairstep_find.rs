//! Finds the steps of a closure, then compares the strategies on noisy staircases whose steps are known.
//!
//! `cargo run --release --locked --example stairstep_find`
#![expect(clippy::print_stdout, reason = "an example prints")]

use stairstep::{Ask, Config, Readings, Sample, Staircase, Strategy, find_steps};

fn main() {
    // Latency by output channels as an engine with 32-wide kernels has it: slower off the multiples of 32.
    let latency_ns = |c: usize| (70e3 + 65e3 * c.div_ceil(32) as f64) * if c.is_multiple_of(32) { 1.0 } else { 1.1 };
    let stairs = find_steps(&Config::new(256).exact(), latency_ns);
    println!("granularity {}, {} of 256 widths probed", stairs.granularity(), stairs.probed().len());
    for edge in stairs.edges() {
        println!("{:4} channels for {:.0} us", edge.channels, edge.latency_ns / 1e3);
    }

    println!("\n200 staircases to 512 channels, granularity 16, risers of 3 to 30 % up or down, 2 % outliers;");
    println!("edges whose price differs by 3 to 4.5 % from the next are not counted either way:");
    println!("{:>6}  {:<26} {:>7} {:>9} {:>7} {:>9}", "noise", "strategy", "recall", "precision", "widths", "readings");
    let plain = Config::new(512);
    let strategies = [
        ("every width", Strategy::Exhaustive, plain.clone()),
        ("grid of 16", Strategy::Grid(16), plain.clone()),
        ("three-point, granularity known", Strategy::ThreePoint, plain.clone().granularity(16)),
        ("three-point", Strategy::ThreePoint, plain),
    ];
    for noise in [0.005, 0.015] {
        for (name, strategy, config) in &strategies {
            let score = score(*strategy, config, noise);
            println!(
                "{:>5.1}%  {name:<26} {:>7.3} {:>9.3} {:>7} {:>9}",
                100.0 * noise,
                score.hit as f64 / score.truth as f64,
                score.hit as f64 / score.found as f64,
                score.widths / 200,
                score.readings / 200
            );
        }
    }
}

#[derive(Default)]
struct Score {
    hit: usize,
    truth: usize,
    found: usize,
    widths: usize,
    readings: usize,
}

fn score(strategy: Strategy, config: &Config, noise: f64) -> Score {
    let mut score = Score::default();
    for seed in 0..200 {
        let mut rng = stats::Rng::new(seed);
        let prices = prices(&mut rng);
        let at = |c: usize| prices[c.div_ceil(16) - 1];
        let exact = run(Strategy::Exhaustive, &config.clone().exact(), at);
        let stairs = run(strategy, config, |c| {
            score.readings += 1;
            let outlier = if rng.uniform() < 0.02 { 3.0 } else { 1.0 };
            at(c) * (1.0 + noise * rng.normal()) * outlier
        });
        // Near the threshold of 3 % no reference is certain.
        let close: Vec<usize> = edges(&run(Strategy::Exhaustive, &config.clone().exact().tolerance(0.015), at));
        let clear: Vec<usize> = edges(&run(Strategy::Exhaustive, &config.clone().exact().tolerance(0.045), at));
        let exact = edges(&exact);
        let doubtful = |c: &usize| close.contains(c) && !clear.contains(c);
        let expected: Vec<usize> = exact.into_iter().filter(|c| !doubtful(c)).collect();
        let found: Vec<usize> = edges(&stairs).into_iter().filter(|c| !doubtful(c)).collect();
        score.truth += expected.len();
        score.found += found.len();
        score.hit += found.iter().filter(|c| expected.contains(c)).count();
        score.widths += stairs.probed().len();
    }
    score
}

/// 32 granules in treads of two to six.
fn prices(rng: &mut stats::Rng) -> Vec<f64> {
    let mut prices = Vec::new();
    let mut price = 1000.0;
    while prices.len() < 32 {
        prices.extend(vec![price; 2 + rng.below(5)]);
        let riser = 1.03 + 0.27 * rng.uniform();
        price *= if rng.uniform() < 0.15 { 1.0 / riser } else { riser };
    }
    prices
}

fn run(strategy: Strategy, config: &Config, mut ns: impl FnMut(usize) -> f64) -> Staircase {
    let mut search = strategy.into_search(config);
    while let Ask::Probe(probe) = search.ask() {
        let readings = (0..probe.readings).map(|_| ns(probe.channels)).collect();
        search.tell(Sample { channels: probe.channels, readings: Readings::Raw(readings) });
    }
    search.stairs()
}

fn edges(stairs: &Staircase) -> Vec<usize> {
    stairs.edges().iter().map(|edge| edge.channels).collect()
}
