//! Kernels of one's own, timed as the library's are.

use crate::GpuError;
use crate::conv::{self, Conv, KernelRunner};
use crate::cuda::Cuda;
use crate::driver::{Arg, Module, Shape};
use crate::nvrtc::{Cubin, Resources};
use crate::session::{Timer, Work};
use netspec::{CacheState, ConvSpec, Provenance};
use std::fmt;
use std::sync::Arc;
use timing::{Prepared, Reading, TimingError};

/// A tensor that a kernel works on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Operand {
    /// The input, in the spec's layout.
    Input,
    /// The weights: output channels, then input channels and kernel positions in the order of the spec's layout.
    Weights,
    /// One value per output channel; a null pointer where the spec has none.
    Bias,
    /// What is added before the activation; a null pointer where the spec has none.
    Residual,
    /// The output, in the spec's layout.
    Output,
}

/// What a kernel is called with, in its parameters' order.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum KernelArg {
    /// The address of a tensor; readings in cold caches move it from run to run.
    Operand(Operand),
    /// A value.
    Value(Arg),
}

/// CUDA source, compiled and loaded.
///
/// ```no_run
/// use gpu_bench::{Arg, ConvSpec, Cuda, Kernel, KernelArg, Operand, Policy, Shape, measure, stop};
///
/// let gpu = Cuda::device(0)?;
/// let spec: ConvSpec = "n1 64>64 56x56 k1 f16 nhwc".parse()?;
/// let source = "extern \"C\" __global__ void mine(const unsigned short* x, unsigned short* y, int n) { /* ... */ }";
/// let kernel = Kernel::compile(&gpu, source, "mine")?;
/// let shape = Shape { grid: [49, 1, 1], block: [256, 1, 1], shared_bytes: 0 };
/// let args = [KernelArg::Operand(Operand::Input), KernelArg::Operand(Operand::Output), KernelArg::Value(Arg::I32(64))];
/// let mut bound = kernel.bind(&spec, shape, &args)?;
/// // Correct first: its output against a convolution in double precision, on random operands.
/// assert!(bound.error()? < gpu_bench::reference::tolerance(spec.dtype));
/// println!("{:?}", measure(&mut bound, &mut stop::Relative::new(0.005), &Policy::cold())?);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Kernel {
    cuda: Cuda,
    name: String,
    lowered: String,
    module: Arc<Module>,
    resources: Vec<Resources>,
}

impl Kernel {
    /// Compiles for the device; `entry` is the kernel's name, with its arguments where it is a template.
    pub fn compile(cuda: &Cuda, source: &str, entry: &str) -> Result<Kernel, GpuError> {
        let Cubin { image, entries, resources } = cuda.compile(source, &[entry])?;
        let module = Module::load(cuda.context(), &image)?;
        let lowered = entries.into_iter().next().unwrap_or_else(|| entry.to_owned());
        Ok(Kernel { cuda: cuda.clone(), name: entry.to_owned(), lowered, module, resources })
    }

    /// What it takes on a multiprocessor.
    pub fn resources(&self) -> Option<&Resources> {
        self.resources.iter().find(|of| of.entry == self.lowered)
    }

    /// Blocks of this shape that one multiprocessor holds at a time.
    pub fn blocks_per_multiprocessor(&self, shape: Shape) -> Result<u32, GpuError> {
        let function = self.module.function(&self.lowered)?;
        let [x, y, z] = shape.block;
        function.blocks_per_multiprocessor(x.saturating_mul(y).saturating_mul(z), shape.shared_bytes)
    }

    /// Binds it to a convolution's operands and a launch; operands are allocated on the first run.
    pub fn bind(&self, spec: &ConvSpec, shape: Shape, args: &[KernelArg]) -> Result<Bound, GpuError> {
        conv::check(spec)?;
        let function = self.module.function(&self.lowered)?;
        // More than this has to be asked for, by the CUDA programming guide.
        const USUAL_SHARED: u32 = 48 << 10;
        if shape.shared_bytes > USUAL_SHARED {
            function.allow_shared(shape.shared_bytes)?;
        }
        let runner = KernelRunner { name: self.name.clone(), function, shape, args: args.to_vec() };
        let conv = Conv::new(spec, self.cuda.options().seed, vec![Box::new(runner)]);
        Ok(Bound { cuda: self.cuda.clone(), timer: Timer::new(self.cuda.session(), conv) })
    }
}

/// A kernel bound to a convolution: it can be timed, and checked.
pub struct Bound {
    cuda: Cuda,
    timer: Timer<Conv>,
}

impl fmt::Debug for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bound")
            .field("cuda", &self.cuda)
            .field("kernel", &self.timer.algorithm())
            .finish_non_exhaustive()
    }
}

impl Bound {
    /// The norm of its output's difference from a convolution in double precision, over that one's norm, on random
    /// operands rounded to the spec's type, the output having been poisoned before.
    pub fn error(&mut self) -> Result<f64, GpuError> {
        let outputs = self.cuda.outputs(self.timer.work_mut())?;
        Ok(outputs.errors().map(|(_, error)| error).fold(0.0, f64::max))
    }

    /// Queues one run on the GPU's stream and does not wait for it.
    pub fn queue(&mut self) -> Result<(), GpuError> {
        let mut session = self.cuda.lock();
        let work = self.timer.work_mut();
        work.ready(&mut session, CacheState::Warm, 1)?;
        work.queue(&mut session.lane(), 0, CacheState::Warm)
    }
}

impl Prepared for Bound {
    fn run(&mut self, cache: CacheState) -> Result<Reading, TimingError> {
        self.timer.run(cache)
    }

    fn provenance(&self) -> Provenance {
        self.timer.provenance()
    }

    fn algorithm(&self) -> Option<String> {
        self.timer.algorithm()
    }
}
