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
mod error;
pub mod kernels;
pub mod layers;
mod nvml;
pub mod nvrtc;
pub mod reference;
mod session;

pub use driver::{Arg, Shape};
pub use error::GpuError;

use netspec::Machine;
use timing::Unavailable;

/// The first GPU as the driver describes it, or why there is none and what was looked for.
pub fn check() -> Result<Machine, Unavailable> {
    let context = driver::Context::new(0)?;
    let attributes = context.attributes();
    Ok(Machine {
        engine: "cuda".to_owned(),
        device: attributes.name.clone(),
        compute: attributes.arch(),
        driver: check::driver()?.cuda_version(),
        threads: 1,
        ..Machine::default()
    })
}
