//! Known medians played back with noise, for callers that want readings rather than answers.

use netspec::{CacheState, Provenance};
use timing::{Prepared, Reading, Rng, TimingError};

/// Readings around a known median, log-normal, so that the median stays the known one and none is negative.
pub(crate) struct Played {
    pub(crate) median_ns: f64,
    pub(crate) noise: f64,
    pub(crate) provenance: Provenance,
    pub(crate) rng: Rng,
}

impl Prepared for Played {
    fn run(&mut self, _: CacheState) -> Result<Reading, TimingError> {
        Ok(Reading::new(self.median_ns * (self.noise * self.rng.normal()).exp()))
    }

    fn provenance(&self) -> Provenance {
        self.provenance
    }
}

/// A seed of its own for each spec, so that two of them do not share their noise.
pub(crate) fn rng_for(seed: u64, spec: &netspec::ConvSpec) -> Rng {
    let text = spec.to_string();
    Rng::new(text.bytes().fold(seed, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)))
}
