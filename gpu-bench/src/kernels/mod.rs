//! The kernels of this crate: sources, launch shapes, and what their tiles make of a convolution.
//!
//! The sources include nothing, so the run-time compiler needs no header files; `portable.cuh` holds the inline PTX.
//! What is here is plain data: a [`Launch`] is compiled and bound with [`Kernel`](crate::Kernel), and the same launches
//! run in an emulator on machines without a GPU, which is how the kernels are tested.
//!
//! ```
//! use gpu_bench::kernels::{implicit_gemm, implicit_gemm::Tiles};
//!
//! let spec: netspec::ConvSpec = "n64 256>256 56x56 k3 f16 nhwc".parse()?;
//! let launch = implicit_gemm::launch(&spec, Tiles::default())?;
//! assert_eq!(launch.entry, "locp_igemm<128, 128, 2, 2, 4, true>");
//! assert_eq!(launch.shape.block, [128, 1, 1]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod depthwise;
pub mod epilogue;
pub mod implicit_gemm;

use crate::{Arg, GpuError, KernelArg, Operand, Shape};
use netspec::{Activation, ConvSpec, DType, Layout};
use std::fmt;

/// What timing needs besides the kernel that is timed: flush, touch, spin, busy, clocks, fill.
pub const HELPERS: &str = concat!(include_str!("portable.cuh"), include_str!("helpers.cu"));

/// The kernels of [`HELPERS`].
pub const HELPER_NAMES: [&str; 6] = ["locp_flush", "locp_touch", "locp_spin", "locp_busy", "locp_clocks", "locp_fill"];

/// Direct depthwise convolution.
pub const DEPTHWISE: &str = concat!(include_str!("portable.cuh"), include_str!("depthwise.cu"));

/// What follows a convolution, as a pass of its own.
pub const EPILOGUE: &str = concat!(include_str!("portable.cuh"), include_str!("epilogue.cu"));

/// Convolution as a matrix product on tensor cores.
pub const IGEMM: &str = concat!(include_str!("portable.cuh"), include_str!("igemm.cu"));

/// One of this crate's kernels, and how it is launched for one convolution.
#[derive(Clone, PartialEq)]
#[non_exhaustive]
pub struct Launch {
    /// Its CUDA source.
    pub source: &'static str,
    /// Its name with template arguments.
    pub entry: String,
    /// Blocks, threads and shared memory.
    pub shape: Shape,
    /// Its arguments.
    pub args: Vec<KernelArg>,
}

impl fmt::Debug for Launch {
    /// Without the source, which is long.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Launch { entry, shape, args, .. } = self;
        f.debug_struct("Launch").field("entry", entry).field("shape", shape).field("args", args).finish_non_exhaustive()
    }
}

/// The number by which kernels know a type's storage.
pub(crate) fn kind(dtype: DType) -> Option<u32> {
    match dtype {
        DType::F32 | DType::Tf32 => Some(0),
        DType::F16 => Some(1),
        DType::Bf16 => Some(2),
        _ => None,
    }
}

/// The error of a kernel that does not do something.
fn unsupported(kernel: &str, what: impl fmt::Display) -> GpuError {
    GpuError::Unsupported { reason: format!("the {kernel} kernel does not support {what}") }
}

/// What both convolution kernels ask of a spec; answers the number of its activation.
fn check(kernel: &str, spec: &ConvSpec) -> Result<i32, GpuError> {
    crate::conv::check(spec)?;
    if spec.layout != Layout::Nhwc {
        return Err(unsupported(kernel, format_args!("the layout {:?}; it takes NHWC", spec.layout)));
    }
    match spec.epilogue.activation {
        Activation::None => Ok(0),
        Activation::Relu => Ok(1),
        Activation::Relu6 => Ok(2),
        other => Err(unsupported(kernel, format_args!("the activation {other:?}; it does ReLU and ReLU6"))),
    }
}

/// The arguments of both: five tensors, then a struct of sizes in which `channels` stand after the batch.
fn args(kernel: &str, spec: &ConvSpec, channels: &[usize], activation: i32) -> Result<Vec<KernelArg>, GpuError> {
    let [out_h, out_w] = spec.out_hw();
    let pairs = [[spec.height, spec.width], [out_h, out_w], spec.kernel, spec.stride];
    // Zeros below and to the right need no number: what lies outside of the image is zero.
    let [top, left, ..] = spec.padding;
    let sizes = [spec.batch].into_iter().chain(channels.iter().copied());
    let sizes = sizes.chain(pairs.into_iter().chain([[top, left], spec.dilation]).flatten());
    let too_large = |_| unsupported(kernel, "sizes of 2^31 or more");
    let mut fields: Vec<i32> = sizes.map(i32::try_from).collect::<Result<_, _>>().map_err(too_large)?;
    fields.push(activation);
    let operands = [Operand::Input, Operand::Weights, Operand::Bias, Operand::Residual, Operand::Output];
    Ok(operands.map(KernelArg::Operand).into_iter().chain([KernelArg::Value(Arg::Struct(fields))]).collect())
}

/// So many blocks in one row.
fn grid(kernel: &str, blocks: usize) -> Result<[u32; 3], GpuError> {
    // The limit of the grid's first axis, by the CUDA programming guide.
    match i32::try_from(blocks) {
        Ok(blocks) => Ok([blocks.unsigned_abs(), 1, 1]),
        Err(_) => Err(unsupported(kernel, format_args!("{blocks} blocks; a grid has less than 2^31"))),
    }
}
