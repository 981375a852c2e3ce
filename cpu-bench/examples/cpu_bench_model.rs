//! The latency of a whole ONNX model, and of a second one beside it: `cpu_bench_model A.onnx [B.onnx]`.
#![allow(clippy::print_stdout, reason = "an example prints its result")]

use cpu_bench::Tract;
use std::path::Path;
use std::time::Instant;
use timing::{Backend, ModelBackend, Policy, compare, measure, stop};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let own = concat!(env!("CARGO_MANIFEST_DIR"), "/../onnx-surgery/tests/models/resnet_ts.onnx");
    let mut args = std::env::args().skip(1);
    let first = args.next().unwrap_or_else(|| own.to_owned());
    let tract = Tract::new();
    let machine = tract.check()?;
    println!("{} on {}, {}", machine.library, machine.device, machine.compute);

    let start = Instant::now();
    let mut model = tract.load(Path::new(&first), &1.into())?;
    println!("{first}: loaded in {:.2} s", start.elapsed().as_secs_f64());
    let mut rule = stop::Relative::new(0.01).limit_ms(5000.0);
    let m = measure(&mut model, &mut rule, &Policy::warm())?;
    let [low, high] = m.interval_ns.map(|ns| ns / 1e6);
    println!("{:.3} ms [{low:.3}, {high:.3}], {} samples, {:?}", m.median_ns / 1e6, m.samples, m.stop);

    if let Some(second) = args.next() {
        let mut other = tract.load(Path::new(&second), &1.into())?;
        let both = compare(&mut model, &mut other, &mut rule, &Policy::warm())?;
        println!("{second}: {:.3}x {:.3?}, {} pairs", both.ratio, both.ratio_interval, both.pairs);
    }
    Ok(())
}
