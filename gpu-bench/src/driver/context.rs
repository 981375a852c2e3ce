//! A device and its primary context.
#![allow(unsafe_code, reason = "the driver is a C library; each block says why its call holds")]

use super::done;
use crate::GpuError;
use cudarc::driver::sys::{self, CUdevice_attribute as Attribute};
use std::ffi::{CStr, c_char, c_int};
use std::sync::{Arc, OnceLock};

/// Bytes for a device's name; the driver cuts longer ones and always ends them with a zero.
const NAME_BYTES: usize = 256;

/// What the driver says of a device.
#[derive(Clone, Debug)]
pub(crate) struct Attributes {
    pub(crate) index: usize,
    pub(crate) name: String,
    /// Compute capability, major and minor.
    pub(crate) capability: [u32; 2],
    pub(crate) multiprocessors: u32,
    /// Bytes of the last-level cache.
    pub(crate) l2_bytes: usize,
    /// The clock that the device is specified to reach, in MHz.
    pub(crate) clock_mhz: f64,
    pub(crate) memory_bytes: usize,
    /// `0000:01:00.0`, by which other libraries know the device.
    pub(crate) pci_bus_id: String,
}

impl Attributes {
    /// `sm_90`.
    pub(crate) fn arch(&self) -> String {
        format!("sm_{}{}", self.capability[0], self.capability[1])
    }
}

/// The primary context of a device, retained for as long as any handle lives.
#[derive(Debug)]
pub(crate) struct Context {
    device: sys::CUdevice,
    raw: sys::CUcontext,
    attributes: Attributes,
    /// Why the device was given up.
    lost: OnceLock<GpuError>,
}

// SAFETY: The driver allows a context to be used from any thread; `raw` is never dereferenced here.
unsafe impl Send for Context {}
// SAFETY: As above; the driver serializes calls on one context itself.
unsafe impl Sync for Context {}

impl Context {
    /// The device of this index, with its primary context current on this thread.
    pub(crate) fn new(index: usize) -> Result<Arc<Context>, GpuError> {
        let count = crate::check::driver()?.devices;
        if index >= count {
            return Err(GpuError::NoSuchDevice { index, count });
        }
        let mut device = 0;
        let mut raw = std::ptr::null_mut();
        // SAFETY: `check::driver` has found every symbol; the index is below the count; both pointers are to locals of
        // the declared types, and `device` is used after the call that sets it has succeeded.
        unsafe {
            done("cuDeviceGet", sys::cuDeviceGet(&mut device, index as c_int))?;
            done("cuDevicePrimaryCtxRetain", sys::cuDevicePrimaryCtxRetain(&mut raw, device))?;
        }
        // From here on, dropping it releases the context.
        let attributes = Attributes {
            index,
            name: String::new(),
            capability: [0; 2],
            multiprocessors: 0,
            l2_bytes: 0,
            clock_mhz: 0.0,
            memory_bytes: 0,
            pci_bus_id: String::new(),
        };
        let mut context = Context { device, raw, attributes, lost: OnceLock::new() };
        context.bind()?;
        context.attributes = context.ask(index)?;
        Ok(Arc::new(context))
    }

    fn ask(&self, index: usize) -> Result<Attributes, GpuError> {
        let number = |attribute: Attribute| -> Result<u32, GpuError> {
            let mut value = 0;
            // SAFETY: `value` is a live local, the attribute a constant of the bindings, the device a valid one.
            let result = unsafe { sys::cuDeviceGetAttribute(&mut value, attribute, self.device) };
            done("cuDeviceGetAttribute", result)?;
            Ok(u32::try_from(value).unwrap_or(0))
        };
        let text = |call, ask: &dyn Fn(*mut c_char, c_int) -> sys::CUresult| -> Result<String, GpuError> {
            let mut text: [c_char; NAME_BYTES] = [0; NAME_BYTES];
            done(call, ask(text.as_mut_ptr(), NAME_BYTES as c_int))?;
            let bytes = text.map(|c| c as u8);
            Ok(CStr::from_bytes_until_nul(&bytes).map(|t| t.to_string_lossy().into_owned()).unwrap_or_default())
        };
        let mut memory_bytes = 0;
        // SAFETY: `memory_bytes` is a live local and the device a valid one.
        done("cuDeviceTotalMem", unsafe { sys::cuDeviceTotalMem_v2(&mut memory_bytes, self.device) })?;
        Ok(Attributes {
            index,
            // SAFETY: The closure gets a buffer and its length from `text`, which the driver does not exceed.
            name: text("cuDeviceGetName", &|to, n| unsafe { sys::cuDeviceGetName(to, n, self.device) })?,
            capability: [
                number(Attribute::CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR)?,
                number(Attribute::CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR)?,
            ],
            multiprocessors: number(Attribute::CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT)?,
            l2_bytes: number(Attribute::CU_DEVICE_ATTRIBUTE_L2_CACHE_SIZE)? as usize,
            clock_mhz: f64::from(number(Attribute::CU_DEVICE_ATTRIBUTE_CLOCK_RATE)?) / 1e3,
            memory_bytes,
            // SAFETY: As for the name.
            pci_bus_id: text("cuDeviceGetPCIBusId", &|to, n| unsafe { sys::cuDeviceGetPCIBusId(to, n, self.device) })?,
        })
    }

    /// What the driver says of the device.
    pub(crate) fn attributes(&self) -> &Attributes {
        &self.attributes
    }

    /// Makes the context current on this thread, unless the device was given up.
    pub(crate) fn bind(&self) -> Result<(), GpuError> {
        if let Some(error) = self.lost.get() {
            return Err(error.clone());
        }
        // SAFETY: `raw` was retained and is released only in `drop`.
        done("cuCtxSetCurrent", unsafe { sys::cuCtxSetCurrent(self.raw) })
    }

    /// Gives the device up: every later call answers with this error, and nothing is freed any more, because freeing
    /// waits for whatever hangs.
    pub(crate) fn give_up(&self, error: GpuError) -> GpuError {
        self.lost.get_or_init(|| error).clone()
    }
}

impl Drop for Context {
    fn drop(&mut self) {
        if self.lost.get().is_some() {
            return;
        }
        // A context that is lost answers with an error that nobody can act on.
        // SAFETY: It was retained once in `new`, and every handle on it held this value.
        let _ = unsafe { sys::cuDevicePrimaryCtxRelease_v2(self.device) };
    }
}
