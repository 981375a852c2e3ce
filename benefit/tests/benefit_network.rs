//! From a network and its weights to a plan, the way a pipeline does it.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use benefit::*;
use netspec::*;
use proptest::prelude::*;
use std::collections::HashMap;

/// Weights by name, for tests.
struct Table(HashMap<&'static str, Tensor>);

impl Weights for Table {
    fn get(&self, tensor: &str) -> Option<TensorView<'_>> {
        self.0.get(tensor).cloned()
    }
}

fn tensor(shape: &[usize], at: impl Fn(usize) -> f32) -> Tensor {
    let values: Vec<f32> = (0..shape.iter().product()).map(at).collect();
    Tensor::from_f32(shape.to_vec(), &values).unwrap()
}

fn member(tensor: &str, axis: usize, role: Role, offset: usize) -> Member {
    Member { tensor: tensor.to_owned(), axis, role, map: IndexMap::Affine { offset, repeat: 1 } }
}

fn group(id: usize, name: &str, channels: usize, members: Vec<Member>) -> ChannelGroup {
    let mut group = ChannelGroup::new(GroupId(id), name, channels);
    group.members = members;
    group
}

fn width(fixed: usize, groups: &[usize]) -> Width {
    Width { fixed, parts: groups.iter().map(|&g| Part { group: GroupId(g), repeat: 1 }).collect() }
}

fn layer(name: &str, spec: &str, inputs: Width, outputs: Width) -> Layer {
    Layer::new(name, &format!("{name}.w"), spec.parse().unwrap(), inputs, outputs)
}

/// 3 > a (64), depthwise on a, a > b (32), concat(a, b) > c (64, residual), c > 10.
fn network() -> Network {
    use Role::*;
    let a = vec![
        member("conv_a.w", 0, Producer, 0),
        member("conv_a.bias", 0, Parameter, 0),
        member("depthwise.w", 0, Parameter, 0),
        member("conv_b.w", 1, Consumer, 0),
        member("conv_c.w", 1, Consumer, 0),
    ];
    let b = vec![member("conv_b.w", 0, Producer, 0), member("conv_c.w", 1, Consumer, 64)];
    let c = vec![member("conv_c.w", 0, Producer, 0), member("fc.w", 1, Consumer, 0)];
    let mut groups = vec![group(0, "conv_a", 64, a), group(1, "conv_b", 32, b), group(2, "conv_c", 64, c)];
    groups[2].residual = true;
    let mut network = Network::default();
    network.layers = vec![
        layer("conv_a", "3>64 28x28 k3 p1", width(3, &[]), width(0, &[0])),
        layer("depthwise", "64>64 28x28 k3 p1 g64", width(0, &[0]), width(0, &[0])),
        layer("conv_b", "64>32 28x28 k3 p1", width(0, &[0]), width(0, &[1])),
        layer("conv_c", "96>64 28x28 k1", width(0, &[0, 1]), width(0, &[2])),
        layer("fc", "64>10 1x1 k1", width(0, &[2]), width(10, &[])),
    ];
    network.groups = groups;
    network.operators = vec![Operator {
        name: "concat".into(),
        op: "Concat".into(),
        width: width(0, &[0, 1]),
        elements_per_channel: 2 * 784,
    }];
    network
}

/// In conv_a.w channel c has weights of size c, so that the first channels matter least.
fn weights() -> Table {
    Table(HashMap::from([
        ("conv_a.w", tensor(&[64, 3, 3, 3], |i| (i / 27) as f32)),
        ("conv_b.w", tensor(&[32, 64, 3, 3], |_| 0.5)),
        ("conv_c.w", tensor(&[64, 96, 1, 1], |_| -0.25)),
        ("fc.w", tensor(&[10, 64, 1, 1], |_| 1.0)),
    ]))
}

/// The machine: tiles of 16 output and 4 input channels, and a part that no product of two axes can express.
fn true_ns(spec: &ConvSpec) -> f64 {
    let (c_in, c_out) = if spec.groups > 1 { (4, spec.c_out) } else { (spec.c_in, spec.c_out) };
    let pixels = (spec.height * spec.width * spec.kernel[0] * spec.kernel[1]) as f64;
    1000.0 + pixels * (c_in.div_ceil(4) * c_out.div_ceil(16)) as f64 + 0.2 * pixels * c_in as f64
}

