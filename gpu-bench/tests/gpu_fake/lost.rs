//! After a kernel has broken the context: every answer is the same, and nothing hangs or panics.

use crate::device::Device;
use crate::planted::spec;
use crate::process::on_lost_device;
use gpu_bench::{Arg, Cuda, GpuError, Kernel, KernelArg, Operand, Shape};
use netspec::CacheState::{Cold, Network, Warm};
use netspec::ConvSpec;
use timing::{Backend, BackendSource, LatencySource, Policy, Sampling, TimingError, Unavailable, stop};

const FAULTY: &str = "n1 64>64 56x56 k3 p1 f16 nhwc";
const OTHER: &str = "n1 32>32 28x28 k3 p1 f16 nhwc";

/// Sticky, whichever call reported it.
#[track_caller]
fn is_lost(reason: &str) {
    let (before, after) =
        reason.split_once("` reported CUDA_ERROR_ILLEGAL_ADDRESS").unwrap_or_else(|| panic!("{reason}"));
    assert!(before.starts_with("a kernel broke the GPU's context: `cu"), "{reason}");
    assert!(after.starts_with(", and every later call fails too"), "{reason}");
}

#[track_caller]
fn is_unavailable(error: &TimingError) {
    let TimingError::Unavailable(Unavailable { engine, reason, remedy, .. }) = error else { panic!("{error:?}") };
    is_lost(reason);
    assert_eq!((engine.as_str(), remedy.as_str()), ("cuda", "start a new process; what was measured before is kept"));
}

fn ask_everything(device: &Device, bind: &str) {
    device.set("FAKE_STICKY_BIND", bind);
    let gpu = Cuda::device(0).unwrap();
    let (faulty, other) = (spec(FAULTY), spec(OTHER));
    let kernel = Kernel::compile(&gpu, "extern \"C\" __global__ void mine(float* y) {}", "mine").unwrap();
    let mut good = gpu.prepare(&other).unwrap();
    good.run(Warm).unwrap();
    let mut untouched = gpu.prepare(&other).unwrap();
    let mut chain = gpu.chain(&[other.clone(), other.clone()]).unwrap();
    device.set("FAKE_FAULT_CONV", "64>64");
    let mut bad = gpu.prepare(&faulty).unwrap();
    for cache in [Warm, Cold, Network] {
        is_unavailable(&bad.run(cache).err().unwrap());
        is_unavailable(&good.run(cache).err().unwrap());
        is_unavailable(&untouched.run(cache).err().unwrap());
        is_unavailable(&chain.run(cache).err().unwrap());
    }
    let prepared = gpu.prepare(&other).and_then(|mut conv| conv.run(Warm));
    is_unavailable(&prepared.unwrap_err());
    is_unavailable(&gpu.chain(std::slice::from_ref(&other)).and_then(|mut chain| chain.run(Warm)).unwrap_err());
    is_lost(&gpu.outputs_of(&other, 2).unwrap_err().to_string());
    assert!(gpu.outputs_of(&other, 2).unwrap_err().is_fatal());
    let compiled = Kernel::compile(&gpu, "extern \"C\" __global__ void mine(float* y) {}", "mine");
    assert!(matches!(compiled, Err(GpuError::Sticky { .. })), "{compiled:?}");
    let shape = Shape { grid: [1; 3], block: [32, 1, 1], shared_bytes: 0 };
    let bound = kernel.bind(&other, shape, &[KernelArg::Operand(Operand::Output), KernelArg::Value(Arg::I32(1))]);
    let error = bound.and_then(|mut bound| bound.error()).unwrap_err();
    assert!(matches!(error, GpuError::Sticky { .. }), "{error:?}");
    is_lost(&Cuda::device(0).unwrap_err().reason);
    // These tell what is known without the device.
    assert_eq!(gpu.machine().engine, "cuda");
    let _ = (gpu.environment(), gpu.state());
}

#[test]
fn every_answer_is_the_same() {
    on_lost_device(&[], |device| ask_everything(device, "0"));
}

#[test]
fn every_answer_is_the_same_where_binding_fails_too() {
    on_lost_device(&[], |device| ask_everything(device, "1"));
}

#[test]
fn a_kernel_of_ones_own_may_break_it() {
    on_lost_device(&[("FAKE_FAULT_ENTRY", "mine")], |_| {
        let gpu = Cuda::device(0).unwrap();
        let kernel = Kernel::compile(&gpu, "extern \"C\" __global__ void mine(float* y) {}", "mine").unwrap();
        let shape = Shape { grid: [1; 3], block: [32, 1, 1], shared_bytes: 0 };
        let mut bound = kernel.bind(&spec(OTHER), shape, &[KernelArg::Operand(Operand::Output)]).unwrap();
        assert_eq!(
            bound.error().unwrap_err().to_string(),
            "a kernel broke the GPU's context: `cuEventQuery` reported CUDA_ERROR_ILLEGAL_ADDRESS, \
             and every later call fails too; start a new process; what was measured before is kept"
        );
    });
}

#[test]
fn a_sweep_keeps_what_it_has_and_ends() {
    on_lost_device(&[("FAKE_FAULT_CONV", "64>72")], |_| {
        let specs: Vec<ConvSpec> = (1..=24).map(|i| spec(&format!("n1 64>{} 28x28 k3 p1 f16 nhwc", 8 * i))).collect();
        let mut source = BackendSource::new(Cuda::device(0).unwrap()).unwrap().chunk(4).anchor(spec(OTHER), 0.01);
        let how = Sampling::new(Policy::network(), stop::Count::new(3));
        let answers = source.latencies(&specs, &how);
        assert!(answers[..8].iter().all(Result::is_ok), "two chunks came before");
        for answer in &answers[8..] {
            let text = answer.as_ref().unwrap_err().to_string();
            assert!(text.contains("CUDA_ERROR_ILLEGAL_ADDRESS"), "{text}");
        }
        let again = source.latencies(&specs[..2], &how);
        assert!(again.iter().all(Result::is_err));
    });
}
