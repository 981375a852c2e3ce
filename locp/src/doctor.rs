//! `doctor`: the engines here, or why not.

use crate::report::{DoctorReport, EngineReport, MachineReport};
use crate::{Error, engine};
use netspec::Machine;
use std::path::Path;

/// The engines that `doctor` looks at and that have no file in their name.
const NAMES: [&str; 5] = ["tract", "onnxruntime", "simulated:h100", "simulated:t4", "simulated:orin"];

/// Returns which engines can run here, or why not.
pub fn doctor(threads: usize, table: &Path) -> DoctorReport {
    let look = |name: &&str| match engine(name, threads, 0) {
        Ok(engine) => ready(name, &engine.machine()),
        Err(Error::Unavailable(why)) => missing(name, why.reason, why.looked_for, Some(why.remedy)),
        Err(other) => missing(name, other.to_string(), Vec::new(), None),
    };
    let engines = NAMES.iter().map(look);
    #[cfg(feature = "cuda")]
    let engines = engines.chain(std::iter::once_with(|| match gpu_bench::check() {
        Ok(machine) => ready("cuda", &machine),
        Err(why) => missing("cuda", why.reason, why.looked_for, Some(why.remedy)),
    }));
    let engines = engines.collect();
    #[cfg(not(feature = "cuda"))]
    let libraries = Vec::new();
    #[cfg(feature = "cuda")]
    let libraries = gpu_bench::libraries().into_iter().map(crate::report::LibraryReport::from).collect();
    DoctorReport { schema: "locp.doctor/1", engines, libraries, table: table.display().to_string() }
}

fn ready(name: &str, machine: &Machine) -> EngineReport {
    EngineReport {
        engine: name.to_owned(),
        available: true,
        machine: Some(MachineReport::from(machine)),
        reason: None,
        looked_for: Vec::new(),
        remedy: None,
    }
}

fn missing(name: &str, reason: String, looked_for: Vec<String>, remedy: Option<String>) -> EngineReport {
    EngineReport { engine: name.to_owned(), available: false, machine: None, reason: Some(reason), looked_for, remedy }
}
