//! Laws that hold for any samples.
#![allow(clippy::unwrap_used)]

use proptest::collection::vec;
use proptest::prelude::*;
use stats::{Rng, SortedSamples, attained_confidence, median, median_interval, quantile, ratio_interval};

fn samples() -> impl Strategy<Value = Vec<f64>> {
    vec(1e-3..1e9_f64, 1..120)
}

fn sorted(samples: &[f64]) -> Vec<f64> {
    SortedSamples::from(samples.to_vec()).as_slice().to_vec()
}

proptest! {
    #[test]
    fn order_of_arrival_does_not_matter(samples in samples(), seed: u64) {
        let mut shuffled = samples.clone();
        Rng::new(seed).shuffle(&mut shuffled);
        prop_assert_eq!(median(&samples), median(&shuffled));
        let mut one_by_one = SortedSamples::new();
        shuffled.iter().for_each(|&x| one_by_one.add(x));
        prop_assert_eq!(one_by_one, SortedSamples::from(samples));
    }

    #[test]
    fn everything_scales_with_the_unit(samples in samples(), exponent in -20..20_i32) {
        // A power of two scales without rounding.
        let scale = 2_f64.powi(exponent);
        let scaled: Vec<f64> = samples.iter().map(|x| x * scale).collect();
        prop_assert_eq!(median(&scaled).unwrap(), median(&samples).unwrap() * scale);
        let interval = median_interval(&sorted(&samples), 0.95).unwrap();
        prop_assert_eq!(median_interval(&sorted(&scaled), 0.95).unwrap(), interval.map(|x| x * scale));
        prop_assert_eq!(ratio_interval(&samples, &scaled, 0.95).unwrap().interval, [scale, scale]);
    }

    #[test]
    fn interval_holds_the_median_and_grows_with_confidence(samples in samples(), c in 0.0..1.0_f64, d in 0.0..1.0_f64) {
        let sorted = sorted(&samples);
        let median = median(&samples).unwrap();
        let narrow = median_interval(&sorted, c.min(d)).unwrap();
        let wide = median_interval(&sorted, c.max(d)).unwrap();
        prop_assert!(narrow[0] <= median && median <= narrow[1]);
        prop_assert!(wide[0] <= narrow[0] && narrow[1] <= wide[1]);
    }

    #[test]
    fn attained_confidence_is_what_was_asked_or_the_extremes(n in 1..400_usize, c in 0.0..0.9999_f64) {
        let attained = attained_confidence(n, c);
        let most = 1.0 - 0.5_f64.powi(n as i32 - 1);
        prop_assert!(attained >= c || (attained - most).abs() < 1e-12, "{} of {}", attained, c);
    }

    #[test]
    fn quantiles_are_monotone_and_within_the_samples(samples in samples(), p in 0.0..1.0_f64, q in 0.0..1.0_f64) {
        let sorted = sorted(&samples);
        let (low, high) = (quantile(&sorted, p.min(q)).unwrap(), quantile(&sorted, p.max(q)).unwrap());
        prop_assert!(sorted[0] <= low && low <= high && high <= sorted[sorted.len() - 1]);
        let middle = median(&samples).unwrap();
        prop_assert!((quantile(&sorted, 0.5).unwrap() - middle).abs() <= 1e-12 * middle);
    }

    #[test]
    fn outliers_on_one_side_move_the_interval_by_their_number_at_most(samples in vec(1.0..2.0_f64, 40..80)) {
        // Five preempted runs shift ranks by five, whatever they took.
        let clean = sorted(&samples);
        let dirty = sorted(&[&samples[..], &[1e6; 5]].concat());
        let [_, high] = median_interval(&dirty, 0.95).unwrap();
        prop_assert!(high <= clean[clean.len() - 1]);
    }

    #[test]
    fn same_seed_same_numbers(seed: u64, n in 1..1000_usize) {
        let (mut a, mut b) = (Rng::new(seed), Rng::new(seed));
        for _ in 0..20 {
            let x = a.below(n);
            prop_assert!(x < n);
            prop_assert_eq!(x, b.below(n));
            let u = a.uniform();
            prop_assert!((0.0..1.0).contains(&u));
            b.uniform();
        }
    }
}
