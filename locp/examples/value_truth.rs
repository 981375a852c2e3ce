//! Is a value true? Random plans of a model, what each value says of them, and the top-1 that they really have.
//!
//!     cargo run --release -p locp --example value_truth -- MODEL CALIB IMAGES LABELS PLANS [SEED [ENGINE [VALUE..]]] > truth.jsonl
//!
//! Each plan has random widths for all inner groups, from a quarter to all channels. Each value chooses its own channels at
//! these widths, as a planner would have it; the result is fitted to the calibration images, and top-1 is counted with and
//! without that on images that calibrated nothing, where the outputs' relative error is taken too: it has less sampling
//! error than top-1. One JSON object per plan and value goes to stdout, the rank correlations to stderr. Without arguments it tries one plan of the shipped model for one value.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "an example prints")]

use benefit::{Criterion, Magnitude, Scope, Value};
use locp::netspec::{GroupPlan, PrunePlan};
use locp::{Calib, Damage, HeldOut, Model, Watch};
use std::error::Error;
use std::path::{Path, PathBuf};

/// Images per run where top-1 is counted.
const BATCH: usize = 50;

fn main() -> Result<(), Box<dyn Error>> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let shipped = |name: &str| Path::new(env!("CARGO_MANIFEST_DIR")).join("../models").join(name);
    let file = |place: usize, name: &str| words.get(place).map_or_else(|| shipped(name), PathBuf::from);
    let model = Model::open(&file(0, "fashion.onnx"), Some(BATCH))?;
    let mut calib = Calib::read(&file(1, "calib_images.npy"), &model, None)?;
    let held_out = HeldOut::read(&file(2, "test_images.npy"), Some(&file(3, "test_labels.npy")), &model, None)?;
    let plans: usize = words.get(4).map_or(Ok(1), |word| word.parse())?;
    let seed: u64 = words.get(5).map_or(Ok(0), |word| word.parse())?;
    // Many plans, so less is spent on each than `apply --calib` would.
    calib.effort = 2;
    if words.is_empty() {
        (calib.effort, calib.compared) = (0, 8);
    }
    let engine = locp::engine(words.get(6).map_or("tract", String::as_str), 1, seed)?;
    let watch = Watch::default();
    let damage = Damage::new(&*locp::runner(&*engine, "calibration")?, &model, &calib, false, &watch)?;
    let magnitude = |criterion, scope| Magnitude::new(model.network(), model.onnx(), criterion, scope);
    let values: Vec<(&str, Box<dyn Value + '_>)> = vec![
        ("damage", Box::new(damage)),
        ("l2, per layer", Box::new(magnitude(Criterion::L2, Scope::PerLayer))),
        ("l2, raw", Box::new(magnitude(Criterion::L2, Scope::Raw))),
        ("l1, per layer", Box::new(magnitude(Criterion::L1, Scope::PerLayer))),
        ("fpgm, per layer", Box::new(magnitude(Criterion::GeometricMedian, Scope::PerLayer))),
        ("lamp, per layer", Box::new(magnitude(Criterion::Lamp, Scope::PerLayer))),
        ("random", Box::new(magnitude(Criterion::Random(seed), Scope::PerLayer))),
    ];
    let quick = ["damage".to_owned()];
    let wanted = if words.is_empty() { quick.as_slice() } else { words.get(7..).unwrap_or_default() };
    let values: Vec<_> =
        values.into_iter().filter(|(name, _)| wanted.is_empty() || wanted.iter().any(|word| word == name)).collect();
    let mut rng = stats::Rng::new(seed);
    let mut seen: Vec<Vec<[f64; 4]>> = vec![Vec::new(); values.len()];
    for plan in 0..plans {
        // One strength for the plan and one for each group, so that plans differ in both.
        let strength = rng.uniform();
        let groups: Vec<(usize, usize)> = model
            .network()
            .groups
            .iter()
            .filter(|group| group.frozen.is_none() && !group.residual)
            .map(|group| {
                let share = 1.0 - 0.75 * strength * rng.uniform();
                (group.id.0, ((share * group.channels as f64).ceil() as usize).clamp(1, group.channels))
            })
            .collect();
        for ((name, value), seen) in values.iter().zip(&mut seen) {
            let mut whole = PrunePlan::default();
            let mut worth = 0.0;
            for &(group, width) in &groups {
                let group = &model.network().groups[group];
                let curve = value.curve(group.id)?;
                worth += curve.value(width);
                if width < group.channels {
                    whole.groups.push(GroupPlan::new(group, curve.keep(width)));
                }
            }
            let folder = tempfile::tempdir()?;
            let [bare, fitted] = ["bare.onnx", "fitted.onnx"].map(|name| folder.path().join(name));
            onnx_surgery::Patch::build(model.onnx(), &whole)?.write(&bare)?;
            locp::apply_fitted(&model, &whole, &fitted, &*locp::runner(&*engine, "calibration")?, &calib, &watch)?;
            let bare = held_out.accuracy(&*engine, &bare, BATCH, &watch)?.map_or(0.0, |accuracy| accuracy.top1);
            let fitted = held_out.compare(&*engine, &model, &fitted, &watch)?;
            let error = fitted.agreement.outputs.iter().map(|output| output.relative_error).fold(0.0, f64::max);
            let row = [worth, bare, fitted.accuracy.map_or(0.0, |[_, pruned]| pruned.top1), -error];
            println!(
                "{}",
                serde_json::json!({
                    "plan": plan, "value": name, "worth": row[0], "top1": row[1], "top1_fitted": row[2], "error_fitted": -row[3]
                })
            );
            seen.push(row);
        }
    }
    for ((name, _), seen) in values.iter().zip(&seen) {
        let rank = |column: usize| ranks(&seen.iter().map(|row| row[column]).collect::<Vec<f64>>());
        let [worth, bare, fitted, error] = [0, 1, 2, 3].map(rank);
        eprintln!(
            "{name}: rank correlation with top-1 {:.3}; where the rest is fitted {:.3}, and with the outputs' error {:.3}, over {} plans",
            correlation(&worth, &bare),
            correlation(&worth, &fitted),
            correlation(&worth, &error),
            seen.len()
        );
    }
    Ok(())
}

/// Each number's rank; equal ones share the mean of theirs (Spearman's rho is the correlation of ranks).
fn ranks(values: &[f64]) -> Vec<f64> {
    let below = |v: f64| values.iter().filter(|&&w| w < v).count() as f64;
    let equal = |v: f64| values.iter().filter(|&&w| w == v).count() as f64;
    values.iter().map(|&v| below(v) + (equal(v) - 1.0) / 2.0).collect()
}

fn correlation(a: &[f64], b: &[f64]) -> f64 {
    let mean = |v: &[f64]| v.iter().sum::<f64>() / v.len() as f64;
    let (of_a, of_b) = (mean(a), mean(b));
    let product =
        |x: &[f64], mx: f64, y: &[f64], my: f64| -> f64 { x.iter().zip(y).map(|(x, y)| (x - mx) * (y - my)).sum() };
    product(a, of_a, b, of_b) / (product(a, of_a, a, of_a) * product(b, of_b, b, of_b)).sqrt()
}
