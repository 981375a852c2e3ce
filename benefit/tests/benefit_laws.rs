//! Laws of problems and planners, held against brute force on small random networks.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use benefit::*;
use netspec::{GroupId, Part, Provenance, Width};
use proptest::prelude::*;
use std::collections::{HashMap, HashSet};

/// SplitMix64: a few lines, and the same numbers everywhere.
#[derive(Clone)]
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }
    fn below(&mut self, n: usize) -> usize {
        (self.next() % n as u64) as usize
    }
    /// In [0, 1), in steps that sums and decimal numbers hold exactly.
    fn unit(&mut self) -> f64 {
        (self.next() >> 54) as f64 / 1024.0
    }
}

/// A layer as the test knows it: its own copy of topology and costs.
#[derive(Clone)]
struct Plain {
    inputs: Width,
    outputs: Width,
    coupled: bool,
    cells: HashMap<(usize, usize), f64>,
}

#[derive(Clone)]
struct Case {
    groups: Vec<(usize, Vec<usize>, Vec<f64>)>,
    layers: Vec<Plain>,
    operators: Vec<(Width, f64)>,
    fixed: f64,
    per_element: f64,
}

fn of(groups: &[usize]) -> Width {
    Width { fixed: 0, parts: groups.iter().map(|&g| Part { group: GroupId(g), repeat: 1 }).collect() }
}

fn fixed(channels: usize) -> Width {
    Width { fixed: channels, parts: Vec::new() }
}

impl Case {
    /// A network of 2 to 5 groups: a chain, with a residual stream, a depthwise layer or a concat now and then, over
    /// stairs with bumps, so that fewer channels may be slower.
    fn random(seed: u64) -> Case {
        Case::random_of(seed, 4)
    }

    /// The same with up to one more group than `more`.
    fn random_of(seed: u64, more: usize) -> Case {
        let mut random = Random(seed);
        let n = 2 + random.below(more);
        let groups: Vec<_> = (0..n).map(|_| random_group(&mut random)).collect();
        let mut shapes = vec![(fixed(3), of(&[0]), false)];
        for g in 1..n {
            let input = match random.below(4) {
                0 if g >= 2 => of(&[g - 1, g - 2]),
                1 if g >= 2 => Width { fixed: 0, parts: vec![Part { group: GroupId(g - 1), repeat: 2 }] },
                _ => of(&[g - 1]),
            };
            shapes.push((input, of(&[g]), false));
            match random.below(5) {
                0 => shapes.push((of(&[g]), of(&[g]), true)),
                // A block on a residual stream: back into the group that fed it, or straight round.
                1 => shapes.push((of(&[g]), of(&[g - 1]), false)),
                2 => shapes.push((of(&[g]), of(&[g]), false)),
                _ => {}
            }
        }
        shapes.push((of(&[n - 1]), fixed(10), false));
        let operators = (0..random.below(3)).map(|_| (of(&[random.below(n)]), (random.below(9) * 10) as f64)).collect();
        let (fixed, per_element) = (random.below(200) as f64, random.unit() / 10.0);
        let mut case = Case { groups, layers: Vec::new(), operators, fixed, per_element };
        for (inputs, outputs, coupled) in shapes {
            let cells = case.random_cells(&inputs, &outputs, &mut random);
            case.layers.push(Plain { inputs, outputs, coupled, cells });
        }
        case
    }

    fn random_cells(&self, inputs: &Width, outputs: &Width, random: &mut Random) -> HashMap<(usize, usize), f64> {
        let (step_in, step_out, unit) = (4 << random.below(3), 4 << random.below(3), 5.0 + 20.0 * random.unit());
        let mut cells = HashMap::new();
        for choice in self.choices() {
            let at = (inputs.at(|g| self.width(&choice, g)), outputs.at(|g| self.width(&choice, g)));
            let bump = if random.below(8) == 0 { 1.6 } else { 1.0 };
            let tiles = at.0.div_ceil(step_in) * at.1.div_ceil(step_out);
            cells.entry(at).or_insert(unit * tiles as f64 * bump);
        }
        cells
    }

    fn width(&self, choice: &[usize], g: GroupId) -> usize {
        self.groups[g.0].1[choice[g.0]]
    }

