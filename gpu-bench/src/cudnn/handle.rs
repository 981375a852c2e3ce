//! The library's state on a device.
#![allow(unsafe_code, reason = "the library is C; each block says why its call holds")]

use super::descriptor::Descriptor;
use super::done;
use crate::GpuError;
use crate::driver::{Context, Stream};
use cudarc::cudnn::sys::{
    self, cudnnBackendAttributeName_t as Attribute, cudnnBackendAttributeType_t as Type,
    cudnnBackendDescriptorType_t as Kind, cudnnStatus_t as Status,
};
use std::ffi::{CStr, c_char};
use std::sync::Arc;

/// Bytes for the library's words on its last error.
const WORDS: usize = 2048;

/// The version from which device properties can be had as text.
const HAS_PROPERTIES: usize = 90_800;

/// A handle of the library on a context, which it keeps alive.
///
/// Plans that were made with it keep it alive too.
#[derive(Debug)]
pub(crate) struct Handle {
    shared: Arc<Raw>,
}

/// The library's object, destroyed when dropped.
#[derive(Debug)]
pub(super) struct Raw {
    context: Arc<Context>,
    raw: sys::cudnnHandle_t,
}

// SAFETY: The library allows a handle to be used by one thread at a time. Only a `Handle` uses it, of which there is one,
// which is not `Sync`, and whose calls take `&mut self`; plans only keep it alive. `raw` is never dereferenced here.
unsafe impl Send for Raw {}
// SAFETY: As above: nothing is done through a shared reference but for reading the address.
unsafe impl Sync for Raw {}

impl Raw {
    /// The context, where its objects can still be destroyed: a device that was given up would be waited for.
    pub(super) fn is_lost(&self) -> bool {
        self.context.bind().is_err()
    }
}

impl Handle {
    /// A handle on this context.
    pub(crate) fn new(context: &Arc<Context>) -> Result<Handle, GpuError> {
        super::check()?;
        context.bind()?;
        let mut raw = std::ptr::null_mut();
        // SAFETY: `check` has found every symbol; `raw` is a live local; the context is current.
        done("cudnnCreate", unsafe { sys::cudnnCreate(&mut raw) })?;
        Ok(Handle { shared: Arc::new(Raw { context: Arc::clone(context), raw }) })
    }

    /// What plans keep.
    pub(super) fn keep(&self) -> Arc<Raw> {
        Arc::clone(&self.shared)
    }

    /// Makes its context current on this thread: the library works on the current one.
    pub(super) fn bind(&self) -> Result<(), GpuError> {
        self.shared.context.bind()
    }

    /// For attributes that want it.
    pub(super) fn raw(&self) -> sys::cudnnHandle_t {
        self.shared.raw
    }

    /// Later executions go to this stream, which has to live as long as they are asked for.
    pub(crate) fn set_stream(&mut self, stream: &Stream) -> Result<(), GpuError> {
        self.bind()?;
        // SAFETY: Handle and stream are alive; the two stream types are one type under two names.
        done("cudnnSetStream", unsafe { sys::cudnnSetStream(self.raw(), stream.raw().cast()) })
    }

    /// What the library knows of the device, as JSON in its own form.
    pub(crate) fn device_properties(&self) -> Result<String, GpuError> {
        let version = super::check()?.version;
        if version < HAS_PROPERTIES {
            let reason = format!("cuDNN {} does not tell device properties", version_text(version));
            return Err(GpuError::Unsupported { reason });
        }
        self.bind()?;
        let mut properties = Descriptor::new(Kind::CUDNN_BACKEND_DEVICEPROP_DESCRIPTOR)?;
        properties.set(Attribute::CUDNN_ATTR_DEVICEPROP_HANDLE, Type::CUDNN_TYPE_HANDLE, &[self.raw()])?;
        properties.finalize()?;
        let name = Attribute::CUDNN_ATTR_DEVICEPROP_JSON_REPRESENTATION;
        let mut text = vec![0_u8; properties.count(name, Type::CUDNN_TYPE_CHAR)?];
        let n = properties.get(name, Type::CUDNN_TYPE_CHAR, &mut text)?;
        text.truncate(n);
        Ok(String::from_utf8_lossy(&text).trim_end_matches('\0').to_owned())
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        if self.context.bind().is_ok() {
            // SAFETY: It came from cudnnCreate and is destroyed once, on its own context.
            let _ = unsafe { sys::cudnnDestroy(self.raw) };
        }
    }
}

/// The library's words on the last error of this thread, after the status's own name.
pub(super) fn last_error(status: Status) -> String {
    let mut words: [c_char; WORDS] = [0; WORDS];
    // SAFETY: The buffer is a live local of the length given, and every symbol was found before any call could fail.
    unsafe { sys::cudnnGetLastErrorString(words.as_mut_ptr(), WORDS) };
    let bytes = words.map(|c| c as u8);
    let said = CStr::from_bytes_until_nul(&bytes).map(|t| t.to_string_lossy().trim().to_owned()).unwrap_or_default();
    if said.is_empty() { format!("{status:?}") } else { format!("{status:?}: {said}") }
}

/// `9.10.2` of 91002; before version 9 the major one stood before three digits.
pub(crate) fn version_text(version: usize) -> String {
    let thousands = if version < 10_000 { 1000 } else { 10_000 };
    format!("{}.{}.{}", version / thousands, version % thousands / 100, version % 100)
}
