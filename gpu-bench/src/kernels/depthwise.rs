//! Launching the direct depthwise convolution.

use super::{DEPTHWISE, Launch, args, check, grid, unsupported};
use crate::{GpuError, Shape};
use netspec::{ConvSpec, DType};

const NAME: &str = "depthwise";

/// Threads of a block.
const THREADS: usize = 256;

/// Bytes that a thread loads at a time where it can.
const VECTOR: usize = 16;

/// The kernel for a depthwise convolution in f16 or f32, NHWC, with one output channel for each input channel; the
/// epilogue may add a bias and a residual and end with ReLU or ReLU6.
///
/// A thread computes one output pixel of as many channels as 16 bytes hold (8 in f16, 4 in f32) where all channels are a
/// multiple of those, else of one channel; weights are in the order channel, row, column.
pub fn launch(spec: &ConvSpec) -> Result<Launch, GpuError> {
    let activation = check(NAME, spec)?;
    let name = match spec.dtype {
        DType::F16 => "half_bits",
        DType::F32 => "float",
        other => return Err(unsupported(NAME, format_args!("the type {other:?}; it takes f16 and f32"))),
    };
    let [groups, c_in, c_out] = [spec.groups, spec.c_in, spec.c_out];
    if groups != c_in || groups != c_out {
        let sizes = format_args!("{groups} groups of {c_in} to {c_out} channels; it takes as many groups as channels");
        return Err(unsupported(NAME, sizes));
    }
    let vector = VECTOR / spec.dtype.bytes();
    let wide = if c_in.is_multiple_of(vector) { vector } else { 1 };
    let [out_h, out_w] = spec.out_hw();
    let threads = spec.batch * out_h * out_w * (c_in / wide);
    let shape = Shape { grid: grid(NAME, threads.div_ceil(THREADS))?, block: [THREADS as u32, 1, 1], shared_bytes: 0 };
    Ok(Launch {
        source: DEPTHWISE,
        entry: format!("locp_depthwise<{name}, {wide}>"),
        shape,
        args: args(NAME, spec, &[c_in], activation)?,
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::launch;
    use crate::{Arg, KernelArg};
    use netspec::{Activation, ConvSpec, DType, Layout};

    fn spec(channels: usize, dtype: DType) -> ConvSpec {
        let spec = ConvSpec::new(channels, channels, [20, 10], [3, 5]);
        ConvSpec { groups: channels, padding: [1, 2, 3, 4], dtype, layout: Layout::Nhwc, ..spec }
    }

    #[test]
    fn threads_are_pixels_times_vectors() {
        let launch = launch(&spec(48, DType::F16)).unwrap();
        assert_eq!(launch.entry, "locp_depthwise<half_bits, 8>");
        // 22 x 12 output pixels of 6 vectors are 1584 threads, 7 blocks of 256.
        assert_eq!((launch.shape.grid, launch.shape.block), ([7, 1, 1], [256, 1, 1]));
        let fields = vec![1, 48, 20, 10, 22, 12, 3, 5, 1, 1, 1, 2, 1, 1, 0];
        assert_eq!(launch.args.last(), Some(&KernelArg::Value(Arg::Struct(fields))));
    }

    #[test]
    fn odd_channels_go_one_by_one() {
        for (channels, dtype, entry) in [
            (12, DType::F16, "locp_depthwise<half_bits, 1>"),
            (12, DType::F32, "locp_depthwise<float, 4>"),
            (6, DType::F32, "locp_depthwise<float, 1>"),
        ] {
            assert_eq!(launch(&spec(channels, dtype)).unwrap().entry, entry);
        }
    }

    #[test]
    fn the_rest_is_refused_by_name() {
        let with = |change: &dyn Fn(&mut ConvSpec)| {
            let mut spec = spec(16, DType::F16);
            change(&mut spec);
            launch(&spec).unwrap_err().to_string()
        };
        let cases = [
            (with(&|spec| spec.dtype = DType::Bf16), "Bf16"),
            (with(&|spec| spec.layout = Layout::Nchw), "Nchw"),
            (with(&|spec| spec.groups = 8), "8 groups of 16 to 16"),
            (with(&|spec| spec.c_out = 32), "16 groups of 16 to 32"),
            (with(&|spec| spec.epilogue.activation = Activation::Silu), "Silu"),
            (with(&|spec| spec.stride = [0, 1]), "stride is 0"),
            (with(&|spec| spec.batch = 1 << 31), "2^31"),
        ];
        for (error, word) in cases {
            assert!(error.contains(word), "`{error}` does not say `{word}`");
        }
    }
}
