//! The engine: what it runs on, and what it prepares.

mod conv;
mod model;
mod plan;
mod tensors;

pub use conv::TractConv;

use crate::caches::Caches;
use crate::{allocator, machine};
use netspec::{ConvSpec, InputSizes, Machine};
use std::path::Path;
use std::sync::Arc;
use timing::{Backend, ModelBackend, ModelRun, NodeTime, Prepared, TimingError, Unavailable};

/// Version of the timing method; it rises when numbers before and after may no longer be mixed.
pub const METHOD: u32 = 2;

/// The version of tract that is compiled in, as the lock file has it.
const LIBRARY: &str = "tract 0.23.9";

/// tract, in process, on one thread.
#[derive(Clone, Debug)]
pub struct Tract {
    threads: usize,
    caches: Arc<Caches>,
}

impl Tract {
    /// The engine on one thread.
    pub fn new() -> Tract {
        allocator::settle();
        Tract { threads: 1, caches: Arc::new(Caches::of_this_machine()) }
    }

    /// Asks for a number of threads. [`Backend::check`] refuses any but one, with the reason.
    pub fn threads(self, threads: usize) -> Tract {
        Tract { threads, ..self }
    }

    /// As [`Backend::prepare`], and gives access to the weights, so that results can be checked.
    pub fn prepare_conv(&self, spec: &ConvSpec) -> Result<TractConv, TimingError> {
        self.refuse_threads()?;
        TractConv::new(spec, Arc::clone(&self.caches))
    }

    fn refuse_threads(&self) -> Result<(), Unavailable> {
        if self.threads == 1 {
            return Ok(());
        }
        Err(Unavailable {
            engine: "tract".to_owned(),
            reason: format!("{} threads were asked for, and tract is built for one thread here", self.threads),
            looked_for: Vec::new(),
            remedy: "leave the number of threads at 1, or choose another engine".to_owned(),
        })
    }
}

impl Default for Tract {
    fn default() -> Tract {
        Tract::new()
    }
}

impl Backend for Tract {
    fn check(&self) -> Result<Machine, Unavailable> {
        self.refuse_threads()?;
        Ok(Machine {
            engine: "tract".to_owned(),
            device: machine::cpu_name(),
            compute: machine::vector_extension().to_owned(),
            driver: String::new(),
            library: LIBRARY.to_owned(),
            policy: String::new(),
            threads: self.threads,
            method: METHOD,
        })
    }

    fn prepare(&self, spec: &ConvSpec) -> Result<Box<dyn Prepared + Send>, TimingError> {
        Ok(Box::new(self.prepare_conv(spec)?))
    }
}

impl ModelBackend for Tract {
    fn load(&self, onnx: &Path, sizes: &InputSizes) -> Result<Box<dyn ModelRun>, TimingError> {
        self.refuse_threads()?;
        Ok(Box::new(model::load(onnx, sizes, Arc::clone(&self.caches))?))
    }

    fn profile(&self, onnx: &Path, sizes: &InputSizes) -> Option<Result<Vec<NodeTime>, TimingError>> {
        let model = model::load(onnx, sizes, Arc::clone(&self.caches));
        Some(model.and_then(|mut model| model.profile()))
    }
}
