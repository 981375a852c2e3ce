//! `apply`: surgery alone, from a plan file.

use crate::calib::{Calib, repair};
use crate::model::Model;
use crate::report::{ApplyReport, ChangeReport, PlanFile};
use crate::{Error, Fault, Watch, files, modules};
use netspec::PrunePlan;
use onnx_surgery::Patch;
use std::path::Path;
use tempfile::TempDir;
use timing::ModelBackend;

/// Reads the groups of a plan file and checks that it is for this model.
pub fn read_plan(path: &Path, model: &Model) -> Result<PrunePlan, Error> {
    let bad = |fault: Fault| Error::Plan { path: path.to_owned(), fault };
    let text = std::fs::read(path).map_err(|e| Error::read(path, e))?;
    let file: PlanFile = serde_json::from_slice(&text)
        .map_err(|e| bad(Fault::new(format!("it is not a plan ({e})"), "make one with `plan`")))?;
    if !["locp.plan/1", "locp.prune/1", "locp.align/1"].contains(&file.schema.as_str()) {
        return Err(bad(Fault::new(format!("its schema is `{}`", file.schema), "this version reads locp.plan/1")));
    }
    let own = model.report().sha256;
    if file.model.sha256 != own {
        let (theirs, own) = (short(&file.model.sha256), short(&own));
        let what = format!("it was made for a model with SHA-256 {theirs}.., this one has {own}..");
        return Err(bad(Fault::new(what, "plan again")));
    }
    let mut plan = PrunePlan { groups: file.groups };
    // Before those that change nothing are left out: a plan that was edited by hand is checked as a whole.
    plan.validate(model.network()).map_err(|e| bad(e.to_string().into()))?;
    plan.groups.retain(|g| g.keep.len() != g.channels);
    Ok(plan)
}

fn short(hash: &str) -> String {
    hash.chars().take(12).collect()
}

/// A plan carried out on a model in a temporary folder, which lives as long as the value, timed as the model is.
pub(crate) fn carried_out(model: &Model, plan: &PrunePlan) -> Result<(TempDir, Model), Error> {
    let patch = Patch::build(model.onnx(), plan)?;
    let folder = files::temporary_folder()?;
    let path = folder.path().join("pruned.onnx");
    patch.write(&path)?;
    let smaller = Model::open(&path, model.sizes().clone())?.computed_in(model.dtype());
    Ok((folder, smaller))
}

/// Carries out a plan; without an output nothing is written.
pub fn apply(model: &Model, plan: &PrunePlan, output: Option<&Path>) -> Result<ApplyReport, Error> {
    let patch = Patch::build(model.onnx(), plan)?;
    if let Some(output) = output {
        patch.write(output)?;
    }
    let modules = modules::modules(plan, model.network());
    Ok(ApplyReport {
        schema: "locp.apply/1",
        model: model.report(),
        output: output.map(|path| path.display().to_string()),
        diff: patch.to_string(),
        changes: patch.changes().iter().map(ChangeReport::from).collect(),
        modules: modules.named,
        modules_unnamed: modules.unnamed,
        params_before: model.network().parameters,
        params_after: patch.parameters(),
        repair: None,
    })
}

/// Carries out a plan, and fits what remains to what the model computes on images without labels.
pub fn apply_fitted(
    model: &Model,
    plan: &PrunePlan,
    output: &Path,
    models: &dyn ModelBackend,
    calib: &Calib,
    watch: &Watch<'_>,
) -> Result<ApplyReport, Error> {
    let report = apply(model, plan, None)?;
    let (_folder, smaller) = carried_out(model, plan)?;
    let repair = repair(models, [model, &smaller], plan, calib, watch)?;
    repair.write(&smaller, output)?;
    Ok(ApplyReport { output: Some(output.display().to_string()), repair: Some(repair), ..report })
}
