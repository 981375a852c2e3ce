//! Whole models: loading, running, and what they compute.

use super::Specs;
use super::ask::{Found, failed, skipped};
use super::reference::{Files, images, outputs, shape};
use crate::door::LatencySource;
use crate::error::TimingError;
use crate::model::{ModelBackend, ModelRun};
use crate::policy::Policy;
use crate::sample::measure;
use crate::stop::Count;
use netspec::{CacheState, Tensor};
use std::fmt::Display;
use std::path::Path;

/// The largest difference between an output and the reference; the largest output is about 2.
const TOLERANCE: f64 = 1e-4;

/// Batches that the model is loaded for.
const BATCHES: [usize; 2] = [1, 4];

/// Turns an error into a failure of the check that tells what was done.
fn done<T, E: Display>(what: &str, result: Result<T, E>) -> Found<T> {
    result.or_else(|error| failed(format!("{what}: {error}")))
}

pub(super) fn whole(source: &mut dyn LatencySource, _: &Specs) -> Found {
    let Some(models) = source.models() else {
        return skipped("the source runs no whole models");
    };
    let files = done("the kit's model cannot be written", Files::write())?;
    for batch in BATCHES {
        let what = format!("the kit's model at batch {batch}");
        let mut model = done(&what, models.load(&files.model(), &batch.into()))?;
        done(&what, measure(&mut *model, &mut Count::new(3), &Policy::network()))?;
        let output = infer(&mut *model, batch)?;
        if output.shape != shape(batch) {
            return failed(format!("{what}: the output's shape is {:?}, not {:?}", output.shape, shape(batch)));
        }
    }
    refused(models, &files.missing())?;
    refused(models, &files.garbage())
}

/// Loads a file that is not a model.
fn refused(models: &dyn ModelBackend, path: &Path) -> Found {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    match models.load(path, &1.into()).map(|_| ()) {
        Err(TimingError::Model { path: named, .. }) if named == path => Ok(()),
        Err(error) => failed(format!("the error of {name} is not `Model` with its path: {error}")),
        Ok(()) => failed(format!("{name} was loaded")),
    }
}

/// The one output of a model that was loaded for `batch` images.
fn infer(model: &mut dyn ModelRun, batch: usize) -> Found<Tensor> {
    let input = done("the kit's images", images(batch))?;
    let outputs = done(&format!("inference on {batch} images"), model.infer(std::slice::from_ref(&input)))?;
    let count = outputs.len();
    let Ok([output]) = <[Tensor; 1]>::try_from(outputs) else {
        return failed(format!("the model has one output, and inference returned {count}"));
    };
    Ok(output)
}

pub(super) fn inference(source: &mut dyn LatencySource, specs: &Specs) -> Found {
    if source.models().is_some() && whole(source, specs).is_err() {
        return skipped("whole models have to load and run first");
    }
    let Some(models) = source.models() else {
        return skipped("the source runs no whole models");
    };
    let files = done("the kit's model cannot be written", Files::write())?;
    for batch in BATCHES {
        let mut model = done("the kit's model", models.load(&files.model(), &batch.into()))?;
        let first = infer(&mut *model, batch)?;
        close(&first, batch)?;
        // What a timed run leaves behind must not change the next answer.
        done("a run", model.run(CacheState::Warm))?;
        if infer(&mut *model, batch)? != first {
            return failed("the same images gave another output the second time");
        }
        strict(&mut *model, batch)?;
    }
    Ok(())
}

fn close(output: &Tensor, batch: usize) -> Found {
    let (found, expected) = (done("the output's elements", output.to_f32())?, outputs(batch));
    if found.len() != expected.len() {
        return failed(format!("at batch {batch}, the output has {} elements, not {}", found.len(), expected.len()));
    }
    for (i, (found, expect)) in found.into_iter().zip(expected).enumerate() {
        let difference = (f64::from(found) - expect).abs();
        // A difference that is not a number is wrong, too.
        if !matches!(difference.partial_cmp(&TOLERANCE), Some(std::cmp::Ordering::Less)) {
            return failed(format!("at batch {batch}, element {i} is {found}, and the model computes {expect}"));
        }
    }
    Ok(())
}

/// Inputs that do not fit the model.
fn strict(model: &mut dyn ModelRun, batch: usize) -> Found {
    let (image, larger) = (done("the kit's images", images(batch))?, done("the kit's images", images(batch + 1))?);
    let wrong: [(&str, &[Tensor]); 3] = [
        ("no input", &[]),
        ("two inputs", &[image.clone(), image]),
        ("an image more than it was loaded for", &[larger]),
    ];
    for (what, inputs) in wrong {
        if model.infer(inputs).is_ok() {
            return failed(format!("{what} is accepted at batch {batch}"));
        }
    }
    Ok(())
}
