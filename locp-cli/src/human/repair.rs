//! What calibration images repaired, and what they say of channels.

use super::{percentage, table, thousands};
use locp::Repair;
use locp::report::DamageReport;
use std::fmt::Write;

/// Group by group, the damage predicted with three quarters, half and a quarter of the channels left.
pub(crate) fn damage(report: &DamageReport) -> String {
    let head = ["group", "channels", "3/4 left", "1/2 left", "1/4 left"].map(str::to_owned).to_vec();
    let rows = report.groups.iter().map(|group| {
        let damage = [group.three_quarters, group.half, group.quarter].map(percentage);
        [vec![group.name.clone(), thousands(group.channels)], damage.to_vec()].concat()
    });
    let rows: Vec<Vec<String>> = std::iter::once(head).chain(rows).collect();
    let mut out = table(&[false, true, true, true, true], &rows);
    let images = thousands(report.images);
    let _ = writeln!(out, "\nrelative squared error of the network's outputs, predicted from {images} images");
    if !report.without.is_empty() {
        let _ = writeln!(out, "{} groups have no curve: they may not lose channels", report.without.len());
    }
    let _ = writeln!(out, "wrote {}; take it by --scores", report.output);
    out
}

/// In one line: how much of the layers' outputs was lost and is, and which layer is worst off.
pub(crate) fn repair(repair: &Repair) -> String {
    let images = repair.images;
    let mean = |pick: fn(&locp::LayerRepair) -> f64| {
        repair.layers.iter().map(pick).sum::<f64>() / repair.layers.len().max(1) as f64
    };
    let Some(worst) = repair.layers.iter().max_by(|a, b| a.lost_after.total_cmp(&b.lost_after)) else {
        return format!("no layer could be fitted to {images} images");
    };
    let mut text = format!(
        "{} layers on {images} images: of their outputs' variance {} was lost and {} is, {} in {}",
        repair.layers.len(),
        percentage(mean(|layer| layer.lost_before)),
        percentage(mean(|layer| layer.lost_after)),
        percentage(worst.lost_after),
        worst.layer
    );
    let scarce: Vec<_> = repair.layers.iter().filter(|layer| layer.rows < layer.inputs).collect();
    if let [first, ..] = scarce.as_slice() {
        let (n, layer, rows, inputs) = (scarce.len(), &first.layer, first.rows, first.inputs);
        text += &format!("; {n} held closer to old weights, as images are few ({layer}: {rows} rows, {inputs} inputs)");
    }
    if !repair.branches.is_empty() {
        text += &format!("; {} branches gone, the mean of each in its place", repair.branches.len());
    }
    if let [first, ..] = repair.skipped.as_slice() {
        text += &format!("; {} left as they were: {} ({})", repair.skipped.len(), first.layer, first.reason);
    }
    text
}
