//! Raw CUDA convolution timing: for now, whether there is a GPU that could be timed, and which.
//!
//! The driver is looked up at run time and nothing is linked, so this crate builds and runs on machines without CUDA
//! and says what it missed; the price is that every symbol has to be looked up before it is called, because the
//! bindings panic on one that is absent. Timing comes next.
//!
//! ```
//! match gpu_bench::check() {
//!     Ok(machine) => println!("{} ({}), CUDA {}", machine.device, machine.compute, machine.driver),
//!     // Names the files and folders, and what to do.
//!     Err(unavailable) => println!("{unavailable}"),
//! }
//! ```
#![deny(missing_docs)]
#![deny(unsafe_code)]

mod check;
mod cudnn;
mod discover;
mod driver;
mod first_gpu;
mod kernels;
pub mod layers;
mod nvml;
mod nvrtc;
mod places;
pub mod reference;
mod session;

use first_gpu::Trouble;
use netspec::Machine;
use timing::Unavailable;

/// The first GPU as the driver describes it, or why there is none and what was looked for.
///
/// The driver's field is the newest CUDA version that it supports. Library, policy and method are empty: they belong
/// to the timing that comes next, so nothing may be keyed by this machine yet.
pub fn check() -> Result<Machine, Unavailable> {
    let gpu = first_gpu::first_gpu().map_err(unavailable)?;
    Ok(Machine {
        engine: "cuda".to_owned(),
        device: gpu.name,
        compute: format!("sm_{}{}", gpu.capability.0, gpu.capability.1),
        driver: format!("{}.{}", gpu.cuda / 1000, gpu.cuda % 1000 / 10),
        threads: 1,
        ..Machine::default()
    })
}

fn unavailable(trouble: Trouble) -> Unavailable {
    let (reason, looked_for, remedy) = match trouble {
        Trouble::NoLibrary => (
            "no CUDA driver".to_owned(),
            places::driver(std::env::var_os("LD_LIBRARY_PATH").as_deref()),
            "install NVIDIA's driver, or add its folder to LD_LIBRARY_PATH",
        ),
        Trouble::NoSymbol { name } => (
            format!("the CUDA driver lacks `{name}`"),
            places::driver(std::env::var_os("LD_LIBRARY_PATH").as_deref()),
            "update NVIDIA's driver to one for CUDA 12 or later",
        ),
        Trouble::NoDevice => (
            "the CUDA driver sees no GPU".to_owned(),
            places::devices(std::env::var("CUDA_VISIBLE_DEVICES").ok().as_deref()),
            "check `nvidia-smi`, and that CUDA_VISIBLE_DEVICES does not hide the GPU",
        ),
        Trouble::Call { name, code } => (
            format!("the CUDA driver's `{name}` failed with {code}"),
            places::devices(std::env::var("CUDA_VISIBLE_DEVICES").ok().as_deref()),
            "check that `nvidia-smi` works and that its driver fits the kernel module; a restart often helps",
        ),
    };
    Unavailable { engine: "cuda".to_owned(), reason, looked_for, remedy: remedy.to_owned() }
}
