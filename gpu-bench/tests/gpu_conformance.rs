//! Every algorithm and kernel against a convolution in double precision, on the GPU.
//!
//! With `LOCP_REQUIRE_GPU=1` a machine without a GPU is a failure; otherwise these tests are skipped aloud.
#![allow(clippy::unwrap_used, clippy::print_stderr)]

use gpu_bench::kernels::{Launch, depthwise, implicit_gemm};
use gpu_bench::reference::{random_specs, tolerance};
use gpu_bench::{Cuda, GpuError, Kernel};
use netspec::{CacheState, ConvSpec, DType, Layout};
use std::collections::BTreeMap;
use timing::{Backend, Policy, Prepared, compare, measure, stop};

/// Random convolutions of each type and layout: 240 in all.
const SPECS: usize = 30;

/// Of each, so many of cuDNN's algorithms.
const PLANS: usize = 4;

fn gpu() -> Option<Cuda> {
    match Cuda::device(0) {
        Ok(gpu) => Some(gpu),
        Err(unavailable) => {
            let is_required = std::env::var("LOCP_REQUIRE_GPU").is_ok_and(|value| value == "1");
            assert!(!is_required, "LOCP_REQUIRE_GPU=1, and {unavailable}");
            eprintln!("skipped: {unavailable}");
            None
        }
    }
}

/// What was checked, and what was wrong.
#[derive(Default)]
struct Tally {
    checked: usize,
    unsupported: Vec<String>,
    worst: BTreeMap<String, f64>,
    wrong: Vec<String>,
}

impl Tally {
    fn note(&mut self, kind: String, spec: &ConvSpec, name: &str, error: f64) {
        if error >= tolerance(spec.dtype) {
            self.wrong.push(format!("`{spec}` by {name}: {error:.2e}"));
        }
        let worst = self.worst.entry(kind).or_default();
        *worst = worst.max(error);
        self.checked += 1;
    }

    /// A run that is cut short has then shown something.
    fn so_far(&self, after: &str) {
        eprintln!("after {after}: {} results checked, {} wrong", self.checked, self.wrong.len());
        self.wrong.iter().for_each(|wrong| eprintln!("  wrong so far: {wrong}"));
    }

    fn end(self, what: &str, at_least: usize) {
        eprintln!("{what}: {} results checked, {} convolutions unsupported", self.checked, self.unsupported.len());
        self.unsupported.iter().for_each(|reason| eprintln!("  unsupported: {reason}"));
        self.worst.iter().for_each(|(kind, error)| eprintln!("  worst error, {kind}: {error:.2e}"));
        assert!(self.wrong.is_empty(), "wrong results:\n{}", self.wrong.join("\n"));
        assert!(self.checked >= at_least, "only {} of at least {at_least} results could be checked", self.checked);
    }
}

#[test]
fn the_librarys_algorithms_compute_what_the_spec_says() {
    let Some(gpu) = gpu() else { return };
    let mut tally = Tally::default();
    let mut specs_checked = 0;
    'all: for dtype in [DType::F16, DType::Tf32, DType::Bf16, DType::F32] {
        for layout in [Layout::Nhwc, Layout::Nchw] {
            for spec in random_specs(11, SPECS, dtype, layout) {
                match gpu.outputs_of(&spec, PLANS) {
                    Ok(outputs) => {
                        let kind = format!("{dtype} {layout:?}");
                        outputs.errors().for_each(|(name, error)| tally.note(kind.clone(), &spec, name, error));
                        specs_checked += 1;
                    }
                    Err(GpuError::Unsupported { reason }) => tally.unsupported.push(format!("`{spec}`: {reason}")),
                    Err(error) => {
                        tally.wrong.push(format!("`{spec}`: {error}"));
                        if error.is_fatal() {
                            break 'all;
                        }
                    }
                }
            }
            tally.so_far(&format!("{dtype} {layout:?}"));
        }
    }
    tally.end("cuDNN", specs_checked);
    assert!(specs_checked >= 200, "only {specs_checked} of 240 random convolutions are supported");
}

/// Kernels by name: compiling one takes longer than all its runs.
#[derive(Default)]
struct Compiled(BTreeMap<String, Kernel>);

impl Compiled {
    fn error(&mut self, gpu: &Cuda, launch: &Launch, spec: &ConvSpec) -> Result<f64, GpuError> {
        let kernel = self.0.entry(launch.entry.clone());
        let kernel = kernel.or_insert_with(|| Kernel::compile(gpu, launch.source, &launch.entry).unwrap());
        kernel.bind(spec, launch.shape, &launch.args)?.error()
    }
}

