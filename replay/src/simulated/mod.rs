//! An analytic GPU: what a device of known data sheet would roughly take.
//!
//! The model has the four causes of stairs that matter to pruning, and no others: channels are padded to the
//! hardware's alignment, outputs are cut into tiles, tiles run in waves, and memory and launches set floors.
//! It is for trying algorithms and for teaching, not for predicting a device: no number of it may stand where a
//! measured one is asked for.

mod gpu;
mod model;

pub use gpu::{Gpu, Tile};

use crate::played::{Played, rng_for};
use netspec::{ConvSpec, Machine, Measurement, Provenance};
use timing::{Answer, Backend, LatencySource, Prepared, Request, Sampling, TimingError, Unavailable};

/// Version of the model's formulas; it rises when numbers change.
const METHOD: u32 = 1;

/// The noise of its readings as a backend, unless told otherwise: what a quiet GPU shows.
const USUAL_NOISE: f64 = 0.005;

/// A simulated GPU.
///
/// As a [`LatencySource`] it answers the model's value without noise; as a [`Backend`] it gives readings around that
/// value with seeded noise.
///
/// ```
/// use replay::Simulated;
/// use timing::LatencySource;
/// let mut orin = Simulated::named("orin")?;
/// let [aligned, unaligned] = ["n8 64>128 28x28 k3 p1 f16", "n8 64>127 28x28 k3 p1 f16"].map(|text| text.parse().unwrap());
/// assert!(orin.latency(&unaligned)?.median_ns > orin.latency(&aligned)?.median_ns, "fewer channels, and slower");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Simulated {
    gpu: Gpu,
    machine: Machine,
    noise: f64,
    seed: u64,
}

impl Simulated {
    /// A GPU of one's own.
    pub fn new(gpu: Gpu) -> Simulated {
        let machine = Machine {
            engine: format!("simulated:{}", gpu.name),
            device: format!("{} (simulated)", gpu.device),
            compute: gpu.compute.clone(),
            driver: String::new(),
            library: "replay".to_owned(),
            policy: "tiles and waves".to_owned(),
            threads: 1,
            method: METHOD,
        };
        Simulated { gpu, machine, noise: USUAL_NOISE, seed: 0 }
    }

    /// One of the known GPUs: `h100`, `t4` or `orin`.
    pub fn named(name: &str) -> Result<Simulated, Unavailable> {
        let known = Gpu::known();
        let names: Vec<String> = known.iter().map(|gpu| gpu.name.clone()).collect();
        known.into_iter().find(|gpu| gpu.name == name).map(Simulated::new).ok_or_else(|| Unavailable {
            engine: format!("simulated:{name}"),
            reason: "no GPU of that name is described".to_owned(),
            remedy: format!("choose one of {}", names.join(", ")),
            looked_for: Vec::new(),
        })
    }

    /// Sets the relative standard deviation of the readings that it gives as a backend.
    pub fn noise(self, relative: f64) -> Simulated {
        Simulated { noise: relative, ..self }
    }

    /// Sets the noise's seed.
    pub fn seed(self, seed: u64) -> Simulated {
        Simulated { seed, ..self }
    }

    /// What is simulated.
    pub fn gpu(&self) -> &Gpu {
        &self.gpu
    }

    /// The machine, always labelled as simulated.
    pub fn machine(&self) -> &Machine {
        &self.machine
    }

    /// The model's latency of one run in nanoseconds, or why this GPU cannot run it.
    pub fn latency_ns(&self, spec: &ConvSpec) -> Result<f64, String> {
        model::latency_ns(&self.gpu, spec)
    }

    /// The convolutions of a network, one after the other, in nanoseconds: the sum of their latencies, of which each
    /// holds its own launch. Whatever runs between them is not covered.
    pub fn network_ns(&self, specs: &[ConvSpec]) -> Result<f64, TimingError> {
        specs.iter().map(|spec| self.answer(spec)).sum()
    }

    fn answer(&self, spec: &ConvSpec) -> Result<f64, TimingError> {
        self.latency_ns(spec).map_err(|reason| TimingError::unsupported(spec, reason))
    }
}

impl LatencySource for Simulated {
    fn machine(&self) -> Machine {
        self.machine.clone()
    }

    fn read(&mut self, requests: &[Request], _: &Sampling) -> Vec<Result<Answer, TimingError>> {
        let settled = |ns| Answer::Settled(Measurement::exact(ns, Provenance::Simulated));
        requests.iter().map(|request| self.answer(&request.spec).map(settled)).collect()
    }
}

impl Backend for Simulated {
    fn check(&self) -> Result<Machine, Unavailable> {
        Ok(self.machine.clone())
    }

    fn prepare(&self, spec: &ConvSpec) -> Result<Box<dyn Prepared + Send>, TimingError> {
        let median_ns = self.latency_ns(spec).map_err(|reason| TimingError::unsupported(spec, reason))?;
        let rng = rng_for(self.seed, spec);
        Ok(Box::new(Played { median_ns, noise: self.noise, provenance: Provenance::Simulated, rng }))
    }
}
