//! Damage as a file: learned once for a model, taken again for every plan and on every device.

use super::{Calib, Damage};
use crate::files::write_json;
use crate::model::Model;
use crate::report::{DamageGroup, DamageReport};
use crate::scores::{Curve, Json, SCHEMA};
use crate::{Error, Watch, engine};
use benefit::{Value as _, ValueKind};
use std::collections::BTreeMap;
use std::path::Path;
use timing::LatencySource;

/// Learns what removing channels damages and writes it to a file of curves that [`read_scores`](crate::read_scores) reads.
///
/// It depends on the model and the images, and on no device: one file does for all plans of a model.
pub fn write_damage(
    source: &dyn LatencySource,
    model: &Model,
    calib: &Calib,
    prune_residual: bool,
    output: &Path,
    watch: &Watch<'_>,
) -> Result<DamageReport, Error> {
    let damage = Damage::new(&*engine::runner(source, "calibration")?, model, calib, prune_residual, watch)?;
    let mut curves = BTreeMap::new();
    let (mut groups, mut without) = (Vec::new(), Vec::new());
    for group in &model.network().groups {
        let (name, channels) = (group.name.as_str(), group.channels);
        let Ok(curve) = damage.curve(group.id) else {
            without.push(name.to_owned());
            continue;
        };
        let left = |share: f64| 0.0 - curve.value(((share * channels as f64).round() as usize).max(1));
        let (three_quarters, half, quarter) = (left(0.75), left(0.5), left(0.25));
        groups.push(DamageGroup { name: name.to_owned(), channels, three_quarters, half, quarter });
        // What the network is worth with none, one, ... all channels gone.
        let loss = (0..=channels).rev().map(|left| curve.value(left)).collect();
        curves.insert(name.to_owned(), Curve { order: curve.order().to_vec(), loss });
    }
    let (schema, kind) = (Some(SCHEMA.to_owned()), Some(ValueKind::Damage));
    write_json(output, &Json { schema, kind, scores: BTreeMap::new(), curves })?;
    let (header, output) = (engine::header(source, "locp.damage/1"), output.display().to_string());
    Ok(DamageReport { header, model: model.report(), output, images: calib.len(), groups, without })
}
