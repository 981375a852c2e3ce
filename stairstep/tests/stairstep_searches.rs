//! Named staircases: what each strategy finds, and exactly how many widths it takes.
use stairstep::*;
use std::collections::BTreeMap;

/// Runs a search; gives the staircase and the readings taken of each width.
fn run(strategy: Strategy, config: &Config, mut ns: impl FnMut(usize) -> f64) -> (Staircase, BTreeMap<usize, usize>) {
    let mut search = strategy.into_search(config);
    let mut taken = BTreeMap::new();
    while let Ask::Probe(probe) = search.ask() {
        *taken.entry(probe.channels).or_default() += probe.readings;
        let readings = (0..probe.readings).map(|_| ns(probe.channels)).collect();
        search.tell(Sample { channels: probe.channels, readings: Readings::Raw(readings) });
    }
    (search.stairs(), taken)
}

fn edges(stairs: &Staircase) -> Vec<usize> {
    stairs.edges().iter().map(|edge| edge.channels).collect()
}

fn steps_of_64(channels: usize) -> f64 {
    100.0 * channels.div_ceil(64) as f64
}

#[test]
fn probes_are_counted() {
    #[track_caller]
    fn check(strategy: Strategy, config: Config, widths: usize) {
        let (stairs, taken) = run(strategy, &config.exact(), steps_of_64);
        assert_eq!(edges(&stairs), (1..=8).map(|k| 64 * k).collect::<Vec<_>>());
        assert_eq!(taken.len(), widths, "widths probed");
        assert_eq!(stairs.probed().len(), widths);
        assert_eq!(
            stairs.missed().unseen,
            if stairs.missed().audits == 0 { 512 - widths } else { stairs.missed().unseen }
        );
    }
    let config = Config::new(512);
    check(Strategy::Exhaustive, config.clone(), 512);
    check(Strategy::Grid(8), config.clone(), 64);
    check(Strategy::ThreePoint, config.clone().granularity(8), 64);
    check(Strategy::ThreePoint, config.clone().granularity(8).narrowest(16), 40);
    // A grid of 8, and one width beside each step.
    check(Strategy::ThreePoint, config, 65 + 7);
}

#[test]
fn wide_treads_take_few_widths_and_audits_bound_the_rest() {
    let config = Config::new(2048).granularity(8).exact();
    let ns = |c: usize| 100.0 * (1 + c.div_ceil(512)) as f64;
    let (plain, all) = run(Strategy::ThreePoint, &config, ns);
    let (coarse, few) = run(Strategy::ThreePoint, &config.narrowest(2048).audits(30), ns);
    assert_eq!((edges(&plain), all.len()), (vec![512, 1024, 1536, 2048], 256));
    assert_eq!(edges(&coarse), edges(&plain));
    assert_eq!(few.len(), 23 + 30);
    assert_eq!((coarse.missed().audits, coarse.missed().exceptions), (30, 0));
    // Hypergeometric: of 2025 unseen widths, 30 clean audits leave 191 possible.
    assert_eq!((coarse.missed().unseen, coarse.missed().at_most), (2025, 191));
}

#[test]
fn a_narrow_bump_or_dip_inside_a_wide_tread_is_seen() {
    // One granule: 64 to 72 of a tread that reaches from 1 to 256.
    let at = |inside: f64| move |c: usize| if c > 64 && c <= 72 { inside } else { 100.0 };
    let config = Config::new(256).granularity(8).exact();
    let (stairs, _) = run(Strategy::ThreePoint, &config, at(150.0));
    assert_eq!(edges(&stairs), [256], "a bump is dominated");
    assert!(stairs.probed().iter().any(|p| (p.channels, p.latency_ns) == (72, 150.0)), "and it was seen");
    let (stairs, _) = run(Strategy::ThreePoint, &config, at(50.0));
    assert_eq!(edges(&stairs), [72, 256], "a dip is an edge");
    assert_eq!(stairs.edges()[0].shape, Some(Shape::Dip));
    assert_eq!(stairs.edges()[0].jump_ns, Some(50.0));
    // A coarser search may miss it, and the bound says that this is possible.
    let (stairs, _) = run(Strategy::ThreePoint, &config.narrowest(256).audits(20), at(50.0));
    assert!(edges(&stairs) == [72, 256] || stairs.missed().at_most >= 8);
}

