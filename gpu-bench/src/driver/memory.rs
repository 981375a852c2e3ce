//! Device memory.
#![allow(unsafe_code, reason = "the driver is a C library; each block says why its call holds")]

use super::{Context, Stream, done};
use crate::GpuError;
use cudarc::driver::sys;
use std::ffi::c_void;
use std::sync::Arc;

/// Plain device memory, freed when dropped.
#[derive(Debug)]
pub(crate) struct Buffer {
    context: Arc<Context>,
    address: u64,
    bytes: usize,
}

impl Buffer {
    /// Memory for so many bytes, at least one, aligned to 256; what it holds is unspecified.
    pub(crate) fn new(context: &Arc<Context>, bytes: usize) -> Result<Buffer, GpuError> {
        context.bind()?;
        let bytes = bytes.max(1);
        let mut address = 0;
        // SAFETY: `address` is a live local; the context is current.
        match unsafe { sys::cuMemAlloc_v2(&mut address, bytes) } {
            sys::CUresult::CUDA_ERROR_OUT_OF_MEMORY => Err(GpuError::OutOfMemory { bytes }),
            result => {
                done("cuMemAlloc", result)?;
                Ok(Buffer { context: Arc::clone(context), address, bytes })
            }
        }
    }

    /// The first byte's address on the device.
    pub(crate) fn address(&self) -> u64 {
        self.address
    }

    /// Its size.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Copies to the device, from its start, in the stream's order, and waits for it; refuses what does not fit.
    pub(crate) fn write(&mut self, data: &[u8], stream: &Stream) -> Result<(), GpuError> {
        self.fits(data.len())?;
        self.context.bind()?;
        let from = data.as_ptr().cast::<c_void>();
        // On the stream itself: a copy without one may still be on its way when it returns, and a stream that does not
        // wait for the default one would overtake it.
        // SAFETY: `data` is a live slice until the stream was waited for, and the device memory is at least as long.
        let result = unsafe { sys::cuMemcpyHtoDAsync_v2(self.address, from, data.len(), stream.raw()) };
        done("cuMemcpyHtoDAsync", result)?;
        stream.wait()
    }

    /// Copies the first bytes back; work that was queued on a non-blocking stream has to be waited for before.
    pub(crate) fn read(&self, bytes: usize) -> Result<Vec<u8>, GpuError> {
        self.fits(bytes)?;
        self.context.bind()?;
        let mut data = vec![0_u8; bytes];
        // SAFETY: `data` is a live, initialized vector of that length, and the device memory is at least as long.
        let result = unsafe { sys::cuMemcpyDtoH_v2(data.as_mut_ptr().cast::<c_void>(), self.address, bytes) };
        done("cuMemcpyDtoH", result)?;
        Ok(data)
    }

    /// Sets every byte, in the stream's order.
    pub(crate) fn set(&mut self, byte: u8, stream: &Stream) -> Result<(), GpuError> {
        self.context.bind()?;
        // SAFETY: Address and length are this allocation's; the stream is alive.
        done("cuMemsetD8Async", unsafe { sys::cuMemsetD8Async(self.address, byte, self.bytes, stream.raw()) })
    }

    fn fits(&self, bytes: usize) -> Result<(), GpuError> {
        if bytes > self.bytes {
            let reason = format!("{bytes} bytes do not fit into a buffer of {}", self.bytes);
            return Err(GpuError::Failed { step: "a copy", reason });
        }
        Ok(())
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        if self.context.bind().is_ok() {
            // SAFETY: The address came from cuMemAlloc and is freed once. The driver waits for work that uses it.
            let _ = unsafe { sys::cuMemFree_v2(self.address) };
        }
    }
}
