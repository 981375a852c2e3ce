//! A staircase without a device: the formula itself as readings, to try everything around it.

use crate::formula::{Occupancy, Work};
use gpu_bench::kernels::implicit_gemm::Tiles;
use netspec::{CacheState, ConvSpec, Provenance};
use timing::{Prepared, Reading, Rng, TimingError};

/// Nanoseconds of any run, and of one step of the sum; some numbers of the right size.
const LAUNCH_NS: f64 = 3_000.0;
const STEP_NS: f64 = 150.0;

/// Half a percent, as the simulated GPUs have it.
const NOISE: f64 = 0.005;

pub(crate) struct Planted {
    ns: f64,
    rng: Rng,
}

impl Planted {
    pub(crate) fn boxed(spec: &ConvSpec, tiles: Tiles, room: Occupancy, seed: u64) -> Box<dyn Prepared + Send> {
        let work = Work::of(spec, tiles, room);
        let copies = if work.is_aligned { 1.0 } else { 3.0 };
        let ns = LAUNCH_NS + STEP_NS * copies * work.cost() as f64;
        let seed = seed ^ (spec.c_in as u64) << 20 ^ (spec.c_out as u64);
        Box::new(Planted { ns, rng: Rng::new(seed) })
    }
}

impl Prepared for Planted {
    fn run(&mut self, _: CacheState) -> Result<Reading, TimingError> {
        Ok(Reading::new(self.ns * (1.0 + NOISE * self.rng.normal())))
    }

    fn provenance(&self) -> Provenance {
        Provenance::Simulated
    }
}
