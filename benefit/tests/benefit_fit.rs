//! What runs of the whole model say about it.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use benefit::*;

/// Three convolutions in a row, of which the first writes 400 elements per channel, and an operator behind the first.
fn problem() -> Problem {
    let mut problem = Problem::builder();
    let curve = |channels: usize| ValueCurve::from_scores(&vec![1.0; channels]).unwrap();
    let all = |channels: usize| (4..=channels).step_by(4).collect::<Vec<_>>();
    let a = problem.group("a", 32).levels(&all(32)).curve(&curve(32));
    let b = problem.group("b", 64).levels(&all(64)).curve(&curve(64));
    let conv = |c_in: usize, c_out: usize| 200.0 + (c_in * c_out) as f64 * 10.0;
    for (name, inputs, outputs, elements) in [
        ("first", 3.into(), a.into(), 400.0),
        ("second", a.into(), b.into(), 100.0),
        ("third", b.into(), 10.into(), 1.0),
    ] {
        let (inputs, outputs): (netspec::Width, netspec::Width) = (inputs, outputs);
        let layer = problem.layer(name, inputs, outputs, conv);
        let weights = if name == "second" { 32.0 * 64.0 } else { 10.0 };
        problem.writes(layer, elements).weights(layer, weights);
    }
    problem.operator("pool", a, 500.0);
    problem.build().unwrap()
}

/// Fits to runs at these level indices, in which the whole takes what `whole` says of the cells' sum, the operators'
/// elements and the widths.
fn fitted(indices: &[[usize; 2]], whole: impl Fn(f64, f64, [usize; 2]) -> f64) -> LatencyFit {
    let problem = problem();
    let reading = |indices: &[usize; 2]| {
        let levels = problem.levels(indices).unwrap();
        let cells = problem.cells(&levels).iter().map(|used| used.cell.ns).sum();
        let widths = problem.widths(&levels);
        let ns = whole(cells, 500.0 * widths[0] as f64, [widths[0], widths[1]]);
        Reading { levels, ns }
    };
    let readings: Vec<Reading> = indices.iter().map(reading).collect();
    fit_latency(&problem, &readings, Assumptions::default()).unwrap()
}

/// Dense, narrowest, and two in between: one on multiples of 8 throughout, one on none.
const PROBES: [[usize; 2]; 4] = [[7, 15], [1, 3], [3, 7], [4, 8]];

#[track_caller]
fn check(found: Coefficient, expect: f64, tolerance: f64) {
    assert!((found.value - expect).abs() <= tolerance, "{found:?}, not {expect}");
    assert!(
        (found.value - expect).abs() <= 2.0 * found.error,
        "the standard error is too small: {found:?}, not {expect}"
    );
}

#[test]
fn a_fixed_cost_and_a_free_operator_are_told_apart() {
    let fit = fitted(&PROBES, |cells, _, _| cells + 9000.0);
    assert!(fit.residual < 0.01, "{fit:?}");
    check(fit.scale, 1.0, 0.1);
    check(fit.ns_per_element, 0.0, 0.1);
    check(fit.fixed_ns, 9000.0, 1500.0);
    assert!(fit.fixed_ns.is_significant() && !fit.ns_per_element.is_significant(), "{fit:?}");
    assert_eq!(fit.multiple, None);
}

#[test]
fn layers_may_pay_alone_for_what_the_whole_does_not() {
    let fit = fitted(&PROBES, |cells, _, _| cells - 500.0);
    assert!(fit.fixed_ns.value < 0.0 && fit.residual < 0.005, "{fit:?}");
    let mut problem = problem();
    problem.apply(&fit).unwrap();
    let narrow = problem.levels(&PROBES[1]).unwrap();
    let truth = problem.cells(&narrow).iter().map(|used| used.cell.ns).sum::<f64>() - 500.0;
    assert!((problem.cost(&narrow).ns / truth - 1.0).abs() < 0.01);
}

#[test]
fn a_reformat_is_found_at_its_multiple_and_priced_where_it_comes() {
    let written = |[a, b]: [usize; 2], multiple: usize| {
        let of = |width: usize, elements: usize| if width.is_multiple_of(multiple) { 0 } else { width * elements };
        // The third layer's ten channels are not a multiple of anything.
        (of(a, 400) + of(b, 100) + of(10, 1)) as f64
    };
    let whole = |cells: f64, _: f64, widths| cells + 1.5 * written(widths, 8);
    let fit = fitted(&PROBES, whole);
    assert_eq!(fit.multiple, Some(8), "{fit:?}");
    check(fit.reformat_ns_per_element, 1.5, 0.2);
    assert!(fit.reformat_ns_per_element.is_significant());
    let mut problem = problem();
    problem.apply(&fit).unwrap();
    // Between widths that were not run.
    let cost = |indices: [usize; 2]| problem.cost(&problem.levels(&indices).unwrap()).ns;
    assert!(cost([2, 11]) > cost([3, 11]), "12 channels cost more than 16");
    assert!(TwoStage::default().plan(&problem, Budget::ratio(0.5)).unwrap().widths.iter().all(|width| width % 8 == 0));
}

