//! Engines by name, chosen at run time.

use crate::Error;
use crate::model::Model;
use crate::report::{Covers, DoctorReport, EngineReport, Header, LibraryReport, MachineReport, Schema};
use cpu_bench::{OnnxRuntime, Provider, Tract};
use gpu_bench::{Cuda, Selection};
use netspec::{CacheState, ConvSpec, Machine, Measurement};
use replay::{Recorded, Simulated};
use sharing::{TableKind, open_any_read_only};
use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::Path;
use timing::{Backend, ModelBackend};

/// What the figures of an engine are worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Liveness {
    /// They are measured here.
    Live,
    /// They come from an analytic model of a device.
    Simulated,
    /// They were measured elsewhere.
    Recorded,
}

/// An engine: something that times convolutions, and perhaps whole models.
pub struct Engine {
    machine: Machine,
    liveness: Liveness,
    backend: Box<dyn Backend>,
    models: Option<Box<dyn ModelBackend>>,
    anchors: Vec<ConvSpec>,
    /// Its answers as they were recorded, where it is a table.
    recorded: Option<Recorded>,
}

/// The engines that `doctor` looks at and that have no file in their name.
const NAMES: [&str; 5] = ["tract", "onnxruntime", "simulated:h100", "simulated:t4", "simulated:orin"];

impl Engine {
    /// An engine of one's own that measures on a device; `models` where it can run whole models.
    pub fn new(backend: Box<dyn Backend>, models: Option<Box<dyn ModelBackend>>) -> Result<Engine, Error> {
        Engine::with(backend, models, Liveness::Live)
    }

    fn with(
        backend: Box<dyn Backend>,
        models: Option<Box<dyn ModelBackend>>,
        liveness: Liveness,
    ) -> Result<Engine, Error> {
        Ok(Engine { machine: backend.check()?, liveness, backend, models, anchors: Vec::new(), recorded: None })
    }

    /// The engine of this name, as `--engine` takes it; `auto` is the one that is there everywhere, tract,
    /// `onnxruntime` takes an execution provider behind it (`onnxruntime:cuda`, `onnxruntime:tensorrt`), and `cuda` a
    /// device and a policy (`cuda:1`, `cuda:autotune`, `cuda:1:autotune`).
    ///
    /// `seed` drives its random fill and, where it is simulated, its noise.
    pub fn named(name: &str, threads: usize, seed: u64) -> Result<Engine, Error> {
        if let Some(file) = name.strip_prefix("recorded:") {
            let recorded = Recorded::open(Path::new(file))?.seed(seed);
            let liveness = if recorded.is_simulated() { Liveness::Simulated } else { Liveness::Recorded };
            let engine = Engine::with(Box::new(recorded.clone()), None, liveness)?;
            return Ok(Engine { recorded: Some(recorded), ..engine });
        }
        if let Some(device) = name.strip_prefix("simulated:") {
            let simulated = Simulated::named(device)?.seed(seed);
            return Engine::with(Box::new(simulated), None, Liveness::Simulated);
        }
        match name {
            "auto" | "tract" => {
                let tract = Tract::new().threads(threads);
                Engine::with(Box::new(tract.clone()), Some(Box::new(tract)), Liveness::Live)
            }
            _ if name.split(':').next() == Some("onnxruntime") => {
                let provider = name.strip_prefix("onnxruntime").map(|rest| rest.strip_prefix(':').unwrap_or("cpu"));
                let unknown = || Error::UnknownEngine { name: name.to_owned() };
                let provider = provider.and_then(Provider::named).ok_or_else(unknown)?;
                let runtime = OnnxRuntime::find(provider, threads)?;
                Engine::with(Box::new(runtime.clone()), Some(Box::new(runtime)), Liveness::Live)
            }
            _ => match cuda_name(name) {
                Some((index, selection)) => {
                    let cuda = Cuda::device(index)?.selection(selection).seed(seed);
                    let engine = Engine::with(Box::new(cuda), None, Liveness::Live)?;
                    Ok(Engine { anchors: gpu_bench::anchors().into(), ..engine })
                }
                None => Err(Error::UnknownEngine { name: name.to_owned() }),
            },
        }
    }

    /// What needs no device: a simulated device, a recorded table, or a latency table by its path, from which the
    /// machine whose text contains `machine` answers, or the only one.
    pub fn without_device(name: &str, machine: Option<&str>, seed: u64) -> Result<Engine, Error> {
        if ["simulated:", "recorded:"].iter().any(|kind| name.starts_with(kind)) {
            return Engine::named(name, 1, seed);
        }
        let path = Path::new(name);
        if !path.exists() {
            return Err(Error::NoTable { name: name.to_owned() });
        }
        let (store, kind) = open_any_read_only(path)?;
        let mut machines: BTreeMap<String, BTreeMap<ConvSpec, Measurement>> = BTreeMap::new();
        store.scan(&mut |key, entry| {
            if let (true, Ok(spec)) = (machine.is_none_or(|part| key.machine.contains(part)), key.conv_spec()) {
                machines.entry(key.machine).or_default().entry(spec).or_insert(entry.measurement);
            }
            ControlFlow::Continue(())
        })?;
        let known: Vec<String> = machines.keys().cloned().collect();
        let (Some((of, entries)), true) = (machines.pop_first(), known.len() == 1) else {
            return Err(Error::WhichMachine { path: path.to_owned(), machines: known });
        };
        let origin = of.parse().map_err(|_| Error::WhichMachine { path: path.to_owned(), machines: known })?;
        let recorded = Recorded::of(path, origin, entries);
        let liveness = if kind == TableKind::Simulated { Liveness::Simulated } else { Liveness::Recorded };
        let engine = Engine::with(Box::new(recorded.clone()), None, liveness)?;
        Ok(Engine { recorded: Some(recorded), ..engine })
    }