/// Every 8th width of both axes of every layer, the other axis at full width.
fn sweep_all(builder: &mut ProblemBuilder, network: &Network) {
    for (i, layer) in network.layers.iter().enumerate() {
        let spec = &layer.spec;
        let is_grouped = spec.groups > 1;
        let knots = |full: usize, at: &dyn Fn(usize) -> ConvSpec| -> Vec<Knot> {
            let widths = (8..full).step_by(8).chain([full]);
            widths
                .map(|channels| Knot { channels, ns: true_ns(&at(channels)), provenance: Provenance::Measured })
                .collect()
        };
        let out = |c_out| spec.with_channels(if is_grouped { c_out } else { spec.c_in }, c_out);
        builder.sweep(i, Axis::COut, knots(spec.c_out, &out));
        if !is_grouped {
            builder.sweep(i, Axis::CIn, knots(spec.c_in, &|c_in| spec.with_channels(c_in, spec.c_out)));
        }
    }
}

fn problem(limits: &Limits) -> Problem {
    problem_of(&network(), limits)
}

fn problem_of(network: &Network, limits: &Limits) -> Problem {
    let weights = weights();
    let value = Magnitude::new(network, &weights, Criterion::L2, Scope::PerLayer);
    let mut builder = ProblemBuilder::from_network(network, limits, &value).unwrap();
    sweep_all(&mut builder, network);
    builder.levels_from_sweeps(&LevelRule::default().lattice(8));
    builder.build().unwrap()
}

/// The levels of these widths.
fn levels_of(problem: &Problem, widths: &[usize]) -> Levels {
    let level = |(group, width): (&Group, &usize)| group.levels.binary_search(width).unwrap();
    problem.levels(&problem.groups().iter().zip(widths).map(level).collect::<Vec<_>>()).unwrap()
}

#[test]
fn defaults_freeze_the_residual_stream_and_keep_a_quarter() {
    let problem = problem(&Limits::default());
    let levels: Vec<&[usize]> = problem.groups().iter().map(|group| group.levels.as_slice()).collect();
    // `a` feeds a concat, whose total slides with `b`: no width of it is dominated. So does `b`.
    assert_eq!(levels, [&[16, 24, 32, 40, 48, 56, 64][..], &[8, 16, 24, 32], &[64]]);
    assert_eq!(problem.value_kind(), ValueKind::Magnitude);
    assert!(problem.layers()[1].is_coupled());
    let wide = self::problem(&Limits::default().prune_residual(true).min_share(0.5));
    // The stream's layers have risers every 16 on one side and every 4 on the other.
    assert_eq!(wide.groups()[2].levels, [32, 40, 48, 56, 64]);
    assert_eq!(wide.groups()[0].levels.first(), Some(&32));
}

#[test]
fn a_branch_that_may_go_has_a_level_of_none() {
    let mut network = network();
    network.groups[1].removable = true;
    let lowest = |network: &Network, limits: &Limits| problem_of(network, limits).groups()[1].levels[0];
    let open = Limits::default().remove_branches(true);
    assert_eq!([lowest(&network, &open), lowest(&network, &Limits::default())], [0, 8]);
    let problem = problem_of(&network, &open);
    assert!(problem.groups()[0].levels[0] > 0 && problem.groups()[2].levels[0] > 0, "those are not removable");
    let gone = levels_of(&problem, &[64, 0, 64]);
    let cells = problem.cells(&gone);
    // What computes it does not run; what reads it reads `a` still.
    assert_eq!((cells[2].c_out, cells[2].cell.ns, cells[2].runs()), (0, 0.0, false));
    assert!((cells[3].c_in, cells[3].runs()) == (64, true) && cells[3].cell.ns > 0.0);
    assert!(problem.unmeasured_cells(&gone).iter().all(CellUse::runs));
    // The value of what is lost with all channels, and nothing that a share of them has.
    let value = problem.value(&gone);
    assert!(value < problem.value(&levels_of(&problem, &[64, 8, 64])));
    // Planners that share nothing out take it where it pays; one share for all does not.
    let limit = Budget::ns(problem.cost(&gone).ns);
    assert!(Exact::default().plan(&problem, limit).unwrap().value >= value);
    let tight = Budget::ratio(0.01);
    let narrowest = |planner: &dyn Planner| planner.plan(&problem, tight).unwrap_err().best_ns;
    assert!(narrowest(&Exact::default()) < narrowest(&Uniform), "one share for all keeps branches");
    assert_eq!(narrowest(&Uniform), narrowest(&Global));
    network.constrain(&Constraint::AtLeast(4), |_| true);
    assert_eq!(lowest(&network, &open), 8, "it must keep some");
    network.groups[1].frozen = Some("it says so".to_owned());
    assert_eq!(lowest(&network, &open), 32);
}