#[test]
fn a_difference_of_two_percent_is_not_a_reformat() {
    let fit = fitted(&PROBES, |cells, _, [a, _]| cells * if a.is_multiple_of(8) { 1.0 } else { 1.02 });
    assert_eq!((fit.multiple, fit.reformat_ns_per_element.value), (None, 0.0));
}

#[test]
fn readings_near_the_latency_that_counts_decide() {
    let problem = problem();
    let reading = |indices: [usize; 2], factor: f64| {
        let levels = problem.levels(&indices).unwrap();
        let ns = factor * problem.cost(&levels).ns;
        Reading { levels, ns }
    };
    let readings = [reading([7, 15], 1.0), reading([4, 8], 1.1), reading([3, 7], 0.95), reading([1, 3], 1.15)];
    let off = |near: usize| {
        let near_ns = Some(readings[near].ns);
        let fit = fit_latency(&problem, &readings, Assumptions { near_ns, ..Assumptions::default() }).unwrap();
        let mut fitted = problem.clone();
        fitted.apply(&fit).unwrap();
        (fitted.cost(&readings[3].levels).ns / readings[3].ns - 1.0).abs()
    };
    assert!(off(3) < 0.8 * off(0), "{} {}", off(3), off(0));
}

/// Weights at these widths, and what is loaded of them where a cache holds 600.
fn loaded([a, b]: [usize; 2]) -> f64 {
    let weights = a as f64 / 32.0 * 10.0 + (a * b) as f64 + b as f64 / 64.0 * 10.0;
    (weights - 600.0).max(0.0)
}

#[test]
fn weights_that_no_cache_holds_are_loaded_in_each_run() {
    let whole = |cells: f64, _: f64, widths| cells + 8.0 * loaded(widths);
    let fit = fitted(&PROBES, whole);
    assert!(fit.residual < 0.01 && fit.multiple.is_none(), "{fit:?}");
    check(fit.ns_per_weight, 8.0, 2.0);
    let mut problem = problem();
    problem.apply(&fit).unwrap();
    // Widths that were not run, with the same weights in total and other cells.
    for indices in [[7, 12], [6, 15], [5, 11]] {
        let levels = problem.levels(&indices).unwrap();
        let cells: f64 = problem.cells(&levels).iter().map(|used| used.cell.ns).sum();
        let widths = problem.widths(&levels);
        let truth = whole(cells, 0.0, [widths[0], widths[1]]);
        assert!((problem.cost(&levels).ns / truth - 1.0).abs() < 0.02, "{indices:?}");
    }
    // Where the cache holds all of them, nothing is loaded.
    let problem = self::problem();
    let reading = |indices: &[usize; 2]| {
        let levels = problem.levels(indices).unwrap();
        let widths = problem.widths(&levels);
        let cells = problem.cells(&levels).iter().map(|used| used.cell.ns).sum();
        Reading { levels, ns: whole(cells, 0.0, [widths[0], widths[1]]) }
    };
    let readings = PROBES.map(|indices| reading(&indices));
    let near_ns = Some(readings[1].ns);
    let narrow = fit_latency(&problem, &readings, Assumptions { near_ns, ..Assumptions::default() }).unwrap();
    assert_eq!(narrow.ns_per_weight.value, 0.0);
    let mut fitted = problem.clone();
    fitted.apply(&narrow).unwrap();
    assert!((fitted.cost(&readings[1].levels).ns / readings[1].ns - 1.0).abs() < 0.02);
}

/// Profiles in which layers take 0.9 of what they take alone and 10 ns less, and the operator 0.2 ns per element and 700.
fn profiles(problem: &Problem) -> Vec<Profile> {
    let profile = |indices: &[usize; 2]| {
        let levels = problem.levels(indices).unwrap();
        let layers = self::problem().cells(&levels).iter().map(|used| 1000.0 * (0.9 * used.cell.ns - 10.0)).collect();
        let operators = vec![1000.0 * (0.2 * 500.0 * problem.widths(&levels)[0] as f64 + 700.0)];
        Profile { levels, layers, operators }
    };
    PROBES.iter().map(profile).collect()
}

