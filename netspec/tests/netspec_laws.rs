//! Laws that every conv spec, index map and plan obeys.
#![allow(clippy::unwrap_used, reason = "a test that unwraps in vain fails, as it should")]
use netspec::*;
use proptest::prelude::*;

fn specs() -> impl Strategy<Value = ConvSpec> {
    let shape = (1usize..5, 1usize..40, 1usize..40, 7usize..60, 7usize..60);
    let conv = (1usize..6, 1usize..6, 1usize..4, 1usize..4, prop::array::uniform4(0usize..3), 1usize..5);
    let rest = (0usize..4, any::<bool>(), any::<bool>(), any::<bool>(), 0usize..6);
    (shape, conv, rest).prop_map(
        |((batch, i, o, height, width), (kh, kw, sh, sw, padding, groups), (dt, nhwc, bias, residual, act))| {
            let mut spec = ConvSpec::new(i * groups, o * groups, [height, width], [kh, kw]);
            spec.batch = batch;
            spec.stride = [sh, sw];
            spec.padding = padding;
            spec.groups = groups;
            spec.dtype = [DType::F32, DType::Tf32, DType::F16, DType::Bf16][dt];
            spec.layout = if nhwc { Layout::Nhwc } else { Layout::Nchw };
            spec.epilogue.bias = bias;
            spec.epilogue.residual = residual;
            use Activation::*;
            spec.epilogue.activation = [None, Relu, Relu6, Silu, Sigmoid, HardSwish][act];
            spec
        },
    )
}

proptest! {
    #[test]
    fn text_form_is_canonical(spec in specs()) {
        prop_assert_eq!(spec.to_string().parse::<ConvSpec>(), Ok(spec));
    }

    #[test]
    fn json_round_trips(spec in specs()) {
        let json = serde_json::to_string(&spec).unwrap();
        prop_assert_eq!(serde_json::from_str::<ConvSpec>(&json).unwrap(), spec);
    }

    #[test]
    fn any_text_is_read_or_refused(text in "[nskpdg0-9x>,. a-z]{0,40}") {
        if let Ok(spec) = text.parse::<ConvSpec>() {
            prop_assert_eq!(spec.validate(), Ok(()));
        }
    }

    #[test]
    fn short_index_maps_mean_the_same(offset in 0usize..9, repeat in 1usize..5, n in 1usize..9) {
        let list: Vec<Vec<usize>> = (0..n).map(|c| (0..repeat).map(|r| offset + c * repeat + r).collect()).collect();
        let map = IndexMap::from_positions(list.clone());
        prop_assert_eq!(&map, &IndexMap::Affine { offset, repeat });
        prop_assert_eq!((0..n).map(|c| map.positions(c)).collect::<Vec<_>>(), list);
    }
}

#[test]
fn an_irregular_index_map_keeps_its_list() {
    let list = vec![vec![0, 4], vec![1, 5]];
    assert_eq!(IndexMap::from_positions(list.clone()), IndexMap::Positions { positions: list });
}

#[test]
fn bad_specs_are_named() {
    let check = |text: &str, part: &str| {
        let error = text.parse::<ConvSpec>().expect_err(text).to_string();
        assert!(error.contains(part), "`{text}` gave `{error}`");
    };
    check("64>128 0x7 k3", "height is 0");
    check("6>4 7x7 k1 g4", "multiples of the 4");
    check("6>4 7x7 k9", "larger than the padded image");
    check("6>4 7x7 k9 banana", "banana");
}

#[test]
fn grouped_convolutions_lose_whole_groups() {
    let mut depthwise = ConvSpec::new(32, 32, [14, 14], [3, 3]);
    depthwise.groups = 32;
    let narrow = depthwise.with_channels(24, 24);
    assert_eq!(narrow.groups, 24);
    assert!(narrow.is_depthwise());
}

fn network() -> Network {
    let member =
        Member { tensor: "w".into(), axis: 0, role: Role::Producer, map: IndexMap::Affine { offset: 0, repeat: 1 } };
    let mut network = Network::default();
    network.groups.push(ChannelGroup::new(GroupId(0), "w", 4));
    network.groups[0].members.push(member);
    network
}

#[test]
fn plans_for_other_networks_are_refused() {
    let network = network();
    let check = |change: fn(&mut GroupPlan), part: &str| {
        let mut plan = GroupPlan::new(&network.groups[0], vec![0, 2]);
        change(&mut plan);
        let result = PrunePlan { groups: vec![plan] }.validate(&network);
        match part {
            "" => assert_eq!(result, Ok(())),
            _ => assert!(result.expect_err(part).to_string().contains(part)),
        }
    };
    check(|_| (), "");
    check(|p| p.channels = 5, "another number of channels");
    check(|p| p.id = GroupId(3), "no such group");
    check(|p| p.members.clear(), "other members");
    check(|p| p.keep = vec![], "may be empty");
    check(|p| p.keep = vec![2, 2], "ascending");
    check(|p| p.keep = vec![1, 4], "below the group's channels");
}

