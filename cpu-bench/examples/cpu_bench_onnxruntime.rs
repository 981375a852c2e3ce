//! The staircases of one convolution in ONNX Runtime, by both axes.
#![allow(clippy::print_stdout, reason = "an example prints its result")]

use cpu_bench::{OnnxRuntime, Provider};
use netspec::ConvSpec;
use std::error::Error;
use timing::{Backend, Policy, interleave, stop};

fn main() -> Result<(), Box<dyn Error>> {
    let runtime = match OnnxRuntime::find(Provider::Cpu, 1) {
        Ok(runtime) => runtime,
        Err(missing) => {
            println!("skipped: {missing}");
            return Ok(());
        }
    };
    println!("{}", runtime.check()?);
    let full: ConvSpec = "128>128 14x14 k3 p1 bias relu".parse()?;
    for (axis, widths) in [("c_out", [96, 97, 112, 113, 128]), ("c_in", [112, 113, 116, 127, 128])] {
        let spec =
            |width| if axis == "c_out" { full.with_channels(128, width) } else { full.with_channels(width, 128) };
        let mut turns = widths.iter().map(|&width| runtime.prepare(&spec(width))).collect::<Result<Vec<_>, _>>()?;
        let all = interleave(&mut turns, &stop::Relative::new(0.01).max_samples(100), &Policy::warm());
        for (width, samples) in widths.iter().zip(all) {
            println!("{axis} {width:4}  {:8.1} us", samples?.measurement().median_ns / 1e3);
        }
    }
    Ok(())
}
