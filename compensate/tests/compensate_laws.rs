//! Fits and orders against their definitions.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use compensate::{Bias, CompensateError, Moments, Reader, Unfold, refit, refit_held_out, removal};
use nalgebra::DMatrix;
use netspec::ConvSpec;
use proptest::prelude::*;

const RIDGE: f64 = 1e-10;

/// Rows of inputs that depend on each other, as activations do: a few hidden causes and some noise.
fn rows(inputs: usize, n: usize, seed: u64) -> Vec<f64> {
    let mut state = seed.wrapping_mul(2).wrapping_add(1);
    let mut next = move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as f64 / f64::from(1_u32 << 31) - 0.5
    };
    let causes = inputs.div_ceil(2);
    let mixing: Vec<f64> = (0..inputs * causes).map(|_| next()).collect();
    let mut rows = Vec::new();
    for _ in 0..n {
        let cause: Vec<f64> = (0..causes).map(|_| next()).collect();
        for input in 0..inputs {
            let mixed: f64 = (0..causes).map(|c| mixing[input * causes + c] * cause[c]).sum();
            rows.push(mixed + 0.1 * next() + input as f64);
        }
    }
    rows
}

fn moments_of(x: &[f64], inputs: usize) -> Moments {
    let mut moments = Moments::new(inputs, 0);
    moments.add(x, &[]).unwrap();
    moments
}

