//! Keeps every second channel of all groups that can be pruned, those of residual streams included:
//!
//! ```text
//! surgery_halve MODEL OUT [DISCONNECTED]
//! ```
//!
//! The third file has the same channels disconnected instead of removed: both must compute the same.
//! Without arguments it works on a tiny model of the tests, and writes to a temporary folder.

#![allow(clippy::print_stdout, reason = "an example prints its result")]

use netspec::{GroupPlan, PrunePlan};
use onnx_surgery::{Model, Patch};
use std::error::Error;
use std::path::{Path, PathBuf};
use std::time::Instant;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<PathBuf> = std::env::args_os().skip(1).map(PathBuf::from).collect();
    let folder = tempfile::tempdir()?;
    match &arguments[..] {
        [] => {
            let model = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/models/resnet_ts.onnx");
            halve(&model, &folder.path().join("halved.onnx"), Some(&folder.path().join("disconnected.onnx")))
        }
        [model, out] => halve(model, out, None),
        [model, out, disconnected] => halve(model, out, Some(disconnected)),
        _ => Err("usage: surgery_halve MODEL OUT [DISCONNECTED]".into()),
    }
}

fn halve(source: &Path, out: &Path, disconnected: Option<&Path>) -> Result<(), Box<dyn Error>> {
    let start = Instant::now();
    let model = Model::open(source)?;
    let opened = start.elapsed();
    let network = model.network();
    for group in &network.groups {
        let kind = if group.residual { "residual" } else { "" };
        let frozen = group.frozen.as_ref().map(|reason| format!("frozen: {reason}")).unwrap_or_default();
        println!("{:5} channels, {:3} members {kind:8} {} {frozen}", group.channels, group.members.len(), group.name);
    }
    let prunable = network.groups.iter().filter(|group| group.frozen.is_none());
    let groups = prunable.map(|group| GroupPlan::new(group, (0..group.channels).step_by(2).collect()));
    let plan = PrunePlan { groups: groups.collect() };

    let start = Instant::now();
    let patch = Patch::build(&model, &plan)?;
    let built = start.elapsed();
    let start = Instant::now();
    patch.write(out)?;
    let written = start.elapsed();
    if let Some(path) = disconnected {
        Patch::disconnect(&model, &plan)?.write(path)?;
    }
    let (residual, frozen) = (
        network.groups.iter().filter(|group| group.residual).count(),
        network.groups.iter().filter(|group| group.frozen.is_some()).count(),
    );
    println!(
        "{} layers, {} operators, {} groups: {residual} residual, {frozen} frozen; opened in {opened:.1?}, \
         patch of {} changes in {built:.1?}, written in {written:.1?}",
        network.layers.len(),
        network.operators.len(),
        network.groups.len(),
        patch.changes().len(),
    );
    Ok(())
}
