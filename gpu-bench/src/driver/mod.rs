//! The driver API behind handles that clean up after themselves.
//!
//! Each handle keeps its context alive and makes it current before it calls, so handles may move between threads.
//! Nothing here may be called before [`crate::check::driver`] has answered: the bindings panic on a missing symbol.

mod context;
mod event;
mod graph;
mod host_flag;
mod launch;
mod memory;
mod stream;

pub(crate) use context::Context;
pub(crate) use event::Event;
pub(crate) use graph::Graph;
pub(crate) use host_flag::HostFlag;
pub use launch::{Arg, Shape};
pub(crate) use launch::{Function, Module};
pub(crate) use memory::Buffer;
pub(crate) use stream::Stream;

use crate::GpuError;
use cudarc::driver::sys::{self, CUresult};
use std::ffi::CStr;

/// A driver call's result with the call's name.
pub(crate) fn done(call: &'static str, result: CUresult) -> Result<(), GpuError> {
    match result {
        CUresult::CUDA_SUCCESS => Ok(()),
        code => Err(GpuError::from_cuda(call, code as u32, name(code))),
    }
}

/// The driver's own name for a code: a newer one may have codes that the bindings do not know.
#[allow(unsafe_code, reason = "the driver is a C library; each block says why its call holds")]
fn name(code: CUresult) -> String {
    let mut name = std::ptr::null();
    // SAFETY: `check` has found the function before any other one was called; `name` is a live local.
    let result = unsafe { sys::cuGetErrorName(code, &mut name) };
    if result != CUresult::CUDA_SUCCESS || name.is_null() {
        return format!("CUDA error {}", code as u32);
    }
    // SAFETY: It is not null, ends with a zero and lives as long as the driver, by its reference.
    unsafe { CStr::from_ptr(name) }.to_string_lossy().into_owned()
}
