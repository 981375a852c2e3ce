//! Laws of problems and planners, held against brute force on small random networks.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[allow(dead_code, reason = "other tests use the rest")]
mod cases;

use benefit::*;
use cases::{Case, Random, random_budget};
use netspec::{GroupId, Provenance};
use proptest::prelude::*;
use std::collections::HashSet;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn a_cost_is_the_sum_of_its_parts(seed in any::<u64>()) {
        let case = Case::random(seed);
        let problem = case.problem();
        for choice in case.choices() {
            let levels = problem.levels(&choice).unwrap();
            let cost = problem.cost(&levels);
            prop_assert!((cost.ns - case.ns(&choice)).abs() < 1e-6, "{} and {}", cost.ns, case.ns(&choice));
            prop_assert_eq!(cost.estimated, 0);
            prop_assert!((problem.value(&levels) - case.value(&choice)).abs() < 1e-12);
        }
    }

    #[test]
    fn two_stage_keeps_the_budget_and_its_bound_holds(seed in any::<u64>()) {
        let case = Case::random(seed);
        let problem = case.problem();
        let budget = random_budget(&case, seed);
        let limit = budget.limit_ns(problem.dense_ns());
        let costs: Vec<(Vec<usize>, f64)> =
            case.choices().into_iter().map(|c| (c.clone(), problem.cost(&problem.levels(&c).unwrap()).ns)).collect();
        let fitting = costs.iter().filter(|(_, ns)| *ns <= limit).map(|(c, _)| case.value(c));
        let optimum = fitting.fold(f64::NEG_INFINITY, f64::max);
        match TwoStage::default().plan(&problem, budget) {
            Ok(solution) => {
                prop_assert!(solution.predicted_ns <= limit, "over the budget");
                prop_assert!((solution.predicted_ns - case.ns(solution.levels.indices())).abs() < 1e-6);
                prop_assert!(solution.value <= optimum + 1e-9, "better than the best there is");
                let bound = solution.bound.expect("five groups can be joined");
                prop_assert!(bound >= optimum - 1e-9, "the bound {} is below the optimum {}", bound, optimum);
                prop_assert!(solution.gap().is_some_and(|gap| (0.0..=1.0).contains(&gap)));
            }
            Err(infeasible) => {
                prop_assert_eq!(optimum, f64::NEG_INFINITY, "a plan fits and was not found");
                prop_assert!(infeasible.is_proven);
                let least = costs.iter().map(|(_, ns)| *ns).fold(f64::INFINITY, f64::min);
                prop_assert_eq!(infeasible.best_ns, least);
                prop_assert!(!infeasible.holders.is_empty());
            }
        }
    }

    #[test]
    fn steps_lead_from_dense_to_the_plan(seed in any::<u64>()) {
        let case = Case::random(seed);
        let problem = case.problem();
        if let Ok(solution) = TwoStage::default().plan(&problem, random_budget(&case, seed)) {
            let (mut widths, mut ns, mut value) = (problem.widths(&problem.dense()), problem.dense_ns(), 0.0);
            for step in &solution.steps {
                prop_assert_eq!(widths[step.group.0], step.from);
                widths[step.group.0] = step.to;
                ns -= step.saved_ns;
                value -= step.lost;
            }
            prop_assert_eq!(&widths, &solution.widths);
            prop_assert!((ns - solution.predicted_ns).abs() < 1e-6 && (value - solution.value).abs() < 1e-9);
        }
    }

    #[test]
    fn rounding_keeps_the_budget_and_loses_nothing(seed in any::<u64>()) {
        let case = Case::random(seed);
        let (problem, budget) = (case.problem(), random_budget(&case, seed));
        let limit = budget.limit_ns(problem.dense_ns());
        let pairs: [(&dyn Planner, &dyn Planner); 2] =
            [(&Uniform, &Rounded::new(Uniform)), (&Global, &Rounded::new(Global))];
        for (plain, rounded) in pairs {
            match (plain.plan(&problem, budget), rounded.plan(&problem, budget)) {
                (Ok(plain), Ok(rounded)) => {
                    prop_assert!(rounded.value >= plain.value && rounded.predicted_ns <= limit);
                    prop_assert_eq!(rounded.predicted_ns, problem.cost(&rounded.levels).ns);
                    prop_assert_eq!(rounded.widths, problem.widths(&rounded.levels));
                }
                (Ok(plain), Err(why)) => prop_assert!(false, "{} was lost: {why}", plain.planner),
                (Err(plain), Err(rounded)) => prop_assert!(rounded.best_ns <= plain.best_ns),
                (Err(_), Ok(rounded)) => prop_assert!(rounded.predicted_ns <= limit),
            }
        }
    }

    #[test]
    fn uniform_keeps_the_budget_with_one_share_for_all(seed in any::<u64>()) {
        let case = Case::random(seed);
        let problem = case.problem();
        let budget = random_budget(&case, seed);
        let limit = budget.limit_ns(problem.dense_ns());
        let at = |share: f64| -> Vec<usize> {
            let level = |(c, levels, _): &(usize, Vec<usize>, Vec<f64>)| {
                levels.iter().rposition(|&l| l as f64 / *c as f64 <= share).unwrap_or(0)
            };
            case.groups.iter().map(level).collect()
        };
        let mut shares: Vec<f64> =
            case.groups.iter().flat_map(|(c, levels, _)| levels.iter().map(|&l| l as f64 / *c as f64)).collect();
        shares.push(0.0);
        shares.sort_by(|a, b| b.total_cmp(a));
        let expect = shares.into_iter().map(at).map(|indices| problem.levels(&indices).unwrap()).find(|levels| problem.cost(levels).ns <= limit);
        prop_assert_eq!(Uniform.plan(&problem, budget).ok().map(|solution| solution.levels), expect);
    }

    #[test]
    fn global_keeps_the_budget_with_one_threshold_for_all(seed in any::<u64>()) {
        let case = Case::random(seed);
        let problem = case.problem();
        let budget = random_budget(&case, seed);
        let limit = budget.limit_ns(problem.dense_ns());
        // At a threshold, a group takes the level with the most value plus threshold times removed channels.
        let at = |threshold: f64| -> Vec<usize> {
            let level = |(_, levels, value): &(usize, Vec<usize>, Vec<f64>)| {
                let worth = |level: usize| value[level] - threshold * levels[level] as f64;
                (0..levels.len()).fold(levels.len() - 1, |best, level| if worth(level) > worth(best) + 1e-12 { level } else { best })
            };
            case.groups.iter().map(level).collect()
        };
        if let Ok(solution) = Global.plan(&problem, budget) {
            prop_assert!(solution.predicted_ns <= limit);
            let mut slopes: Vec<f64> = case.groups.iter().flat_map(|(_, levels, value)| {
                (0..levels.len()).flat_map(move |a| (0..a).map(move |b| (value[a] - value[b]) / (levels[a] - levels[b]) as f64))
            }).collect();
            slopes.push(0.0);
            let is_some_threshold = slopes.iter().any(|slope| at(slope + 1e-9) == solution.levels.indices())
                || solution.levels == problem.dense();
            prop_assert!(is_some_threshold, "{:?} is no threshold's", solution.levels);
        }
    }

    #[test]
    fn knapsack_keeps_the_budget_and_is_no_better_than_the_best(seed in any::<u64>(), rounds in 1usize..40) {
        let case = Case::random(seed);
        let problem = case.problem();
        let budget = random_budget(&case, seed);
        if let Ok(solution) = Knapsack::default().rounds(rounds).plan(&problem, budget) {
            prop_assert!(solution.predicted_ns <= budget.limit_ns(problem.dense_ns()));
            let best = Exact::default().plan(&problem, budget).unwrap();
            prop_assert!(solution.value <= best.value + 1e-9);
        }
    }

    #[test]
    fn the_order_of_layers_does_not_matter(seed in any::<u64>(), shift in 1usize..9) {
        let case = Case::random(seed);
        let mut other = case.clone();
        let n = other.layers.len();
        other.layers.rotate_left(shift % n);
        other.layers.swap(0, n - 1);
        let budget = random_budget(&case, seed);
        let planners: [&dyn Planner; 5] =
            [&TwoStage::default(), &Uniform, &Global, &Knapsack::default(), &Exact::default()];
        for planner in planners {
            let (a, b) = (planner.plan(&case.problem(), budget), planner.plan(&other.problem(), budget));
            prop_assert_eq!(a.clone().map(|s| (s.levels, s.predicted_ns)).map_err(|e| e.best_ns),
                b.map(|s| (s.levels, s.predicted_ns)).map_err(|e| e.best_ns));
        }
    }

    #[test]
    fn dropped_levels_are_dominated_and_kept_ones_are_not(seed in any::<u64>(), lattice in 0usize..5, floor in 1usize..20) {
        let mut random = Random(seed);
        let members: Vec<Sweep> = (0..1 + random.below(3)).map(|_| random_sweep(&mut random, 40)).collect();
        let rule = LevelRule::default().lattice(lattice).floor(floor);
        let levels = levels_from(40, &members, &rule);
        let is_no_dearer = |wide: usize, narrow: usize| members.iter().all(|m| m.price(wide) <= m.price(narrow));
        prop_assert_eq!(levels.last(), Some(&40));
        let candidates = members.iter().flat_map(|m| m.knots()).map(|knot| knot.channels)
            .chain((1..40).filter(|w| lattice > 0 && w % lattice == 0));
        for width in candidates.filter(|&w| w >= floor) {
            let is_dominated = (width + 1..=40).any(|wide| levels.contains(&wide) && is_no_dearer(wide, width));
            prop_assert_eq!(levels.contains(&width), !is_dominated, "width {}", width);
        }
    }

    #[test]
    fn thinned_levels_keep_both_ends(seed in any::<u64>(), most in 2usize..12) {
        let mut random = Random(seed);
        let members = [random_sweep(&mut random, 200)];
        let sliding = LevelRule::default().lattice(1).sliding(true);
        let all = levels_from(200, &members, &sliding);
        let some = levels_from(200, &members, &sliding.clone().most(most));
        prop_assert!(some.len() <= most && some.iter().all(|level| all.contains(level)));
        prop_assert_eq!((some.first(), some.last()), (all.first(), all.last()));
    }

    #[test]
    fn a_fit_predicts_what_it_saw(seed in any::<u64>(), count in 1usize..6) {
        let case = Case::random(seed);
        let mut problem = case.problem();
        let mut random = Random(seed ^ 1);
        let choices = case.choices();
        let readings: Vec<Reading> = (0..count).map(|_| {
            let levels = problem.levels(&choices[random.below(choices.len())]).unwrap();
            let noise = 0.995 + 0.01 * random.unit();
            let ns = (500.0 + 0.9 * problem.cost(&levels).ns) * noise;
            Reading { levels, ns }
        }).collect();
        let fit = fit_latency(&problem, &readings, Assumptions::default()).unwrap();
        prop_assert!(fit.scale.value >= 0.0 && fit.ns_per_element.value >= 0.0 && fit.reformat_ns_per_element.value >= 0.0);
        prop_assert!(fit.residual < 0.02, "residual {}", fit.residual);
        problem.apply(&fit).unwrap();
        for reading in &readings {
            prop_assert!((problem.cost(&reading.levels).ns / reading.ns - 1.0).abs() < 0.05);
        }
    }

    #[test]
    #[cfg(feature = "serde")]
    fn json_round_trips(seed in any::<u64>()) {
        let problem = Case::random(seed).problem();
        let json = serde_json::to_string(&problem).unwrap();
        prop_assert_eq!(serde_json::from_str::<Problem>(&json).unwrap(), problem);
    }
}

