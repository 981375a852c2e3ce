//! What follows a convolution, as a pass of its own: for convolutions that a library does not fuse it with.

use super::{EPILOGUE, Launch, kind, unsupported};
use crate::{Arg, GpuError, KernelArg, Operand, Shape};
use netspec::{Activation, ConvSpec, Layout};

const NAME: &str = "epilogue";

/// The kernel.
pub const ENTRY: &str = "locp_epilogue";

/// Threads of a block, and blocks on each multiprocessor: enough to keep its memory pipes full.
const THREADS: usize = 256;
const BLOCKS: usize = 8;

/// The pass for this convolution on a device of so many multiprocessors: the output, which holds the bare convolution,
/// gets residual, bias and activation, in any type and layout, every sum in f32.
pub fn launch(spec: &ConvSpec, multiprocessors: u32) -> Result<Launch, GpuError> {
    crate::conv::check(spec)?;
    let kind = kind(spec.dtype).ok_or_else(|| unsupported(NAME, format_args!("the type {:?}", spec.dtype)))?;
    let activation = match spec.epilogue.activation {
        Activation::None => 0,
        Activation::Relu => 1,
        Activation::Relu6 => 2,
        Activation::Silu => 3,
        Activation::Sigmoid => 4,
        Activation::HardSwish => 5,
        other => return Err(unsupported(NAME, format_args!("the activation {other:?}"))),
    };
    let [out_h, out_w] = spec.out_hw();
    let inner = if spec.layout == Layout::Nhwc { 1 } else { out_h * out_w };
    let [.., elements] = spec.elements();
    let blocks = elements.div_ceil(THREADS).min(multiprocessors.max(1) as usize * BLOCKS);
    let number = |n: usize| {
        u32::try_from(n).map(Arg::U32).map_err(|_| unsupported(NAME, format_args!("images of {n} pixels or channels")))
    };
    let values = [Arg::U64(elements as u64), Arg::U32(kind), number(spec.c_out)?, number(inner)?, Arg::U32(activation)];
    let operands = [Operand::Output, Operand::Bias, Operand::Residual];
    Ok(Launch {
        source: EPILOGUE,
        entry: ENTRY.to_owned(),
        shape: Shape { grid: [blocks as u32, 1, 1], block: [THREADS as u32, 1, 1], shared_bytes: 0 },
        args: operands.map(KernelArg::Operand).into_iter().chain(values.map(KernelArg::Value)).collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::launch;
    use crate::{Arg, KernelArg};

    #[track_caller]
    fn check(text: &str, elements: u64, rest: [u32; 4]) {
        let launch = launch(&text.parse().expect("a spec"), 132).expect("a launch");
        let expect: Vec<KernelArg> =
            [Arg::U64(elements)].into_iter().chain(rest.map(Arg::U32)).map(KernelArg::Value).collect();
        assert_eq!(launch.args[3..], expect, "{text}");
    }

    #[test]
    fn a_channel_stands_in_an_image_or_in_one_element() {
        // 2 images of 4 channels, 5 by 6 pixels; type, channels, elements of a channel in a row, activation.
        check("n2 8>4 5x6 k1 f16 nhwc bias relu", 240, [1, 4, 1, 1]);
        check("n2 8>4 5x6 k1 f32 nchw bias relu6", 240, [0, 4, 30, 2]);
        check("n2 8>4 5x6 k1 bf16 nhwc bias silu", 240, [2, 4, 1, 3]);
    }

    #[test]
    fn blocks_are_as_many_as_help() {
        let blocks = |text: &str| launch(&text.parse().expect("a spec"), 10).expect("a launch").shape.grid[0];
        assert_eq!(blocks("n1 8>4 5x6 k1"), 1);
        assert_eq!(blocks("n64 8>512 56x56 k1"), 80);
    }
}
