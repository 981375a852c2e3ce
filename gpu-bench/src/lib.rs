//! Raw CUDA convolution timing: cuDNN's convolutions and kernels of one's own, on the GPU's clock.
//!
//! Driver, cuDNN and run-time compiler are looked up at run time and nothing is linked, so this crate builds and runs on
//! machines without CUDA and says what it missed; the price is that every symbol has to be looked up before it is
//! called, because the bindings panic on one that is absent.
//!
//! ```no_run
//! use gpu_bench::{Backend, ConvSpec, Cuda, Policy, measure, stop};
//!
//! let gpu = Cuda::device(0)?;
//! let spec: ConvSpec = "n1 64>64 56x56 k3 p1 f16 nhwc bias relu".parse()?;
//! let mut conv = gpu.prepare(&spec)?;
//! // Runs it, with the caches as inside a network, until the 95 % interval of the median is within 0.5 %.
//! let latency = measure(&mut conv, &mut stop::Relative::new(0.005), &Policy::network())?;
//! println!("{spec}: {:.2} us", latency.median_ns / 1e3);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! [`check`] says whether that is possible here:
//!
//! ```
//! match gpu_bench::check() {
//!     Ok(machine) => println!("{} ({}), {}", machine.device, machine.compute, machine.library),
//!     // Names the files and folders, and what to do.
//!     Err(unavailable) => println!("{unavailable}"),
//! }
//! ```
//!
//! [`Cuda`] is an engine for the `timing` crate, whose types are re-exported here: it prepares convolutions, whole chains
//! of them, and says which of cuDNN's algorithms ran. [`Kernel`] times CUDA source of one's own in the same way and checks it against a
//! convolution in double precision ([`mod@reference`]). How a reading is taken, in short: nothing is timed by the host.
//! A spinning kernel holds the stream until everything is queued, runs below 400 us are timed by the slope between two
//! CUDA graphs of different length, a bracketing kernel notes the clock, and a reading at a throttled clock says so.
//!
//! With the feature `criterion`, the module of that name measures benchmarks on the same clock.
#![deny(missing_debug_implementations, missing_docs)]
#![deny(unsafe_code)]

mod anchors;
mod chain;
mod check;
mod conv;
#[cfg(feature = "criterion")]
pub mod criterion;
mod cuda;
mod cudnn;
mod discover;
mod driver;
mod error;
mod kernel;
pub mod kernels;
pub mod layers;
mod libraries;
mod nvml;
pub mod nvrtc;
pub mod reference;
mod session;

pub use anchors::anchors;
pub use cuda::{Cuda, Environment, Outputs, Selection};
pub use driver::{Arg, Shape};
pub use error::GpuError;
pub use kernel::{Bound, Kernel, KernelArg, Operand};
pub use libraries::{FoundLibrary, Library, check, libraries};
pub use netspec::{Activation, CacheState, ConvSpec, DType, Epilogue, Layout, Machine, Measurement, SpecError};
pub use nvml::DeviceState;
pub use timing::{
    Backend, Comparison, Policy, Prepared, Reading, StopRule, TimingError, Unavailable, compare, measure, stop,
};
