//! Damage as a file: learned once for a model, taken again for every plan and on every device.

use super::{Calib, Damage};
use crate::files::write_json;
use crate::model::Model;
use crate::report::{DamageGroup, DamageReport};
use crate::scores::SCHEMA;
use crate::{Engine, Error, Watch};
use benefit::{Value as _, ValueKind};
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::Path;

/// What `read_scores` reads.
#[derive(Serialize)]
struct File<'a> {
    schema: &'static str,
    kind: ValueKind,
    curves: BTreeMap<&'a str, Curve>,
}

#[derive(Serialize)]
struct Curve {
    order: Vec<usize>,
    loss: Vec<f64>,
}

/// Learns what removing channels damages and writes it to a file of curves that [`read_scores`](crate::read_scores) reads.
///
/// It depends on the model and the images, and on no device: one file does for all plans of a model.
pub fn write_damage(
    engine: &Engine,
    model: &Model,
    calib: &Calib,
    prune_residual: bool,
    output: &Path,
    watch: &Watch<'_>,
) -> Result<DamageReport, Error> {
    let damage = Damage::new(&*engine.runner(), model, calib, prune_residual, watch)?;
    let mut file = File { schema: SCHEMA, kind: ValueKind::Damage, curves: BTreeMap::new() };
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
        file.curves.insert(name, Curve { order: curve.order().to_vec(), loss });
    }
    write_json(output, &file)?;
    let (header, output) = (engine.header("locp.damage/1"), output.display().to_string());
    Ok(DamageReport { header, model: model.report(), output, images: calib.len(), groups, without })
}