fn random_sweep(random: &mut Random, full: usize) -> Sweep {
    let mut widths: Vec<usize> = (0..1 + random.below(12)).map(|_| 1 + random.below(full)).collect();
    widths.push(full);
    widths.sort_unstable();
    widths.dedup();
    let knot = |channels| Knot { channels, ns: (1 + random.below(6)) as f64, provenance: Provenance::Measured };
    Sweep::new(widths.into_iter().map(knot).collect()).unwrap()
}

/// How good greed with local search is on these cases: figures to notice a regression by.
#[test]
fn two_stage_mostly_finds_the_optimum() {
    let (mut solved, mut optimal, mut lost, mut loss, mut gap) = (0, 0, 0.0, 0.0, 0.0);
    let mut kinds = HashSet::new();
    for seed in 0..600 {
        let case = Case::random(seed);
        let problem = case.problem();
        let budget = random_budget(&case, seed);
        let limit = budget.limit_ns(problem.dense_ns());
        let Ok(solution) = TwoStage::default().plan(&problem, budget) else { continue };
        let fitting = case
            .choices()
            .into_iter()
            .filter(|c| problem.cost(&problem.levels(c).unwrap()).ns <= limit)
            .map(|c| case.value(&c));
        let optimum = fitting.fold(f64::NEG_INFINITY, f64::max);
        solved += 1;
        optimal += usize::from(solution.value >= optimum - 1e-9);
        lost += optimum - solution.value;
        loss -= optimum;
        gap += solution.gap().unwrap();
        kinds.extend(solution.steps.iter().map(|step| step.kind));
    }
    let (share, worse, gap) = (optimal as f64 / solved as f64, lost / loss, gap / solved as f64);
    let figures = format!("{solved} solved, {share:.3} optimal, {worse:.4} of the loss avoidable, mean gap {gap:.3}");
    assert!(solved > 300 && share > 0.95 && worse < 0.02, "{figures}");
    use StepKind::*;
    for kind in [Benefit, Together, Refine, Swap] {
        assert!(kinds.contains(&kind), "no case needs a step of kind {kind:?}");
    }
}

/// A concat of groups that halve the head's time only if all of them are narrow.
fn only_together(groups: usize) -> Problem {
    let mut problem = Problem::builder();
    let branches: Vec<GroupId> =
        (0..groups).map(|_| problem.group("branch", 16).levels(&[8, 16]).value(&[-1.0, 0.0])).collect();
    for &branch in &branches {
        problem.layer("branch", 3, branch, |_, _| 1.0);
    }
    problem.layer("head", branches, 10, |c_in, _| if c_in > 8 * groups { 10.0 } else { 5.0 });
    problem.build().unwrap()
}

#[test]
fn groups_step_together_where_one_alone_saves_nothing() {
    for (groups, kind) in [(2, StepKind::Together), (3, StepKind::Fastest)] {
        let problem = only_together(groups);
        let solution = TwoStage::default().plan(&problem, Budget::ratio(0.7)).unwrap();
        assert_eq!(solution.widths, vec![8; groups]);
        assert!(solution.steps.iter().all(|step| step.kind == kind), "{:?}", solution.steps);
    }
}