/// The energy of a layer's outputs that no weights on the inputs in `stay` can restore.
fn unrestorable(moments: &Moments, weights: &[f64], stay: &[usize]) -> f64 {
    let full = moments.of_layer(weights).unwrap();
    let targets = full.targets();
    if stay.is_empty() {
        return 1.0;
    }
    let some = full.select(stay).unwrap();
    refit(&some, &vec![0.0; stay.len() * targets], RIDGE, Bias::Free).unwrap().lost_after
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn every_step_of_a_removal_is_the_cheapest_and_costs_what_is_lost(
        channels in 1_usize..6, block in 1_usize..4, outputs in 1_usize..5, others in 0_usize..3, seed in 0_u64..1000,
    ) {
        let inputs = channels * block + others;
        let x = rows(inputs, 60, seed);
        let moments = moments_of(&x, inputs);
        let weights: Vec<f64> = rows(inputs, outputs, seed + 7).iter().map(|w| w.sin()).collect();
        let features: Vec<Vec<usize>> = (0..channels).map(|c| (c * block..(c + 1) * block).collect()).collect();
        let reader = Reader::new(&moments, &weights, features.clone(), RIDGE).unwrap();
        let removal = removal(vec![reader], channels).unwrap();
        let mut stay: Vec<usize> = (0..inputs).collect();
        prop_assert_eq!(removal.loss[0], 0.0);
        for (step, &channel) in removal.order.iter().enumerate() {
            let without = |c: usize| -> Vec<usize> { stay.iter().copied().filter(|f| !features[c].contains(f)).collect() };
            let own = unrestorable(&moments, &weights, &without(channel));
            prop_assert!((removal.loss[step + 1] - own).abs() < 1e-6, "step {}: {} is {}", step, removal.loss[step + 1], own);
            for &rival in &removal.order[step..] {
                prop_assert!(own <= unrestorable(&moments, &weights, &without(rival)) + 1e-7);
            }
            stay = without(channel);
        }
    }

    #[test]
    fn no_nearby_weights_are_better(inputs in 1_usize..5, targets in 1_usize..4, ridge in 1e-6_f64..1.0, has_bias: bool, seed in 0_u64..1000) {
        let bias = if has_bias { Bias::Free } else { Bias::Kept };
        let (x, y) = (rows(inputs, 40, seed), rows(targets, 40, seed + 1));
        let mut moments = Moments::new(inputs, targets);
        moments.add(&x, &y).unwrap();
        let old: Vec<f64> = rows(inputs, targets, seed + 2).iter().map(|w| w.cos()).collect();
        let fit = refit(&moments, &old, ridge, bias).unwrap();
        let x = DMatrix::from_row_slice(40, inputs, &x);
        let y = DMatrix::from_row_slice(40, targets, &y);
        let variance_of = |c: nalgebra::DVectorView<'_, f64>| if has_bias { c.variance() } else { c.norm_squared() / 40.0 };
        let variance: f64 = x.column_iter().map(variance_of).sum::<f64>() / inputs as f64;
        let objective = |w: &[f64], b: &[f64]| -> f64 {
            let error = &x * DMatrix::from_column_slice(inputs, targets, w)
                + DMatrix::from_fn(40, targets, |_, t| b[t]) - &y;
            let distance: f64 = w.iter().zip(&old).map(|(w, o)| (w - o).powi(2)).sum();
            error.norm_squared() / 40.0 + ridge * variance * distance
        };
        let best = objective(&fit.weights, &fit.shift);
        for i in 0..inputs * targets {
            for step in [-1e-3, 1e-3] {
                let mut moved = fit.weights.clone();
                moved[i] += step;
                prop_assert!(objective(&moved, &fit.shift) >= best - 1e-9);
            }
        }
        for t in 0..if has_bias { targets } else { 0 } {
            for step in [-1e-3, 1e-3] {
                let mut moved = fit.shift.clone();
                moved[t] += step;
                prop_assert!(objective(&fit.weights, &moved) >= best - 1e-9);
            }
        }
        prop_assert!(fit.lost_after <= fit.lost_before + ridge);
    }

    #[test]
    fn weights_on_unfolded_rows_are_the_convolution(
        per_group in 1_usize..4, groups in 1_usize..3, height in 3_usize..8, width in 3_usize..8,
        kernel in prop::array::uniform2(1_usize..4), stride in prop::array::uniform2(1_usize..3),
        padding in prop::array::uniform4(0_usize..2), seed in 0_u64..1000,
    ) {
        let c_in = per_group * groups;
        let mut spec = ConvSpec::new(c_in, 2 * groups, [height, width], kernel);
        (spec.stride, spec.padding, spec.groups) = (stride, padding, groups);
        prop_assume!(spec.validate().is_ok());
        let unfold = Unfold::new(&spec);
        let image: Vec<f32> = rows(unfold.input_len(), 1, seed).iter().map(|&v| v.sin() as f32).collect();
        let weights: Vec<f64> = rows(unfold.features(), 2 * groups, seed + 1).iter().map(|w| w.cos()).collect();
        let [out_h, out_w] = spec.out_hw();
        for group in 0..groups {
            let mut unfolded = Vec::new();
            let pixels: Vec<usize> = (0..unfold.pixels()).collect();
            unfold.rows(&image, &pixels, group, &mut unfolded);
            for out in 0..2 {
                let w = &weights[(2 * group + out) * unfold.features()..][..unfold.features()];
                for pixel in 0..out_h * out_w {
                    let row = &unfolded[pixel * unfold.features()..][..unfold.features()];
                    let by_rows: f64 = row.iter().zip(w).map(|(x, w)| x * w).sum();
                    let mut direct = 0.0;
                    for c in 0..per_group {
                        for i in 0..kernel[0] {
                            for j in 0..kernel[1] {
                                let y = (pixel / out_w * stride[0] + i) as isize - padding[0] as isize;
                                let x = (pixel % out_w * stride[1] + j) as isize - padding[1] as isize;
                                if (0..height as isize).contains(&y) && (0..width as isize).contains(&x) {
                                    let at = ((group * per_group + c) * height + y as usize) * width + x as usize;
                                    direct += f64::from(image[at]) * w[(c * kernel[0] + i) * kernel[1] + j];
                                }
                            }
                        }
                    }
                    prop_assert!((by_rows - direct).abs() < 1e-9);
                }
            }
        }
    }
}

#[test]
fn what_others_know_is_not_missed() {
    // Channel 2 is a mixture of the others; channel 0 is read by nobody.
    let x: Vec<f64> = (0..50)
        .flat_map(|i| {
            let (a, b) = ((i as f64 * 1.7).sin(), (i as f64 * 0.3).cos());
            [(i % 7) as f64, a, 2.0 * a - b + 1.0, b]
        })
        .collect();
    let features = (0..4).map(|c| vec![c]).collect();
    let reader = Reader::new(&moments_of(&x, 4), &[0.0, 1.0, 1.0, 1.0], features, 1e-12).unwrap();
    let removal = removal(vec![reader], 4).unwrap();
    assert!(removal.loss[2] < 1e-9, "{removal:?}");
    assert!(removal.order[..2].contains(&0), "{removal:?}");
    assert!(removal.loss[3] > 0.01 && (removal.loss[4] - 1.0).abs() < 1e-4, "{removal:?}");
}

