//! Images that calibrated nothing, and what models make of them.

use crate::accuracy::{Tally, accuracy, blocks, no_scores, scores};
use crate::agreement::Divergence;
use crate::images::{Images, read_labels};
use crate::model::Model;
use crate::preprocess::Preprocess;
use crate::report::{Accuracy, Agreement};
use crate::{Error, Watch, engine};
use std::path::{Path, PathBuf};
use timing::{LatencySource, ModelBackend};

/// Images to judge models by, and their labels if there are any.
#[derive(Clone, Debug)]
pub struct HeldOut {
    path: PathBuf,
    images: Images,
    labels: Option<Vec<usize>>,
}

/// Two models on the same images.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Comparison {
    /// Right answers of the one and of the other, where there are labels.
    pub accuracy: Option<[Accuracy; 2]>,
    /// How far the second model does what the first one does.
    pub agreement: Agreement,
}

impl HeldOut {
    /// Reads images, an array or a folder as [`Images::open`] has it, and labels, and checks that they fit each other and
    /// the model.
    pub fn read(
        images: &Path,
        labels: Option<&Path>,
        model: &Model,
        how: Option<&Preprocess>,
    ) -> Result<HeldOut, Error> {
        let (path, images) = (images.to_owned(), Images::open(images, model, how)?);
        let labels = labels.map(read_labels).transpose()?;
        if let Some(labels) = labels.as_ref().filter(|labels| labels.len() != images.len()) {
            return Err(Error::Count { images: images.len(), labels: labels.len() });
        }
        Ok(HeldOut { path, images, labels })
    }

    /// The share of right answers of a model file; nothing without labels.
    pub fn accuracy(
        &self,
        source: &dyn LatencySource,
        onnx: &Path,
        batch: usize,
        watch: &Watch<'_>,
    ) -> Result<Option<Accuracy>, Error> {
        let models = runner(source)?;
        let count = |labels: &Vec<usize>| accuracy(models, onnx, batch, &self.images, labels, watch);
        self.labels.as_ref().map(count).transpose()
    }

    /// An error where the engine runs no models, or a label is past the model's classes: found by one run.
    pub fn check(&self, source: &dyn LatencySource, onnx: &Path, batch: usize) -> Result<(), Error> {
        let models = runner(source)?;
        let Some(labels) = &self.labels else { return Ok(()) };
        let outputs = models.load(onnx, &self.images.sizes(batch))?.infer(&self.images.batch(0, batch))?;
        let classes = scores(&outputs).ok_or_else(|| no_scores(onnx))?.first().map_or(0, Vec::len);
        match labels.iter().enumerate().find(|&(_, &label)| label >= classes) {
            Some((index, &label)) => Err(Error::Label { index, label, classes }),
            None => Ok(()),
        }
    }

    /// Runs all images through a model and through one that was made from it, side by side.
    pub fn compare(
        &self,
        source: &dyn LatencySource,
        dense: &Model,
        pruned: &Path,
        watch: &Watch<'_>,
    ) -> Result<Comparison, Error> {
        self.images.check_fit(&self.path, dense)?;
        let (models, batch) = (runner(source)?, dense.batch());
        let files = [dense.path(), pruned];
        let sizes = self.images.sizes(batch);
        let [mut first, mut second] = [models.load(files[0], &sizes)?, models.load(files[1], &sizes)?];
        let names: Vec<String> = dense.onnx().outputs().iter().map(|port| port.name.clone()).collect();
        let mut tallies = [Tally::default(), Tally::default()];
        let mut divergence = Divergence::new(files, names);
        watch.progress.begin("accuracy", Some(self.images.len() as u64));
        for block in blocks(&self.images, batch, watch) {
            let block = block?;
            let outputs = [first.infer(&block.inputs)?, second.infer(&block.inputs)?];
            if let Some(labels) = &self.labels {
                for ((tally, outputs), file) in tallies.iter_mut().zip(&outputs).zip(files) {
                    let scores = scores(outputs).ok_or_else(|| no_scores(file))?;
                    tally.add(&scores, &labels[block.images.clone()], block.images.start)?;
                }
            }
            divergence.add([&outputs[0], &outputs[1]], block.images.clone(), batch)?;
            watch.progress.advance(block.images.len() as u64);
        }
        watch.progress.end("");
        let accuracy = self.labels.is_some().then(|| tallies.map(|tally| tally.accuracy()));
        Ok(Comparison { accuracy, agreement: divergence.agreement() })
    }
}

/// What runs whole models.
fn runner(source: &dyn LatencySource) -> Result<&dyn ModelBackend, Error> {
    source.models().ok_or_else(|| engine::no_models(source, "accuracy"))
}
