//! Every bad input has its own answer, which names the thing.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use benefit::*;
use netspec::{Axis, GroupId, Provenance};

#[track_caller]
fn check(describe: impl FnOnce(&mut ProblemBuilder), expect: &str) {
    let mut problem = Problem::builder();
    describe(&mut problem);
    let error = problem.build().expect_err("bad input was accepted").to_string();
    assert!(error.contains(expect), "`{error}` does not say `{expect}`");
}

/// A group of four channels with one layer that writes it.
fn good(problem: &mut ProblemBuilder) -> GroupId {
    let a = problem.group("conv1", 4).levels(&[2, 4]).value(&[-1.0, 0.0]);
    problem.layer("conv1", 3, a, |_, c_out| c_out as f64);
    a
}

fn knot(channels: usize, ns: f64) -> Knot {
    Knot { channels, ns, provenance: Provenance::Measured }
}

#[test]
fn an_empty_problem() {
    check(|_| {}, "0 groups and 0 layers");
    check(
        |p| {
            p.group("conv1", 4).frozen();
        },
        "1 groups and 0 layers",
    );
}

#[test]
fn bad_levels() {
    let levels = |levels: &'static [usize]| {
        move |p: &mut ProblemBuilder| {
            good(p);
            p.group("conv2", 8).levels(levels).value(&vec![0.0; levels.len()]);
        }
    };
    check(levels(&[]), "group `conv2` has no levels");
    check(levels(&[4, 9]), "group `conv2` has a level of 9, more than its 8");
    check(levels(&[6, 4, 8]), "must be ascending; 4 stands after 6");
    check(levels(&[4, 4, 8]), "must be ascending; 4 stands after 4");
    check(levels(&[2, 4]), "lack its full width; add 8");
    check(
        |p| {
            good(p);
            p.group("huge", usize::MAX).frozen();
        },
        "channel count of group `huge`",
    );
}

#[test]
fn bad_values() {
    let values = |values: &'static [f64]| {
        move |p: &mut ProblemBuilder| {
            good(p);
            p.group("conv2", 8).levels(&[4, 8]).value(values);
        }
    };
    check(values(&[0.0]), "group `conv2` needs 2 values, one per level or per removed channel, and has 1");
    check(values(&[f64::NAN, 0.0]), "group `conv2` at 4 channels is NaN");
    check(values(&[f64::NEG_INFINITY, 0.0]), "group `conv2` at 4 channels is -inf");
    check(values(&[0.5, 0.0]), "group `conv2` at 4 channels is 0.5");
    check(values(&[-1.0, -0.5]), "group `conv2` at 8 channels is -0.5");
    let short = ValueCurve::from_scores(&[1.0; 4]).unwrap();
    check(
        |p| {
            good(p);
            p.group("conv2", 8).every(4).curve(&short);
        },
        "needs 9 values",
    );
}

#[test]
fn bad_costs() {
    for ns in [f64::NAN, f64::INFINITY, -1.0, 1e13] {
        let expect = format!("layer `conv2` costs {ns} ns at c_in 2, c_out 10");
        check(
            |p| {
                good(p);
                p.layer("conv2", GroupId(0), 10, |_, _| ns);
            },
            &expect,
        );
    }
    check(
        |p| {
            good(p);
            p.fixed_ns(f64::NAN);
        },
        "fixed_ns is NaN",
    );
    check(
        |p| {
            good(p);
            p.ns_per_element(f64::NAN);
        },
        "ns_per_element is NaN",
    );
    check(
        |p| {
            good(p);
            p.operator("add", 4, f64::INFINITY);
        },
        "operator `add` is inf",
    );
}

#[test]
fn bad_layers() {
    check(
        |p| {
            good(p);
            p.layer("conv2", GroupId(7), 10, |_, _| 1.0);
        },
        "`conv2` follows group 7, and there are 1",
    );
    check(
        |p| {
            good(p);
            p.operator("add", GroupId(7), 1.0);
        },
        "`add` follows group 7",
    );
    check(
        |p| {
            good(p);
            p.layer("conv2", 0, 10, |_, _| 1.0);
        },
        "layer `conv2` has no c_in channels",
    );
    check(
        |p| {
            good(p);
            p.bare_layer("conv2", GroupId(0), 10, false);
        },
        "layer `conv2` has no cost at c_in 2, c_out 10",
    );
    check(
        |p| {
            good(p);
            p.fill(9, |_, _| 1.0);
        },
        "there is no layer 9",
    );
    check(
        |p| {
            good(p);
            p.set_levels(GroupId(9), &[1]);
        },
        "follows group 9",
    );
}

