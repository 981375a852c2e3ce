//! Two runs with one table: the second one measures nothing.
//!
//! `cargo run --release --locked --example sharing_cached`
#![expect(clippy::print_stdout, reason = "an example prints")]

use netspec::{ConvSpec, Machine, Measurement, Provenance};
use sharing::{Cached, DiskStore, TableKind};
use std::hint::black_box;
use std::time::Instant;
use timing::{LatencySource, Sampling, TimingError, from_fn};

/// Times a loop of as many multiplications as the convolution has, a hundred thousand at most.
fn toy(spec: &ConvSpec) -> Result<Measurement, TimingError> {
    let macs = spec.macs().min(100_000);
    let mut readings: Vec<f64> = (0..9)
        .map(|_| {
            let start = Instant::now();
            black_box((0..macs).fold(1.0, |x, i| x * black_box(1.0 + i as f64 * 1e-9)));
            start.elapsed().as_nanos().max(1) as f64
        })
        .collect();
    readings.sort_by(f64::total_cmp);
    let mut measurement = Measurement::exact(readings[4], Provenance::Measured);
    (measurement.interval_ns, measurement.samples) = ([readings[1], readings[7]], 9);
    Ok(measurement)
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let path = std::env::temp_dir().join(format!("locp-example-{}.table", std::process::id()));
    let machine = Machine { engine: "toy".into(), threads: 1, method: 1, ..Machine::default() };
    // A residual block twice: four convolutions, two of them different.
    let block = ["64>64 56x56 k3 p1 bias relu", "64>64 56x56 k3 p1 bias add relu"];
    let specs: Vec<ConvSpec> = block.iter().chain(&block).map(|text| text.parse()).collect::<Result<_, _>>()?;

    for run in ["first", "second"] {
        let mut source = Cached::new(from_fn(toy).on(machine.clone()), DiskStore::open(&path, TableKind::Live)?);
        for (spec, answer) in specs.iter().zip(source.latencies(&specs, &Sampling::default())) {
            println!("{run} run: {spec}: {:.1} us", answer?.median_ns / 1e3);
        }
        let stats = source.stats();
        println!("{run} run: {} asked, {} measured, {} shared", stats.asked, stats.new, stats.shared);
    }
    std::fs::remove_file(path)?;
    Ok(())
}
