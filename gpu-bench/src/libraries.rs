//! What `check` and `doctor` tell of the libraries.

use crate::cuda::machine;
use crate::discover::{self, Surroundings};
use crate::driver::Context;
use crate::nvml::Nvml;
use crate::nvrtc::Nvrtc;
use crate::{GpuError, Selection, cudnn};
use netspec::Machine;
use std::path::PathBuf;
use timing::Unavailable;

/// A library that is loaded at run time, and where it was looked for.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Library {
    /// `the CUDA driver`, `cuDNN`, `NVRTC`, `NVML`.
    pub name: &'static str,
    /// Where it was found, or why it cannot be used.
    pub found: Result<FoundLibrary, String>,
    /// Every place that was or would be looked at, in order, in words.
    pub looked_for: Vec<String>,
}

/// A library that can be used.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct FoundLibrary {
    /// Its path, or its bare name where the system's loader found it.
    pub path: PathBuf,
    /// Its version; for the driver the newest CUDA version that it supports.
    pub version: String,
}

/// The first GPU and the libraries that timing on it needs, or what is missing and where it was looked for.
///
/// Every function of every library that is used is looked up here, so that a missing one is an error and never a
/// panic later; nothing is compiled, and no memory is taken on the device.
pub fn check() -> Result<Machine, Unavailable> {
    let context = Context::new(0)?;
    let library = cudnn::check()?;
    Nvrtc::find_for(crate::check::driver()?.cuda_major())?;
    let nvml = Nvml::find(&context.attributes().pci_bus_id);
    Ok(machine(&context, &library, nvml.as_ref(), Selection::default())?)
}

/// All libraries, found or not: the driver, cuDNN, the run-time compiler, the management library.
pub fn libraries() -> Vec<Library> {
    let here = Surroundings::here();
    let found = |path: PathBuf, version: String| FoundLibrary { path, version };
    let driver =
        crate::check::library_version().map(|cuda| found(PathBuf::from("libcuda.so.1"), format!("CUDA {cuda}")));
    let cudnn = cudnn::check().map(|library| found(library.path, cudnn::version_text(library.version)));
    let nvrtc = Nvrtc::find().map(|nvrtc| {
        let [major, minor] = nvrtc.version();
        found(nvrtc.path().to_owned(), format!("{major}.{minor}"))
    });
    let nvml = Nvml::version().map(|version| found(PathBuf::from("libnvidia-ml.so"), version));
    let places = |wanted| discover::search(wanted, &here).looked_for;
    let all = [
        (crate::check::DRIVER, driver.map_err(|error| reason(&error)), discover::driver_places(&here)),
        (cudnn::CUDNN, cudnn.map_err(|error| reason(&error)), places(&discover::CUDNN)),
        (discover::NVRTC.name, nvrtc.map_err(|error| reason(&error)), places(&discover::NVRTC)),
        // Only clocks and temperatures are missed without it.
        ("NVML", nvml, vec!["libnvidia-ml.so or libnvidia-ml.so.1 by the loader".to_owned()]),
    ];
    all.map(|(name, found, looked_for)| Library { name, found, looked_for }).into()
}

/// What is wrong, without the places, which stand beside it.
fn reason(error: &GpuError) -> String {
    let unavailable = Unavailable::from(error.clone());
    format!("{}; {}", unavailable.reason, unavailable.remedy)
}
