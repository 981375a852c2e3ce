//! The formulas.

use super::gpu::{Gpu, Tile};
use netspec::{ConvSpec, DType};

/// Bytes of one vector load; channels that are no multiple of it are padded by a pass of their own.
const VECTOR_BYTES: usize = 16;

/// Products that a block's inner loop takes at a time along the sum over inputs.
const SUM_STEP: usize = 32;

/// Grouped convolutions with fewer output channels per group than this run outside of the product kernels.
const MIN_PRODUCT_CHANNELS: usize = 8;

/// Share of the f32 peak that such direct kernels reach; they are bound by memory nearly always.
const DIRECT_EFFICIENCY: f64 = 0.25;

/// The latency of one run in nanoseconds:
///
/// ```text
/// launch + max(compute, memory) + padding
/// compute = min over tiles of ceil(blocks / multiprocessors) * block time
/// blocks = ceil(pixels / tile pixels) * ceil(padded c_out / tile channels) * groups
/// block time = 2 * tile pixels * tile channels * padded sum / (peak / multiprocessors * efficiency)
/// memory = (input + weights + output + residual) bytes / bandwidth
/// padding = 2 * bytes / bandwidth for the input, and for the output, whose channels are not aligned
/// ```
///
/// with pixels = batch * output height * output width, and sum = padded c_in / groups * kernel height * width,
/// rounded up to whole steps. Every wave is a whole one: a single block more costs as much as a full round.
pub(super) fn latency_ns(gpu: &Gpu, spec: &ConvSpec) -> Result<f64, String> {
    spec.validate().map_err(|error| error.to_string())?;
    let flops = gpu.flops(spec.dtype).ok_or_else(|| format!("{} has no units for {}", gpu.device, spec.dtype))?;
    let seconds = if spec.groups > 1 && spec.c_out / spec.groups < MIN_PRODUCT_CHANNELS {
        direct_s(gpu, spec)
    } else {
        product_s(gpu, spec, flops)
    };
    Ok(gpu.launch_ns + seconds * 1e9)
}

fn product_s(gpu: &Gpu, spec: &ConvSpec, flops: f64) -> f64 {
    let lanes = VECTOR_BYTES / spec.dtype.bytes();
    // Outside of tensor cores nothing is padded: loads become narrower, which memory hides.
    let pads = spec.dtype != DType::F32;
    let align = |channels: usize| if pads { channels.next_multiple_of(lanes) } else { channels };
    let (c_in, c_out) = (align(spec.c_in / spec.groups), align(spec.c_out / spec.groups));
    let sum = (c_in * spec.kernel[0] * spec.kernel[1]).next_multiple_of(SUM_STEP);
    let per_multiprocessor = flops / gpu.multiprocessors as f64;
    let compute = |tile: &Tile| {
        let blocks = pixels(spec).div_ceil(tile.pixels) * c_out.div_ceil(tile.channels) * spec.groups;
        let products = (tile.pixels * tile.channels) as f64 * sum as f64;
        blocks.div_ceil(gpu.multiprocessors) as f64 * 2.0 * products / (per_multiprocessor * tile.efficiency)
    };
    let fastest = gpu.tiles.iter().map(compute).fold(f64::INFINITY, f64::min);
    let [input, weights, output] = bytes(spec);
    let mut padding = 0.0;
    if c_in * spec.groups != spec.c_in {
        padding += 2.0 * input / gpu.bytes_per_s;
    }
    if c_out * spec.groups != spec.c_out {
        padding += 2.0 * output / gpu.bytes_per_s;
    }
    fastest.max(memory_s(gpu, spec, [input, weights, output])) + padding
}

fn direct_s(gpu: &Gpu, spec: &ConvSpec) -> f64 {
    let compute = 2.0 * spec.macs() as f64 / (gpu.f32_flops * DIRECT_EFFICIENCY);
    compute.max(memory_s(gpu, spec, bytes(spec)))
}

fn memory_s(gpu: &Gpu, spec: &ConvSpec, [input, weights, output]: [f64; 3]) -> f64 {
    let residual = if spec.epilogue.residual { output } else { 0.0 };
    (input + weights + output + residual) / gpu.bytes_per_s
}

fn pixels(spec: &ConvSpec) -> usize {
    let [height, width] = spec.out_hw();
    spec.batch * height * width
}

/// Bytes of the input, the weights and the output.
fn bytes(spec: &ConvSpec) -> [f64; 3] {
    spec.elements().map(|elements| elements as f64 * spec.dtype.bytes() as f64)
}
