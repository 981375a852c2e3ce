//! Scores of channels from files.

use crate::arrays::{self, Array};
use crate::{Error, Fault, Model};
use benefit::{Scope, Scores, ValueCurve, ValueError, ValueKind};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// What a JSON file of scores holds.
#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Json {
    #[serde(default)]
    pub(crate) schema: Option<String>,
    #[serde(default)]
    pub(crate) kind: Option<ValueKind>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) scores: BTreeMap<String, Vec<f64>>,
    #[serde(default)]
    pub(crate) curves: BTreeMap<String, Curve>,
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Curve {
    pub(crate) order: Vec<usize>,
    pub(crate) loss: Vec<f64>,
}

/// The name of this form.
pub(crate) const SCHEMA: &str = "locp.scores/1";
/// What an archive's arrays of a curve are called behind the tensor's name.
const CURVE_PARTS: [&str; 2] = [":order", ":loss"];

/// Reads scores that were computed elsewhere, for the tensors and groups of `model`.
///
/// - `.npz`: an array per tensor, by the tensor's name; a curve as `NAME:order` and `NAME:loss`.
/// - `.npy`: one array, the file being named as the tensor is: `conv1.weight.npy`.
/// - `.json`: `{"scores": {TENSOR: [..]}, "curves": {NAME: {"order": [..], "loss": [..]}}, "kind": "damage"}`, each
///   part optional.
///
/// [`Scores`] says which shapes scores may have, [`ValueCurve`] what a curve is.
pub fn read_scores<'m>(files: &[PathBuf], model: &'m Model, scope: Scope) -> Result<Scores<'m>, Error> {
    let mut scores = Scores::new(model.network(), model.onnx(), scope);
    for path in files {
        let wrong = |source: ValueError| Error::Scores { path: path.clone(), source };
        match path.extension().and_then(|extension| extension.to_str()) {
            Some("npz") => add_archive(path, &mut scores)?,
            Some("npy") => {
                let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
                add_tensor(&mut scores, &name, arrays::read_array(path)?).map_err(wrong)?;
            }
            Some("json") => scores = add_json(path, scores)?,
            _ => {
                let fault = Fault::new("scores come from .npy, .npz or .json files", "save them as one of these");
                return Err(Error::Array { path: path.clone(), fault });
            }
        }
    }
    Ok(scores)
}

fn add_tensor(scores: &mut Scores<'_>, name: &str, (shape, values): Array) -> Result<(), ValueError> {
    scores.tensor(name, &shape, &values.into_iter().map(f64::from).collect::<Vec<f64>>())
}

fn add_archive(path: &Path, scores: &mut Scores<'_>) -> Result<(), Error> {
    let wrong = |source: ValueError| Error::Scores { path: path.to_owned(), source };
    let mut curves: BTreeMap<String, [Option<Vec<f32>>; 2]> = BTreeMap::new();
    for (name, array) in arrays::read_archive(path)? {
        let part = CURVE_PARTS.iter().position(|part| name.ends_with(part));
        match part {
            Some(part) => {
                let name = name.strip_suffix(CURVE_PARTS[part]).unwrap_or(&name).to_owned();
                curves.entry(name).or_default()[part] = Some(array.1);
            }
            None => add_tensor(scores, &name, array).map_err(wrong)?,
        }
    }
    for (name, parts) in curves {
        let [Some(order), Some(loss)] = parts else {
            let what = format!("the curve `{name}` needs both arrays, `{name}:order` and `{name}:loss`");
            return Err(Error::Array { path: path.to_owned(), fault: Fault::new(what, "add the other") });
        };
        if let Some(odd) = order.iter().find(|channel| !(**channel >= 0.0 && channel.fract() == 0.0)) {
            let what = format!("the curve `{name}` removes channel {odd}, which is not an index");
            return Err(Error::Array { path: path.to_owned(), fault: Fault::new(what, "use integers from 0") });
        }
        let order = order.into_iter().map(|channel| channel as usize).collect();
        let curve = ValueCurve::new(order, loss.into_iter().map(f64::from).collect());
        curve.and_then(|curve| scores.group(&name, curve)).map_err(wrong)?;
    }
    Ok(())
}

fn add_json<'m>(path: &Path, mut scores: Scores<'m>) -> Result<Scores<'m>, Error> {
    let wrong = |source: ValueError| Error::Scores { path: path.to_owned(), source };
    let bytes = std::fs::read(path).map_err(|e| Error::read(path, e))?;
    let json: Json = serde_json::from_slice(&bytes).map_err(|e| {
        let fault = Fault::new(format!("it holds no scores ({e})"), "expected {\"scores\": {TENSOR: [numbers]}}");
        Error::Array { path: path.to_owned(), fault }
    })?;
    if let Some(schema) = json.schema.filter(|schema| schema != SCHEMA) {
        let fault = Fault::new(format!("its schema is `{schema}`"), format!("expected `{SCHEMA}`, or none"));
        return Err(Error::Array { path: path.to_owned(), fault });
    }
    if json.scores.is_empty() && json.curves.is_empty() {
        let fault = Fault::new("it holds neither scores nor curves", "give one of them");
        return Err(Error::Array { path: path.to_owned(), fault });
    }
    for (name, values) in json.scores {
        scores.tensor(&name, &[values.len()], &values).map_err(wrong)?;
    }
    for (name, Curve { order, loss }) in json.curves {
        let curve = ValueCurve::new(order, loss);
        curve.and_then(|curve| scores.group(&name, curve)).map_err(wrong)?;
    }
    Ok(match json.kind {
        Some(kind) => scores.with_kind(kind),
        None => scores,
    })
}