#[test]
fn our_kernels_compute_what_the_spec_says() {
    let Some(gpu) = gpu() else { return };
    let (mut tally, mut compiled) = (Tally::default(), Compiled::default());
    for dtype in [DType::F16, DType::F32] {
        for spec in random_specs(13, 200, dtype, Layout::Nhwc) {
            let tiled = implicit_gemm::Tiles::MENU.map(|tiles| implicit_gemm::launch(&spec, tiles));
            let launches = tiled.into_iter().chain([depthwise::launch(&spec)]).flatten();
            for launch in launches {
                match compiled.error(&gpu, &launch, &spec) {
                    Ok(error) => tally.note(launch.entry.clone(), &spec, &launch.entry, error),
                    // The largest tiles want more shared memory than smaller GPUs have.
                    Err(error) if !error.is_fatal() => tally.unsupported.push(format!("{}: {error}", launch.entry)),
                    Err(error) => panic!("{} for `{spec}`: {error}", launch.entry),
                }
            }
        }
    }
    tally.end("our kernels", 200);
}

#[test]
fn cold_weights_take_longer_than_warm_ones_and_everything_cold_longest() {
    let Some(gpu) = gpu() else { return };
    // 4.7 MB of weights for 49 pixels: reading them is what takes the time.
    let spec: ConvSpec = "n1 512>512 7x7 k3 p1 f16 nhwc".parse().unwrap();
    let mut conv = gpu.prepare(&spec).unwrap();
    let mut ns = |policy: Policy| measure(&mut conv, &mut stop::Relative::new(0.01), &policy).unwrap().median_ns;
    let [warm, network, cold] = [Policy::warm(), Policy::network(), Policy::cold()].map(&mut ns);
    eprintln!("warm {warm:.0} ns, network {network:.0} ns, cold {cold:.0} ns");
    assert!(warm < network, "weights from memory take longer than from the cache");
    assert!(network < 1.02 * cold, "a cold input does not make it faster");
}

#[test]
fn a_convolution_and_itself_take_the_same_time() {
    let Some(gpu) = gpu() else { return };
    let spec: ConvSpec = "n1 64>64 56x56 k3 p1 f16 nhwc bias relu".parse().unwrap();
    let [mut a, mut b] = [gpu.prepare(&spec).unwrap(), gpu.prepare(&spec).unwrap()];
    let both = compare(&mut a, &mut b, &mut stop::Count::new(60), &Policy::network()).unwrap();
    eprintln!("ratio {:.4} {:?}, {:?}", both.ratio, both.ratio_interval, a.algorithm());
    assert!((both.ratio - 1.0).abs() < 0.02, "{} {:?}", both.ratio, both.ratio_interval);
}

#[test]
fn short_and_long_convolutions_agree_where_the_method_changes() {
    let Some(gpu) = gpu() else { return };
    // Work that grows by a twentieth, across the length at which slopes give way to single launches.
    let mut last: Option<(usize, f64)> = None;
    for batch in (20..60).step_by(2) {
        let spec: ConvSpec = format!("n{batch} 256>256 28x28 k3 p1 f16 nhwc").parse().unwrap();
        let mut conv = gpu.prepare(&spec).unwrap();
        let ns = measure(&mut conv, &mut stop::Relative::new(0.01), &Policy::network()).unwrap().median_ns;
        if let Some((before, before_ns)) = last {
            let ratio = ns / before_ns;
            assert!((0.9..1.5).contains(&ratio), "batch {before} took {before_ns} ns, batch {batch} {ns}");
        }
        last = Some((batch, ns));
    }
}

#[test]
fn a_reading_says_at_which_clock_it_was_taken() {
    let Some(gpu) = gpu() else { return };
    let mut conv = gpu.prepare(&"n64 256>256 28x28 k3 p1 f16 nhwc".parse().unwrap()).unwrap();
    let reading = conv.run(CacheState::Warm).unwrap();
    let rated = gpu.environment().clock_mhz;
    let clock = reading.clock_mhz.expect("it is long enough to tell a clock");
    assert!((0.2 * rated..1.1 * rated).contains(&clock), "{clock} MHz at a rated {rated}");
    eprintln!("{clock:.0} of {rated:.0} MHz; {:?}", gpu.state());
}
