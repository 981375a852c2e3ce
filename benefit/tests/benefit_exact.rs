//! Proofs compared with brute force, and what happens if there is none.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[allow(dead_code, reason = "other tests use the rest")]
mod cases;

use benefit::*;
use cases::{Case, Random, random_budget, random_group};
use netspec::GroupId;

/// The claim of a proof, compared with all choices.
#[test]
fn exact_is_as_good_as_brute_force() {
    let (mut solved, mut better) = (0, 0);
    for seed in 0..2400 {
        let case = Case::random_with(seed, 6, seed % 2 == 1);
        let problem = case.problem();
        let budget = random_budget(&case, seed);
        let limit = budget.limit_ns(problem.dense_ns());
        for choice in case.choices() {
            let levels = problem.levels(&choice).unwrap();
            assert!((problem.cost(&levels).ns - case.ns(&choice)).abs() < 1e-6, "seed {seed}: {choice:?}");
        }
        let fitting = case
            .choices()
            .into_iter()
            .filter(|c| problem.cost(&problem.levels(c).unwrap()).ns <= limit)
            .map(|c| case.value(&c));
        let optimum = fitting.fold(f64::NEG_INFINITY, f64::max);
        match Exact::default().plan(&problem, budget) {
            Ok(solution) => {
                solved += 1;
                assert_eq!(solution.stopped, Stopped::Optimal, "seed {seed}");
                assert!(problem.cost(&solution.levels).ns <= limit, "seed {seed} is over the budget");
                assert!((solution.value - optimum).abs() <= 1e-9, "seed {seed}: {} of {optimum}", solution.value);
                assert_eq!(solution.gap(), Some(0.0), "seed {seed}");
                let two_stage = TwoStage::default().plan(&problem, budget).unwrap();
                better += usize::from(two_stage.value < optimum - 1e-9);
            }
            Err(infeasible) => assert!(infeasible.is_proven && optimum == f64::NEG_INFINITY, "seed {seed}"),
        }
    }
    assert!(solved > 1500 && better > 20, "{solved} solved, in {better} of them two-stage was not enough");
}

/// What is proven when the search is cut short still holds.
#[test]
fn bounds_hold_where_exact_is_cut_short() {
    let mut cut = 0;
    for seed in 0..400 {
        let case = Case::random_of(seed, 5);
        let problem = case.problem();
        let budget = random_budget(&case, seed);
        let Ok(best) = Exact::default().plan(&problem, budget) else { continue };
        for effort in [0, 500, 2000] {
            let planner = Exact::default().effort(effort);
            let solution = planner.plan(&problem, budget).unwrap();
            assert!(
                solution.value <= best.value + 1e-9 && solution.predicted_ns <= budget.limit_ns(problem.dense_ns())
            );
            assert!(solution.bound.unwrap() >= best.value - 1e-9, "seed {seed}: a bound that does not hold");
            cut += usize::from(solution.stopped == Stopped::Effort);
        }
    }
    assert!(cut > 100, "only {cut} were cut short");
}

/// Ten groups side by side, the first of them once more where it shall be `twice`.
fn wide_concat(twice: bool) -> Problem {
    let mut problem = Problem::builder();
    let group = |problem: &mut ProblemBuilder, i: usize| {
        let value: Vec<f64> = (1..=8_usize).map(|l| if l < 8 { -(((8 - l) * (i + 1)) as f64) } else { 0.0 }).collect();
        let group = problem.group(&format!("branch{i}"), 64).every(8).value(&value);
        problem.layer(&format!("branch{i}"), 3, group, |_, c_out| c_out as f64);
        group
    };
    let mut branches: Vec<GroupId> = (0..10).map(|i| group(&mut problem, i)).collect();
    branches.extend(twice.then_some(branches[0]));
    problem.layer("head", branches, 10, |c_in, _| 5.0 * c_in.div_ceil(32) as f64);
    problem.build().unwrap()
}

/// Blocks of four branches side by side, each branch reading all that the block before wrote, as in GoogLeNet.
fn branching(seed: u64) -> Problem {
    let mut random = Random(seed);
    let mut problem = Problem::builder();
    let mut before: Vec<GroupId> = Vec::new();
    for block in 0..5 {
        let mut branches = Vec::new();
        for branch in 0..4 {
            let channels = 8 * (12 + random.below(9));
            let weight = 0.2 + 3.0 * random.unit();
            let value: Vec<f64> = (1..=channels / 8)
                .map(|level| 1.0 - 8.0 * level as f64 / channels as f64)
                .map(|share| if share > 0.0 { -weight * share * (share + 0.2 * random.unit()) } else { 0.0 })
                .collect();
            let name = format!("block{block}.{branch}");
            let group = problem.group(&name, channels).every(8).value(&value);
            let (step_in, step_out) = (8 << random.below(4), 16 << random.below(3));
            let ns = move |c_in: usize, c_out: usize| (c_in.div_ceil(step_in) * c_out.div_ceil(step_out)) as f64;
            match before.as_slice() {
                [] => problem.layer(&name, 3, group, ns),
                inputs => problem.layer(&name, inputs.to_vec(), group, ns),
            };
            branches.push(group);
        }
        before = branches;
    }
    problem.layer("head", before, 10, |c_in, _| c_in.div_ceil(32) as f64);
    problem.build().unwrap()
}

