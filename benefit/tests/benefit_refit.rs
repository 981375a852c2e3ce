//! Estimates of cells, and what measured ones teach them.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use benefit::*;
use netspec::{Axis, GroupId, Provenance};

/// Latency of a layer with `fixed` ns that no width changes and 1 ns per tile of 16 x 16 channels.
fn affine(fixed: f64) -> impl Fn(usize, usize) -> f64 {
    move |c_in, c_out| fixed + (c_in.div_ceil(16) * c_out.div_ceil(16)) as f64
}

/// A chain of three layers between groups of 128 channels, each known by its two sweeps.
fn problem(ns: &[Box<dyn Fn(usize, usize) -> f64>]) -> Problem {
    let mut problem = Problem::builder();
    let levels: Vec<usize> = (1..=8).map(|i| 16 * i).collect();
    let loss: Vec<f64> = (1..=8).map(|i| f64::from(i) - 8.0).collect();
    let groups: Vec<GroupId> =
        (0..=ns.len()).map(|i| problem.group(&format!("g{i}"), 128).levels(&levels).value(&loss)).collect();
    for (i, ns) in ns.iter().enumerate() {
        let layer = problem.bare_layer(&format!("conv{i}"), groups[i], groups[i + 1], false);
        let knots = |of: &dyn Fn(usize) -> f64| {
            let knot = |&channels: &usize| Knot { channels, ns: of(channels), provenance: Provenance::Measured };
            levels.iter().map(knot).collect::<Vec<_>>()
        };
        problem.sweep(layer, Axis::CIn, knots(&|c_in| ns(c_in, 128)));
        problem.sweep(layer, Axis::COut, knots(&|c_out| ns(128, c_out)));
    }
    problem.build().unwrap()
}

fn estimate(problem: &Problem, layer: usize, c_in: usize, c_out: usize) -> Cell {
    problem.layers()[layer].cell(c_in, c_out).unwrap()
}

#[test]
fn one_cell_teaches_a_layer_its_fixed_time() {
    let ns = [affine(40.0), affine(0.0), affine(200.0)];
    let mut problem = problem(&ns.map(|ns| Box::new(ns) as Box<dyn Fn(usize, usize) -> f64>));
    let truth = [affine(40.0), affine(0.0), affine(200.0)];
    assert_eq!(problem.refit(), None, "nothing is given yet");
    let error = |problem: &Problem, layer: usize| {
        let off =
            |c_in: usize, c_out: usize| estimate(problem, layer, c_in, c_out).ns / truth[layer](c_in, c_out) - 1.0;
        [(16, 16), (32, 64), (96, 48), (112, 112)].map(|(i, o)| off(i, o).abs()).into_iter().fold(0.0, f64::max)
    };
    let before: Vec<f64> = (0..3).map(|layer| error(&problem, layer)).collect();
    assert!(before[0] > 0.2 && before[1] < 1e-9 && before[2] > 0.05, "{before:?}");
    for (layer, truth) in truth.iter().enumerate() {
        problem.set_cell(layer, 32, 32, truth(32, 32), Provenance::Measured).unwrap();
    }
    let spread = problem.refit().unwrap();
    assert!(spread < 0.01 && problem.estimate_error() == Some(spread), "{spread}");
    for (layer, before) in before.iter().enumerate() {
        let after = error(&problem, layer);
        assert!(after < 0.03 && (after <= *before || after < 0.005), "layer {layer}: {before} -> {after}");
    }
    // Estimates are marked as such, and given cells and sweeps stay.
    assert_eq!(estimate(&problem, 0, 48, 48).provenance, Provenance::Interpolated);
    assert_eq!(estimate(&problem, 0, 32, 32), Cell { ns: truth[0](32, 32), provenance: Provenance::Measured });
    assert_eq!(estimate(&problem, 0, 48, 128).ns, truth[0](48, 128));
}

#[test]
fn layers_without_a_cell_follow_the_others() {
    let ns = || [affine(60.0), affine(70.0), affine(65.0)];
    let mut problem = problem(&ns().map(|ns| Box::new(ns) as Box<dyn Fn(usize, usize) -> f64>));
    let off = |problem: &Problem| (estimate(problem, 2, 48, 48).ns / ns()[2](48, 48) - 1.0).abs();
    let before = off(&problem);
    for layer in 0..2 {
        for width in [16, 64] {
            problem.set_cell(layer, width, width, ns()[layer](width, width), Provenance::Measured).unwrap();
        }
    }
    problem.refit();
    assert!(off(&problem) < 0.4 * before, "{before} -> {}", off(&problem));
}

#[test]
fn estimates_stay_sane_whatever_cells_say() {
    let mut problem = problem(&[Box::new(affine(10.0))]);
    // A reading that makes no sense: a hundred times faster than the sweeps have it.
    problem.set_cell(0, 112, 112, 0.5, Provenance::Measured).unwrap();
    assert!(problem.refit().unwrap() > 1.0, "the error bar says that the estimate cannot be trusted");
    for c_in in (16..=128).step_by(16) {
        for c_out in (16..=128).step_by(16) {
            let product = affine(10.0)(c_in, 128) * affine(10.0)(128, c_out) / affine(10.0)(128, 128);
            let ns = estimate(&problem, 0, c_in, c_out).ns;
            assert!(ns >= 0.49 * product || (c_in, c_out) == (112, 112), "{c_in} {c_out}: {ns}");
        }
    }
    // An estimate teaches nothing.
    let mut other = self::problem(&[Box::new(affine(10.0))]);
    other.set_cell(0, 32, 32, 1e6, Provenance::Interpolated).unwrap();
    assert_eq!(other.refit(), None);
}

#[test]
fn operators_are_not_blamed_for_more_than_their_elements_can_cost() {
    let mut problem = Problem::builder();
    let a = problem.group("a", 64).levels(&[32, 64]).value(&[-1.0, 0.0]);
    problem.layer("conv", 3, a, |_, c_out| 10.0 * c_out as f64);
    problem.operator("pool", a, 1.0);
    let mut problem = problem.build().unwrap();
    // The cells sum up to 640 ns, the model takes 1,000: the pool's 64 elements explain 32 ns of it, and the scale and the
    // fixed part the rest.
    let readings = [Reading { levels: problem.dense(), ns: 1000.0 }];
    let assumed = Assumptions { most_ns_per_element: 0.5, ..Assumptions::default() };
    let fit = fit_latency(&problem, &readings, assumed).unwrap();
    assert!((fit.ns_per_element.value - 0.5).abs() < 1e-6, "{fit:?}");
    assert!((640.0 * (fit.scale.value - 1.0) + fit.fixed_ns.value - 328.0).abs() < 1e-6, "{fit:?}");
    assert!(fit.scale.value > 1.0 && fit.fixed_ns.value > 0.0, "{fit:?}");
    problem.apply(&fit).unwrap();
    assert!((problem.dense_ns() - 1000.0).abs() < 1e-3);
}

#[cfg(feature = "serde")]
#[test]
fn what_was_learned_is_written_with_the_problem() {
    let mut problem = problem(&[Box::new(affine(40.0))]);
    problem.set_cell(0, 32, 32, affine(40.0)(32, 32), Provenance::Measured).unwrap();
    problem.refit();
    let text = serde_json::to_string(&problem).unwrap();
    let back: Problem = serde_json::from_str(&text).unwrap();
    assert_eq!(back, problem);
}