#[test]
fn losses_of_several_readers_add_up() {
    let x = rows(4, 50, 3);
    let features: Vec<Vec<usize>> = (0..4).map(|c| vec![c]).collect();
    let reader = |w: &[f64]| Reader::new(&moments_of(&x, 4), w, features.clone(), RIDGE).unwrap();
    let both = removal(vec![reader(&[1.0, 0.0, 0.0, 0.0]), reader(&[0.0, 0.0, 0.0, 5.0])], 4).unwrap();
    assert!((both.loss[4] - 2.0).abs() < 1e-6, "{both:?}");
    assert!(both.order[2..] == [0, 3] || both.order[2..] == [3, 0], "{both:?}");
}

#[test]
fn portions_do_not_matter_and_mistakes_are_named() {
    let x = rows(3, 20, 1);
    let mut portions = Moments::new(3, 0);
    portions.add(&x[..15], &[]).unwrap();
    portions.add(&x[15..], &[]).unwrap();
    let whole = moments_of(&x, 3);
    assert_eq!((portions.rows(), whole.rows()), (20, 20));
    let fit = |m: &Moments| refit(&m.of_layer(&[1.0, 2.0, 3.0]).unwrap(), &[0.0; 3], 1e-9, Bias::Free).unwrap().weights;
    fit(&portions).iter().zip(fit(&whole)).for_each(|(a, b)| assert!((a - b).abs() < 1e-6));

    assert!(matches!(portions.add(&x[..4], &[]), Err(CompensateError::Length { found: 4, expected: 3, .. })));
    assert!(matches!(portions.add(&[f64::NAN, 0.0, 0.0], &[]), Err(CompensateError::NotFinite { .. })));
    assert_eq!(portions.rows(), 20);
    assert_eq!(refit(&Moments::new(2, 1), &[0.0; 2], 1.0, Bias::Free), Err(CompensateError::Empty));
    assert!(matches!(refit(&whole, &[0.0; 2], 1.0, Bias::Free), Err(CompensateError::Length { .. })));
    let twice = Reader::new(&whole, &[1.0; 3], vec![vec![0], vec![0]], 1.0);
    assert!(matches!(twice, Err(CompensateError::Feature { channel: 1, feature: 0, .. })));
    assert!(matches!(whole.select(&[3]), Err(CompensateError::Feature { feature: 3, .. })));
    let reader = Reader::new(&whole, &[1.0; 3], vec![vec![0], vec![1]], 1.0).unwrap();
    assert!(matches!(removal(vec![reader], 3), Err(CompensateError::Length { .. })));
}

#[test]
fn one_row_and_constant_inputs_keep_the_old_weights() {
    let mut moments = Moments::new(2, 1);
    moments.add(&[1.0, 2.0], &[7.0]).unwrap();
    let fit = refit(&moments, &[0.5, 0.25], 1e-3, Bias::Free).unwrap();
    assert!(fit.weights.iter().zip([0.5, 0.25]).all(|(a, b)| (a - b).abs() < 1e-9), "{fit:?}");
    assert!((fit.shift[0] - 6.0).abs() < 1e-9, "{fit:?}");
}

#[test]
fn many_rows_of_many_inputs_are_taken_in_by_blocks() {
    // More inputs than a panel has columns, more rows than a block: the layer is found again.
    let (inputs, n) = (300, 1300);
    let x: Vec<f64> = (0..inputs * n).map(|i| ((i as f64 * 12.9898).sin() * 43_758.547).fract()).collect();
    let weights: Vec<f64> = (0..inputs).map(|i| (i as f64).cos()).collect();
    let y: Vec<f64> =
        x.chunks(inputs).map(|row| 5.0 + row.iter().zip(&weights).map(|(x, w)| x * w).sum::<f64>()).collect();
    let mut moments = Moments::new(inputs, 1);
    for (x, y) in x.chunks(7 * inputs).zip(y.chunks(7)) {
        moments.add(x, y).unwrap();
    }
    assert_eq!(moments.rows(), n);
    let fit = refit(&moments, &vec![0.0; inputs], 1e-12, Bias::Free).unwrap();
    assert!(fit.weights.iter().zip(&weights).all(|(a, b)| (a - b).abs() < 1e-6) && (fit.shift[0] - 5.0).abs() < 1e-4);
    // The order of inputs does not matter, and neither does where the rows wait.
    let backwards: Vec<usize> = (0..inputs).rev().collect();
    let turned = refit(&moments.select(&backwards).unwrap(), &vec![0.0; inputs], 1e-12, Bias::Free).unwrap();
    assert!(turned.weights.iter().rev().zip(&weights).all(|(a, b)| (a - b).abs() < 1e-6));
}