#[test]
fn tensors_refuse_shapes_that_do_not_fit() {
    assert!(Tensor::from_f32(vec![2, 2], &[1.0; 3]).is_err());
    assert!(TensorView::new(ElementType::F64, vec![usize::MAX, 2], (&[] as &[u8]).into()).is_err());
    let view = TensorView::new(ElementType::I8, vec![2], vec![255u8, 3].into()).unwrap();
    assert_eq!(view.to_f32().unwrap(), [-1.0, 3.0]);
}

#[test]
fn every_integer_type_is_read_as_numbers() {
    let top = |element: ElementType| {
        let view = TensorView::new(element, vec![1], vec![0xff; element.bytes()].into()).unwrap();
        (view.to_i64().ok().map(|v| v[0]), view.to_f32().unwrap()[0])
    };
    for (element, whole, float) in [
        (ElementType::I8, Some(-1), -1.0),
        (ElementType::I16, Some(-1), -1.0),
        (ElementType::I32, Some(-1), -1.0),
        (ElementType::I64, Some(-1), -1.0),
        (ElementType::U8, Some(255), 255.0),
        (ElementType::U16, Some(65535), 65535.0),
        (ElementType::U32, Some(4294967295), 4294967296.0),
        // Above what an i64 holds.
        (ElementType::U64, None, 18446744073709551616.0),
    ] {
        assert_eq!(top(element), (whole, float), "{element:?}");
    }
}

#[test]
fn what_no_device_holds_is_refused_before_anything_overflows() {
    let base = ConvSpec::new(8, 8, [7, 7], [1, 1]);
    let too_large = |what: &'static str| Err(netspec::SpecError::TooLarge { what });
    let check = |spec: ConvSpec, what| assert_eq!(spec.validate(), too_large(what), "{spec}");
    check(ConvSpec { height: usize::MAX, ..base.clone() }, "a size is too large");
    check(ConvSpec { padding: [0, usize::MAX, 0, 0], ..base.clone() }, "a size is too large");
    check(ConvSpec { kernel: [1 << 40, 1], ..base.clone() }, "a size is too large");
    check(ConvSpec { c_in: 1 << 20, height: 1 << 25, ..base.clone() }, "a tensor is too large");
    check(ConvSpec { padding: [1 << 30, 1 << 30, 0, 0], ..base.clone() }, "a tensor is too large");
    check(ConvSpec { c_in: 1 << 20, c_out: 1 << 20, height: 1 << 20, ..base }, "the work is too much");
}

#[test]
fn elements_and_inputs_are_counted_by_hand() {
    let mut spec = ConvSpec::new(6, 4, [9, 7], [3, 5]);
    (spec.batch, spec.groups, spec.padding, spec.stride) = (2, 2, [1, 0, 2, 3], [2, 1]);
    // Output: (9 + 1 + 2 - 3) / 2 + 1 = 5 by 7 + 0 + 3 - 5 + 1 = 6; three input channels a group.
    assert_eq!((spec.fan_in(), spec.elements()), (45, [2 * 6 * 63, 4 * 45, 2 * 4 * 30]));
    assert_eq!(spec.macs(), (spec.elements()[2] * spec.fan_in()) as u64);
}

fn constraints() -> impl Strategy<Value = Vec<Constraint>> {
    let one = prop_oneof![(0usize..40).prop_map(Constraint::AtLeast), (0usize..12).prop_map(Constraint::MultipleOf)];
    prop::collection::vec(one, 0..4)
}

