//! Engines by name, chosen at run time, and what the pipeline asks of any source.

use crate::Error;
use crate::model::Model;
use crate::report::{Covers, Header, MachineReport, Schema};
use crate::sizes;
use replay::Simulated;
use sharing::{Recorded, StoreError, TableKind};
use std::path::Path;
use timing::{BackendSource, LatencySource, ModelBackend};

#[cfg(feature = "cuda")]
mod cuda;

/// A built-in engine, as [`Pipeline::new`](crate::Pipeline::new) takes it.
pub type Engine = Box<dyn LatencySource>;

/// Returns the engine of this name:
///
/// - `auto` and `tract` (feature `tract`);
/// - `onnxruntime`, with an execution provider behind it if wanted: `onnxruntime:cuda`, `onnxruntime:tensorrt`
///   (feature `onnxruntime`);
/// - `cuda`, with a device and a policy if wanted: `cuda:1`, `cuda:autotune`, `cuda:1:autotune` (feature `cuda`);
/// - `simulated:h100`, `simulated:t4`, `simulated:orin`: an analytic model of a GPU;
/// - `recorded:FILE`: a recorded table.
///
/// `seed` drives the random contents of tensors and, for simulated engines, the noise.
///
/// # Errors
/// [`Error::UnknownEngine`], or why the engine cannot run here.
pub fn engine(name: &str, threads: usize, seed: u64) -> Result<Engine, Error> {
    // Only the engines of the CPU use it, and both are features.
    let _ = threads;
    if let Some(file) = name.strip_prefix("recorded:") {
        return recorded(Path::new(file), None);
    }
    if let Some(device) = name.strip_prefix("simulated:") {
        return Ok(Box::new(BackendSource::new(Simulated::named(device)?.seed(seed))?));
    }
    #[cfg(feature = "tract")]
    if matches!(name, "auto" | "tract") {
        let tract = cpu_bench::Tract::new().threads(threads);
        return Ok(Box::new(BackendSource::new(tract.clone())?.models(tract)));
    }
    #[cfg(feature = "onnxruntime")]
    if let Some(rest) = name.strip_prefix("onnxruntime") {
        let provider = if rest.is_empty() { Some("cpu") } else { rest.strip_prefix(':') };
        if let Some(provider) = provider.and_then(cpu_bench::Provider::named) {
            let runtime = cpu_bench::OnnxRuntime::find(provider, threads)?;
            return Ok(Box::new(BackendSource::new(runtime.clone())?.models(runtime)));
        }
    }
    #[cfg(feature = "cuda")]
    if let Some(cuda) = cuda::named(name, seed) {
        return cuda;
    }
    Err(Error::UnknownEngine { name: name.to_owned() })
}

/// Returns a source that needs no device: a simulated engine, or a latency table by its path (with or without
/// `recorded:`), from which the machine whose text contains `machine` answers, or the only one.
///
/// # Errors
/// [`Error::NoTable`], [`Error::WhichMachine`], or why the file cannot be read.
pub fn engine_without_device(name: &str, machine: Option<&str>, seed: u64) -> Result<Engine, Error> {
    if name.starts_with("simulated:") {
        return engine(name, 1, seed);
    }
    let path = Path::new(name.strip_prefix("recorded:").unwrap_or(name));
    if !path.exists() {
        return Err(Error::NoTable { name: name.to_owned() });
    }
    recorded(path, machine)
}

/// Returns the source that a table of either form is.
fn recorded(path: &Path, machine: Option<&str>) -> Result<Engine, Error> {
    match Recorded::open(path, machine) {
        Err(StoreError::WhichMachine { path, machines }) => Err(Error::WhichMachine { path, machines }),
        recorded => Ok(Box::new(recorded?)),
    }
}

/// Returns what a time of a whole network covers on a source.
pub(crate) fn covers(source: &dyn LatencySource) -> Covers {
    if source.models().is_some() { Covers::WholeModel } else { Covers::Convolutions }
}

/// Returns the start of every report.
pub(crate) fn header(source: &dyn LatencySource, schema: Schema) -> Header {
    let machine = source.machine();
    let kind = TableKind::of_engine(&machine.engine);
    Header {
        schema,
        engine: machine.engine.clone(),
        machine: MachineReport::from(&machine),
        simulated: kind == TableKind::Simulated,
        recorded: kind == TableKind::Recorded || machine.engine.starts_with("simulated:recorded:"),
    }
}

/// Returns what runs whole models for their outputs: the source, or tract if it runs none.
///
/// # Errors
/// [`Error::NoModels`] without the feature `tract`.
pub fn runner<'s>(
    source: &'s (dyn LatencySource + '_),
    what: &'static str,
) -> Result<Box<dyn ModelBackend + 's>, Error> {
    if let Some(models) = source.models() {
        return Ok(Box::new(models));
    }
    tract().ok_or_else(|| no_models(source, what))
}

#[cfg(feature = "tract")]
fn tract() -> Option<Box<dyn ModelBackend>> {
    Some(Box::new(cpu_bench::Tract::new()))
}

#[cfg(not(feature = "tract"))]
fn tract() -> Option<Box<dyn ModelBackend>> {
    None
}

/// The error of a source that runs no whole models.
pub(crate) fn no_models(source: &dyn LatencySource, what: &'static str) -> Error {
    Error::NoModels { engine: source.machine().engine, what }
}

/// Refuses a model with inputs of unknown size, if the source needs to know them, or without a layer that could be timed,
/// and a data type in which the source would not run the file, if it runs whole models as they are.
pub(crate) fn check_model(source: &dyn LatencySource, model: &Model) -> Result<(), Error> {
    let runs_models = source.models().is_some();
    if runs_models && model.stored_in() != model.dtype() {
        return Err(Error::StoredType {
            path: model.path().to_owned(),
            engine: source.machine().engine,
            stored: model.stored_in(),
            dtype: model.dtype(),
        });
    }
    if runs_models {
        sizes::check(model)?
    } else {
        sizes::check_timed(model)?
    }
    match model.network().untimed.as_slice() {
        [first, ..] if !runs_models && model.network().layers.is_empty() => {
            let (first, reason) = (first.node.clone(), first.reason.clone());
            Err(Error::NothingTimed { path: model.path().to_owned(), first, reason, engine: source.machine().engine })
        }
        _ => Ok(()),
    }
}
