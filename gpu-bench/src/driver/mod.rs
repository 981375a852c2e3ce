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
use cudarc::driver::sys::CUresult;

/// A driver call's result with the call's name.
fn done(call: &'static str, result: CUresult) -> Result<(), GpuError> {
    match result {
        CUresult::CUDA_SUCCESS => Ok(()),
        code => Err(GpuError::from_cuda(call, code as u32, format!("{code:?}"))),
    }
}
