//! A queue of device work.
#![allow(unsafe_code, reason = "the driver is a C library; each block says why its call holds")]

use super::{Context, Graph, done};
use crate::GpuError;
use cudarc::driver::sys;
use std::sync::Arc;

/// Work that runs in order, destroyed when dropped; it does not wait for the default stream.
#[derive(Debug)]
pub(crate) struct Stream {
    context: Arc<Context>,
    raw: sys::CUstream,
}

// SAFETY: The driver allows a stream to be used from any thread; `raw` is never dereferenced here.
unsafe impl Send for Stream {}
// SAFETY: As above.
unsafe impl Sync for Stream {}

impl Stream {
    /// An empty one.
    pub(crate) fn new(context: &Arc<Context>) -> Result<Stream, GpuError> {
        context.bind()?;
        let mut raw = std::ptr::null_mut();
        let flags = sys::CUstream_flags::CU_STREAM_NON_BLOCKING as u32;
        // SAFETY: `raw` is a live local; the context is current.
        done("cuStreamCreate", unsafe { sys::cuStreamCreate(&mut raw, flags) })?;
        Ok(Stream { context: Arc::clone(context), raw })
    }

    /// For calls of other libraries, while this value lives.
    pub(crate) fn raw(&self) -> sys::CUstream {
        self.raw
    }

    /// Waits until everything queued has run; errors of kernels come out here.
    pub(crate) fn wait(&self) -> Result<(), GpuError> {
        self.context.bind()?;
        // SAFETY: The stream is alive and its context current.
        done("cuStreamSynchronize", unsafe { sys::cuStreamSynchronize(self.raw) })
    }

    /// What `queue` puts on this stream, as a graph that can be launched again and again; nothing runs meanwhile.
    pub(crate) fn capture<E: From<GpuError>>(&self, queue: impl FnOnce(&Stream) -> Result<(), E>) -> Result<Graph, E> {
        self.context.bind()?;
        let mode = sys::CUstreamCaptureMode::CU_STREAM_CAPTURE_MODE_THREAD_LOCAL;
        // SAFETY: The stream is alive and its context current.
        done("cuStreamBeginCapture", unsafe { sys::cuStreamBeginCapture_v2(self.raw, mode) })?;
        let queued = queue(self);
        let mut graph = std::ptr::null_mut();
        // A capture has to be ended even where queueing failed, or the stream stays unusable.
        // SAFETY: `graph` is a live local, and a capture was begun on this stream by this thread.
        let ended = done("cuStreamEndCapture", unsafe { sys::cuStreamEndCapture(self.raw, &mut graph) });
        let captured = ended.and_then(|()| Graph::instantiate(&self.context, graph));
        queued?;
        Ok(captured?)
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        if self.context.bind().is_ok() {
            // SAFETY: It came from cuStreamCreate and is destroyed once; queued work still completes.
            let _ = unsafe { sys::cuStreamDestroy_v2(self.raw) };
        }
    }
}
