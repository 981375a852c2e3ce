//! A configuration made ready, and running it.
#![allow(unsafe_code, reason = "the library is C; each block says why its call holds")]

use super::descriptor::Descriptor;
use super::done;
use super::engines::Candidate;
use super::handle::{Handle, Raw};
use super::problem::{BIAS, RESIDUAL, SIX, W, X, Y};
use crate::GpuError;
use cudarc::cudnn::sys::{
    self, cudnnBackendAttributeName_t as Attribute, cudnnBackendAttributeType_t as Type,
    cudnnBackendDescriptorType_t as Kind,
};
use std::ffi::c_void;
use std::sync::Arc;

/// Addresses on the device, aligned to 16 bytes; those that the spec has no use for are ignored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Pointers {
    pub(crate) x: u64,
    pub(crate) w: u64,
    pub(crate) y: u64,
    pub(crate) bias: Option<u64>,
    pub(crate) residual: Option<u64>,
    /// The number six in f32, where the activation is ReLU6.
    pub(crate) six: Option<u64>,
    /// Of at least [`Plan::workspace_bytes`].
    pub(crate) workspace: u64,
}

/// A plan that can run.
#[derive(Debug)]
pub(crate) struct Plan {
    /// The plan and the configuration that it refers to; `None` only while it is dropped.
    descriptors: Option<[Descriptor; 2]>,
    /// That it was made with.
    handle: Arc<Raw>,
    is_doubtful: bool,
    workspace_bytes: usize,
    label: String,
}

impl Plan {
    /// Makes the candidate ready: kernels are chosen, and compiled where the engine does that.
    pub(crate) fn new(handle: &Handle, candidate: Candidate) -> Result<Plan, GpuError> {
        handle.bind()?;
        let mut plan = Descriptor::new(Kind::CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR)?;
        plan.set(Attribute::CUDNN_ATTR_EXECUTION_PLAN_HANDLE, Type::CUDNN_TYPE_HANDLE, &[handle.raw()])?;
        plan.refer(Attribute::CUDNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG, &[&candidate.config])?;
        plan.finalize()?;
        let mut bytes = [0_i64];
        plan.get(Attribute::CUDNN_ATTR_EXECUTION_PLAN_WORKSPACE_SIZE, Type::CUDNN_TYPE_INT64, &mut bytes)?;
        let workspace_bytes = usize::try_from(bytes[0]).unwrap_or(0);
        Ok(Plan {
            descriptors: Some([plan, candidate.config]),
            handle: handle.keep(),
            is_doubtful: candidate.is_fallback || !candidate.traits.has_tensor_cores(),
            workspace_bytes,
            label: candidate.traits.to_string(),
        })
    }

    /// Scratch memory that a run needs.
    pub(crate) fn workspace_bytes(&self) -> usize {
        self.workspace_bytes
    }

    /// Engine and knobs.
    pub(crate) fn label(&self) -> &str {
        &self.label
    }

    /// Whether it may be far from the best that the library can do: the heuristic did not recommend it, or it leaves the
    /// tensor cores alone.
    ///
    /// A fused epilogue can cost that much: where the library has no good fusion it falls back to an engine that fuses
    /// anything, slowly.
    pub(crate) fn is_doubtful(&self) -> bool {
        self.is_doubtful
    }

    /// Puts one run on the handle's stream; nothing is allocated on the device, so this may be captured.
    pub(crate) fn execute(&self, handle: &mut Handle, at: &Pointers) -> Result<(), GpuError> {
        handle.bind()?;
        let [plan, _] = self.descriptors.as_ref().expect("only dropping takes it");
        let mut uids = vec![X, W, Y];
        let mut addresses = vec![at.x, at.w, at.y];
        for (uid, address) in [(BIAS, at.bias), (RESIDUAL, at.residual), (SIX, at.six)] {
            if let Some(address) = address {
                uids.push(uid);
                addresses.push(address);
            }
        }
        let pointers: Vec<*mut c_void> = addresses.iter().map(|&address| address as *mut c_void).collect();
        let mut pack = Descriptor::new(Kind::CUDNN_BACKEND_VARIANT_PACK_DESCRIPTOR)?;
        pack.set(Attribute::CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS, Type::CUDNN_TYPE_INT64, &uids)?;
        pack.set(Attribute::CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS, Type::CUDNN_TYPE_VOID_PTR, &pointers)?;
        let workspace = [at.workspace as *mut c_void];
        pack.set(Attribute::CUDNN_ATTR_VARIANT_PACK_WORKSPACE, Type::CUDNN_TYPE_VOID_PTR, &workspace)?;
        pack.finalize()?;
        // SAFETY: Handle, plan and pack are alive and finalized. The addresses are of device memory that the caller
        // keeps for as long as the run may be repeated; the host never reads them.
        let status = unsafe { sys::cudnnBackendExecute(handle.raw(), plan.raw(), pack.raw()) };
        done("cudnnBackendExecute", status)
    }
}

impl Drop for Plan {
    fn drop(&mut self) {
        // Destroying a plan may unload its kernels, which waits for the device: one that was given up is left as it is.
        if self.handle.is_lost() {
            std::mem::forget(self.descriptors.take());
        }
    }
}
