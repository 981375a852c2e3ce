//! A device that never finishes: it is given up after twenty seconds, and nothing waits for it afterwards.

use crate::planted::spec;
use crate::process::on_lost_device;
use gpu_bench::{Cuda, GpuError, Kernel, Shape};
use netspec::CacheState::{Cold, Warm};
use std::time::{Duration, Instant};
use timing::Backend;

const SPEC: &str = "n1 64>64 56x56 k3 p1 f16 nhwc";

#[test]
fn while_a_convolution_is_timed() {
    on_lost_device(&[], |device| {
        let gpu = Cuda::device(0).unwrap();
        let of = spec(SPEC);
        let mut conv = gpu.prepare(&of).unwrap();
        device.set("FAKE_HANG_CONV", "64>64");
        let text = format!(
            "running `{of}` failed: queued work did not finish within 20000 ms; \
             the GPU may be hung or shared: check `nvidia-smi`, and start a new process"
        );
        assert_eq!(conv.run(Warm).unwrap_err().to_string(), text);
        // The second time nobody waits any more.
        let start = Instant::now();
        assert_eq!(conv.run(Cold).unwrap_err().to_string(), text);
        assert_eq!(gpu.prepare(&of).and_then(|mut conv| conv.run(Warm)).unwrap_err().to_string(), text);
        assert!(gpu.outputs_of(&of, 1).unwrap_err().is_fatal());
        assert!(start.elapsed() < Duration::from_secs(5), "a lost device is not waited for again");
        // What is dropped now must not wait for the device: freeing memory does.
        drop(conv);
        drop(gpu);
    });
}

#[test]
fn while_a_kernel_is_checked() {
    on_lost_device(&[("FAKE_HANG_ENTRY", "mine")], |_| {
        let gpu = Cuda::device(0).unwrap();
        let kernel = Kernel::compile(&gpu, "extern \"C\" __global__ void mine(float* y) {}", "mine").unwrap();
        let shape = Shape { grid: [1; 3], block: [32, 1, 1], shared_bytes: 0 };
        let mut bound = kernel.bind(&spec(SPEC), shape, &[]).unwrap();
        assert_eq!(bound.error(), Err(GpuError::Timeout { what: "queued work", ms: 20_000 }));
        drop((bound, kernel, gpu));
    });
}
