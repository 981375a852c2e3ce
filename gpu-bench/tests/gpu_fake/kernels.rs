//! Kernels of one's own, and arguments that make no sense.

use crate::planted::{is_planted, spec};
use crate::process::on_device;
use gpu_bench::{Arg, Bound, Cuda, GpuError, Kernel, KernelArg, Operand, Shape};
use netspec::CacheState::{Cold, Network, Warm};
use netspec::ConvSpec;
use timing::{Backend, Policy, Prepared, measure, stop};

const SOURCE: &str = "extern \"C\" __global__ void mine(const float* x, float* y, int n) {}";
const ARGS: [KernelArg; 3] =
    [KernelArg::Operand(Operand::Input), KernelArg::Operand(Operand::Output), KernelArg::Value(Arg::I32(64))];

fn shape(grid: [u32; 3], block: [u32; 3], shared_bytes: u32) -> Shape {
    Shape { grid, block, shared_bytes }
}

fn bound(gpu: &Cuda, shape: Shape) -> Result<Bound, GpuError> {
    Kernel::compile(gpu, SOURCE, "mine")?.bind(&spec("n1 64>64 28x28 k1 f16 nhwc"), shape, &ARGS)
}

#[test]
fn a_kernel_is_timed_as_the_librarys_are() {
    on_device(&[("FAKE_KERNEL_NS", "4321")], |_| {
        let gpu = Cuda::device(0).unwrap();
        let mut mine = bound(&gpu, shape([49, 1, 1], [256, 1, 1], 0)).unwrap();
        for cache in [Warm, Network, Cold] {
            is_planted(mine.run(cache).unwrap().ns, 500.0 + 4321.0, &format!("{cache:?}"));
        }
        assert_eq!(mine.algorithm().as_deref(), Some("mine"));
        let latency = measure(&mut mine, &mut stop::Relative::new(0.005), &Policy::network()).unwrap();
        is_planted(latency.median_ns, 4821.0, "its median");
    });
}

#[test]
fn a_kernel_that_writes_nothing_is_infinitely_wrong() {
    on_device(&[("FAKE_COMPUTE", "1")], |_| {
        let gpu = Cuda::device(0).unwrap();
        assert_eq!(bound(&gpu, shape([49, 1, 1], [256, 1, 1], 0)).unwrap().error(), Ok(f64::INFINITY));
    });
}

#[test]
fn launches_that_make_no_sense_are_errors() {
    on_device(&[], |_| {
        let gpu = Cuda::device(0).unwrap();
        for (grid, block) in [([0, 1, 1], [32, 1, 1]), ([1, 1, 1], [2048, 1, 1]), ([1, 70_000, 1], [32, 1, 1])] {
            let error = bound(&gpu, shape(grid, block, 0)).unwrap().run(Warm).unwrap_err();
            assert_eq!(
                error.to_string(),
                "running `64>64 28x28 k1 f16 nhwc` failed: `cuLaunchKernel` failed with CUDA_ERROR_INVALID_VALUE (1)"
            );
        }
        // More shared memory than a block may have.
        let error = bound(&gpu, shape([1; 3], [32, 1, 1], 300 << 10)).err().unwrap();
        assert_eq!(error.to_string(), "`cuFuncSetAttribute` failed with CUDA_ERROR_INVALID_VALUE (1)");
        // As much as one may have.
        bound(&gpu, shape([1; 3], [32, 1, 1], 227 << 10)).unwrap().run(Warm).unwrap();
        let kernel = Kernel::compile(&gpu, SOURCE, "mine").unwrap();
        assert_eq!(kernel.blocks_per_multiprocessor(shape([1; 3], [256, 1, 1], 0)), Ok(8));
        assert!(kernel.blocks_per_multiprocessor(shape([1; 3], [1 << 20, 1 << 20, 1], 0)).is_err());
        // The device is none the worse for it.
        is_planted(bound(&gpu, shape([1; 3], [32, 1, 1], 0)).unwrap().run(Warm).unwrap().ns, 5500.0, "afterwards");
    });
}

#[test]
fn sizes_that_no_memory_holds_are_errors() {
    on_device(&[], |_| {
        let gpu = Cuda::device(0).unwrap();
        let large = usize::MAX >> 12;
        // Texts of such convolutions are refused when they are read; these were made by hand.
        let base = spec("n1 8>8 7x7 k1 f16 nhwc");
        for (of, what) in [
            (ConvSpec { c_in: 1 << 20, height: 1 << 25, ..base.clone() }, "a tensor is too large"),
            (ConvSpec { height: large, width: large, ..base.clone() }, "a size is too large"),
            (ConvSpec { batch: large, c_in: large, ..base }, "a size is too large"),
        ] {
            let limits = "sizes must be below 2^31, tensors at most 2^44 elements, the work below 2^62 products";
            let cannot = format!("the engine cannot run `{of}`: {what}: {limits}");
            assert_eq!(gpu.prepare(&of).err().unwrap().to_string(), cannot);
            assert_eq!(gpu.chain(std::slice::from_ref(&of)).err().unwrap().to_string(), cannot);
            assert!(gpu.outputs_of(&of, 1).is_err());
            let kernel = Kernel::compile(&gpu, SOURCE, "mine").unwrap();
            assert!(kernel.bind(&of, shape([1; 3], [32, 1, 1], 0), &ARGS).is_err());
        }
    });
}
