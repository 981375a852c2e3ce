//! A CUDA kernel of one's own: checked against a convolution in double precision, then timed next to cuDNN's.
#![allow(clippy::print_stdout, reason = "an example prints its result")]

use gpu_bench::{Arg, Backend, ConvSpec, Cuda, Kernel, KernelArg, Operand, Policy, Shape, compare, reference, stop};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let gpu = match Cuda::device(0) {
        Ok(gpu) => gpu,
        Err(unavailable) => {
            println!("skipped: {unavailable}");
            return Ok(());
        }
    };
    let spec: ConvSpec = "n1 64>64 56x56 k3 p1 f32 nhwc bias relu".parse()?;
    let kernel = Kernel::compile(&gpu, include_str!("own_kernel.cu"), "my_conv")?;

    // One thread for each output value, and the arguments in the order of the kernel's parameters.
    let [out_h, out_w] = spec.out_hw();
    let outputs = spec.batch * spec.c_out * out_h * out_w;
    let shape = Shape { grid: [outputs.div_ceil(256) as u32, 1, 1], block: [256, 1, 1], shared_bytes: 0 };
    let operands = [Operand::Input, Operand::Weights, Operand::Bias, Operand::Output].map(KernelArg::Operand);
    let numbers = [spec.batch, spec.c_in, spec.height, spec.width, spec.c_out, spec.kernel[0], spec.padding[0]];
    let numbers = numbers.map(|number| KernelArg::Value(Arg::I32(number as i32)));
    let mut mine = kernel.bind(&spec, shape, &[&operands[..], &numbers].concat())?;

    // Correct first, on random operands and a poisoned output.
    let error = mine.error()?;
    if error >= reference::tolerance(spec.dtype) {
        return Err(format!("my_conv is off by {error:e} for `{spec}`").into());
    }
    let mut library = gpu.prepare(&spec)?;
    let both = compare(&mut library, &mut mine, &mut stop::Relative::new(0.005), &Policy::network())?;
    println!("{spec} on {}", gpu.machine().device);
    println!("cuDNN    {:9.2} us", both.a.median_ns / 1e3);
    println!("my_conv  {:9.2} us, {:.2}x, off by {error:.1e}", both.b.median_ns / 1e3, both.ratio);
    Ok(())
}