#[test]
fn bad_sweeps() {
    let sweep = |axis: Axis, coupled: bool, knots: &[Knot]| {
        let knots = knots.to_vec();
        move |p: &mut ProblemBuilder| {
            let a = good(p);
            let layer = p.bare_layer("conv2", a, a, coupled);
            p.sweep(layer, axis, knots);
        }
    };
    check(sweep(Axis::COut, false, &[]), "the c_out sweep of layer `conv2`: it is empty");
    check(sweep(Axis::COut, false, &[knot(4, 0.0)]), "4 channels take 0 ns");
    check(sweep(Axis::CIn, false, &[knot(4, f64::NAN)]), "4 channels take NaN ns");
    check(sweep(Axis::CIn, false, &[knot(4, 1.0), knot(4, 2.0)]), "4 channels occur twice");
    check(sweep(Axis::CIn, false, &[knot(2, 1.0)]), "the full width of 4 channels is not in it");
    check(sweep(Axis::CIn, true, &[knot(4, 1.0)]), "c_in moves with c_out in a grouped layer");
    // One axis does not tell what the other one does.
    check(sweep(Axis::CIn, false, &[knot(4, 1.0)]), "layer `conv2` has no cost at c_in 2, c_out 2");
}

#[test]
fn the_first_error_wins() {
    check(
        |p| {
            good(p);
            p.fill(9, |_, _| 1.0);
            p.group("conv2", 8).levels(&[]).value(&[]);
        },
        "there is no layer 9",
    );
}

#[test]
fn bad_budgets() {
    let refused =
        ["", "x", "0x", "1.2x", "-0.5x", "NaNx", "infx", "abc", "0.6", "60%", "0ms", "-3ms", "infs", "ms", "12 m"];
    for text in refused {
        let error = text.parse::<Budget>().expect_err(text).to_string();
        assert!(error.contains("like") && error.contains("budget"), "`{error}` names no remedy");
    }
    let read = [("0.6x", Budget::ratio(0.6)), ("1x", Budget::ratio(1.0)), ("12ms", Budget::ns(12e6))];
    for (text, budget) in
        read.into_iter().chain([(" 800 us", Budget::ns(8e5)), ("1s", Budget::ns(1e9)), ("5ns", Budget::ns(5.0))])
    {
        assert_eq!(text.parse(), Ok(budget));
        assert_eq!(budget.to_string().parse(), Ok(budget));
    }
}

#[test]
fn impossible_budgets_name_the_best_one_and_what_holds_it() {
    let mut problem = Problem::builder();
    let a = problem.group("conv1", 4).levels(&[2, 4]).value(&[-1.0, 0.0]);
    problem.layer("conv1", 3, a, |_, c_out| 1e6 * c_out as f64);
    problem.layer("frozen", 3, 8, |_, _| 5e6);
    problem.fixed_ns(1e6);
    let problem = problem.build().unwrap();
    for budget in [Budget::ratio(0.5), Budget::ratio(f64::NAN), Budget::ratio(-1.0), Budget::ns(0.0)] {
        let planners: [&dyn Planner; 2] = [&TwoStage::default(), &Uniform];
        for planner in planners {
            let infeasible = planner.plan(&problem, budget).unwrap_err();
            assert_eq!(infeasible.best_ns, 8e6);
            let text = infeasible.to_string();
            let held = "`frozen` (5.0000 ms, frozen), `conv1` (2.0000 ms, at its narrowest), `the fixed part`";
            assert!(text.contains("0.800x") && text.contains(held), "{text}");
        }
    }
    assert_eq!([0, 1, 2].map(|layer| problem.hold(layer)), [Hold::Narrowest, Hold::Frozen, Hold::NoLayer]);
    assert_eq!(TwoStage::default().plan(&problem, Budget::ratio(0.8)).unwrap().widths, [2]);
    assert_eq!(TwoStage::default().plan(&problem, Budget::ns(f64::INFINITY)).unwrap().widths, [4]);
}

#[test]
fn nothing_to_choose() {
    let mut problem = Problem::builder();
    let a = problem.group("conv1", 4).frozen();
    problem.layer("conv1", 3, a, |_, _| 7.0);
    let problem = problem.build().unwrap();
    let infeasible = TwoStage::default().plan(&problem, Budget::ratio(0.9)).unwrap_err();
    assert_eq!((infeasible.best_ratio, infeasible.is_proven), (1.0, true));
    let solution = TwoStage::default().plan(&problem, Budget::ratio(1.0)).unwrap();
    assert_eq!((solution.value, solution.gap()), (0.0, Some(0.0)));
}

#[test]
fn bad_curves() {
    assert!(matches!(ValueCurve::new(vec![0, 0], vec![0.0; 3]), Err(ValueError::Order { channel: 0, .. })));
    assert!(matches!(ValueCurve::new(vec![0, 2], vec![0.0; 3]), Err(ValueError::Order { channel: 2, .. })));
    assert!(matches!(ValueCurve::new(vec![0, 1], vec![0.0; 2]), Err(ValueError::Length { found: 2, .. })));
    for loss in [[0.1, 0.0, 0.0], [0.0, -1.0, -0.5], [0.0, f64::NAN, -1.0], [0.0, -1.0, f64::NEG_INFINITY]] {
        assert!(matches!(ValueCurve::new(vec![0, 1], loss.to_vec()), Err(ValueError::Loss { .. })), "{loss:?}");
    }
    for scores in [[1.0, f64::NAN], [1.0, -1.0], [1.0, f64::INFINITY]] {
        assert!(matches!(ValueCurve::from_scores(&scores), Err(ValueError::Loss { .. })), "{scores:?}");
    }
}