#[test]
fn sweeps_price_their_own_axes_exactly_and_estimate_the_rest() {
    let (network, problem) = (network(), problem(&Limits::default()));
    let narrow = levels_of(&problem, &[32, 16, 64]);
    let cells = problem.cells(&narrow);
    let at = |layer: usize| (cells[layer].c_in, cells[layer].c_out, cells[layer].cell.provenance);
    assert_eq!(at(0), (3, 32, Provenance::Measured));
    assert_eq!(at(1), (32, 32, Provenance::Measured), "a depthwise layer has one axis, which was swept");
    assert_eq!(at(2), (32, 16, Provenance::Interpolated));
    assert_eq!(at(3), (48, 64, Provenance::Measured), "the concat's total is a knot at full c_out");
    for layer in [0, 1, 3, 4] {
        let spec = network.layers[layer].spec.with_channels(cells[layer].c_in, cells[layer].c_out);
        assert_eq!(cells[layer].cell.ns, true_ns(&spec));
    }
    let unmeasured = problem.unmeasured_cells(&narrow);
    assert_eq!(unmeasured.iter().map(|used| used.layer).collect::<Vec<_>>(), [2]);
    assert_eq!(problem.cost(&narrow).estimated, 1);
    let dense = problem.layers()[2].cell(64, 32).unwrap().ns;
    let product = problem.layers()[2].cell(64, 16).unwrap().ns * problem.layers()[2].cell(32, 32).unwrap().ns / dense;
    assert!((unmeasured[0].cell.ns - product).abs() < 1e-9);
}

#[test]
fn measuring_what_a_plan_needs_comes_to_an_end() {
    let network = network();
    let mut problem = problem(&Limits::default().prune_residual(true));
    let mut measured = 0;
    let solution = loop {
        let solution = TwoStage::default().plan(&problem, Budget::ratio(0.5)).unwrap();
        let cells = problem.unmeasured_cells(&solution.levels);
        assert_eq!(cells.len(), solution.estimated);
        if cells.is_empty() {
            break solution;
        }
        for used in cells {
            let ns = true_ns(&network.layers[used.layer].spec.with_channels(used.c_in, used.c_out));
            problem.set_cell(used.layer, used.c_in, used.c_out, ns, Provenance::Measured).unwrap();
            measured += 1;
        }
    };
    assert!(measured < 60, "{measured} cells for one plan");
    let specs = network.layers.iter().map(|layer| layer.spec_at(|g| solution.widths[g.0]));
    let truth: f64 = specs.map(|spec| true_ns(&spec)).sum();
    assert!((solution.predicted_ns - truth).abs() < 1e-3, "all cells are measured, so the sum is the truth");

    // The whole model moves data too; its runs show what that costs.
    let moved = |levels: &Levels| 0.01 * 1568.0 * network.operators[0].width.at(|g| problem.widths(levels)[g.0]) as f64;
    let reading = |levels: &Levels| Reading { levels: levels.clone(), ns: problem.cost(levels).ns + moved(levels) };
    let readings = [reading(&problem.dense()), reading(&solution.levels)];
    let fit = fit_latency(&problem, &readings, Assumptions::default()).unwrap();
    assert!((fit.scale.value - 1.0).abs() < 0.01 && fit.residual < 1e-3, "{fit:?}");
    assert!((fit.ns_per_element.value - 0.01).abs() < 0.001, "{fit:?}");
}

#[test]
fn a_solution_becomes_a_plan_that_fits_the_network() {
    let (network, weights) = (network(), weights());
    let value = Magnitude::new(&network, &weights, Criterion::L2, Scope::PerLayer);
    let problem = problem(&Limits::default());
    let levels = levels_of(&problem, &[24, 32, 64]);
    let plan = Solution::new(&problem, "by hand", levels).to_plan(&network, &value).unwrap();
    plan.validate(&network).unwrap();
    assert_eq!(plan.groups.len(), 1, "groups at full width are not in the plan");
    // conv_a.w alone tells the channels apart, and its last channels are the largest.
    assert_eq!(plan.groups[0].keep, (40..64).collect::<Vec<_>>());

    let mut other = network.clone();
    other.groups[0].channels = 65;
    let stale = Solution::new(&problem, "by hand", levels_of(&problem, &[24, 32, 64]));
    assert!(matches!(stale.to_plan(&other, &value), Err(ValueError::Channels { expected: 65, found: 64, .. })));
}

