//! Values against their definitions, spelled out here on small weights.
#![allow(clippy::unwrap_used, reason = "a failed test says enough by its line")]

use benefit::{Criterion, Magnitude, Scope, Scores, Value, ValueCurve, ValueError, ValueKind};
use netspec::{ChannelGroup, GroupId, IndexMap, Member, Network, Role, Tensor, TensorView, Weights};
use std::collections::HashMap;

struct Table(HashMap<&'static str, Tensor>);

impl Weights for Table {
    fn get(&self, name: &str) -> Option<TensorView<'_>> {
        self.0.get(name).cloned()
    }
}

const A: GroupId = GroupId(0);
const B: GroupId = GroupId(1);

/// conv_a (6 channels) -> norm -> Flatten of 2 positions -> fc_b (4 channels, no norm) -> fc_c.
fn network() -> Network {
    let affine = |repeat| IndexMap::Affine { offset: 0, repeat };
    let member = |tensor: &str, axis, role, map| Member { tensor: tensor.to_owned(), axis, role, map };
    let mut a = ChannelGroup::new(A, "conv_a", 6);
    a.members = vec![
        member("a.weight", 0, Role::Producer, affine(1)),
        member("a.bias", 0, Role::Parameter, affine(1)),
        member("norm.scale", 0, Role::Scale, affine(1)),
        member("norm.shift", 0, Role::Parameter, affine(1)),
        member("b.weight", 1, Role::Consumer, affine(2)),
    ];
    let mut b = ChannelGroup::new(B, "fc_b", 4);
    b.members =
        vec![member("b.weight", 0, Role::Producer, affine(1)), member("c.weight", 1, Role::Consumer, affine(1))];
    let mut network = Network::default();
    network.groups = vec![a, b];
    network
}

/// Numbers without a pattern.
fn number(i: usize) -> f32 {
    ((i * 37 + 11) % 23) as f32 / 7.0 - 1.5
}

fn weights() -> Table {
    let tensor = |shape: &[usize], from: usize| {
        let numbers: Vec<f32> = (0..shape.iter().product()).map(|i| number(i + from)).collect();
        Tensor::from_f32(shape.to_vec(), &numbers).unwrap()
    };
    Table(HashMap::from([
        ("a.weight", tensor(&[6, 3, 2, 2], 0)),
        ("a.bias", tensor(&[6], 5)),
        ("norm.scale", tensor(&[6], 9)),
        ("norm.shift", tensor(&[6], 2)),
        ("b.weight", tensor(&[4, 12], 3)),
        ("c.weight", tensor(&[5, 4], 1)),
    ]))
}

/// All numbers of a channel of group a in its two weights.
fn numbers_of(weights: &Table, channel: usize) -> [Vec<f64>; 2] {
    let all = |name| weights.0[name].to_f32().unwrap();
    let own = all("a.weight")[channel * 12..(channel + 1) * 12].iter().map(|&w| f64::from(w)).collect();
    let b = all("b.weight");
    let read =
        (0..4).flat_map(|row| (0..2).map(move |k| row * 12 + channel * 2 + k)).map(|i| f64::from(b[i])).collect();
    [own, read]
}

/// The scores behind a raw curve, by channel.
fn raw_scores(curve: &ValueCurve) -> Vec<f64> {
    let mut scores = vec![0.0; curve.channels()];
    for (removed, &channel) in curve.order().iter().enumerate() {
        let at = |removed: usize| curve.value(curve.channels() - removed);
        scores[channel] = at(removed) - at(removed + 1);
    }
    scores
}

#[track_caller]
fn check(criterion: Criterion, expect: &[f64]) {
    let (network, weights) = (network(), weights());
    let value = Magnitude::new(&network, &weights, criterion, Scope::Raw);
    let scores = raw_scores(&value.curve(A).unwrap());
    let is_near = |(a, b): (&f64, &f64)| (a - b).abs() < 1e-9 * b.abs().max(1.0);
    assert!(scores.iter().zip(expect).all(is_near), "{criterion}: {scores:?}, expected {expect:?}");
}

/// Sums over both weights of what each says of a channel.
fn each(of: impl Fn(&Table, usize, usize) -> f64) -> Vec<f64> {
    let weights = weights();
    (0..6).map(|channel| (0..2).map(|weight| of(&weights, weight, channel)).sum()).collect()
}

#[test]
fn norms_sum_over_what_computes_and_what_reads_a_channel() {
    check(Criterion::L1, &each(|w, i, c| numbers_of(w, c)[i].iter().map(|w| w.abs()).sum()));
    check(Criterion::L2, &each(|w, i, c| numbers_of(w, c)[i].iter().map(|w| w * w).sum()));
}

