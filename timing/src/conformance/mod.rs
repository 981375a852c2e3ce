//! A conformance kit: what every latency source has to do, checked on any of them.
//!
//! An engine, a simulator, a table or a remote service is tested in three lines:
//!
//! ```
//! # use netspec::{CacheState, ConvSpec, Machine};
//! # use timing::{Backend, Prepared, Reading, TimingError, Unavailable};
//! # struct MyEngine;
//! # struct Run(f64);
//! # impl MyEngine { fn new() -> MyEngine { MyEngine } }
//! # impl Backend for MyEngine {
//! #     fn check(&self) -> Result<Machine, Unavailable> { Ok(Machine { engine: "mine".into(), ..Machine::default() }) }
//! #     fn prepare(&self, spec: &ConvSpec) -> Result<Box<dyn Prepared + Send>, TimingError> { Ok(Box::new(Run(spec.macs() as f64))) }
//! # }
//! # impl Prepared for Run {
//! #     fn run(&mut self, _: CacheState) -> Result<Reading, TimingError> { Ok(Reading::new(self.0)) }
//! # }
//! let mut source = timing::BackendSource::new(MyEngine::new())?;
//! timing::conformance::check(&mut source).assert();
//! # Ok::<(), timing::Unavailable>(())
//! ```
//!
//! What a source does not offer (chains, whole models), and what a table does not know, is skipped with the reason.
//! A symptom fails as few checks as possible: a source that leaves out answers fails the check of the answers' number,
//! and the checks that cannot go on without them are skipped. A latency that no run can take fails all that read one.
//! The kit catches no panic: a source that panics fails the test that runs the kit.

mod answers;
mod ask;
mod chain;
mod latencies;
mod models;
mod readings;
mod reference;
mod report;

pub use report::{Check, Outcome, Report};

use crate::door::LatencySource;
use ask::Found;
use netspec::{Activation, ConvSpec, Epilogue};

/// One check: a source, the kit's convolutions, and what was found.
type Run = fn(&mut dyn LatencySource, &Specs) -> Found;

/// All checks by name, in the order in which they run.
const CHECKS: [(&str, Run); 11] = [
    ("the machine names an engine and stays the same", answers::machine),
    ("one answer per request, in order", answers::order),
    ("the same convolution twice agrees", latencies::repeatable),
    ("twice the work is not faster", latencies::monotonic),
    ("further readings are as many as asked", readings::further),
    ("what cannot run is a typed error", answers::unsupported),
    ("a raised flag interrupts, and a fresh one does not", readings::cancellation),
    ("a settled answer is complete", latencies::settled),
    ("a chain takes as long as its parts", chain::chain),
    ("whole models load and run", models::whole),
    ("inference computes what the model says", models::inference),
];

/// The convolutions that the kit asks for.
#[derive(Clone, Debug)]
struct Specs {
    first: ConvSpec,
    second: ConvSpec,
    wide: ConvSpec,
}

/// The conformance kit, with convolutions that the caller may choose.
///
/// [`check`] runs it with its own: f32, NCHW, 3x3 with bias and ReLU, from 16 to 256 channels.
#[derive(Clone, Debug)]
pub struct Kit {
    specs: Specs,
}

impl Kit {
    /// The kit with its own convolutions.
    pub fn new() -> Kit {
        let specs = Specs { first: conv(16, 32, 14), second: conv(32, 32, 14), wide: conv(64, 256, 28) };
        Kit { specs }
    }

    /// Sets the convolutions: two that follow each other in a network, and one that takes longer than both of them.
    ///
    /// For a recorded table, those that are in it; for an engine of another data type, those that it runs. The last one
    /// is asked for with twice its output channels, too, so it should be long compared with a launch.
    pub fn specs(self, [first, second, wide]: [ConvSpec; 3]) -> Kit {
        Kit { specs: Specs { first, second, wide } }
    }

    /// Runs every check on `source`.
    pub fn check(&self, source: &mut dyn LatencySource) -> Report {
        let engine = source.machine().engine;
        let check = |(name, run): (&'static str, Run)| {
            let outcome = run(source, &self.specs).err().unwrap_or(Outcome::Passed);
            Check { name, outcome }
        };
        Report { engine, checks: CHECKS.into_iter().map(check).collect() }
    }
}

impl Default for Kit {
    fn default() -> Kit {
        Kit::new()
    }
}

/// Runs the kit with its own convolutions on `source`.
pub fn check(source: &mut dyn LatencySource) -> Report {
    Kit::new().check(source)
}

fn conv(c_in: usize, c_out: usize, size: usize) -> ConvSpec {
    let epilogue = Epilogue { bias: true, activation: Activation::Relu, ..Epilogue::default() };
    ConvSpec { padding: [1; 4], epilogue, ..ConvSpec::new(c_in, c_out, [size, size], [3, 3]) }
}