#[test]
fn fewer_channels_that_are_slower_are_dominated() {
    // As an embedded engine has it by c_out: 32-wide treads, and kernels that are slower off the multiples.
    let ns = |c: usize| (70.0 + 65.4 * c.div_ceil(32) as f64) * if c.is_multiple_of(32) { 1.0 } else { 1.12 };
    let (stairs, taken) = run(Strategy::ThreePoint, &Config::new(384).exact(), ns);
    assert_eq!(stairs.granularity().step, 32);
    assert_eq!(edges(&stairs), (1..=12).map(|k| 32 * k).collect::<Vec<_>>());
    assert!(stairs.dominated().contains(&(97, 127)));
    assert!(taken.len() < 384 / 6, "{} widths", taken.len());
}

#[test]
fn input_channels_with_cliffs_off_multiples_of_four_have_a_granularity_of_four() {
    // Almost proportional to c_in, and 30 % more off the multiples of four.
    let ns = |c: usize| (40.0 + 1.6 * c as f64) * if c.is_multiple_of(4) { 1.0 } else { 1.3 };
    assert_eq!(find_steps(&Config::new(256).exact(), ns).granularity(), Granularity::multiples(4));
    let stairs = find_steps(&Config::new(256).exact(), ns);
    assert!(stairs.edges().iter().all(|edge| edge.channels.is_multiple_of(4)), "{:?}", edges(&stairs));
    let prices: Vec<f64> = stairs.edges().iter().map(|edge| edge.latency_ns).collect();
    assert!(prices.windows(2).all(|p| p[1] > 1.015 * p[0] && p[1] < 1.3 * p[0]), "a slope is cut at the tolerance");
}

#[test]
fn a_wrong_granularity_is_caught_by_audits() {
    // Treads of 20 are not on the granularity of 16 that is claimed.
    let ns = |c: usize| 100.0 * c.div_ceil(20) as f64;
    let config = Config::new(400).granularity(16).audits(120).exact();
    let (stairs, _) = run(Strategy::ThreePoint, &config, ns);
    assert!(stairs.missed().exceptions > 20, "{:?}", stairs.missed());
    assert!(stairs.missed().at_most >= stairs.missed().exceptions);
    assert!(edges(&stairs).iter().filter(|c| c.is_multiple_of(20)).count() >= 15, "{:?}", edges(&stairs));
    // Left to itself, the search finds every step.
    let all: Vec<usize> = (1..=20).map(|k| 20 * k).collect();
    assert_eq!(edges(&find_steps(&Config::new(400).exact(), ns)), all);
}

#[test]
fn readings_are_spent_where_the_decision_is_close() {
    let mut rng = stats::Rng::new(5);
    // A riser of 50 % after 32, one of 3.5 % after 96, none elsewhere; 1.2 % noise.
    let mut ns = |c: usize| {
        let price = if c <= 32 { 1.0 } else { 1.5 } * if c <= 96 { 1.0 } else { 1.035 };
        1000.0 * price * (1.0 + 0.012 * rng.normal())
    };
    let (stairs, taken) = run(Strategy::ThreePoint, &Config::new(128).granularity(8), &mut ns);
    assert_eq!(edges(&stairs), [32, 96, 128]);
    assert_eq!(taken[&8], 3, "far from every decision");
    assert!(taken[&96] >= 6, "beside a riser of 3.5 %: {} readings", taken[&96]);
    let probed = stairs.probed().iter().find(|p| p.channels == 96).expect("it is an edge");
    assert_eq!(probed.readings, taken[&96]);
}

#[test]
fn a_summary_is_final() {
    let mut search = Strategy::ThreePoint.into_search(&Config::new(64).granularity(16));
    let mut probes = 0;
    while let Ask::Probe(probe) = search.ask() {
        probes += 1;
        // Intervals so wide that nothing can be decided.
        let summary = Readings::Summary { median_ns: probe.channels as f64, interval_ns: [1.0, 200.0], samples: 9 };
        search.tell(Sample { channels: probe.channels, readings: summary });
    }
    assert_eq!(probes, 4);
    assert!(matches!(search.ask(), Ask::Done(StopReason::Undecided { comparisons }) if comparisons > 0));
    assert_eq!(edges(&search.stairs()), [16, 32, 48, 64]);
}

