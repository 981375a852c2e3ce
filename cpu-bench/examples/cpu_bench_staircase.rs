//! The staircase of one convolution on this machine: latency by output channels.
//!
//! `cargo run --release -p cpu-bench --example cpu_bench_staircase -- "128>128 14x14 k3 p1 bias relu" 16 96 144 stairs.csv`
//! All arguments may be left out: the convolution, the step, the first and the last width, a CSV file.
#![allow(clippy::print_stdout, reason = "an example prints its result")]

use cpu_bench::Tract;
use netspec::ConvSpec;
use std::io::Write;
use timing::{BackendSource, LatencySource, Policy, Sampling, stop};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args().skip(1);
    let text = args.next().unwrap_or_else(|| "64>64 14x14 k3 p1 bias relu".to_owned());
    let spec: ConvSpec = text.parse()?;
    let mut number = |default: usize| args.next().map_or(Ok(default), |arg| arg.parse());
    let (step, first, last) = (number(4)?.max(1), number(spec.c_out / 2)?, number(spec.c_out)?);
    let specs: Vec<ConvSpec> = (first..=last).step_by(step).map(|c_out| ConvSpec { c_out, ..spec.clone() }).collect();

    let rule = stop::Relative::new(0.01).max_samples(200).limit_ms(200.0);
    let how = Sampling::new(Policy::warm(), rule);
    let mut source = BackendSource::new(Tract::new())?.chunk(32);
    println!("{spec} on {} {}", source.machine().device, source.machine().compute);
    let mut csv = args.next().map(std::fs::File::create).transpose()?;
    if let Some(file) = &mut csv {
        writeln!(file, "c_out,median_ns,low_ns,high_ns,samples")?;
    }
    for (spec, answer) in specs.iter().zip(source.latencies(&specs, &how)) {
        let m = answer?;
        let [low, high] = m.interval_ns;
        let bar = "#".repeat((m.median_ns / 1e4).min(100.0) as usize);
        println!("{:5} {:8.1} us +- {:4.1} % {bar}", spec.c_out, m.median_ns / 1e3, 100.0 * m.relative_half_width());
        if let Some(file) = &mut csv {
            writeln!(file, "{},{},{low},{high},{}", spec.c_out, m.median_ns, m.samples)?;
        }
    }
    Ok(())
}