#[test]
fn the_geometric_median_is_by_distances_within_each_weight() {
    let distances = each(|w, i, c| {
        let own = &numbers_of(w, c)[i];
        let to = |other: usize| {
            let squares = own.iter().zip(&numbers_of(w, other)[i]).map(|(a, b)| (a - b).powi(2)).sum::<f64>();
            squares.sqrt()
        };
        (0..6).map(to).sum()
    });
    check(Criterion::GeometricMedian, &distances);
}

#[test]
fn more_columns_than_a_block_change_nothing() {
    let (mut network, mut weights) = (network(), weights());
    let shape = [6, 11, 11, 11];
    let numbers: Vec<f32> = (0..6 * 1331).map(|i| ((i * i) as f32 * 0.37).sin()).collect();
    weights.0.insert("a.weight", Tensor::from_f32(shape.to_vec(), &numbers).unwrap());
    network.groups[0].members.truncate(1);
    let distance = |a: usize, b: usize| {
        let pairs = numbers[a * 1331..(a + 1) * 1331].iter().zip(&numbers[b * 1331..(b + 1) * 1331]);
        pairs.map(|(a, b)| (f64::from(*a) - f64::from(*b)).powi(2)).sum::<f64>().sqrt()
    };
    let value = Magnitude::new(&network, &weights, Criterion::GeometricMedian, Scope::Raw);
    for (channel, score) in raw_scores(&value.curve(A).unwrap()).into_iter().enumerate() {
        let expect: f64 = (0..6).map(|other| distance(channel, other)).sum();
        assert!((score - expect).abs() < 1e-6 * expect, "channel {channel}: {score}, expected {expect}");
    }
}

#[test]
fn lamp_divides_by_all_that_are_not_smaller() {
    let squares = each(|w, i, c| numbers_of(w, c)[i].iter().map(|w| w * w).sum());
    let lamp = |own: &f64| own / squares.iter().filter(|other| *other >= own).sum::<f64>();
    let expect: Vec<f64> = squares.iter().map(lamp).collect();
    check(Criterion::Lamp, &expect);
    assert!(expect.contains(&1.0), "the largest is worth 1");
}

#[test]
fn the_norm_scale_counts_once_and_needs_a_norm() {
    let scales: Vec<f64> = (0..6).map(|i| f64::from(number(i + 9).abs())).collect();
    check(Criterion::NormScale, &scales);
    let (network, weights) = (network(), weights());
    let value = Magnitude::new(&network, &weights, Criterion::NormScale, Scope::PerLayer);
    assert_eq!(value.curve(B), Err(ValueError::NoScale { group: "fc_b".to_owned() }));
}

#[test]
fn random_values_follow_their_seed() {
    let (network, weights) = (network(), weights());
    let curve = |seed, group| {
        let value = Magnitude::new(&network, &weights, Criterion::Random(seed), Scope::PerLayer);
        assert_eq!(value.kind(), ValueKind::Random);
        value.curve(group).unwrap()
    };
    assert_eq!(curve(3, A), curve(3, A));
    assert_ne!(curve(3, A), curve(4, A));
    // No weight is read: there may be none.
    let value = Magnitude::new(&network, &weights, Criterion::Random(3), Scope::Raw);
    assert!(raw_scores(&value.curve(B).unwrap()).iter().all(|score| (0.0..1.0).contains(score)));
}

#[test]
fn parameters_of_a_channel_change_no_weight_criterion() {
    let network = network();
    let (plain, mut other) = (weights(), weights());
    for name in ["a.bias", "norm.scale", "norm.shift"] {
        other.0.insert(name, Tensor::from_f32(vec![6], &[9.0, 0.0, 9.0, 0.0, 9.0, 0.0]).unwrap());
    }
    for criterion in [Criterion::L1, Criterion::L2, Criterion::GeometricMedian, Criterion::Lamp] {
        for scope in [Scope::Raw, Scope::PerLayer] {
            let [first, second] = [&plain, &other].map(|w| Magnitude::new(&network, w, criterion, scope).curve(A));
            assert_eq!(first, second, "{criterion}, {scope}");
        }
    }
}

