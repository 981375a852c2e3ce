//! The result lies just below the budget, however sum and whole model differ.

use crate::scripted::{Device, Event, Script, Which, shipped};
use locp::{Budget, Error, Model, Pruned};

fn run(device: &Device, model: &Model, budget: f64) -> Pruned {
    device.pipeline().run(model, Budget::ratio(budget)).unwrap()
}

/// Checks that a plan uses the budget: by the device's own formula, not by what was measured.
#[track_caller]
fn check_used(device: &Device, model: &Model, pruned: &Pruned, budget: f64) {
    let ratio = device.true_ratio(model, pruned.path());
    let why = &pruned.below_budget;
    assert!((0.97..=1.0 + 1e-9).contains(&(ratio / budget)), "{ratio} of {budget}, {} plans: {why:?}", pruned.rounds);
    assert_eq!(*why, None);
}

#[test]
fn a_quiet_device_uses_the_budget() {
    let model = shipped("fashion-vgg.onnx");
    for budget in [0.45, 0.6, 0.7, 0.8] {
        let device = Device::new(Script::default());
        let pruned = run(&device, &model, budget);
        check_used(&device, &model, &pruned, budget);
        assert!((pruned.ratio() - device.true_ratio(&model, pruned.path())).abs() < 1e-9);
    }
}

#[test]
fn drift_of_a_third_changes_nothing() {
    let model = shipped("fashion-vgg.onnx");
    let quiet = Device::new(Script::default());
    run(&quiet, &model, 0.6);
    let end_ns = quiet.now().as_nanos() as f64;
    for direction in [1.0, -1.0] {
        // From 1 to 1.3 over the run, or back.
        let drift = move |ns: f64| 1.15 + 0.15 * direction * (2.0 * ns / end_ns - 1.0).min(1.0);
        let device = Device::new(Script { drift: Box::new(drift), ..Script::default() });
        let pruned = run(&device, &model, 0.6);
        check_used(&device, &model, &pruned, 0.6);
    }
}

#[test]
fn a_whole_model_that_is_slower_than_its_parts_is_predicted() {
    let model = shipped("fashion-vgg.onnx");
    let overhead = |(parts_ns, share): (f64, f64)| parts_ns + 0.3 * parts_ns / share;
    let stubborn = |(parts_ns, share): (f64, f64)| parts_ns * (1.0 + 0.25 * (1.0 - share));
    for whole in [Box::new(overhead) as Box<dyn Fn((f64, f64)) -> f64 + Send + Sync>, Box::new(stubborn)] {
        let device = Device::new(Script { whole, ..Script::default() });
        let pruned = run(&device, &model, 0.7);
        check_used(&device, &model, &pruned, 0.7);
        assert_eq!(pruned.rounds, 1, "narrow networks were timed before, and told how whole and parts differ");
    }
}

#[test]
fn a_whole_model_that_is_faster_than_its_parts_is_predicted() {
    let model = shipped("fashion-vgg.onnx");
    let mut rounds = 0;
    for saved in [0.2, 0.3, 0.5] {
        let whole = move |(parts_ns, share): (f64, f64)| parts_ns * (1.0 - saved * (1.0 - share));
        let device = Device::new(Script { whole: Box::new(whole), ..Script::default() });
        let pruned = run(&device, &model, 0.7);
        check_used(&device, &model, &pruned, 0.7);
        rounds += pruned.rounds;
    }
    assert!(rounds <= 6, "{rounds}: narrow networks were timed before, and told how whole and parts differ");
}

#[test]
fn a_whole_model_that_jumps_is_enclosed_from_both_sides() {
    let model = shipped("fashion-vgg.onnx");
    for (at, steep) in [(0.62, 3.0), (0.66, 4.0), (0.7, 2.0), (0.74, 4.0), (0.75, 2.0)] {
        let whole = move |(parts_ns, share): (f64, f64)| {
            let ratio = (0.7 + steep * (share - at)).clamp(0.8 * share, 1.15 * share);
            parts_ns / share * if share == 1.0 { 1.0 } else { ratio }
        };
        let device = Device::new(Script { whole: Box::new(whole), ..Script::default() });
        let pruned = run(&device, &model, 0.7);
        check_used(&device, &model, &pruned, 0.7);
    }
}

#[test]
fn a_budget_between_two_plans_is_left_and_said_so() {
    let model = shipped("fashion-vgg.onnx");
    // Channels come in blocks of 32: there are few plans, and they are far apart.
    let mut left = 0;
    for budget in [0.68, 0.7, 0.72, 0.74, 0.78] {
        let device = Device::new(Script { granularity: 32, ..Script::default() });
        let pruned = run(&device, &model, budget);
        let used = device.true_ratio(&model, pruned.path()) / budget;
        assert!(used <= 1.0 + 1e-9, "{used}");
        assert_eq!(pruned.below_budget.is_some(), used < 0.97, "{used}");
        if let Some(why) = pruned.below_budget {
            assert!(why.starts_with(&format!("{:.1} % of the budget is left: ", 100.0 * (1.0 - used))), "{why}");
            let next: f64 =
                why.rsplit_once("the next wider plan takes ").unwrap().1.trim_end_matches('x').parse().unwrap();
            assert!(next > budget, "{why}");
            left += 1;
        }
    }
    assert!(left > 0);
}

#[test]
fn a_model_that_no_plan_makes_faster_is_refused_after_the_narrowest_network_was_timed() {
    let model = shipped("fashion-vgg.onnx");
    let device = Device::new(Script { whole: Box::new(|(parts_ns, share)| parts_ns / share), ..Script::default() });
    let error = device.pipeline().run(&model, Budget::ratio(0.7)).unwrap_err();
    let Error::Infeasible(why) = &error else { panic!("{error}") };
    assert!((why.narrowest_ratio.unwrap() - 1.0).abs() < 1e-9, "{error}");
    assert!(error.to_string().contains("the narrowest network was timed at 1.000x"), "{error}");
    assert!(device.log().contains(&Event::RanModel(Which::Pruned)));
}
