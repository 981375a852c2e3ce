//! Times convolutions by cuDNN, as inside a network.
//!
//!     cargo run --release -p gpu-bench --example one_conv -- "n1 64>64 56x56 k3 p1 f16 nhwc bias relu"
#![allow(clippy::print_stdout, reason = "an example prints its result")]

use gpu_bench::{Backend, ConvSpec, Cuda, Policy, measure, stop};

const SPEC: &str = "n1 64>64 56x56 k3 p1 f16 nhwc bias relu";

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut specs: Vec<String> = std::env::args().skip(1).collect();
    if specs.is_empty() {
        specs.push(SPEC.to_owned());
    }
    let gpu = match Cuda::device(0) {
        Ok(gpu) => gpu,
        Err(unavailable) => {
            println!("skipped: {unavailable}");
            return Ok(());
        }
    };
    println!("{}", gpu.machine().device);
    for spec in specs {
        let spec: ConvSpec = spec.parse()?;
        let mut conv = gpu.prepare(&spec)?;
        let latency = measure(&mut conv, &mut stop::Relative::new(0.005), &Policy::network())?;
        let [low, high] = latency.interval_ns.map(|ns| ns / 1e3);
        let algorithm = latency.algorithm.unwrap_or_default();
        println!("{spec}: {:.2} us [{low:.2}, {high:.2}] {algorithm}", latency.median_ns / 1e3);
    }
    Ok(())
}