    /// What its figures are true for.
    pub fn machine(&self) -> &Machine {
        &self.machine
    }

    /// What its figures are worth.
    pub fn liveness(&self) -> Liveness {
        self.liveness
    }

    /// Times single convolutions.
    pub fn backend(&self) -> &dyn Backend {
        &*self.backend
    }

    /// Runs whole models, if it can.
    pub fn models(&self) -> Option<&dyn ModelBackend> {
        self.models.as_deref()
    }

    /// What runs whole models for their results: the engine, or tract where it runs none.
    pub fn runner(&self) -> Box<dyn ModelBackend + '_> {
        match self.models() {
            Some(models) => Box::new(models),
            None => Box::new(Tract::new()),
        }
    }

    /// What a time of a whole network covers on it.
    pub fn covers(&self) -> Covers {
        if self.models.is_some() { Covers::WholeModel } else { Covers::Convolutions }
    }

    /// The answers of a recorded table in a cache state, as they stand there.
    pub(crate) fn recorded(&self, cache: CacheState) -> Option<Recorded> {
        self.recorded.clone().map(|recorded| recorded.only(cache))
    }

    /// Convolutions that are looked at between others, to tell whether the device itself has changed speed.
    pub(crate) fn anchors(&self) -> &[ConvSpec] {
        &self.anchors
    }

    /// Refuses a model with layers that nobody can time, where this engine could only leave them out, and a data type
    /// in which it would not run the file, where it runs whole models as they are.
    pub(crate) fn check_model(&self, model: &Model) -> Result<(), Error> {
        if self.models.is_some() && model.stored_in() != model.dtype() {
            return Err(Error::StoredType {
                path: model.path().to_owned(),
                engine: self.machine.engine.clone(),
                stored: model.stored_in(),
                dtype: model.dtype(),
            });
        }
        match (model.network().untimed.as_slice(), &self.models) {
            ([first, ..], None) => Err(Error::Untimed {
                path: model.path().to_owned(),
                count: model.network().untimed.len(),
                first: first.node.clone(),
                reason: first.reason.clone(),
                engine: self.machine.engine.clone(),
            }),
            _ => Ok(()),
        }
    }

    /// The start of every result.
    pub fn header(&self, schema: Schema) -> Header {
        Header {
            schema,
            engine: self.machine.engine.clone(),
            machine: MachineReport::from(&self.machine),
            simulated: self.liveness == Liveness::Simulated,
            recorded: self.recorded.is_some(),
        }
    }
}

/// Device and policy of `cuda`, `cuda:1`, `cuda:autotune`, `cuda:1:autotune`.
fn cuda_name(name: &str) -> Option<(usize, Selection)> {
    let mut words = name.split(':').peekable();
    if words.next()? != "cuda" {
        return None;
    }
    let index = words.peek().and_then(|word| word.parse().ok());
    if index.is_some() {
        words.next();
    }
    let selection = match words.next() {
        None => Selection::Heuristic,
        Some(word) => [Selection::Heuristic, Selection::Autotune].into_iter().find(|of| of.name() == word)?,
    };
    words.next().is_none().then_some((index.unwrap_or(0), selection))
}

/// The engines here, or why not.
pub fn doctor(threads: usize, table: &Path) -> DoctorReport {
    let ready = |name: &str, machine: &Machine| EngineReport {
        engine: name.to_owned(),
        available: true,
        machine: Some(MachineReport::from(machine)),
        reason: None,
        looked_for: Vec::new(),
        remedy: None,
    };
    let missing = |name: &str, reason: String, looked_for: Vec<String>, remedy: Option<String>| EngineReport {
        engine: name.to_owned(),
        available: false,
        machine: None,
        reason: Some(reason),
        looked_for,
        remedy,
    };
    let mut engines: Vec<EngineReport> = NAMES
        .iter()
        .map(|name| match Engine::named(name, threads, 0) {
            Ok(engine) => ready(name, engine.machine()),
            Err(Error::Unavailable(u)) => missing(name, u.reason, u.looked_for, Some(u.remedy)),
            Err(other) => missing(name, other.to_string(), Vec::new(), None),
        })
        .collect();
    engines.push(match gpu_bench::check() {
        Ok(machine) => ready("cuda", &machine),
        Err(u) => missing("cuda", u.reason, u.looked_for, Some(u.remedy)),
    });
    let libraries = gpu_bench::libraries().into_iter().map(LibraryReport::from).collect();
    DoctorReport { schema: "locp.doctor/1", engines, libraries, table: table.display().to_string() }
}

#[cfg(test)]
mod tests {
    use super::cuda_name;
    use gpu_bench::Selection::{Autotune, Heuristic};

    #[test]
    fn device_and_policy_are_read_from_the_name() {
        let check = |name: &str, expect| assert_eq!(cuda_name(name), expect, "{name}");
        check("cuda", Some((0, Heuristic)));
        check("cuda:3", Some((3, Heuristic)));
        check("cuda:autotune", Some((0, Autotune)));
        check("cuda:1:autotune", Some((1, Autotune)));
        for wrong in ["cuda:", "cuda:1:", "cuda:fast", "cuda:-1", "cuda:autotune:1", "cuda:1:autotune:2", "cudnn"] {
            check(wrong, None);
        }
    }
}
