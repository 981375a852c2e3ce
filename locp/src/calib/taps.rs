//! Tensors from the inside of a running model.

use super::Setting;
use crate::{Error, files};
use netspec::Tensor;
use onnx_surgery::Model;
use std::ops::Range;
use tempfile::TempDir;
use timing::ModelRun;

/// Images per run where the model takes any number.
const BATCH: usize = 8;

/// A model, or its part behind one tensor, that hands out tensors from its inside.
pub(super) struct Taps {
    /// Nothing where only what goes in was asked for.
    run: Option<Box<dyn ModelRun>>,
    /// For each tensor that was asked for: which output it is, or that it is what goes in.
    places: Vec<Option<usize>>,
    /// Holds the model's file for as long as it may be read.
    _folder: TempDir,
}

impl Taps {
    pub(super) fn new(setting: &Setting<'_>, model: &Model, tensors: &[&str]) -> Result<Taps, Error> {
        let input = model.inputs().first().map_or("", |port| port.name.as_str());
        Taps::behind(setting, model, input, tensors, |outputs| Ok(model.observing(outputs)?))
    }

    /// What is behind a tensor, which has this shape.
    pub(super) fn from(
        setting: &Setting<'_>,
        model: &Model,
        (from, shape): (&str, &[usize]),
        tensors: &[&str],
    ) -> Result<Taps, Error> {
        Taps::behind(setting, model, from, tensors, |outputs| Ok(model.observing_from(from, shape, outputs)?))
    }

    fn behind(
        setting: &Setting<'_>,
        model: &Model,
        input: &str,
        tensors: &[&str],
        observing: impl FnOnce(&[&str]) -> Result<Vec<u8>, Error>,
    ) -> Result<Taps, Error> {
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
        let mut run = None;
        if !outputs.is_empty() {
            let path = folder.path().join("observing.onnx");
            std::fs::write(&path, observing(&outputs)?).map_err(|e| Error::write(&path, e))?;
            run = Some(setting.models.load(&path, batch_of(model))?);
        }
        Ok(Taps { run, places, _folder: folder })
    }

    /// The tensors that were asked for, in that order.
    pub(super) fn run(&mut self, input: &Tensor) -> Result<Vec<Tensor>, Error> {
        let run = self.run.as_mut().map(|run| run.infer(std::slice::from_ref(input)));
        let outputs = run.transpose()?.unwrap_or_default();
        let tensor = |place: &Option<usize>| place.map_or(Some(input), |at| outputs.get(at)).cloned();
        Ok(self.places.iter().filter_map(tensor).collect())
    }
}

/// Images per run: as many as the model fixes, or a few.
pub(super) fn batch_of(model: &Model) -> usize {
    let fixed = model.inputs().first().and_then(|port| *port.shape.first()?);
    fixed.unwrap_or(BATCH).max(1)
}

/// Calls `each` with batch after batch of these images, and how many of them are no repetitions, for as long as it wants
/// more.
pub(super) fn batches(
    setting: &Setting<'_>,
    model: &Model,
    images: Range<usize>,
    mut each: impl FnMut(&Tensor, usize) -> Result<bool, Error>,
) -> Result<(), Error> {
    let batch = batch_of(model);
    let end = images.end.min(setting.calib.len());
    for first in (images.start..end).step_by(batch) {
        setting.check()?;
        let own = batch.min(end - first);
        if !each(&setting.calib.images.batch(first, batch), own)? {
            break;
        }
    }
    Ok(())
}
