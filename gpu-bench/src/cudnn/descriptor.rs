//! The library's one kind of object.
#![allow(unsafe_code, reason = "the library is C; each block says why its call holds")]

use super::done;
use crate::GpuError;
use cudarc::cudnn::sys::{
    self, cudnnBackendAttributeName_t as Attribute, cudnnBackendAttributeType_t as Type,
    cudnnBackendDescriptorType_t as Kind,
};
use std::ffi::c_void;

/// A descriptor, destroyed when dropped.
///
/// The library copies what it is told, except for descriptors that another one refers to: whoever refers keeps them.
#[derive(Debug)]
pub(super) struct Descriptor {
    raw: sys::cudnnBackendDescriptor_t,
}

// SAFETY: A descriptor is used by one thread at a time, which the absence of `Sync` keeps; it is not tied to the
// thread that made it.
unsafe impl Send for Descriptor {}

impl Descriptor {
    /// An empty one.
    pub(super) fn new(kind: Kind) -> Result<Descriptor, GpuError> {
        let mut raw = std::ptr::null_mut();
        // SAFETY: `check` has found every symbol before anything here is reached; `raw` is a live local.
        done("cudnnBackendCreateDescriptor", unsafe { sys::cudnnBackendCreateDescriptor(kind, &mut raw) })?;
        Ok(Descriptor { raw })
    }

    /// For arrays of descriptors, and for execution.
    pub(super) fn raw(&self) -> sys::cudnnBackendDescriptor_t {
        self.raw
    }

    /// Sets an attribute; `T` has to be what the attribute type stands for.
    pub(super) fn set<T: Copy>(&mut self, name: Attribute, of: Type, values: &[T]) -> Result<(), GpuError> {
        // SAFETY: The pointer is to as many live values as are announced, of the attribute type's size (the callers in
        // this module pair them by the library's reference); the library copies them before it returns.
        let status = unsafe {
            sys::cudnnBackendSetAttribute(self.raw, name, of, values.len() as i64, values.as_ptr().cast::<c_void>())
        };
        done("cudnnBackendSetAttribute", status).map_err(|error| about(error, name))
    }

    /// Refers to other descriptors.
    pub(super) fn refer(&mut self, name: Attribute, to: &[&Descriptor]) -> Result<(), GpuError> {
        let raw: Vec<_> = to.iter().map(|descriptor| descriptor.raw).collect();
        self.set(name, Type::CUDNN_TYPE_BACKEND_DESCRIPTOR, &raw)
    }

    /// Ends the setting.
    pub(super) fn finalize(&mut self) -> Result<(), GpuError> {
        // SAFETY: The descriptor is alive.
        done("cudnnBackendFinalize", unsafe { sys::cudnnBackendFinalize(self.raw) })
    }

    /// How many values an attribute has.
    pub(super) fn count(&self, name: Attribute, of: Type) -> Result<usize, GpuError> {
        let mut count = 0;
        // SAFETY: No value is asked for, so no array is needed; `count` is a live local.
        let status = unsafe { sys::cudnnBackendGetAttribute(self.raw, name, of, 0, &mut count, std::ptr::null_mut()) };
        done("cudnnBackendGetAttribute", status).map_err(|error| about(error, name))?;
        Ok(usize::try_from(count).unwrap_or(0))
    }

    /// Reads at most as many values as there is room for, and says how many it read.
    ///
    /// Enumerations are read as plain numbers, because a newer library may know more of them than the bindings do.
    pub(super) fn get<T: Copy>(&self, name: Attribute, of: Type, into: &mut [T]) -> Result<usize, GpuError> {
        let mut count = 0;
        let room = into.len();
        let values = into.as_mut_ptr().cast::<c_void>();
        // SAFETY: The array is live, has the room that is announced, and holds plain numbers or descriptors of the
        // attribute type's size; `count` is a live local.
        let status = unsafe { sys::cudnnBackendGetAttribute(self.raw, name, of, room as i64, &mut count, values) };
        done("cudnnBackendGetAttribute", status).map_err(|error| about(error, name))?;
        Ok(usize::try_from(count).unwrap_or(0).min(room))
    }

    /// The descriptors that an attribute refers to, at most as many as there is `room` for.
    ///
    /// How many there are is not asked for first: for some attributes the library answers zero where no room is offered.
    pub(super) fn referred(&self, name: Attribute, kind: Kind, room: usize) -> Result<Vec<Descriptor>, GpuError> {
        let mut found = (0..room).map(|_| Descriptor::new(kind)).collect::<Result<Vec<_>, _>>()?;
        // The library fills in the descriptors whose handles it is given.
        let mut raw: Vec<_> = found.iter().map(|descriptor| descriptor.raw).collect();
        let n = self.get(name, Type::CUDNN_TYPE_BACKEND_DESCRIPTOR, &mut raw)?;
        found.truncate(n);
        Ok(found)
    }
}

impl Drop for Descriptor {
    fn drop(&mut self) {
        // SAFETY: It came from cudnnBackendCreateDescriptor and is destroyed once.
        let _ = unsafe { sys::cudnnBackendDestroyDescriptor(self.raw) };
    }
}

/// Names the attribute in an error.
fn about(error: GpuError, name: Attribute) -> GpuError {
    match error {
        GpuError::Call { call, code, text } => GpuError::Call { call, code, text: format!("{text} ({name:?})") },
        GpuError::Unsupported { reason } => GpuError::Unsupported { reason: format!("{reason} ({name:?})") },
        other => other,
    }
}
