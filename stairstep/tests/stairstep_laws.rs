//! Laws of every search, on staircases made by the rules that they claim to understand.
use proptest::prelude::*;
use stairstep::*;
use std::collections::BTreeMap;

/// A noiseless staircase: a price for each granule; within one, widths cost what its end costs, or more.
#[derive(Clone, Debug)]
struct Stairs {
    step: usize,
    max: usize,
    off_granularity: f64,
    cells: Vec<f64>,
}

impl Stairs {
    fn ns(&self, channels: usize) -> f64 {
        let price = self.cells[channels.div_ceil(self.step) - 1];
        if channels.is_multiple_of(self.step) { price } else { price * self.off_granularity }
    }
}

/// Prices are powers of 1.08, well apart at a tolerance of 3 %; treads are at least `narrowest` cells wide.
fn stairs(narrowest: usize, monotone: bool) -> impl Strategy<Value = Stairs> {
    use proptest::strategy::Strategy;
    let tread = (0usize..6, 0i32..12);
    (1usize..20, 0usize..19, any::<bool>(), prop::collection::vec(tread, 1..20)).prop_map(
        move |(step, cut, slow, mut treads)| {
            if monotone {
                treads.sort_by_key(|&(_, price)| price);
            }
            let cells: Vec<f64> = treads
                .iter()
                .flat_map(|&(width, price)| vec![100.0 * 1.08f64.powi(price); width + narrowest])
                .collect();
            let max = (cells.len() * step).saturating_sub(cut % step).max(1);
            Stairs { step, max, off_granularity: if slow { 1.37 } else { 1.0 }, cells }
        },
    )
}

use proptest::strategy::Strategy;

fn run(search: &mut dyn Search, mut ns: impl FnMut(usize) -> f64) -> (Staircase, usize) {
    let mut probes = 0;
    while let Ask::Probe(probe) = search.ask() {
        probes += 1;
        let readings = (0..probe.readings).map(|_| ns(probe.channels)).collect();
        search.tell(Sample { channels: probe.channels, readings: Readings::Raw(readings) });
    }
    (search.stairs(), probes)
}

fn edges(stairs: &Staircase) -> Vec<usize> {
    stairs.edges().iter().map(|edge| edge.channels).collect()
}

