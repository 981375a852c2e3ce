//! Engines on this CPU: convolutions and whole models timed with tract, compiled in, and with ONNX Runtime, found at
//! run time.
//!
//! tract is compiled in, so pruning works on any machine that Rust compiles for, with nothing to install.
//! The price is minutes of build time and one thread: tract runs a convolution on several threads only when it is
//! built for that, which this crate leaves out.
//! A convolution is wired with its epilogue, as tract finds it in a network, because tract fuses bias, addition and
//! activation into the product's last step.
//!
//! ```
//! use cpu_bench::Tract;
//! use timing::{Backend, Policy, measure, stop};
//!
//! let tract = Tract::new();
//! println!("{}", tract.check()?);
//! let mut conv = tract.prepare(&"16>32 14x14 k3 p1 bias relu".parse()?)?;
//! let latency = measure(&mut conv, &mut stop::Relative::new(0.05).max_samples(50), &Policy::warm())?;
//! assert!(latency.median_ns > 0.0);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! [`OnnxRuntime`] is the library that the user has installed; where there is none, [`OnnxRuntime::find`] says where it
//! looked. Its convolutions are timed without the changes of layout that an isolated one pays and a network does not.
//!
//! Each engine is a feature, `tract` and `onnxruntime`, both on by default.
//!
//! # Cache states
//!
//! | state | what happens before each run, untimed |
//! |---|---|
//! | warm | nothing: the last run's data are where it left them |
//! | cold | a buffer of twice the last-level cache is written |
//! | network | a buffer of twice the level-2 cache is written, then the inputs are read: weights come from the last-level cache or from memory, inputs from as near as they fit |
//!
//! For whole models *network* is *warm*: a model's own layers push each other's weights out.
#![deny(missing_debug_implementations, missing_docs)]
#![forbid(unsafe_code)]

#[cfg(any(feature = "tract", feature = "onnxruntime"))]
mod allocator;
#[cfg(any(feature = "tract", feature = "onnxruntime"))]
mod caches;
#[cfg(any(feature = "tract", feature = "onnxruntime"))]
mod fill;
#[cfg(any(feature = "tract", feature = "onnxruntime"))]
mod inputs;
#[cfg(any(feature = "tract", feature = "onnxruntime"))]
mod machine;
#[cfg(feature = "onnxruntime")]
mod onnxruntime;
#[cfg(feature = "tract")]
mod tract;

#[cfg(feature = "onnxruntime")]
pub use onnxruntime::{OnnxRuntime, OrtConv, Provider};
#[cfg(feature = "tract")]
pub use tract::{METHOD, Tract, TractConv};

/// Time that a profile may take, and the number of runs, at least and at most.
#[cfg(any(feature = "tract", feature = "onnxruntime"))]
const PROFILE: (f64, [u32; 2]) = (3e8, [5, 30]);

/// The number of runs of a profile of a model that takes `ns`.
#[cfg(any(feature = "tract", feature = "onnxruntime"))]
fn profile_runs(ns: f64) -> u32 {
    let (most_ns, [least, most]) = PROFILE;
    ((most_ns / ns) as u32).clamp(least, most)
}