#[test]
fn magnitudes_follow_the_index_maps() {
    let network = network();
    let mut weights = weights();
    // Column 64 + 5 of the concat's consumer is channel 5 of group b.
    weights.0.insert("conv_c.w", tensor(&[64, 96, 1, 1], |i| if i % 96 == 69 { 0.0 } else { 1.0 }));
    for norm in [Criterion::L1, Criterion::L2] {
        for scope in [Scope::Raw, Scope::PerLayer] {
            let curve = Magnitude::new(&network, &weights, norm, scope).curve(GroupId(1)).unwrap();
            assert_eq!(curve.order()[0], 5, "{norm:?} {scope:?}");
        }
    }
    // conv_b.w: 32 rows of 64 * 9 weights of 0.5; conv_c.w: 64 weights of 1 in each column.
    let raw = |norm| Magnitude::new(&network, &weights, norm, Scope::Raw).curve(GroupId(1)).unwrap();
    assert_eq!((raw(Criterion::L1).value(31), raw(Criterion::L2).value(31)), (-288.0, -144.0));
    assert_eq!(raw(Criterion::L1).value(30), -288.0 - (288.0 + 64.0));
}

#[test]
fn per_layer_values_grow_faster_than_the_share() {
    let network = network();
    let mut weights = weights();
    weights.0.insert("conv_a.w", tensor(&[64, 3, 3, 3], |_| 7.0));
    let curve = Magnitude::new(&network, &weights, Criterion::L2, Scope::PerLayer).curve(GroupId(0)).unwrap();
    // All channels weigh the same and two weights read them: half of them gone is -2 (0.5 / 0.5)^2.
    assert!((curve.value(32) + 2.0).abs() < 1e-9);
    assert!((curve.value(48) + 2.0 / 9.0).abs() < 1e-9);
    assert!(curve.value(0).is_finite());
}

