//! Tensors from the inside of a running model.

use super::Setting;
use crate::{Error, files};
use netspec::{InputShape, InputSizes, Tensor};
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
    /// Where each tensor that was asked for comes from.
    places: Vec<Place>,
    /// Holds the model's file for as long as it may be read.
    _folder: TempDir,
}

/// Where a tensor comes from.
enum Place {
    /// It goes in, at this position.
    Input(usize),
    /// It is the output at this position.
    Output(usize),
}

impl Taps {
    pub(super) fn new(setting: &Setting<'_>, model: &Model, tensors: &[&str]) -> Result<Taps, Error> {
        let inputs: Vec<&str> = model.inputs().iter().map(|port| port.name.as_str()).collect();
        let sizes = setting.calib.images.sizes(batch_of(model));
        Taps::behind(setting, &sizes, &inputs, tensors, |outputs| Ok(model.observing(outputs)?))
    }

    /// What is behind a tensor, which has this shape.
    pub(super) fn from(
        setting: &Setting<'_>,
        model: &Model,
        (from, shape): (&str, &[usize]),
        tensors: &[&str],
    ) -> Result<Taps, Error> {
        let sizes = InputSizes::new([InputShape::named(from, shape.to_vec())]);
        Taps::behind(setting, &sizes, &[from], tensors, |outputs| Ok(model.observing_from(from, shape, outputs)?))
    }

    fn behind(
        setting: &Setting<'_>,
        sizes: &InputSizes,
        inputs: &[&str],
        tensors: &[&str],
        observing: impl FnOnce(&[&str]) -> Result<Vec<u8>, Error>,
    ) -> Result<Taps, Error> {
        let mut outputs: Vec<&str> = Vec::new();
        let mut places = Vec::new();
        for tensor in tensors {
            let known = |tensors: &[&str]| tensors.iter().position(|known| known == tensor);
            places.push(match (known(inputs), known(&outputs)) {
                (Some(input), _) => Place::Input(input),
                (None, Some(output)) => Place::Output(output),
                (None, None) => {
                    outputs.push(tensor);
                    Place::Output(outputs.len() - 1)
                }
            });
        }
        let folder = files::temporary_folder()?;
        let mut run = None;
        if !outputs.is_empty() {
            let path = folder.path().join("observing.onnx");
            std::fs::write(&path, observing(&outputs)?).map_err(|e| Error::write(&path, e))?;
            run = Some(setting.models.load(&path, sizes)?);
        }
        Ok(Taps { run, places, _folder: folder })
    }

    /// The tensors that were asked for, in that order.
    pub(super) fn run(&mut self, inputs: &[Tensor]) -> Result<Vec<Tensor>, Error> {
        let outputs = self.run.as_mut().map(|run| run.infer(inputs)).transpose()?.unwrap_or_default();
        let tensor = |place: &Place| match *place {
            Place::Input(at) => inputs.get(at).cloned(),
            Place::Output(at) => outputs.get(at).cloned(),
        };
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
    mut each: impl FnMut(&[Tensor], usize) -> Result<bool, Error>,
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