proptest! {
    #[test]
    fn a_plan_is_valid_exactly_where_its_widths_are_allowed(
        channels in 1usize..40,
        width in 0usize..40,
        constraints in constraints(),
        frozen in any::<bool>(),
        removable in any::<bool>(),
    ) {
        let width = width.min(channels);
        let mut group = ChannelGroup::new(GroupId(0), "w", channels);
        (group.constraints, group.removable) = (constraints, removable);
        group.frozen = frozen.then(|| "it says so".to_owned());
        let is_allowed = |width: usize| width == channels || !frozen && group.constraints.iter().all(|c| match c {
            Constraint::AtLeast(least) => width >= *least,
            Constraint::MultipleOf(step) => (0..=width).any(|n| n * step == width),
            _ => unreachable!("there are no others"),
        });
        let is_allowed = |width: usize| (width > 0 || removable) && is_allowed(width);
        prop_assert_eq!(group.widths().collect::<Vec<_>>(), (0..=channels).filter(|&w| is_allowed(w)).collect::<Vec<_>>());
        prop_assert!(group.allows(channels + 1).is_err());
        let plan = PrunePlan { groups: vec![GroupPlan::new(&group, (0..width).collect())] };
        let mut network = Network::default();
        network.groups.push(group.clone());
        match plan.validate(&network) {
            Ok(()) => prop_assert!(is_allowed(width)),
            Err(PlanError::Keep { .. }) => prop_assert!(width == 0 && !removable),
            Err(PlanError::Width { nearest, constraint, .. }) => {
                prop_assert!(!is_allowed(width) && !constraint.allows(width, channels));
                prop_assert!(!nearest.is_empty() && nearest.into_iter().all(is_allowed));
            }
            Err(error) => prop_assert!(frozen && matches!(error, PlanError::Frozen { .. }), "{}", error),
        }
    }

    #[test]
    fn groups_round_trip_with_their_constraints(constraints in constraints()) {
        let mut group = ChannelGroup::new(GroupId(0), "w", 9);
        group.constraints = constraints;
        let json = serde_json::to_string(&group).unwrap();
        prop_assert_eq!(serde_json::from_str::<ChannelGroup>(&json).unwrap(), group);
    }
}

#[test]
fn a_forbidden_width_is_named_with_its_neighbors() {
    let mut network = network();
    network.groups.push(ChannelGroup::new(GroupId(1), "conv2", 30));
    network.constrain(&Constraint::MultipleOf(8), |group| group.channels > 8);
    network.constrain(&Constraint::MultipleOf(8), |_| true);
    assert_eq!(network.groups[1].constraints, [Constraint::MultipleOf(8)], "the same one is not added twice");
    let plan = PrunePlan { groups: vec![GroupPlan::new(&network.groups[1], (0..13).collect())] };
    let said = plan.validate(&network).unwrap_err().to_string();
    assert_eq!(said, "group 1 (conv2) of the plan keeps 13 channels and must keep a multiple of 8; keep 8 or 16");
    let narrow = PrunePlan { groups: vec![GroupPlan::new(&network.groups[1], (0..3).collect())] };
    assert!(narrow.validate(&network).unwrap_err().to_string().ends_with("; keep 8"));
}

#[test]
fn groups_written_before_there_were_constraints_are_read() {
    let json = r#"{"id": 0, "name": "w", "channels": 4, "members": [], "residual": false, "frozen": null}"#;
    assert_eq!(serde_json::from_str::<ChannelGroup>(json).unwrap(), ChannelGroup::new(GroupId(0), "w", 4));
}

/// The words of an enum: printed, read back, and the same in JSON.
fn check_words<T>(all: &[T], expected: &str)
where
    T: Copy + std::fmt::Debug + std::fmt::Display + PartialEq + std::str::FromStr<Err = WordError>,
{
    let words: Vec<String> = all.iter().map(T::to_string).collect();
    assert_eq!(words.join(", "), expected);
    for (value, word) in all.iter().zip(&words) {
        assert_eq!(word.parse::<T>().as_ref(), Ok(value));
    }
    let error = "Warmish".parse::<T>().unwrap_err();
    assert_eq!(error.to_string(), format!("cannot read `Warmish`; expected one of {expected}"));
}

#[test]
fn enums_have_one_word_for_each_value() {
    use Provenance::*;
    use StopReason::*;
    check_words(&[Axis::CIn, Axis::COut], "c_in, c_out");
    check_words(&[CacheState::Warm, CacheState::Cold, CacheState::Network], "warm, cold, network");
    let provenances = [Measured, SameTread, Interpolated, Recorded, Simulated];
    check_words(&provenances, "measured, same-tread, interpolated, recorded, simulated");
    let reasons = [Precise, NoiseSettled, SampleLimit, TimeLimit, Decided, NotSampled];
    check_words(&reasons, "precise, noise-settled, sample-limit, time-limit, decided, not-sampled");
    assert_eq!(format!("{:8}|", Axis::CIn), "c_in    |");
    #[cfg(feature = "serde")]
    {
        let same = |json: serde_json::Result<String>, word: String| {
            assert_eq!(json.unwrap(), format!("\"{word}\""));
        };
        for axis in [Axis::CIn, Axis::COut] {
            same(serde_json::to_string(&axis), axis.to_string());
        }
        for cache in [CacheState::Warm, CacheState::Cold, CacheState::Network] {
            same(serde_json::to_string(&cache), cache.to_string());
        }
        for provenance in provenances {
            same(serde_json::to_string(&provenance), provenance.to_string());
        }
        for reason in reasons {
            same(serde_json::to_string(&reason), reason.to_string());
        }
    }
}
