//! Each statistic against a value that can be worked out by hand; the form stands in the comment.
#![allow(clippy::unwrap_used)]

use stats::{
    Rng, SortedSamples, attained_confidence, median, median_interval, median_ranks, min_samples, quantile,
    ratio_interval,
};

#[track_caller]
fn check_ranks(n: usize, confidence: f64, expect: (usize, usize), attained: f64) {
    assert_eq!(median_ranks(n, confidence), Some(expect), "ranks for n = {n} at {confidence}");
    let found = attained_confidence(n, confidence);
    assert!((found - attained).abs() < 1e-9, "n = {n}: {found} where the closed form says {attained}");
}

#[test]
fn ranks_are_those_of_the_binomial_distribution() {
    // 1 - 2 * 1 / 2^n for the extremes.
    check_ranks(1, 0.95, (0, 0), 0.0);
    check_ranks(5, 0.95, (0, 4), 1.0 - 2.0 / 32.0);
    check_ranks(6, 0.95, (0, 5), 1.0 - 2.0 / 64.0);
    // n = 9: P[Bin <= 1] = (1 + 9) / 512.
    check_ranks(9, 0.95, (1, 7), 1.0 - 2.0 * 10.0 / 512.0);
    // n = 20: P[Bin <= 5] = (1 + 20 + 190 + 1140 + 4845 + 15504) / 2^20 = 21700 / 2^20.
    check_ranks(20, 0.95, (5, 14), 1.0 - 2.0 * 21700.0 / 1_048_576.0);
    // Confidence 0 asks for nothing: the middle sample, or the two middle ones.
    check_ranks(7, 0.0, (3, 3), 0.0);
    check_ranks(4, 0.0, (1, 2), 1.0 - 2.0 * 5.0 / 16.0);
    assert_eq!(median_ranks(0, 0.95), None);
}

#[test]
fn many_samples_follow_the_normal_approximation_and_do_not_underflow() {
    // The rank is close to n/2 - 1.96 sqrt(n)/2; 2^-n itself is zero as a number from n = 1075 on.
    for n in [49_usize, 50, 51, 1000, 1074, 1075, 5000, 100_000] {
        let (low, high) = median_ranks(n, 0.95).unwrap();
        let expect = n as f64 / 2.0 - 1.96 * (n as f64).sqrt() / 2.0;
        assert!((low as f64 - expect).abs() <= 1.5, "n = {n}: rank {low}, normal approximation {expect}");
        assert_eq!(low + high, n - 1, "the interval is symmetric in rank");
        assert!(attained_confidence(n, 0.95) >= 0.95);
    }
}

#[test]
fn fewest_samples_for_a_confidence() {
    // 1 - 2^(1-n) >= c, so n = 1 + ceil(-log2(1 - c)).
    for (confidence, expect) in [(0.0, 1), (0.5, 2), (0.9, 5), (0.95, 6), (0.975, 7), (0.99, 8), (0.999, 11)] {
        assert_eq!(min_samples(confidence), expect, "at {confidence}");
    }
}

#[test]
fn medians_and_quantiles() {
    assert_eq!(median(&[7.0]), Some(7.0));
    assert_eq!(median(&[2.0, 1.0]), Some(1.5));
    assert_eq!(median(&[f64::MAX, f64::MAX]), Some(f64::MAX), "the mean of two does not overflow");
    // h = (n - 1) q = 3 * 0.25 = 0.75, so 1 + 0.75 * (2 - 1).
    assert_eq!(quantile(&[1.0, 2.0, 3.0, 4.0], 0.25), Some(1.75));
    assert_eq!(quantile(&[1.0, 2.0], -1.0), Some(1.0));
    assert_eq!(quantile(&[1.0, 2.0], 2.0), Some(2.0));
    assert_eq!(quantile(&[], 0.5), None);
    let samples: SortedSamples = vec![3.0, 1.0, 2.0].into();
    assert_eq!(samples.as_slice(), [1.0, 2.0, 3.0]);
    assert_eq!(samples.quantile(0.5), samples.median());
}

/// Simulated sets in which the true value lies inside of the interval.
fn coverage(trials: u32, mut covers: impl FnMut(&mut Rng) -> bool) -> f64 {
    let mut rng = Rng::new(42);
    (0..trials).filter(|_| covers(&mut rng)).count() as f64 / f64::from(trials)
}

#[test]
fn median_interval_covers_as_often_as_it_says() {
    // Preempted runs: one sample in five takes twenty times as long. The median of the mixture with noise
    // Normal(100, 1) is its quantile 0.5 / 0.8 = 0.625, that is 100 + 0.3186.
    let share = coverage(4000, |rng| {
        let sample = |rng: &mut Rng| (100.0 + rng.normal()) * if rng.uniform() < 0.2 { 20.0 } else { 1.0 };
        let samples: SortedSamples = (0..20).map(|_| sample(rng)).collect();
        let [low, high] = samples.median_interval(0.95).unwrap();
        low <= 100.3186 && 100.3186 <= high
    });
    // Exactly 0.9586; the standard error of 4000 trials is 0.003.
    assert!((share - 0.9586).abs() < 0.012, "covered in {share}");
}

