//! What calibration costs: the time to run the images once, to learn what channels are worth, and to fit what remains.
//!
//!     cargo run --release -p locp --example calib_speed -- MODEL CALIB [ENGINE [THREADS]]
//!
//! A quarter of each inner group's channels goes, those that are missed least. One JSON object goes to stdout: seconds, and
//! on Linux the most memory that the process held. Without arguments it tries the shipped model and little effort.
#![allow(clippy::print_stdout, reason = "an example prints")]

use benefit::Value;
use locp::netspec::{GroupPlan, PrunePlan};
use locp::{Calib, Damage, HeldOut, Model, Watch};
use std::error::Error;
use std::path::{Path, PathBuf};
use std::time::Instant;

/// Images per run where they are run through once.
const BATCH: usize = 8;

fn main() -> Result<(), Box<dyn Error>> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let shipped = |name: &str| Path::new(env!("CARGO_MANIFEST_DIR")).join("../models").join(name);
    let file = |place: usize, name: &str| words.get(place).map_or_else(|| shipped(name), PathBuf::from);
    let threads = words.get(3).map_or(Ok(1), |word| word.parse())?;
    let engine = locp::engine(words.get(2).map_or("tract", String::as_str), threads, 0)?;
    let model = Model::open(&file(0, "fashion.onnx"), Some(BATCH))?;
    let images = file(1, "calib_images.npy");
    let mut calib = Calib::read(&images, &model, None)?;
    if words.is_empty() {
        (calib.effort, calib.compared) = (0, 8);
    }
    let watch = Watch::default();

    let start = Instant::now();
    // Both models of the comparison are the same one, so that the images run through it twice.
    HeldOut::read(&images, None, &model, None)?.compare(&*engine, &model, model.path(), &watch)?;
    let once = start.elapsed().as_secs_f64() / 2.0;

    let start = Instant::now();
    let damage = Damage::new(&*locp::runner(&*engine, "calibration")?, &model, &calib, false, &watch)?;
    let worth = start.elapsed().as_secs_f64();

    let mut plan = PrunePlan::default();
    for group in model.network().groups.iter().filter(|group| group.frozen.is_none() && !group.residual) {
        plan.groups.push(GroupPlan::new(group, damage.curve(group.id)?.keep((group.channels * 3).div_ceil(4))));
    }
    let folder = tempfile::tempdir()?;
    let start = Instant::now();
    let fitted = locp::apply_fitted(
        &model,
        &plan,
        &folder.path().join("fitted.onnx"),
        &*locp::runner(&*engine, "calibration")?,
        &calib,
        &watch,
    )?;
    let fit = start.elapsed().as_secs_f64();
    println!(
        "{}",
        serde_json::json!({
            "images": calib.len(), "engine": engine.machine().engine, "threads": threads,
            "once_s": once, "worth_s": worth, "worth_over_once": worth / once, "fit_s": fit,
            "layers_fitted": fitted.repair.map_or(0, |repair| repair.layers.len()), "peak_mib": peak_mib(),
        })
    );
    Ok(())
}

/// The most memory that this process held, as Linux says it.
fn peak_mib() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    Some(line.split_whitespace().nth(1)?.parse::<u64>().ok()? / 1024)
}