#[test]
fn a_table_told_in_advance_is_not_asked_for() {
    let mut search = Strategy::ThreePoint.into_search(&Config::new(64).granularity(16));
    for channels in [16, 32, 48, 64] {
        let ns = channels as f64;
        search.tell(Sample {
            channels,
            readings: Readings::Summary { median_ns: ns, interval_ns: [ns, ns], samples: 0 },
        });
    }
    assert_eq!(search.ask(), Ask::Done(StopReason::Settled));
    assert_eq!(search.stairs().edges().len(), 4);
}

/// Recall and precision over seeded noisy staircases: counts, no timing.
#[test]
fn noise_hides_few_edges_and_invents_fewer() {
    let (mut hit, mut truth, mut found, mut readings) = (0, 0, 0, 0);
    for seed in 0..100 {
        let mut rng = stats::Rng::new(seed);
        // Granularity 16, treads of two to six granules, risers of 6 to 30 % upwards.
        let mut prices = Vec::new();
        let mut price = 1000.0;
        while prices.len() < 32 {
            prices.extend(vec![price; 2 + rng.below(5)]);
            price *= 1.06 + 0.24 * rng.uniform();
        }
        prices.truncate(32);
        let exact = find_steps(&Config::new(512).granularity(16).exact(), |c| prices[c.div_ceil(16) - 1]);
        let noisy = |c: usize| {
            readings += 1;
            let outlier = if rng.uniform() < 0.02 { 3.0 } else { 1.0 };
            prices[c.div_ceil(16) - 1] * (1.0 + 0.015 * rng.normal()) * outlier
        };
        let stairs = find_steps(&Config::new(512).granularity(16), noisy);
        let expected = edges(&exact);
        truth += expected.len();
        found += stairs.edges().len();
        hit += edges(&stairs).iter().filter(|c| expected.contains(c)).count();
    }
    assert!(hit * 1000 >= truth * 990, "recall: {hit} of {truth}");
    assert!(hit * 1000 >= found * 990, "precision: {hit} of {found}");
    assert!(readings < 100 * 32 * 10, "{readings} readings");
}

#[test]
fn granularities_of_other_lines_guide_the_search_and_do_not_bind_it() {
    let multiples = |step| Granularity::multiples(step);
    let config = Config::new(256).granularities(&[multiples(16); 3]).exact();
    let of = |step: usize| move |c: usize| 100.0 * c.div_ceil(step) as f64;
    let (stairs, few) = run(Strategy::ThreePoint, &config, of(16));
    assert_eq!(stairs.granularity(), multiples(16));
    let (alone, many) = run(Strategy::ThreePoint, &Config::new(256).exact(), of(16));
    assert_eq!(alone.granularity(), multiples(16));
    assert!(few.len() < many.len(), "{} of {} widths", few.len(), many.len());
    assert_eq!(edges(&stairs), edges(&alone));
    // They do not hold here.
    let (other, _) = run(Strategy::ThreePoint, &config, of(24));
    assert_eq!(edges(&other), (1..=10).map(|k| 24 * k).chain([256]).collect::<Vec<_>>());
}

#[test]
fn a_granularity_with_an_offset_is_learned() {
    // As an engine has it whose kernels compute 12 rows, and one 6.
    let ns = |c: usize| 100.0 * (1 + (c + 5) / 12) as f64;
    let (stairs, taken) = run(Strategy::ThreePoint, &Config::new(256).min_channels(64).exact(), ns);
    assert_eq!(stairs.granularity(), Granularity { step: 12, offset: 6 });
    assert_eq!(edges(&stairs), (5..=20).map(|k| 12 * k + 6).chain([256]).collect::<Vec<_>>());
    assert!(taken.len() < 90, "{} widths", taken.len());
}

