//! Tensors from the inside of a running model.

use super::Setting;
use crate::{Error, files};
use netspec::{Tensor, TensorView};
use onnx_surgery::Model;
use std::ops::Range;
use tempfile::TempDir;
use timing::ModelRun;

/// Images per run where the model takes any number.
const BATCH: usize = 8;

/// A model that hands out tensors from its inside.
pub(super) struct Taps {
    run: Box<dyn ModelRun>,
    /// For each tensor that was asked for: which output it is, or that it is the model's input.
    places: Vec<Option<usize>>,
    /// Holds the model's file for as long as it may be read.
    _folder: TempDir,
}

/// The values of a tensor for a batch of images.
pub(super) type Values = Vec<f32>;

impl Taps {
    pub(super) fn new(setting: &Setting<'_>, model: &Model, tensors: &[&str]) -> Result<Taps, Error> {
        let input = model.inputs().first().map_or("", |port| port.name.as_str());
        let mut outputs: Vec<&str> = Vec::new();
        let mut places = Vec::new();
        for tensor in tensors {
            let known = outputs.iter().position(|output| output == tensor);
            places.push(if *tensor == input { None } else { Some(known.unwrap_or(outputs.len())) });
            if *tensor != input && known.is_none() {
                outputs.push(tensor);
            }
        }
        let folder = files::temporary_folder()?;
        let path = folder.path().join("observing.onnx");
        let bytes = model.observing(&outputs)?;
        std::fs::write(&path, bytes).map_err(|e| Error::write(&path, e))?;
        let run = setting.models.load(&path, batch_of(model))?;
        Ok(Taps { run, places, _folder: folder })
    }

    /// The tensors that were asked for, in that order.
    pub(super) fn run(&mut self, images: &Tensor) -> Result<Vec<Values>, Error> {
        let outputs = self.run.infer(std::slice::from_ref(images))?;
        let values = |tensor: Option<&TensorView<'_>>| tensor.and_then(|t| t.to_f32().ok()).unwrap_or_default();
        Ok(self.places.iter().map(|place| values(place.map_or(Some(images), |at| outputs.get(at)))).collect())
    }
}

/// Images per run: as many as the model fixes, or a few.
pub(super) fn batch_of(model: &Model) -> usize {
    let fixed = model.inputs().first().and_then(|port| *port.shape.first()?);
    fixed.unwrap_or(BATCH).max(1)
}

/// Calls `each` with batch after batch of these images: the batch, and how many of its images are no repetitions.
pub(super) fn batches(
    setting: &Setting<'_>,
    model: &Model,
    images: Range<usize>,
    mut each: impl FnMut(&Tensor, usize) -> Result<(), Error>,
) -> Result<(), Error> {
    let batch = batch_of(model);
    let end = images.end.min(setting.calib.len());
    for first in (images.start..end).step_by(batch) {
        setting.check()?;
        let own = batch.min(end - first);
        each(&setting.calib.images.batch(first, batch), own)?;
    }
    Ok(())
}