#[track_caller]
fn check_weights(change: impl FnOnce(&mut HashMap<&'static str, Tensor>), expect: &str) {
    let (network, mut weights) = (network(), weights());
    change(&mut weights.0);
    let value = Magnitude::new(&network, &weights, Criterion::L2, Scope::PerLayer);
    let error =
        ProblemBuilder::from_network(&network, &Limits::default(), &value).expect_err("bad weights were accepted");
    assert!(error.to_string().contains(expect), "`{error}` does not say `{expect}`");
}

#[test]
fn bad_weights_are_named() {
    check_weights(|w| drop(w.remove("conv_b.w")), "group `conv_a`: group `conv_a` needs the weight `conv_b.w`");
    check_weights(
        |w| drop(w.insert("conv_a.w", tensor(&[63, 1], |_| 1.0))),
        "`conv_a.w` of shape [63, 1] has no position 63 on axis 0",
    );
    check_weights(
        |w| drop(w.insert("conv_b.w", tensor(&[32], |_| 1.0))),
        "`conv_b.w` of shape [32] has no position 0 on axis 1",
    );
    check_weights(
        |w| drop(w.insert("conv_c.w", tensor(&[64, 96], |_| f32::NAN))),
        "`conv_c.w` of group `conv_a` holds a number",
    );
}

#[test]
fn weights_of_half_precision_are_read() {
    let (network, weights) = (network(), weights());
    let full = Magnitude::new(&network, &weights, Criterion::L2, Scope::PerLayer).curve(GroupId(0)).unwrap();
    for element in [ElementType::F16, ElementType::Bf16] {
        let half = |tensor: &Tensor| {
            let bytes = element.encode(&tensor.to_f32().unwrap()).unwrap();
            TensorView::new(element, tensor.shape.clone(), bytes.into()).unwrap()
        };
        let mut halves = self::weights();
        halves.0 = weights.0.iter().map(|(name, tensor)| (*name, half(tensor))).collect();
        let curve = Magnitude::new(&network, &halves, Criterion::L2, Scope::PerLayer).curve(GroupId(0)).unwrap();
        for channels in [8, 32, 48] {
            assert!((curve.value(channels) / full.value(channels) - 1.0).abs() < 0.01, "{element:?}");
        }
    }
}

#[test]
fn limits_and_unknown_groups_are_refused() {
    let (network, weights) = (network(), weights());
    let value = Magnitude::new(&network, &weights, Criterion::L1, Scope::Raw);
    for share in [0.0, -1.0, 1.5, f64::NAN] {
        let refused = ProblemBuilder::from_network(&network, &Limits::default().min_share(share), &value);
        assert!(matches!(refused, Err(ProblemError::Number { .. })), "{share}");
    }
    assert_eq!(value.curve(GroupId(9)), Err(ValueError::UnknownGroup { group: 9, groups: 3 }));
}

#[test]
fn dead_weights_still_have_an_order() {
    let (network, mut weights) = (network(), weights());
    for name in ["conv_b.w", "conv_c.w"] {
        let shape = weights.0[name].shape.clone();
        weights.0.insert(name, tensor(&shape, |_| 0.0));
    }
    for scope in [Scope::Raw, Scope::PerLayer] {
        let curve = Magnitude::new(&network, &weights, Criterion::L2, scope).curve(GroupId(1)).unwrap();
        assert_eq!(curve.keep(4), [0, 1, 2, 3], "what nothing tells apart keeps its first channels");
    }
}

#[test]
fn a_constraint_moves_levels_to_the_allowed_widths_next_to_them() {
    let mut network = network();
    network.constrain(&Constraint::MultipleOf(12), |_| true);
    let problem = problem_of(&network, &Limits::default().prune_residual(true));
    let levels: Vec<&[usize]> = problem.groups().iter().map(|group| group.levels.as_slice()).collect();
    // Knots are every 8; 12 is below a quarter of 64, which is no multiple but the full width. The stream's 60 costs
    // what 64 does.
    assert_eq!(levels, [&[24, 36, 48, 60, 64][..], &[12, 24, 32], &[24, 36, 48, 64]]);

    // A width that may not be taken dominates nothing: 24 costs as much as 26, and 26 is not to be had.
    let knots = [(24, 5.0), (26, 5.0), (32, 9.0)];
    let sweep = Sweep::new(knots.map(|(channels, ns)| Knot { channels, ns, provenance: Provenance::Measured }).into());
    let rule = LevelRule::default();
    let members = [sweep.unwrap()];
    assert_eq!(levels_from(32, &members, &rule), [26, 32]);
    assert_eq!(levels_from(32, &members, &rule.constraints(&[Constraint::MultipleOf(8)])), [24, 32]);
}

proptest! {
    #[test]
    fn no_plan_violates_a_constraint(
        picks in prop::collection::vec((0usize..3, any::<bool>(), 1usize..40), 0..5),
        ratio in 0.3f64..1.0,
        levels in prop::collection::vec(1usize..64, 0..20),
    ) {
        let mut network = network();
        for (group, is_multiple, n) in picks {
            let constraint = if is_multiple { Constraint::MultipleOf(n) } else { Constraint::AtLeast(n) };
            network.constrain(&constraint, |candidate| candidate.id == GroupId(group));
        }
        let weights = weights();
        let value = Magnitude::new(&network, &weights, Criterion::L2, Scope::PerLayer);
        let limits = Limits::default().prune_residual(true);
        let mut by_hand = ProblemBuilder::from_network(&network, &limits, &value).unwrap();
        sweep_all(&mut by_hand, &network);
        for group in &network.groups {
            let fitting: Vec<usize> = levels.iter().copied().filter(|&level| level < group.channels).collect();
            by_hand.set_levels(group.id, &fitting);
        }
        for problem in [problem_of(&network, &limits), by_hand.build().unwrap()] {
            for (group, offered) in network.groups.iter().zip(problem.groups()) {
                prop_assert!(offered.levels.iter().all(|&width| group.allows(width).is_ok()), "{:?}", offered);
            }
            let planners: [&dyn Planner; 2] = [&TwoStage::default(), &Uniform];
            for solution in planners.into_iter().filter_map(|p| p.plan(&problem, Budget::ratio(ratio)).ok()) {
                prop_assert_eq!(solution.to_plan(&network, &value).unwrap().validate(&network), Ok(()));
            }
        }
    }
}