/// Rows with targets: what a layer of these weights makes of them, and noise that no other row shares.
fn noisy(inputs: usize, n: usize, weights: &[f64], rows_seed: u64, noise_seed: u64) -> Moments {
    // Of one long table, so that all have the same hidden causes.
    let x = rows(inputs, 2000, rows_seed);
    let start = noise_seed as usize % (2000 - n);
    let x = &x[start * inputs..(start + n) * inputs];
    let noise = rows(1, n, noise_seed);
    let y: Vec<f64> = x
        .chunks(inputs)
        .zip(noise)
        .map(|(row, noise)| row.iter().zip(weights).map(|(x, w)| x * w).sum::<f64>() + 3.0 * noise)
        .collect();
    let mut moments = Moments::new(inputs, 1);
    moments.add(x, &y).unwrap();
    moments
}

#[test]
fn fewer_rows_than_inputs_are_not_fitted_to_their_noise() {
    let inputs = 80;
    let weights: Vec<f64> = (0..inputs).map(|i| (i as f64).sin() / 8.0).collect();
    let old: Vec<f64> = weights.iter().map(|w| 0.8 * w).collect();
    let [few, held_out, fresh] =
        [(50, 100), (20, 400), (900, 700)].map(|(n, seed)| noisy(inputs, n, &weights, 5, seed));
    let plain = refit(&few.merged(&held_out).unwrap(), &old, 1e-4, Bias::Free).unwrap();
    let chosen = refit_held_out(&few, &held_out, &old, 1e-4, Bias::Free).unwrap();
    let losses = [plain.lost_after, chosen.lost_after];
    assert!(chosen.ridge > plain.ridge && losses[0] < 0.3 * losses[1], "{losses:?} {}", chosen.ridge);
    // What either misses of rows that it has not seen, as the share that a fit with endless ridge to its weights misses.
    let lost = |weights: &[f64]| refit(&fresh, weights, 1e12, Bias::Free).unwrap().lost_before;
    assert!(lost(&chosen.weights) < 0.8 * lost(&plain.weights), "{} {}", lost(&chosen.weights), lost(&plain.weights));
    // Rows in plenty leave more to the rows.
    let [many, others] = [(1200, 0), (700, 1250)].map(|(n, seed)| noisy(inputs, n, &weights, 5, seed));
    let free = refit_held_out(&many, &others, &old, 1e-4, Bias::Free).unwrap();
    assert!(lost(&free.weights) < lost(&chosen.weights), "{} of {}", lost(&free.weights), lost(&chosen.weights));
    // With nothing held out a ridge of inputs over rows keeps what one row says in its place.
    let one = noisy(inputs, 1, &weights, 5, 9);
    let held = refit_held_out(&one, &Moments::new(inputs, 1), &old, 1e-4, Bias::Free).unwrap();
    assert_eq!(held.ridge, 80.0);
    let wrong = refit_held_out(&few, &Moments::new(inputs, 2), &old, 1e-4, Bias::Free).unwrap_err();
    assert!(wrong.to_string().contains("targets of moments to be merged"), "{wrong}");
}

#[test]
fn merged_moments_are_those_of_all_rows() {
    let x = rows(7, 900, 3);
    let [first, second] = [&x[..7 * 300], &x[7 * 300..]].map(|part| moments_of(part, 7));
    let (merged, whole) = (first.merged(&second).unwrap(), moments_of(&x, 7));
    assert_eq!(merged.rows(), 900);
    let weights: Vec<f64> = (0..7).map(f64::from).collect();
    let lost = |moments: &Moments| unrestorable(moments, &weights, &[0, 1, 2]);
    assert!((lost(&merged) - lost(&whole)).abs() < 1e-9 * lost(&whole), "{} {}", lost(&merged), lost(&whole));
}
