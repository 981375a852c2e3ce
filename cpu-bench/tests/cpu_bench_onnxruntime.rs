//! ONNX Runtime, where its library is on this machine: its convolutions, whole models, and what is wrong with a library.
//!
//! Without the library these tests say `skipped` and pass; `LOCP_REQUIRE_ORT=1` makes that a failure.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test")]

mod common;
#[path = "common/onnxruntime.rs"]
mod onnxruntime;

use common::{FAMILIES, check_conv, random_specs};
use cpu_bench::{OnnxRuntime, Provider};
use netspec::{CacheState, ConvSpec, DType, Layout, Tensor};
use onnxruntime::runtime;
use std::process::Command;
use timing::{Backend, ModelBackend, ModelRun, Prepared, Rng, TimingError};

#[test]
fn convolutions_compute_what_the_definition_says() {
    let Some(runtime) = runtime() else { return };
    let mut rng = Rng::new(1);
    let families = FAMILIES.iter().map(|text| text.parse().unwrap());
    for spec in families.chain(random_specs(60)) {
        let mut conv = runtime.prepare_conv(&spec).unwrap();
        let (weights, bias) = (conv.weights().to_vec(), conv.bias().map(<[f32]>::to_vec));
        check_conv(&spec, &mut conv, &weights, bias.as_deref(), &mut rng);
    }
}

#[test]
fn conversions_between_layouts_are_subtracted_and_the_convolution_is_left() {
    let Some(runtime) = runtime() else { return };
    let least = |text: &str| {
        let mut conv = runtime.prepare_conv(&text.parse().unwrap()).unwrap();
        let overhead_ns = conv.overhead_ns();
        let least_ns = (0..50).map(|_| conv.run(CacheState::Warm).unwrap().ns).fold(f64::INFINITY, f64::min);
        (least_ns, overhead_ns)
    };
    // Blocked, unblocked (62 input channels are no multiple of 4), depthwise, pointwise.
    for text in [
        "64>64 56x56 k3 p1 bias relu",
        "62>64 56x56 k3 p1 bias relu",
        "64>64 56x56 k3 p1 g64 bias relu",
        "64>64 56x56 k1 bias relu",
    ] {
        let (least_ns, overhead_ns) = least(text);
        assert!(overhead_ns > 0.0 && least_ns > overhead_ns / 100.0, "{text}: {least_ns} ns beside {overhead_ns} ns");
    }
    // Convolutions of a microsecond or two, which the profiler's own time must not swallow.
    for text in [
        "64>48 7x7 k1 bias relu",
        "128>256 8x8 k1 s2 bias add relu",
        "512>100 1x1 k1 bias",
        "192>192 7x7 k3 p1 g192 bias relu",
    ] {
        let (least_ns, overhead_ns) = least(text);
        assert!(least_ns > 400.0, "{text}: {least_ns} ns are left beside {overhead_ns} ns");
    }
}

#[test]
fn a_whole_model_answers_as_the_other_engine_does() {
    let Some(runtime) = runtime() else { return };
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../models/fashion.onnx");
    let mut rng = Rng::new(7);
    let pixels: Vec<f32> = (0..3 * 28 * 28).map(|_| rng.uniform() as f32).collect();
    let images = Tensor::from_f32(vec![3, 1, 28, 28], &pixels).unwrap();
    let answer = |engine: &dyn ModelBackend| {
        let mut model = engine.load(path.as_ref(), &3.into()).unwrap();
        assert!(model.run(CacheState::Network).unwrap().ns > 0.0);
        model.infer(std::slice::from_ref(&images)).unwrap().remove(0).to_f32().unwrap()
    };
    let (ours, theirs) = (answer(&runtime), answer(&cpu_bench::Tract::new()));
    assert_eq!(ours.len(), 30);
    assert!(ours.iter().zip(&theirs).all(|(a, b)| (a - b).abs() < 1e-3), "{ours:?}\n{theirs:?}");
}

#[test]
fn what_cannot_run_is_a_typed_error() {
    let Some(runtime) = runtime() else { return };
    let check = |change: fn(&mut ConvSpec), expect: &str| {
        let mut spec = ConvSpec::new(8, 8, [8, 8], [3, 3]);
        change(&mut spec);
        match runtime.prepare(&spec).map(|_| ()) {
            Err(TimingError::Unsupported { reason, .. }) => assert!(reason.contains(expect), "{reason}"),
            other => panic!("expected a refusal that says `{expect}`, got {other:?}"),
        }
    };
    check(|s| s.dtype = DType::F16, "f32 only here, not in f16");
    check(|s| s.layout = Layout::Nhwc, "nchw");
    check(|s| s.groups = 3, "multiples of the 3");
    check(|s| s.batch = 1 << 20, "2 GiB");
    check(|s| s.batch = usize::MAX, "too large");
    let machine = runtime.check().unwrap();
    assert_eq!((machine.engine.as_str(), machine.threads), ("onnxruntime", 1));
    assert!(machine.library.starts_with("onnxruntime ") && !machine.device.is_empty(), "{machine}");
}

/// What a process says that looks for the library by a path that is none: one process for each, because the first
/// library serves the whole process.
#[test]
fn a_library_that_is_none_is_an_error_that_says_what_to_do() {
    if let Some(path) = std::env::var_os("LOCP_TEST_ORT") {
        let error = OnnxRuntime::find(Provider::Cpu, 1).map(|_| ()).unwrap_err();
        assert!(error.looked_for.iter().any(|place| place.contains(&*path.to_string_lossy())), "{error}");
        println!("it said: {error}");
        return;
    }
    let text = std::env::temp_dir().join(format!("locp-no-library-{}.so", std::process::id()));
    std::fs::write(&text, "these are not the symbols").unwrap();
    for (path, expect) in [("/no/such/library.so", "was not found"), (text.to_str().unwrap(), "failed to load")] {
        let program = std::env::current_exe().unwrap();
        let test = ["a_library_that_is_none_is_an_error_that_says_what_to_do", "--exact", "--nocapture"];
        let ran =
            Command::new(program).args(test).env("ORT_DYLIB_PATH", path).env("LOCP_TEST_ORT", path).output().unwrap();
        let said = String::from_utf8_lossy(&ran.stdout).into_owned() + &String::from_utf8_lossy(&ran.stderr);
        assert!(ran.status.success() && said.contains(expect) && said.contains("pip install onnxruntime"), "{said}");
    }
    std::fs::remove_file(&text).unwrap();
}

#[test]
fn a_provider_that_the_library_has_not_is_an_error() {
    if runtime().is_none() {
        return;
    }
    for provider in [Provider::Cuda, Provider::TensorRt] {
        match OnnxRuntime::find(provider, 1) {
            // A library with the provider is one; its sessions fail where no device is.
            Ok(runtime) => assert!(runtime.prepare(&ConvSpec::new(8, 8, [8, 8], [3, 3])).is_err()),
            Err(error) => assert!(error.reason.contains(provider.name()) && error.remedy.contains("gpu"), "{error}"),
        }
    }
}
