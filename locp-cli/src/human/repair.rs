//! What calibration images repaired.

use locp::Repair;

/// In one line: how much of the layers' outputs was lost and is, and which layer is worst off.
pub(crate) fn repair(repair: &Repair) -> String {
    let images = repair.images;
    let mean = |pick: fn(&locp::LayerRepair) -> f64| {
        repair.layers.iter().map(pick).sum::<f64>() / repair.layers.len().max(1) as f64
    };
    let Some(worst) = repair.layers.iter().max_by(|a, b| a.lost_after.total_cmp(&b.lost_after)) else {
        return format!("no layer could be fitted to {images} images");
    };
    let percent = |share: f64| format!("{:.1} %", 100.0 * share);
    let mut text = format!(
        "{} layers on {images} images: of their outputs' variance {} was lost and {} is, {} in {}",
        repair.layers.len(),
        percent(mean(|layer| layer.lost_before)),
        percent(mean(|layer| layer.lost_after)),
        percent(worst.lost_after),
        worst.layer
    );
    if let [first, ..] = repair.skipped.as_slice() {
        text += &format!("; {} left as they were: {} ({})", repair.skipped.len(), first.layer, first.reason);
    }
    text
}
