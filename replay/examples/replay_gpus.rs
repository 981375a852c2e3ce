//! One convolution's staircase on three simulated GPUs.
#![allow(clippy::print_stdout, reason = "an example prints its result")]

use netspec::ConvSpec;
use replay::Simulated;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let spec: ConvSpec = "n16 256>256 14x14 k3 p1 f16 bias relu".parse()?;
    let gpus = [Simulated::named("h100")?, Simulated::named("t4")?, Simulated::named("orin")?];
    println!("{spec}, simulated, us by output channels");
    for gpu in &gpus {
        print!("{:16}", gpu.machine().engine);
    }
    println!();
    for c_out in (16..=256).rev().step_by(16).chain([131, 130, 129, 128, 127, 126]) {
        print!("{c_out:5}");
        for gpu in &gpus {
            let ns = gpu.latency_ns(&ConvSpec { c_out, ..spec.clone() })?;
            print!("{:12.2}", ns / 1e3);
        }
        println!();
    }
    Ok(())
}