#[test]
fn bad_readings() {
    let mut problem = Problem::builder();
    good(&mut problem);
    let problem = problem.build().unwrap();
    assert_eq!(fit_latency(&problem, &[], Assumptions::default()), Err(FitError::NoReadings));
    for ns in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        let readings = [Reading { levels: problem.dense(), ns: 1.0 }, Reading { levels: problem.dense(), ns }];
        assert!(matches!(
            fit_latency(&problem, &readings, Assumptions::default()),
            Err(FitError::Reading { index: 1, .. })
        ));
    }
}

#[test]
fn a_cell_is_replaced_or_refused() {
    let mut problem = Problem::builder();
    good(&mut problem);
    let mut problem = problem.build().unwrap();
    problem.set_cell(0, 3, 4, 9.0, Provenance::Measured).unwrap();
    assert_eq!(problem.dense_ns(), 9.0);
    let refused = problem.set_cell(0, 3, 4, f64::NAN, Provenance::Measured);
    assert!(matches!(refused, Err(ProblemError::Cost { .. })));
    assert!(matches!(problem.set_cell(1, 3, 4, 1.0, Provenance::Measured), Err(ProblemError::UnknownLayer { .. })));
    assert_eq!(problem.dense_ns(), 9.0);
}

#[test]
fn levels_are_checked_when_they_are_made() {
    let mut problem = Problem::builder();
    good(&mut problem);
    let problem = problem.build().unwrap();
    assert_eq!(problem.levels(&[1]).unwrap(), problem.dense());
    let (group, level, levels) = ("conv1".to_owned(), 2, 2);
    assert_eq!(problem.levels(&[2]), Err(ProblemError::LevelIndex { group, level, levels }));
    for indices in [&[][..], &[0, 0]] {
        assert_eq!(problem.levels(indices), Err(ProblemError::LevelCount { found: indices.len(), groups: 1 }));
    }
    let text = problem.levels(&[99]).unwrap_err().to_string();
    assert!(text.contains("`conv1` has no level 99; it has 2"), "{text}");
}

/// Levels of one problem are never priced as those of another.
#[test]
fn levels_fit_problems_of_their_own_shape_only() {
    let problem = |levels: &[&[usize]]| {
        let mut problem = Problem::builder();
        for levels in levels {
            let value: Vec<f64> = (1..=levels.len()).map(|level| level as f64 - levels.len() as f64).collect();
            let group = problem.group("a", levels[levels.len() - 1]).levels(levels).value(&value);
            problem.layer("conv", 3, group, |_, c_out| c_out as f64);
        }
        problem.build().unwrap()
    };
    let two = problem(&[&[2, 4]]);
    let narrow = two.levels(&[0]).unwrap();
    assert_eq!(problem(&[&[1, 8]]).cost(&narrow).ns, 1.0, "as many groups and levels");
    for other in [problem(&[&[2, 3, 4]]), problem(&[&[4]]), problem(&[&[2, 4], &[2, 4]])] {
        let reading = Reading { levels: narrow.clone(), ns: 1.0 };
        let panics = |f: &dyn Fn()| std::panic::catch_unwind(std::panic::AssertUnwindSafe(f)).is_err();
        assert!(panics(&|| drop(other.cost(&narrow).ns.to_string())));
        assert!(panics(&|| drop(other.value(&narrow).to_string())));
        assert!(panics(&|| drop(other.cells(&narrow))) && panics(&|| drop(other.unmeasured_cells(&narrow))));
        assert!(panics(&|| drop(other.widths(&narrow))));
        assert!(panics(&|| drop(Solution::new(&other, "by hand", narrow.clone()))));
        assert!(panics(&|| drop(Infeasible::new(&other, "by hand", Budget::ratio(0.5), &narrow))));
        assert!(panics(&|| drop(fit_latency(&other, std::slice::from_ref(&reading), Assumptions::default()))));
    }
}

#[test]
#[cfg(feature = "serde")]
fn a_tampered_problem_is_refused() {
    let mut problem = Problem::builder();
    good(&mut problem);
    let json = serde_json::to_string(&problem.build().unwrap()).unwrap();
    for (from, to) in
        [("[2,4]", "[2,3]"), ("\"channels\":4", "\"channels\":5"), ("\"group\":0", "\"group\":5"), ("4.0", "-4.0")]
    {
        let tampered = json.replacen(from, to, 1);
        assert_ne!(tampered, json, "{from} is not in {json}");
        assert!(serde_json::from_str::<Problem>(&tampered).is_err(), "{tampered}");
    }
}