#[test]
fn scores_reach_the_channels_that_own_them() {
    let (network, weights) = (network(), weights());
    let mut scores = Scores::new(&network, &weights, Scope::Raw);
    scores.tensor("a.weight", &[6], &[6.0, 5.0, 4.0, 3.0, 2.0, 1.0]).unwrap();
    assert_eq!(raw_scores(&scores.curve(A).unwrap()), [6.0, 5.0, 4.0, 3.0, 2.0, 1.0]);
    // A whole weight is of both its groups: 12 columns, two for each channel of a; 4 rows.
    let whole: Vec<f64> =
        (0..48).map(|i| if i % 12 == 5 { 10.0 } else { 0.0 } + if i / 12 == 3 { 1.0 } else { 0.0 }).collect();
    scores.tensor("b.weight", &[4, 12], &whole).unwrap();
    assert_eq!(raw_scores(&scores.curve(A).unwrap()), [8.0, 7.0, 4.0 + 42.0, 5.0, 4.0, 3.0]);
    assert_eq!(raw_scores(&scores.curve(B).unwrap()), [10.0, 10.0, 10.0, 22.0]);
    assert_eq!((scores.kind(), scores.name()), (ValueKind::File, "scores, raw".to_owned()));
}

#[test]
fn scores_from_weights_are_the_magnitude() {
    let (network, weights) = (network(), weights());
    for scope in [Scope::Raw, Scope::PerLayer] {
        let mut scores = Scores::new(&network, &weights, scope);
        for name in ["a.weight", "b.weight", "c.weight"] {
            let tensor = &weights.0[name];
            let squares: Vec<f64> = tensor.to_f32().unwrap().iter().map(|&w| f64::from(w).powi(2)).collect();
            scores.tensor(name, &tensor.shape, &squares).unwrap();
        }
        for group in [A, B] {
            let magnitude = Magnitude::new(&network, &weights, Criterion::L2, scope).curve(group).unwrap();
            assert_eq!(scores.curve(group).unwrap(), magnitude, "{scope}");
        }
    }
}

#[test]
fn curves_come_by_the_name_of_the_group_or_of_its_weight() {
    let (network, weights) = (network(), weights());
    let curve = |n: usize| ValueCurve::new((0..n).collect(), (0..=n).map(|i| -(i as f64)).collect()).unwrap();
    let mut scores = Scores::new(&network, &weights, Scope::Raw).with_kind(ValueKind::Damage);
    scores.group("conv_a", curve(6)).unwrap();
    scores.group("b.weight", curve(4)).unwrap();
    assert_eq!((scores.curve(A), scores.curve(B), scores.kind()), (Ok(curve(6)), Ok(curve(4)), ValueKind::Damage));
    let says = |result: Result<(), ValueError>, text: &str| {
        let error = result.expect_err(text).to_string();
        assert!(error.contains(text), "`{error}` does not say `{text}`");
    };
    says(scores.group("a.weight", curve(6)), "group `conv_a` has a curve, and `a.weight` gives it another");
    says(scores.tensor("a.weight", &[6], &[1.0; 6]), "group `conv_a` has a curve, and `a.weight` gives it another");
    says(scores.group("fc_c", curve(5)), "there are scores for `fc_c`, which is not a weight of a channel group");
    says(Scores::new(&network, &weights, Scope::Raw).group("fc_b", curve(5)), "group `fc_b` has 4 channels");
}

#[track_caller]
fn refused(tensor: &str, shape: &[usize], values: &[f64], text: &str) {
    let (network, weights) = (network(), weights());
    let error = Scores::new(&network, &weights, Scope::Raw).tensor(tensor, shape, values).expect_err(text).to_string();
    assert!(error.contains(text), "`{error}` does not say `{text}`");
}

#[test]
fn scores_that_do_not_fit_are_named() {
    refused("a.weight", &[6], &[1.0, 1.0, -0.5, 1.0, 1.0, 1.0], "score 2 for `a.weight` is -0.5");
    refused("a.weight", &[6], &[1.0, 1.0, 1.0, 1.0, 1.0, f64::NAN], "score 5 for `a.weight` is NaN");
    refused("a.weight", &[7], &[1.0; 7], "the scores for `a.weight` have the shape [7]; expected [6, 3, 2, 2]");
    refused("a.weight", &[6, 3, 2], &[1.0; 36], "the scores for `a.weight` have the shape [6, 3, 2]");
    refused("a.weight", &[6, 3, 2, 2], &[1.0; 71], "the scores for `a.weight` have the shape");
    refused("module.a.weight", &[6], &[1.0; 6], "did you mean `a.weight`?");
    let (network, weights) = (network(), weights());
    let missing = Scores::new(&network, &weights, Scope::Raw).curve(B).unwrap_err().to_string();
    assert_eq!(missing, "group `fc_b` has no scores; give some for `b.weight` or `c.weight`, or freeze the group");
    let mut twice = Scores::new(&network, &weights, Scope::Raw);
    twice.tensor("c.weight", &[4], &[1.0; 4]).unwrap();
    assert!(matches!(twice.tensor("c.weight", &[4], &[1.0; 4]), Err(ValueError::Twice { .. })));
}
