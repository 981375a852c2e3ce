//! `prune`: the pipeline's result with everything that a user wants to know about it.

use crate::accuracy::accuracy;
use crate::engine::Engine;
use crate::images::{Images, read_labels};
use crate::measure::Measurer;
use crate::model::Model;
use crate::pipeline::Pruned;
use crate::report::{Accuracy, PruneReport};
use crate::whole::in_ms;
use crate::{Error, Watch};
use netspec::GroupPlan;
use std::path::Path;

/// Labelled images, read and counted.
#[derive(Clone, Debug)]
pub struct Labelled {
    images: Images,
    labels: Vec<usize>,
}

impl Labelled {
    /// Reads images and labels, and checks that they fit each other and the model.
    pub fn read(images: &Path, labels: &Path, model: &Model) -> Result<Labelled, Error> {
        let (path, images) = (images, Images::read(images)?);
        let labels = read_labels(labels)?;
        if images.len() != labels.len() {
            return Err(Error::Count { images: images.len(), labels: labels.len() });
        }
        images.check_fit(path, model)?;
        Ok(Labelled { images, labels })
    }

    /// The share of right answers of a model file.
    pub fn accuracy(&self, engine: &Engine, onnx: &Path, batch: usize, watch: &Watch<'_>) -> Result<Accuracy, Error> {
        let missing = || Error::NoModels { engine: engine.machine().engine.clone(), what: "accuracy" };
        let models = engine.models().ok_or_else(missing)?;
        accuracy(models, onnx, batch, &self.images, &self.labels, watch)
    }
}

/// The report of a pruned model; `accuracies` are those of the dense and of the pruned one.
pub fn report(
    pruned: &Pruned,
    measurer: &Measurer<'_>,
    output: &Path,
    accuracies: Option<[Accuracy; 2]>,
) -> PruneReport {
    let mut plan = pruned.planned.report.clone();
    plan.header.schema = "locp.prune/1";
    let [params_before, params_after] = pruned.parameters();
    let sum = |pick: fn(&GroupPlan) -> usize| plan.groups.iter().map(pick).sum();
    PruneReport {
        output: output.display().to_string(),
        measured_dense_ms: pruned.pair.dense_ns / 1e6,
        measured_dense_interval_ms: in_ms(pruned.pair.dense_interval_ns),
        measured_pruned_ms: pruned.pair.pruned_ns / 1e6,
        measured_pruned_interval_ms: in_ms(pruned.pair.pruned_interval_ns),
        ratio: pruned.pair.ratio,
        ratio_interval: pruned.pair.ratio_interval,
        params_before,
        params_after,
        channels_before: sum(|g| g.channels),
        channels_after: sum(|g| g.keep.len()),
        rounds: pruned.rounds,
        calibration: pruned.calibration,
        repair: pruned.repair.clone(),
        measurements_new: measurer.measured(),
        measurements_shared: measurer.shared(),
        device_seconds: measurer.device_seconds(),
        accuracy_before: accuracies.map(|[before, _]| before),
        accuracy_after: accuracies.map(|[_, after]| after),
        plan,
    }
}