#[test]
fn ratio_interval_covers_under_drift_where_separate_medians_do_not() {
    // The machine slows down steadily by a factor of 3 while 20 pairs are taken; b takes 1.25 times as long.
    let mut separate = 0;
    let trials = 4000;
    let share = coverage(trials, |rng| {
        let drift = |i: usize| 1.0 + 2.0 * i as f64 / 19.0;
        let noise = |rng: &mut Rng| (0.02 * rng.normal()).exp();
        let a: Vec<f64> = (0..20).map(|i| 100.0 * drift(i) * noise(rng)).collect();
        let b: Vec<f64> = (0..20).map(|i| 125.0 * drift(i) * noise(rng)).collect();
        let width = |samples: &[f64]| {
            let [low, high] = SortedSamples::from(samples.to_vec()).median_interval(0.95).unwrap();
            (high - low) / median(samples).unwrap()
        };
        let ratio = ratio_interval(&a, &b, 0.95).unwrap();
        separate += u32::from(width(&a) > 5.0 * (ratio.interval[1] - ratio.interval[0]));
        ratio.interval[0] <= 1.25 && 1.25 <= ratio.interval[1]
    });
    assert!((share - 0.9586).abs() < 0.012, "covered in {share}");
    assert!(f64::from(separate) > 0.9 * f64::from(trials), "pairing removes the drift from the width: {separate}");
}

#[test]
fn ratio_of_what_cannot_be_paired() {
    assert_eq!(ratio_interval(&[], &[1.0], 0.95), None);
    assert_eq!(ratio_interval(&[0.0], &[1.0], 0.95), None);
    let ratio = ratio_interval(&[1.0, 2.0], &[2.0, 4.0, 100.0], 0.95).unwrap();
    assert_eq!((ratio.median, ratio.pairs, ratio.relative_half_width()), (2.0, 2, 0.0));
}

#[test]
fn rng_is_the_published_generator() {
    // xoshiro256++ step by step as it was published; its state 1, 2, 3, 4 has known first outputs.
    fn reference(s: &mut [u64; 4]) -> u64 {
        let result = s[0].wrapping_add(s[3]).rotate_left(23).wrapping_add(s[0]);
        let t = s[1] << 17;
        s[2] ^= s[0];
        s[3] ^= s[1];
        s[1] ^= s[2];
        s[0] ^= s[3];
        s[2] ^= t;
        s[3] = s[3].rotate_left(45);
        result
    }
    let mut state = [1, 2, 3, 4];
    let first = [41_943_041, 58_720_359, 3_588_806_011_781_223, 3_591_011_842_654_386];
    assert_eq!([(); 4].map(|()| reference(&mut state)), first);
    // The first outputs of splitmix64 for seed 0, again as published, are the state for seed 0.
    let mut state = [0xe220_a839_7b1d_cdaf, 0x6e78_9e6a_a1b9_65f4, 0x06c4_5d18_8009_454f, 0xf88b_b8a8_724c_81ec];
    let mut rng = Rng::new(0);
    for _ in 0..100 {
        assert_eq!(rng.next_u64(), reference(&mut state));
    }
    let mut rng = Rng::new(9);
    let n = 100_000;
    let (mut sum, mut squares) = (0.0, 0.0);
    for _ in 0..n {
        let x = rng.normal();
        (sum, squares) = (sum + x, squares + x * x);
    }
    // Standard errors: 1 / sqrt(n) = 0.003 and sqrt(2 / n) = 0.0045.
    assert!((sum / f64::from(n)).abs() < 0.015);
    assert!((squares / f64::from(n) - 1.0).abs() < 0.02);
    assert_eq!(rng.below(0), 0);
}

#[test]
fn shuffle_reaches_every_order_equally_often() {
    let mut rng = Rng::new(3);
    let mut counts = std::collections::BTreeMap::new();
    for _ in 0..6000 {
        let mut items = [0, 1, 2];
        rng.shuffle(&mut items);
        *counts.entry(items).or_insert(0) += 1;
    }
    // 1000 each, standard deviation 29.
    assert!(counts.len() == 6 && counts.values().all(|&n| (850..1150).contains(&n)), "{counts:?}");
}

#[test]
fn interval_of_few_samples_is_the_extremes() {
    assert_eq!(median_interval(&[1.0, 2.0, 9.0], 0.95), Some([1.0, 9.0]));
    assert_eq!(median_interval(&[1.0], 0.95), Some([1.0, 1.0]));
    assert_eq!(median_interval(&[], 0.95), None);
}