/// With exact latencies a width is probed once.
fn same_edges(stairs: &Stairs, config: Config, is_exact: bool) -> Result<(), TestCaseError> {
    let config = if is_exact { config.exact() } else { config };
    let (all, widths) = run(&mut *stairstep::Strategy::Exhaustive.into_search(&config), |c| stairs.ns(c));
    prop_assert_eq!(widths, stairs.max);
    let (found, probes) = run(&mut *stairstep::Strategy::ThreePoint.into_search(&config), |c| stairs.ns(c));
    prop_assert_eq!(edges(&found), edges(&all));
    prop_assert!(probes <= widths || !is_exact);
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn edges_are_the_exhaustive_ones_whatever_the_prices_on_the_granularity(stairs in stairs(1, false)) {
        let config = Config::new(stairs.max).granularity(stairs.step).narrowest(1);
        same_edges(&stairs, config.clone(), true)?;
        same_edges(&stairs, config, false)?;
    }

    #[test]
    fn treads_of_two_granules_allow_skipping(stairs in stairs(2, false)) {
        // Without a granularity, widths twice as far apart are looked at.
        let steps = if stairs.step == 1 { 1 } else { 2 };
        same_edges(&stairs, Config::new(stairs.max).granularity(stairs.step).narrowest(steps * stairs.step), true)?;
    }

    #[test]
    fn halving_finds_every_edge_of_a_monotone_staircase(stairs in stairs(1, true)) {
        same_edges(&stairs, Config::new(stairs.max).granularity(stairs.step).narrowest(usize::MAX), true)?;
    }

    #[test]
    fn the_granularity_is_found_and_the_edges_with_it(
        step in prop::sample::select(vec![2usize, 4, 8, 16, 32]), jump in 6.0..30.0f64, slow in prop::sample::select(vec![1.0, 1.37]), seed: u64
    ) {
        let ns = |c: usize| (100.0 + jump * c.div_ceil(step) as f64) * if c.is_multiple_of(step) { 1.0 } else { slow };
        let config = Config::new(step * 12).exact().seed(seed);
        let (all, _) = run(&mut *stairstep::Strategy::Exhaustive.into_search(&config), ns);
        let found = find_steps(&config, ns);
        prop_assert_eq!(edges(&found), edges(&all));
        // Channels fewer than what must be seen are no lattice to a search: it looks between them anyway.
        prop_assert_eq!(found.granularity(), Granularity::multiples(if step < 4 { 1 } else { step }));
    }

    #[test]
    fn every_width_is_an_edge_or_dominated(prices in prop::collection::vec(1.0..3.0f64, 1..80)) {
        // Any latencies at all, slopes included.
        let config = Config::new(prices.len()).exact().granularity(1);
        let (stairs, _) = run(&mut *stairstep::Strategy::Exhaustive.into_search(&config), |c| prices[c - 1]);
        let edges = edges(&stairs);
        prop_assert_eq!(edges.last(), Some(&prices.len()));
        for c in 1..=prices.len() {
            let edge = stairs.edges().iter().find(|edge| edge.channels >= c).expect("the largest width is an edge");
            let in_range = stairs.dominated().iter().any(|&(from, to)| (from..=to).contains(&c));
            prop_assert!(in_range != (edge.channels == c), "{} is both or neither", c);
            prop_assert!(edge.latency_ns <= prices[c - 1] * 1.03 * (1.0 + 1e-12), "{} is not dominated", c);
        }
        for pair in stairs.edges().windows(2) {
            prop_assert!(pair[1].latency_ns > pair[0].latency_ns * 1.015, "two edges for one price");
            prop_assert_eq!(pair[0].jump_ns, Some(pair[1].latency_ns - pair[0].latency_ns));
        }
    }

    #[test]
    fn no_answer_makes_a_search_misbehave(
        max in 1usize..200, min in 0usize..250, granularity in prop::option::of(0usize..300), narrowest in 0usize..5,
        audits in 0usize..300, readings in 0usize..12, cap in 0usize..30, which in 0usize..3, seed: u64,
    ) {
        let mut config = Config::new(max).min_channels(min).narrowest(narrowest).audits(audits).readings(readings)
            .max_readings(cap).seed(seed);
        if let Some(step) = granularity {
            config = config.granularity(step);
        }
        let strategies = [stairstep::Strategy::Exhaustive, stairstep::Strategy::Grid(granularity.unwrap_or(7)), stairstep::Strategy::ThreePoint];
        let mut search = strategies[which].into_search(&config);
        let range = min.clamp(1, max)..=max;
        let cap = cap.max(readings).max(1);
        let mut rng = stats::Rng::new(seed);
        let mut outstanding: Vec<Probe> = Vec::new();
        let mut asked: BTreeMap<usize, usize> = BTreeMap::new();
        let mut finished = std::collections::BTreeSet::new();
        let why = loop {
            match search.ask() {
                Ask::Probe(probe) => {
                    prop_assert!(range.contains(&probe.channels), "{} is out of range", probe.channels);
                    prop_assert!(!finished.contains(&probe.channels), "{} was told a finished summary", probe.channels);
                    prop_assert!(outstanding.iter().all(|p| p.channels != probe.channels), "asked twice at once");
                    let total = asked.entry(probe.channels).or_default();
                    *total += probe.readings;
                    prop_assert!(probe.readings > 0 && *total <= cap, "{} asked for more than the cap", probe.channels);
                    outstanding.push(probe);
                    if rng.below(3) > 0 {
                        continue;
                    }
                }
                Ask::Waiting => prop_assert!(!outstanding.is_empty(), "waits for nothing"),
                Ask::Done(why) => break why,
            }
            let channels = if rng.below(8) == 0 { rng.below(max + 20) } else { outstanding.swap_remove(rng.below(outstanding.len())).channels };
            outstanding.retain(|p| p.channels != channels);
            let noise = |rng: &mut stats::Rng| 100.0 + channels as f64 * rng.uniform();
            let readings = match rng.below(8) {
                0 => Readings::Raw(vec![f64::NAN, -1.0, 0.0, f64::INFINITY]),
                1 => Readings::Raw(vec![]),
                2 => Readings::Summary { median_ns: f64::NAN, interval_ns: [0.0, 1.0], samples: 3 },
                3 => Readings::Summary { median_ns: 150.0, interval_ns: [140.0, 190.0], samples: 0 },
                n => Readings::Raw((0..n * 2).map(|_| noise(&mut rng)).collect()),
            };
            if matches!(readings, Readings::Summary { .. }) {
                finished.insert(channels);
            }
            search.tell(Sample { channels, readings });
            search.stairs();
        };
        prop_assert_eq!(search.ask(), Ask::Done(why));
        let stairs = search.stairs();
        prop_assert!(stairs.probed().iter().all(|p| range.contains(&p.channels) && p.latency_ns > 0.0));
        prop_assert!(stairs.missed().at_most <= max);
    }

    #[test]
    fn the_order_of_telling_leaves_no_trace(stairs in stairs(1, false), noise in 0.0..0.05f64, order: u64, coarse: bool) {
        let config = Config::new(stairs.max).audits(5).seed(3);
        let config = if coarse { config.narrowest(usize::MAX) } else { config };
        let run = |order: Option<u64>| {
            let mut search = stairstep::Strategy::ThreePoint.into_search(&config);
            let mut rng = stats::Rng::new(order.unwrap_or(0));
            let mut taken: BTreeMap<usize, Vec<f64>> = BTreeMap::new();
            let mut outstanding = Vec::new();
            loop {
                match search.ask() {
                    Ask::Probe(probe) => outstanding.push(probe),
                    Ask::Waiting => {
                        if order.is_some() {
                            rng.shuffle(&mut outstanding);
                        }
                        let probe = outstanding.remove(0);
                        let so_far = taken.entry(probe.channels).or_default();
                        // The n-th reading of a width is always the same.
                        let mut of_width = stats::Rng::new((probe.channels * 1000 + so_far.len()) as u64);
                        let ns = stairs.ns(probe.channels);
                        let readings: Vec<f64> = (0..probe.readings).map(|_| ns * (1.0 + noise * (of_width.uniform() - 0.5))).collect();
                        so_far.extend(&readings);
                        search.tell(Sample { channels: probe.channels, readings: Readings::Raw(readings) });
                    }
                    Ask::Done(why) => return (why, search.stairs(), taken),
                }
            }
        };
        prop_assert_eq!(run(None), run(Some(order)));
    }

    #[test]
    fn samples_make_the_staircase_of_a_search_that_reads_every_width(
        stairs in stairs(1, false), granularity in prop::option::of(1usize..20), readings in 1usize..5, seed: u64,
    ) {
        let config = Config::new(stairs.max).readings(readings);
        let step = granularity.unwrap_or(1);
        let mut search = stairstep::Strategy::Grid(step).into_search(&config);
        let mut rng = stats::Rng::new(seed);
        let mut samples = vec![Sample { channels: stairs.max + 1, readings: Readings::Raw(vec![1.0]) }];
        while let Ask::Probe(Probe { channels, readings }) = search.ask() {
            let ns = (0..readings).map(|_| stairs.ns(channels) * (1.0 + 0.02 * rng.uniform())).collect();
            let sample = Sample { channels, readings: Readings::Raw(ns) };
            samples.push(sample.clone());
            search.tell(sample);
        }
        rng.shuffle(&mut samples);
        prop_assert_eq!(Staircase::from_samples(&config.granularity(step), samples), search.stairs());
    }

    #[test]
    fn three_points_are_classified_the_same_from_both_sides(a in 1.0..2.0f64, b in 1.0..2.0f64, c in 1.0..2.0f64, scale in 0.1..1e9f64) {
        let shape = classify(a, b, c, 0.05);
        prop_assert_eq!(classify(a * scale, b * scale, c * scale, 0.05), shape);
        let mirrored = match shape {
            Shape::RiserLeft => Shape::RiserRight,
            Shape::RiserRight => Shape::RiserLeft,
            other => other,
        };
        prop_assert_eq!(classify(c, b, a, 0.05), mirrored);
    }
}
