//! Engines by name, chosen at run time.

use crate::Error;
use crate::model::Model;
use crate::report::{DoctorReport, EngineReport, Header, MachineReport, Schema};
use cpu_bench::Tract;
use netspec::Machine;
use replay::{Recorded, Simulated};
use std::path::Path;
use timing::{Backend, ModelBackend, Unavailable};

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
}

/// The engines that `doctor` looks at and that have no file in their name.
const NAMES: [&str; 4] = ["tract", "simulated:h100", "simulated:t4", "simulated:orin"];

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
        Ok(Engine { machine: backend.check()?, liveness, backend, models })
    }

    /// The engine of this name, as `--engine` takes it; `auto` is the best one that can run whole models here.
    ///
    /// `seed` drives its random fill and, where it is simulated, its noise.
    pub fn named(name: &str, threads: usize, seed: u64) -> Result<Engine, Error> {
        if let Some(file) = name.strip_prefix("recorded:") {
            return Engine::with(Box::new(Recorded::open(Path::new(file))?), None, Liveness::Recorded);
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
            "cuda" => Err(gpu_bench::check().map_or_else(Error::from, |machine| {
                Error::from(Unavailable {
                    engine: "cuda".to_owned(),
                    reason: format!("{} is here, but timing on it is not built yet", machine.device),
                    looked_for: Vec::new(),
                    remedy: "use --engine tract".to_owned(),
                })
            })),
            _ => Err(Error::UnknownEngine { name: name.to_owned() }),
        }
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

    /// Refuses a model with layers that nobody can time, where this engine could only leave them out of a sum.
    pub(crate) fn check_timed(&self, model: &Model) -> Result<(), Error> {
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
            recorded: self.liveness == Liveness::Recorded,
        }
    }
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
        Ok(machine) => {
            let reason = format!("{} is here, but timing on it is not built yet", machine.device);
            missing("cuda", reason, Vec::new(), Some("use --engine tract".to_owned()))
        }
        Err(u) => missing("cuda", u.reason, u.looked_for, Some(u.remedy)),
    });
    DoctorReport { schema: "locp.doctor/1", engines, table: table.display().to_string() }
}
