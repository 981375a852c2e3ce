//! Every library and symbol that is used, looked up before the first call.
//!
//! The bindings panic where a library or symbol is absent, so nothing else of this crate may call them before one of
//! these functions has answered.
#![allow(unsafe_code, reason = "the driver is a C library; each block says why its call holds")]

use crate::GpuError;
use crate::discover::{self, Surroundings};
use crate::driver::done;
use cudarc::driver::sys;
use std::ffi::c_void;
use std::sync::OnceLock;

/// What messages call the driver.
pub(crate) const DRIVER: &str = "the CUDA driver";

/// Every driver function that is called; a test compares this list with the sources.
const DRIVER_SYMBOLS: [&str; 40] = [
    "cuCtxSetCurrent",
    "cuDeviceGet",
    "cuDeviceGetAttribute",
    "cuDeviceGetCount",
    "cuDeviceGetName",
    "cuDeviceGetPCIBusId",
    "cuDevicePrimaryCtxRelease_v2",
    "cuDevicePrimaryCtxRetain",
    "cuDeviceTotalMem_v2",
    "cuDriverGetVersion",
    "cuEventCreate",
    "cuEventDestroy_v2",
    "cuEventElapsedTime",
    "cuEventQuery",
    "cuEventRecord",
    "cuFuncSetAttribute",
    "cuGetErrorName",
    "cuGraphDestroy",
    "cuGraphExecDestroy",
    "cuGraphInstantiateWithFlags",
    "cuGraphLaunch",
    "cuInit",
    "cuLaunchKernel",
    "cuMemAlloc_v2",
    "cuMemFreeHost",
    "cuMemFree_v2",
    "cuMemHostAlloc",
    "cuMemHostGetDevicePointer_v2",
    "cuMemcpyDtoH_v2",
    "cuMemcpyHtoDAsync_v2",
    "cuMemsetD8Async",
    "cuModuleGetFunction",
    "cuModuleLoadData",
    "cuModuleUnload",
    "cuOccupancyMaxActiveBlocksPerMultiprocessor",
    "cuStreamBeginCapture_v2",
    "cuStreamCreate",
    "cuStreamDestroy_v2",
    "cuStreamEndCapture",
    "cuStreamSynchronize",
];

/// The oldest CUDA version that the driver must support: 1000 * major + 10 * minor.
const CUDA_NEEDED: i32 = 12_000;

/// A driver whose functions may be called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Driver {
    /// The newest CUDA version that it supports: 1000 * major + 10 * minor.
    cuda: i32,
    pub(crate) devices: usize,
}

impl Driver {
    /// The 12 of `12.4`.
    pub(crate) fn cuda_major(self) -> u32 {
        self.cuda.unsigned_abs() / 1000
    }

    /// `12.4`.
    pub(crate) fn cuda_version(self) -> String {
        version(self.cuda)
    }
}

fn version(cuda: i32) -> String {
    format!("{}.{}", cuda / 1000, cuda % 1000 / 10)
}

/// Loads the driver, looks up what is used of it, and asks how many devices it has; an error is found out anew each
/// time, because a driver may be installed meanwhile.
pub(crate) fn driver() -> Result<Driver, GpuError> {
    static FOUND: OnceLock<Driver> = OnceLock::new();
    if let Some(driver) = FOUND.get() {
        return Ok(*driver);
    }
    let driver = devices(look_for_library()?)?;
    Ok(*FOUND.get_or_init(|| driver))
}

/// The newest CUDA version that the driver supports, whether or not it has a device.
pub(crate) fn library_version() -> Result<String, GpuError> {
    look_for_library().map(version)
}

fn look_for_library() -> Result<i32, GpuError> {
    let mut cuda = 0;
    // SAFETY: Loading runs the initializers of whatever the system's loader takes for the CUDA driver, which is what
    // the user asked for by asking for CUDA. `culib` panics without the library, so its presence is tested first;
    // a binding panics without its symbol, so it is looked up first. The call gets a pointer to a live local.
    unsafe {
        if !sys::is_culib_present() {
            let looked_for = discover::driver_places(&Surroundings::here());
            return Err(GpuError::NoLibrary { library: DRIVER, looked_for });
        }
        let library = sys::culib();
        let lacks =
            |symbols: &[&str]| match symbols.iter().find(|s| library.get::<*const c_void>(s.as_bytes()).is_err()) {
                Some(symbol) => Err(GpuError::NoSymbol { library: DRIVER, symbol: (*symbol).to_owned() }),
                None => Ok(()),
            };
        // A driver that is too old lacks symbols too, and its age is what its user can do something about.
        lacks(&["cuDriverGetVersion", "cuGetErrorName"])?;
        done("cuDriverGetVersion", sys::cuDriverGetVersion(&mut cuda))?;
        if cuda < CUDA_NEEDED {
            return Err(GpuError::TooOld {
                library: DRIVER,
                found: format!("CUDA {}", version(cuda)),
                needed: "CUDA 12.0",
            });
        }
        lacks(&DRIVER_SYMBOLS)?;
    }
    Ok(cuda)
}

fn devices(cuda: i32) -> Result<Driver, GpuError> {
    let mut count = 0;
    // SAFETY: All of DRIVER_SYMBOLS were found before anyone could know the version; `count` is a live local.
    unsafe {
        done("cuInit", sys::cuInit(0))?;
        done("cuDeviceGetCount", sys::cuDeviceGetCount(&mut count))?;
    }
    match usize::try_from(count) {
        Ok(devices) if devices > 0 => Ok(Driver { cuda, devices }),
        _ => Err(GpuError::NoDevice),
    }
}
