//! A word that host and device both see.
#![allow(unsafe_code, reason = "the driver is a C library; each block says why its call holds")]

use super::{Context, done};
use crate::GpuError;
use cudarc::driver::sys;
use std::ffi::c_void;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

/// A 32-bit word in host memory that kernels can read and write, freed when dropped.
#[derive(Debug)]
pub(crate) struct HostFlag {
    context: Arc<Context>,
    host: *mut c_void,
    device: u64,
}

// SAFETY: The memory belongs to this value, and the host touches it through an atomic only.
unsafe impl Send for HostFlag {}

impl HostFlag {
    /// A word that is zero.
    pub(crate) fn new(context: &Arc<Context>) -> Result<HostFlag, GpuError> {
        context.bind()?;
        let mut host = std::ptr::null_mut();
        // SAFETY: `host` is a live local; the context is current.
        let result = unsafe { sys::cuMemHostAlloc(&mut host, size_of::<u32>(), sys::CU_MEMHOSTALLOC_DEVICEMAP) };
        done("cuMemHostAlloc", result)?;
        let mut flag = HostFlag { context: Arc::clone(context), host, device: 0 };
        flag.set(0);
        // SAFETY: `host` came from cuMemHostAlloc with the device mapping asked for; the flags must be zero.
        let result = unsafe { sys::cuMemHostGetDevicePointer_v2(&mut flag.device, host, 0) };
        done("cuMemHostGetDevicePointer", result)?;
        Ok(flag)
    }

    fn word(&self) -> &AtomicU32 {
        // SAFETY: The allocation is at least four bytes, page-aligned, alive as long as `self`, and reached from the
        // host through this atomic only; the device's accesses are volatile and of the same size.
        unsafe { &*self.host.cast::<AtomicU32>() }
    }

    /// Writes it, visible to the device after earlier host writes.
    pub(crate) fn set(&self, value: u32) {
        self.word().store(value, Ordering::Release);
    }

    /// Reads it.
    pub(crate) fn get(&self) -> u32 {
        self.word().load(Ordering::Acquire)
    }

    /// Its address on the device.
    pub(crate) fn address(&self) -> u64 {
        self.device
    }
}

impl Drop for HostFlag {
    fn drop(&mut self) {
        if self.context.bind().is_ok() {
            // SAFETY: It came from cuMemHostAlloc and is freed once.
            let _ = unsafe { sys::cuMemFreeHost(self.host) };
        }
    }
}
