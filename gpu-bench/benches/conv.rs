//! A small, named set of layers on the GPU's own clock; says so and does nothing where there is no GPU.
#![allow(clippy::print_stderr, reason = "a skipped benchmark says so")]

use criterion::Criterion;
use gpu_bench::criterion::EventTime;
use gpu_bench::{Cuda, layers};
use std::process::ExitCode;

fn main() -> ExitCode {
    let gpu = match Cuda::device(0) {
        Ok(gpu) => gpu,
        Err(unavailable) => {
            eprintln!("skipped: {unavailable}");
            let is_required = std::env::var("LOCP_REQUIRE_GPU").is_ok_and(|value| value == "1");
            return ExitCode::from(u8::from(is_required));
        }
    };
    let mut criterion = Criterion::default().with_measurement(EventTime::new(&gpu)).configure_from_args();
    for (name, spec) in layers::bench() {
        criterion.bench_function(name, |bencher| gpu.bench(bencher, &spec));
    }
    criterion.final_summary();
    ExitCode::SUCCESS
}
