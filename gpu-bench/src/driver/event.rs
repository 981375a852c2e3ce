//! A mark in a stream, with the time at which it was passed.
#![allow(unsafe_code, reason = "the driver is a C library; each block says why its call holds")]

use super::{Context, Stream, done};
use crate::GpuError;
use cudarc::driver::sys;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Waits shorter than this are spent asking again at once: the events timed here are microseconds away.
const ASK_AGAIN: Duration = Duration::from_millis(2);

/// An event with timing, destroyed when dropped.
#[derive(Debug)]
pub(crate) struct Event {
    context: Arc<Context>,
    raw: sys::CUevent,
}

// SAFETY: The driver allows an event to be used from any thread; `raw` is never dereferenced here.
unsafe impl Send for Event {}

impl Event {
    /// One that has not been recorded.
    pub(crate) fn new(context: &Arc<Context>) -> Result<Event, GpuError> {
        context.bind()?;
        let mut raw = std::ptr::null_mut();
        // The default has timing and spins where it is waited for, which is what short waits want.
        let flags = sys::CUevent_flags::CU_EVENT_DEFAULT as u32;
        // SAFETY: `raw` is a live local; the context is current.
        done("cuEventCreate", unsafe { sys::cuEventCreate(&mut raw, flags) })?;
        Ok(Event { context: Arc::clone(context), raw })
    }

    /// Puts the mark at the stream's end.
    pub(crate) fn record(&self, stream: &Stream) -> Result<(), GpuError> {
        self.context.bind()?;
        // SAFETY: Event and stream are alive and of one context, which is current.
        done("cuEventRecord", unsafe { sys::cuEventRecord(self.raw, stream.raw()) })
    }

    /// Waits until the stream has passed it, at most so long.
    pub(crate) fn wait(&self, what: &'static str, limit: Duration) -> Result<(), GpuError> {
        self.context.bind()?;
        let start = Instant::now();
        loop {
            // SAFETY: The event is alive and its context current.
            match unsafe { sys::cuEventQuery(self.raw) } {
                sys::CUresult::CUDA_ERROR_NOT_READY => {}
                result => return done("cuEventQuery", result),
            }
            let waited = start.elapsed();
            if waited > limit {
                return Err(self.context.give_up(GpuError::Timeout { what, ms: limit.as_millis() as u64 }));
            }
            if waited > ASK_AGAIN {
                std::thread::sleep(Duration::from_micros(50));
            } else {
                std::hint::spin_loop();
            }
        }
    }

    /// Nanoseconds of device time from `start` to this one; both have been passed.
    pub(crate) fn ns_since(&self, start: &Event) -> Result<f64, GpuError> {
        self.context.bind()?;
        let mut ms = 0.0_f32;
        // SAFETY: `ms` is a live local; both events are alive and of this context.
        done("cuEventElapsedTime", unsafe { sys::cuEventElapsedTime(&mut ms, start.raw, self.raw) })?;
        Ok(f64::from(ms) * 1e6)
    }
}

impl Drop for Event {
    fn drop(&mut self) {
        if self.context.bind().is_ok() {
            // SAFETY: It came from cuEventCreate and is destroyed once.
            let _ = unsafe { sys::cuEventDestroy_v2(self.raw) };
        }
    }
}
