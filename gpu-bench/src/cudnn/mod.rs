//! Convolutions by cuDNN's graph API.
//!
//! A convolution and what follows it are described as a small graph ([`problem`], plain data); the library answers
//! with engine configurations ([`engines`]), of which those that a data type or a policy forbids are left out
//! ([`select`], plain data again); a configuration becomes a plan ([`plan`]) that runs on a stream.
//! The parts without the library are tested anywhere, and the descriptors against the real library without a GPU.

mod descriptor;
mod engines;
mod graph;
mod handle;
mod plan;
mod problem;
mod select;
#[cfg(test)]
mod tests;

pub(crate) use engines::candidates;
pub(crate) use graph::OperationGraph;
pub(crate) use handle::{Handle, version_text};
pub(crate) use plan::{Plan, Pointers};
pub(crate) use problem::Problem;

use crate::GpuError;
use crate::discover::{self, Surroundings};
use cudarc::cudnn::sys::{self, cudnnStatus_t as Status};
use std::ffi::c_void;
use std::path::PathBuf;
use std::sync::OnceLock;

/// What messages call the library.
pub(crate) const CUDNN: &str = discover::CUDNN.name;

/// Every function of the library that is called; a test compares this list with the sources.
pub(crate) const SYMBOLS: [&str; 11] = [
    "cudnnBackendCreateDescriptor",
    "cudnnBackendDestroyDescriptor",
    "cudnnBackendExecute",
    "cudnnBackendFinalize",
    "cudnnBackendGetAttribute",
    "cudnnBackendSetAttribute",
    "cudnnCreate",
    "cudnnDestroy",
    "cudnnGetLastErrorString",
    "cudnnGetVersion",
    "cudnnSetStream",
];

/// The oldest version that will do; 9.0 renumbered the status codes.
const NEEDED: usize = 90_000;

/// A library whose functions may be called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Found {
    /// 10000 * major + 100 * minor + patch.
    pub(crate) version: usize,
    /// Where it was found, or its bare name.
    pub(crate) path: PathBuf,
}

/// Loads the library and looks up what is used of it; an error is found out anew each time.
pub(crate) fn check() -> Result<Found, GpuError> {
    static FOUND: OnceLock<Found> = OnceLock::new();
    if let Some(found) = FOUND.get() {
        return Ok(found.clone());
    }
    let found = look_for()?;
    Ok(FOUND.get_or_init(|| found).clone())
}

#[allow(unsafe_code, reason = "the library is C; the block says why its calls hold")]
fn look_for() -> Result<Found, GpuError> {
    let search = discover::search(&discover::CUDNN, &Surroundings::here());
    let loaded = discover::load(&search).map_err(|looked_for| GpuError::NoLibrary { library: CUDNN, looked_for })?;
    if let Some(symbol) = loaded.lacks(&SYMBOLS) {
        return Err(GpuError::NoSymbol { library: CUDNN, symbol: symbol.to_owned() });
    }
    // SAFETY: The bindings load the library by its bare name, which is in the process by now, and panic where they
    // cannot or where a symbol is absent; both are ruled out before the call. The version takes no argument.
    let (version, is_ours) = unsafe {
        if !sys::is_culib_present() {
            let looked_for = vec![format!("{} (loaded, but not found by its bare name)", loaded.path.display())];
            return Err(GpuError::NoLibrary { library: CUDNN, looked_for });
        }
        // By that name the loader may know another one, which is the one that will be called.
        let called = sys::culib();
        if let Some(symbol) = SYMBOLS.iter().find(|s| called.get::<*const c_void>(s.as_bytes()).is_err()) {
            return Err(GpuError::NoSymbol { library: CUDNN, symbol: (*symbol).to_owned() });
        }
        const VERSION: &[u8] = b"cudnnGetVersion";
        let addresses = [loaded.library, called].map(|of| of.get::<*const c_void>(VERSION).map(|symbol| *symbol).ok());
        (sys::cudnnGetVersion(), addresses[0] == addresses[1])
    };
    if version < NEEDED {
        return Err(GpuError::TooOld { library: CUDNN, found: version_text(version), needed: "9.0" });
    }
    let path = match is_ours {
        true => loaded.path,
        false => PathBuf::from(format!("the loader's own (it prefers one to {})", loaded.path.display())),
    };
    Ok(Found { version, path })
}

/// Statuses that say "this graph, on this device, not by me": the range of `CUDNN_STATUS_NOT_SUPPORTED`.
const NOT_SUPPORTED: std::ops::Range<u32> = 3000..4000;

/// Statuses of `CUDNN_STATUS_INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED`.
const OUT_OF_MEMORY: u32 = 4004;

/// A call's result, with the library's own words where it failed.
fn done(call: &'static str, status: Status) -> Result<(), GpuError> {
    let code = status as u32;
    match code {
        0 => Ok(()),
        OUT_OF_MEMORY => Err(GpuError::OutOfMemory { bytes: 0 }),
        _ if NOT_SUPPORTED.contains(&code) => Err(GpuError::Unsupported { reason: handle::last_error(status) }),
        _ => Err(GpuError::Call { call, code, text: handle::last_error(status) }),
    }
}
