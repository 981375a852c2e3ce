//! A convolution of the library with its epilogue as a pass of its own.
//!
//! The library fuses an epilogue for many convolutions and not for all of them (depthwise and grouped ones above all).
//! A network that is deployed on it then runs the epilogue after the convolution, and so does this.

use super::runner::{KernelRunner, Runner};
use crate::GpuError;
use crate::cudnn::{Plan, Pointers};
use crate::driver::{Context, Function, Module};
use crate::kernels::{EPILOGUE, epilogue};
use crate::nvrtc::Nvrtc;
use crate::session::Lane;
use netspec::ConvSpec;
use std::sync::Arc;

/// The pass, loaded on a device.
#[derive(Clone, Debug)]
pub(crate) struct EpiloguePass {
    function: Function,
    multiprocessors: u32,
}

impl EpiloguePass {
    pub(crate) fn new(context: &Arc<Context>, nvrtc: &Nvrtc) -> Result<EpiloguePass, GpuError> {
        let cubin = nvrtc.compile(EPILOGUE, &[epilogue::ENTRY], &context.attributes().arch(), &[])?;
        let name = cubin.entries.first().map_or(epilogue::ENTRY, String::as_str);
        let function = Module::load(context, &cubin.image)?.function(name)?;
        Ok(EpiloguePass { function, multiprocessors: context.attributes().multiprocessors })
    }
}

/// A plan without an epilogue, and the pass that follows it.
#[derive(Debug)]
pub(crate) struct Unfused {
    plan: Plan,
    pass: KernelRunner,
}

impl Unfused {
    /// `plan` computes the spec's convolution and none of its epilogue.
    pub(crate) fn new(plan: Plan, pass: &EpiloguePass, spec: &ConvSpec) -> Result<Unfused, GpuError> {
        let launch = epilogue::launch(spec, pass.multiprocessors)?;
        let function = pass.function.clone();
        Ok(Unfused {
            plan,
            pass: KernelRunner { name: launch.entry, function, shape: launch.shape, args: launch.args },
        })
    }
}

impl Runner for Unfused {
    fn label(&self) -> String {
        format!("{}+epilogue", Runner::label(&self.plan))
    }

    fn workspace_bytes(&self) -> usize {
        self.plan.workspace_bytes()
    }

    fn queue(&self, lane: &mut Lane<'_>, at: &Pointers) -> Result<(), GpuError> {
        self.plan.queue(lane, &Pointers { bias: None, residual: None, six: None, ..*at })?;
        self.pass.queue(lane, at)
    }
}