/// The value is at least the two-stage plan's, and no bound, however early the search ends, is below the best plan.
#[test]
fn exact_is_never_worse_than_two_stage_and_its_bounds_hold_on_large_problems() {
    let (mut better, mut cut) = (0, 0);
    for seed in 0..6 {
        let problem = branching(seed);
        let budget = Budget::ratio(0.4 + 0.1 * (seed % 4) as f64);
        let limit = budget.limit_ns(problem.dense_ns());
        let two_stage = TwoStage::default().plan(&problem, budget).unwrap();
        let exact = Exact::default().plan(&problem, budget).unwrap();
        assert_eq!((exact.stopped, exact.gap()), (Stopped::Optimal, Some(0.0)), "seed {seed}");
        assert_eq!(exact, Exact::default().plan(&problem, budget).unwrap());
        let knapsack = Knapsack::default().plan(&problem, budget).map_or(f64::NEG_INFINITY, |plan| plan.value);
        assert!(exact.value >= two_stage.value.max(knapsack) && two_stage.bound.unwrap() >= exact.value, "seed {seed}");
        better += usize::from(exact.value > two_stage.value);
        for effort in [0, 20_000_000] {
            let early = Exact::default().effort(effort).plan(&problem, budget).unwrap();
            assert!(early.predicted_ns <= limit && early.value >= two_stage.value, "seed {seed}");
            assert!(early.value <= exact.value && early.bound.unwrap() >= exact.value, "seed {seed}");
            cut += usize::from(early.stopped == Stopped::Effort);
        }
    }
    assert!(better >= 3 && cut >= 6, "{better} were better than two-stage, {cut} were cut short");
}

#[test]
fn a_wide_concat_is_summed_up_and_proven() {
    let problem = wide_concat(false);
    let solution = TwoStage::default().plan(&problem, Budget::ratio(0.6)).unwrap();
    assert!(solution.ratio() <= 0.6 && solution.value < 0.0);
    let uniform = Uniform.plan(&problem, Budget::ratio(0.6)).unwrap();
    assert!(solution.value >= uniform.value, "{} and {}", solution.value, uniform.value);
    let exact = Exact::default().plan(&problem, Budget::ratio(0.6)).unwrap();
    assert_eq!(exact.stopped, Stopped::Optimal);
    assert!(exact.value >= solution.value && solution.bound.unwrap() >= exact.value);

    let infeasible = TwoStage::default().plan(&problem, Budget::ratio(0.1)).unwrap_err();
    assert!(infeasible.is_proven);
    assert_eq!(infeasible.best_ns, 80.0 + 5.0 * 3.0);
    assert_eq!(infeasible.holders[0].name, "head");
}

#[test]
fn what_cannot_be_summed_up_is_planned_and_claims_no_proof() {
    let problem = wide_concat(true);
    let solution = TwoStage::default().plan(&problem, Budget::ratio(0.6)).unwrap();
    assert!(solution.ratio() <= 0.6 && solution.value < 0.0);
    assert_eq!((solution.bound, solution.gap()), (None, None));
    let exact = Exact::default().plan(&problem, Budget::ratio(0.6)).unwrap();
    assert_eq!((exact.stopped, exact.gap(), exact.levels), (Stopped::TooWide, None, solution.levels));
    assert!(!TwoStage::default().plan(&problem, Budget::ratio(0.1)).unwrap_err().is_proven);
}

/// Concats of three and more groups, each longer than the one before, as a dense block has them.
fn dense_block(seed: u64) -> Problem {
    let mut random = Random(seed);
    let mut problem = Problem::builder();
    let mut groups = Vec::new();
    for i in 0..5 {
        let (channels, mut levels, mut value) = random_group(&mut random);
        // Few levels each, so that all choices can be tried.
        let drop = levels.len().saturating_sub(3);
        (levels, value) = (levels.split_off(drop), value.split_off(drop));
        let group = problem.group(&format!("group{i}"), channels).levels(&levels).value(&value);
        let (step_in, step_out) = (4 << random.below(3), 4 << random.below(3));
        let bump = 1 + random.below(40);
        let ns = move |c_in: usize, c_out: usize| {
            let slow = if c_in % bump == 1 { 1.5 } else { 1.0 };
            slow * 10.0 * (c_in.div_ceil(step_in) * c_out.div_ceil(step_out)) as f64
        };
        if groups.is_empty() {
            problem.layer("stem", 3, group, ns);
        } else {
            problem.layer(&format!("layer{i}"), groups.clone(), group, ns);
        }
        groups.push(group);
    }
    problem.layer("head", groups, 10, |c_in, _| 7.0 * c_in.div_ceil(8) as f64);
    problem.build().unwrap()
}

#[test]
fn running_sums_change_no_cost_and_no_optimum() {
    let mut solved = 0;
    for seed in 0..300 {
        let problem = dense_block(seed);
        let mut choices = vec![Vec::new()];
        for group in problem.groups() {
            let longer = |choice: &Vec<usize>| {
                let choice = choice.clone();
                (0..group.levels.len()).map(move |level| choice.iter().copied().chain([level]).collect())
            };
            choices = choices.iter().flat_map(longer).collect();
        }
        let limit = (0.3 + 0.6 * Random(!seed).unit()) * problem.dense_ns();
        let choices = choices.iter().map(|choice| problem.levels(choice).unwrap());
        let fitting = choices.filter(|choice| problem.cost(choice).ns <= limit);
        let optimum = fitting.map(|choice| problem.value(&choice)).fold(f64::NEG_INFINITY, f64::max);
        let Ok(solution) = Exact::default().plan(&problem, Budget::ns(limit)) else {
            assert_eq!(optimum, f64::NEG_INFINITY, "seed {seed}");
            continue;
        };
        solved += 1;
        assert_eq!(solution.stopped, Stopped::Optimal);
        assert!((solution.value - optimum).abs() <= 1e-9, "seed {seed}: {} of {optimum}", solution.value);
    }
    assert!(solved > 200, "{solved}");
}
