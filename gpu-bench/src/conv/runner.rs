//! What computes a convolution: a plan of the library, or a kernel.

use crate::GpuError;
use crate::cudnn::{Plan, Pointers};
use crate::driver::{Arg, Function, Shape};
use crate::kernel::{KernelArg, Operand};
use crate::session::Lane;

/// Something that computes one convolution from operands in device memory.
pub(crate) trait Runner: Send {
    /// Its name: engine and knobs, or the kernel's.
    fn label(&self) -> String;

    /// Scratch memory that it needs.
    fn workspace_bytes(&self) -> usize;

    /// Queues one run; nothing is allocated.
    fn queue(&self, lane: &mut Lane<'_>, at: &Pointers) -> Result<(), GpuError>;
}

impl Runner for Plan {
    fn label(&self) -> String {
        Plan::label(self).to_owned()
    }

    fn workspace_bytes(&self) -> usize {
        Plan::workspace_bytes(self)
    }

    fn queue(&self, lane: &mut Lane<'_>, at: &Pointers) -> Result<(), GpuError> {
        self.execute(lane.handle, at)
    }
}

/// A kernel with its arguments, in which operands stand for their addresses.
#[derive(Debug)]
pub(crate) struct KernelRunner {
    pub(crate) name: String,
    pub(crate) function: Function,
    pub(crate) shape: Shape,
    pub(crate) args: Vec<KernelArg>,
}

impl Runner for KernelRunner {
    fn label(&self) -> String {
        self.name.clone()
    }

    fn workspace_bytes(&self) -> usize {
        0
    }

    fn queue(&self, lane: &mut Lane<'_>, at: &Pointers) -> Result<(), GpuError> {
        let address = |operand| match operand {
            Operand::Input => at.x,
            Operand::Weights => at.w,
            // Kernels are told by their other arguments whether these are there.
            Operand::Bias => at.bias.unwrap_or(0),
            Operand::Residual => at.residual.unwrap_or(0),
            Operand::Output => at.y,
        };
        let args: Vec<Arg> = self
            .args
            .iter()
            .map(|arg| match arg {
                KernelArg::Operand(operand) => Arg::U64(address(*operand)),
                KernelArg::Value(value) => value.clone(),
            })
            .collect();
        self.function.launch(lane.stream, self.shape, &args)
    }
}
