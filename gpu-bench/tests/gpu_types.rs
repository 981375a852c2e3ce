//! What every public type can do: be sent to another thread, and be printed for debugging.

use gpu_bench::*;
use std::fmt::Debug;

fn is_send_and_debug<T: Send + Debug + ?Sized>() {}

#[test]
fn public_types_are_send_and_debug() {
    is_send_and_debug::<Arg>();
    is_send_and_debug::<Bound>();
    is_send_and_debug::<Cuda>();
    is_send_and_debug::<DeviceState>();
    is_send_and_debug::<Environment>();
    is_send_and_debug::<FoundLibrary>();
    is_send_and_debug::<GpuError>();
    is_send_and_debug::<Kernel>();
    is_send_and_debug::<KernelArg>();
    is_send_and_debug::<Library>();
    is_send_and_debug::<Operand>();
    is_send_and_debug::<Outputs>();
    is_send_and_debug::<Selection>();
    is_send_and_debug::<Shape>();
    is_send_and_debug::<kernels::Launch>();
    is_send_and_debug::<kernels::implicit_gemm::Tiles>();
    is_send_and_debug::<nvrtc::Cubin>();
    is_send_and_debug::<nvrtc::Nvrtc>();
    is_send_and_debug::<nvrtc::Resources>();
    is_send_and_debug::<reference::Operands>();
}