/// The same problem in microseconds, since a profiler counts them, with a thousand times the weights.
fn scaled() -> Problem {
    let (problem, mut scaled) = (problem(), Problem::builder());
    for group in problem.groups() {
        let curve = ValueCurve::from_scores(&vec![1.0; group.channels]).unwrap();
        scaled.group(&group.name, group.channels).levels(&group.levels).curve(&curve);
    }
    for (index, weights) in [1e4, 2048e3, 1e4].into_iter().enumerate() {
        let layer = problem.layers()[index].clone();
        let ns = |c_in, c_out| 1000.0 * layer.cell(c_in, c_out).unwrap().ns;
        scaled.layer(layer.name(), layer.inputs().clone(), layer.outputs().clone(), ns);
        scaled.weights(index, weights);
    }
    scaled.operator("pool", netspec::GroupId(0), 500.0);
    scaled.build().unwrap()
}

#[test]
fn profiles_tell_which_layers_load_their_weights() {
    let mut problem = scaled();
    let mut profiles = profiles(&problem);
    for profile in &mut profiles {
        let widths = problem.widths(&profile.levels);
        // Nearly all weights are the second layer's.
        profile.layers[1] += 8000.0 * loaded([widths[0], widths[1]]);
    }
    let readings: Vec<Reading> = profiles
        .iter()
        .map(|profile| Reading {
            levels: profile.levels.clone(),
            ns: profile.layers.iter().chain(&profile.operators).sum(),
        })
        .collect();
    problem.fit_profiles(&profiles);
    let fit = fit_latency(&problem, &readings, Assumptions::default()).unwrap();
    assert!(fit.profiled && fit.residual < 0.02, "{fit:?}");
    assert!((fit.ns_per_weight.value / 8.0 - 1.0).abs() < 0.1, "{fit:?}");
    problem.apply(&fit).unwrap();
    let [wide, square] = [[7, 12], [6, 15]].map(|indices| problem.levels(&indices).unwrap());
    for levels in [wide, square] {
        let widths = problem.widths(&levels);
        let parts: f64 = problem.cells(&levels).iter().map(|used| 0.9 * used.cell.ns - 10_000.0).sum();
        let truth = parts + 8000.0 * loaded([widths[0], widths[1]]) + 1000.0 * (0.2 * 500.0 * widths[0] as f64 + 700.0);
        assert!(
            (problem.cost(&levels).ns / truth - 1.0).abs() < 0.02,
            "{widths:?}: {}, not {truth}",
            problem.cost(&levels).ns
        );
    }
    problem.forget_profiles();
    assert_eq!(fit_latency(&problem, &readings[..1], Assumptions::default()).unwrap().ns_per_weight.value, 0.0);
}

#[test]
fn profiles_price_layers_and_operators_as_they_are_in_the_whole_model() {
    let profiles = profiles(&problem());
    let mut problem = scaled();
    problem.fit_profiles(&profiles);
    for (profile, indices) in profiles.iter().zip(PROBES) {
        let levels = problem.levels(&indices).unwrap();
        let truth: f64 = profile.layers.iter().chain(&profile.operators).sum();
        let found = problem.cost(&levels).ns;
        assert!((found / truth - 1.0).abs() < 0.02, "{indices:?}: {found}, not {truth}");
    }
    let why = TwoStage::default().plan(&problem, Budget::ratio(0.01)).unwrap_err();
    assert!(why.holders.iter().any(|holder| holder.name == "pool"), "{why}");
    // Without a profile everything stays as it was.
    let before = problem.clone();
    problem.fit_profiles(&[]);
    assert_eq!(problem, before);
}

#[test]
fn operators_without_a_profile_are_one_item_and_only_with_evidence() {
    let named = |fit: LatencyFit| {
        let mut problem = problem();
        problem.apply(&fit).unwrap();
        let why = TwoStage::default().plan(&problem, Budget::ratio(0.01)).unwrap_err();
        assert!(why.holders.iter().all(|holder| holder.name != "pool"), "{why}");
        why.holders.iter().any(|holder| holder.name == "the operators between layers")
    };
    // The second layer's elements do not follow the operator's.
    let more: Vec<[usize; 2]> = PROBES.into_iter().chain([[7, 3], [1, 15], [3, 15]]).collect();
    assert!(named(fitted(&more, |cells, elements, _| cells + 2.0 * elements)));
    assert!(!named(fitted(&more, |cells, _, _| cells + 9000.0)));
}