    /// Every choice of levels.
    fn choices(&self) -> Vec<Vec<usize>> {
        let mut choices = vec![Vec::new()];
        for (_, levels, _) in &self.groups {
            let longer = |choice: &Vec<usize>| {
                let choice = choice.clone();
                (0..levels.len()).map(move |level| choice.iter().copied().chain([level]).collect())
            };
            choices = choices.iter().flat_map(longer).collect();
        }
        choices
    }

    fn ns(&self, choice: &[usize]) -> f64 {
        let width = |g: GroupId| self.width(choice, g);
        let cells = self.layers.iter().map(|layer| layer.cells[&(layer.inputs.at(width), layer.outputs.at(width))]);
        let operators = self.operators.iter().map(|(w, elements)| w.at(width) as f64 * elements * self.per_element);
        self.fixed + cells.sum::<f64>() + operators.sum::<f64>()
    }

    fn value(&self, choice: &[usize]) -> f64 {
        self.groups.iter().zip(choice).map(|((_, _, value), &level)| value[level]).sum()
    }

    fn problem(&self) -> Problem {
        let mut builder = Problem::builder();
        for (channels, levels, value) in &self.groups {
            builder.group("group", *channels).levels(levels).value(value);
        }
        for (i, layer) in self.layers.iter().enumerate() {
            let name = format!("layer{i}");
            let index = builder.bare_layer(&name, layer.inputs.clone(), layer.outputs.clone(), layer.coupled);
            builder.fill(index, |c_in, c_out| layer.cells[&(c_in, c_out)]);
        }
        for (width, elements) in &self.operators {
            builder.operator("operator", width.clone(), *elements);
        }
        builder.fixed_ns(self.fixed).ns_per_element(self.per_element);
        builder.build().unwrap()
    }
}

fn random_group(random: &mut Random) -> (usize, Vec<usize>, Vec<f64>) {
    let count = 1 + random.below(5);
    let mut levels: Vec<usize> = (0..count).map(|_| 1 + random.below(32)).collect();
    levels.sort_unstable();
    levels.dedup();
    let channels = *levels.last().unwrap();
    let weight = 0.2 + 3.0 * random.unit();
    let value = |&level: &usize| {
        let share = 1.0 - level as f64 / channels as f64;
        let value = -weight * (share * share + 0.1 * random.unit());
        if share > 0.0 { (value * 1024.0).round() / 1024.0 } else { 0.0 }
    };
    let value = levels.iter().map(value).collect();
    (channels, levels, value)
}

