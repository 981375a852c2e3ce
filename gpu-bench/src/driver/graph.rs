//! Captured work.
#![allow(unsafe_code, reason = "the driver is a C library; each block says why its call holds")]

use super::{Context, Stream, done};
use crate::GpuError;
use cudarc::driver::sys;
use std::sync::Arc;

/// Work that was captured from a stream and can be launched as one, destroyed when dropped.
///
/// It holds addresses, not memory: whoever captured it keeps the buffers alive.
#[derive(Debug)]
pub(crate) struct Graph {
    context: Arc<Context>,
    raw: sys::CUgraphExec,
}

// SAFETY: The driver allows an executable graph to be used from one thread at a time, which `&self` calls on a value
// that is not `Sync` keep; `raw` is never dereferenced here.
unsafe impl Send for Graph {}

impl Graph {
    /// Takes a captured graph, which is destroyed whether or not this succeeds.
    pub(super) fn instantiate(context: &Arc<Context>, graph: sys::CUgraph) -> Result<Graph, GpuError> {
        let mut raw = std::ptr::null_mut();
        // SAFETY: `graph` came from the end of a capture and is used and destroyed here only; the executable graph
        // does not need it any more; the context is current.
        let result = unsafe {
            let result = done("cuGraphInstantiate", sys::cuGraphInstantiateWithFlags(&mut raw, graph, 0));
            let _ = sys::cuGraphDestroy(graph);
            result
        };
        result?;
        Ok(Graph { context: Arc::clone(context), raw })
    }

    /// Puts all of it at the stream's end.
    pub(crate) fn launch(&self, stream: &Stream) -> Result<(), GpuError> {
        self.context.bind()?;
        // SAFETY: Graph and stream are alive and of one context, which is current.
        done("cuGraphLaunch", unsafe { sys::cuGraphLaunch(self.raw, stream.raw()) })
    }
}

impl Drop for Graph {
    fn drop(&mut self) {
        if self.context.bind().is_ok() {
            // SAFETY: It came from cuGraphInstantiate and is destroyed once; a launch that runs still completes.
            let _ = unsafe { sys::cuGraphExecDestroy(self.raw) };
        }
    }
}