#[test]
fn nothing_is_claimed_of_the_inside_of_a_slope() {
    // Each channel costs as much as every other: no step, and no width that another one dominates by more than the tolerance.
    let ns = |c: usize| 100.0 + c as f64;
    let config = Config::new(300).min_channels(100).exact();
    let (stairs, taken) = run(Strategy::ThreePoint, &config.audits(40), ns);
    assert!(stairs.edges().iter().all(|edge| !edge.is_step), "{:?}", edges(&stairs));
    assert!(taken.len() < 130, "{} widths", taken.len());
    assert_eq!(stairs.missed().exceptions, 0, "{:?}", stairs.missed());
    for &(from, to) in stairs.dominated() {
        assert!(ns(from) * 1.03 * 1.001 >= ns(to + 1), "{from} to {to} are no tread");
    }
}

#[test]
fn one_sided_noise_is_seen_through() {
    // Nearly a third of the readings take 5 % to several times longer.
    let mut rng = stats::Rng::new(11);
    let mut ns = |c: usize| {
        let contaminated = if rng.uniform() < 0.3 { 1.05 - 0.35 * (1.0 - rng.uniform()).ln() } else { 1.0 };
        100.0 * c.div_ceil(16) as f64 * contaminated * (1.0 + 0.01 * rng.normal())
    };
    let mut wrong = 0;
    for seed in 0..20 {
        let config = Config::new(256).min_channels(64).readings(4).seed(seed);
        let (stairs, _) = run(Strategy::ThreePoint, &config, &mut ns);
        let expected: Vec<usize> = (4..=16).map(|k| 16 * k).collect();
        wrong += usize::from(edges(&stairs) != expected);
    }
    assert!(wrong <= 1, "{wrong} of 20");
}

#[test]
fn a_cliff_off_the_multiples_is_found_on_a_slope() {
    // As input channels have it on one engine: latency grows with every channel, and jumps just below multiples of 64.
    let ns = |c: usize| 200.0 + c as f64 + 40.0 * ((c + 33) / 64) as f64;
    let (stairs, taken) = run(Strategy::ThreePoint, &Config::new(512).min_channels(128).exact(), ns);
    assert_eq!(stairs.granularity(), Granularity { step: 64, offset: 30 });
    for edge in [158, 222, 286, 350, 414, 478] {
        assert!(edges(&stairs).contains(&edge), "{edge} is missing from {:?}", edges(&stairs));
    }
    assert!(taken.len() < 385 * 55 / 100, "{} widths", taken.len());
}

#[test]
fn an_edge_carries_its_three_points_and_its_confidence() {
    let mut rng = stats::Rng::new(1);
    let ns = |c: usize| 100.0 * c.div_ceil(32) as f64 * (1.0 + 0.01 * rng.normal());
    let (stairs, _) = run(Strategy::ThreePoint, &Config::new(128).granularity(16), ns);
    let edge = &stairs.edges()[1];
    assert_eq!(
        (edge.channels, edge.below.map(|p| p.channels), edge.above.map(|p| p.channels)),
        (64, Some(48), Some(80))
    );
    assert_eq!(edge.shape, Some(Shape::RiserRight));
    assert!(edge.confidence.is_some_and(|confidence| confidence > 0.999), "{edge:?}");
    assert_eq!(stairs.edges().last().and_then(|edge| edge.confidence), None);
}

#[test]
fn a_table_that_holds_nothing_ends_every_search() {
    for strategy in [Strategy::ThreePoint, Strategy::Grid(8), Strategy::Exhaustive] {
        for config in [
            Config::new(512),
            Config::new(9),
            Config::new(300).granularities(&[Granularity::multiples(16), Granularity::NONE]),
        ] {
            let mut search = strategy.into_search(&config.audits(3));
            while let Ask::Probe(probe) = search.ask() {
                let nothing = Readings::Summary { median_ns: f64::NAN, interval_ns: [f64::NAN; 2], samples: 0 };
                search.tell(Sample { channels: probe.channels, readings: nothing });
            }
            assert!(search.stairs().edges().is_empty() && search.stairs().probed().is_empty());
        }
    }
}