/// A budget between nothing and everything, now and then exactly a reachable cost.
fn random_budget(case: &Case, seed: u64) -> Budget {
    let mut random = Random(seed ^ 0xB0D6);
    let choices = case.choices();
    if random.below(4) == 0 {
        return Budget::ns(case.problem().cost(&choices[random.below(choices.len())]).ns);
    }
    Budget::ratio(0.2 + 0.85 * random.unit())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn a_cost_is_the_sum_of_its_parts(seed in any::<u64>()) {
        let case = Case::random(seed);
        let problem = case.problem();
        for choice in case.choices() {
            let cost = problem.cost(&choice);
            prop_assert!((cost.ns - case.ns(&choice)).abs() < 1e-6, "{} and {}", cost.ns, case.ns(&choice));
            prop_assert_eq!(cost.estimated, 0);
            prop_assert!((problem.value(&choice) - case.value(&choice)).abs() < 1e-12);
        }
    }

    #[test]
    fn two_stage_keeps_the_budget_and_its_bound_holds(seed in any::<u64>()) {
        let case = Case::random(seed);
        let problem = case.problem();
        let budget = random_budget(&case, seed);
        let limit = budget.limit_ns(problem.dense_ns());
        let costs: Vec<(Vec<usize>, f64)> =
            case.choices().into_iter().map(|c| (c.clone(), problem.cost(&c).ns)).collect();
        let fitting = costs.iter().filter(|(_, ns)| *ns <= limit).map(|(c, _)| case.value(c));
        let optimum = fitting.fold(f64::NEG_INFINITY, f64::max);
        match TwoStage::default().plan(&problem, budget) {
            Ok(solution) => {
                prop_assert!(solution.predicted_ns <= limit, "over the budget");
                prop_assert!((solution.predicted_ns - case.ns(&solution.levels)).abs() < 1e-6);
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
            for step in &solution.stages.two {
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
        let expect = shares.into_iter().map(at).find(|levels| problem.cost(levels).ns <= limit);
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
            let is_some_threshold = slopes.iter().any(|slope| at(slope + 1e-9) == solution.levels)
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
    fn stage_one_is_a_hull(seed in any::<u64>()) {
        let case = Case::random(seed);
        for stage in stage_one(&case.problem()) {
            prop_assert_eq!((stage.hull[0].saved_ns, stage.hull[0].value), (0.0, 0.0));
            for pair in stage.hull.windows(2) {
                prop_assert!(pair[0].saved_ns < pair[1].saved_ns);
            }
            let price = |a: &Offer, b: &Offer| (a.value - b.value) / (b.saved_ns - a.saved_ns);
            for three in stage.hull.windows(3) {
                prop_assert!(price(&three[0], &three[1]) <= price(&three[1], &three[2]));
            }
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
    fn a_calibration_predicts_what_it_saw(seed in any::<u64>(), count in 1usize..6) {
        let case = Case::random(seed);
        let mut problem = case.problem();
        let mut random = Random(seed ^ 1);
        let choices = case.choices();
        let readings: Vec<Reading> = (0..count).map(|_| {
            let levels = choices[random.below(choices.len())].clone();
            let noise = 0.995 + 0.01 * random.unit();
            let ns = (500.0 + 0.9 * problem.cost(&levels).ns) * noise;
            Reading { levels, ns }
        }).collect();
        let calibration = calibrate(&problem, &readings).unwrap();
        prop_assert!(calibration.fixed_ns >= 0.0 && calibration.conv_scale >= 0.0 && calibration.ns_per_element >= 0.0);
        prop_assert!(calibration.residual < 0.02, "residual {}", calibration.residual);
        problem.apply(&calibration).unwrap();
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
        let fitting = case.choices().into_iter().filter(|c| problem.cost(c).ns <= limit).map(|c| case.value(&c));
        let optimum = fitting.fold(f64::NEG_INFINITY, f64::max);
        solved += 1;
        optimal += usize::from(solution.value >= optimum - 1e-9);
        lost += optimum - solution.value;
        loss -= optimum;
        gap += solution.gap().unwrap();
        kinds.extend(solution.stages.two.iter().map(|step| step.kind));
    }
    let (share, worse, gap) = (optimal as f64 / solved as f64, lost / loss, gap / solved as f64);
    let figures = format!("{solved} solved, {share:.3} optimal, {worse:.4} of the loss avoidable, mean gap {gap:.3}");
    assert!(solved > 300 && share > 0.95 && worse < 0.02, "{figures}");
    use StepKind::*;
    for kind in [Benefit, Together, Refine, Swap] {
        assert!(kinds.contains(&kind), "no case needs a step of kind {kind:?}");
    }
}

/// The claim of a proof, held against all choices there are.
#[test]
fn exact_is_as_good_as_brute_force() {
    let (mut solved, mut better) = (0, 0);
    for seed in 0..2400 {
        let case = Case::random_of(seed, 6);
        let problem = case.problem();
        let budget = random_budget(&case, seed);
        let limit = budget.limit_ns(problem.dense_ns());
        let fitting = case.choices().into_iter().filter(|c| problem.cost(c).ns <= limit).map(|c| case.value(&c));
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
        for planner in [Exact::default().labels(1), Exact::default().labels(2), Exact::default().seconds(0.0)] {
            let solution = planner.plan(&problem, budget).unwrap();
            assert!(
                solution.value <= best.value + 1e-9 && solution.predicted_ns <= budget.limit_ns(problem.dense_ns())
            );
            assert!(solution.bound.unwrap() >= best.value - 1e-9, "seed {seed}: a bound that does not hold");
            cut += usize::from(matches!(solution.stopped, Stopped::Labels | Stopped::Time));
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
        let fitting = choices.iter().filter(|choice| problem.cost(choice).ns <= limit);
        let optimum = fitting.map(|choice| problem.value(choice)).fold(f64::NEG_INFINITY, f64::max);
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
        assert!(solution.stages.two.iter().all(|step| step.kind == kind), "{:?}", solution.stages.two);
        // A step alone saves nothing, so stage one has nothing to offer.
        assert!(solution.stages.one.iter().all(|stage| stage.hull.len() == 1));
    }
}
