//! Several convolutions, one after the other.

use crate::backend::{Prepared, Reading};
use crate::error::TimingError;
use netspec::{CacheState, ConvSpec, Provenance};

/// The sum of one run of each layer, equal layers sharing what was prepared for them.
pub(crate) struct Chain {
    distinct: Vec<Box<dyn Prepared + Send>>,
    /// Positions among the distinct ones, in the order in which they run.
    order: Vec<usize>,
}

impl Chain {
    pub(crate) fn prepare(
        specs: &[ConvSpec],
        mut prepare: impl FnMut(&ConvSpec) -> Result<Box<dyn Prepared + Send>, TimingError>,
    ) -> Result<Chain, TimingError> {
        let mut known: Vec<&ConvSpec> = Vec::new();
        let mut chain = Chain { distinct: Vec::new(), order: Vec::with_capacity(specs.len()) };
        for spec in specs {
            let place = match known.iter().position(|known| *known == spec) {
                Some(place) => place,
                None => {
                    chain.distinct.push(prepare(spec)?);
                    known.push(spec);
                    known.len() - 1
                }
            };
            chain.order.push(place);
        }
        Ok(chain)
    }
}

impl Prepared for Chain {
    fn run(&mut self, cache: CacheState) -> Result<Reading, TimingError> {
        let mut sum = Reading::new(0.0);
        for &place in &self.order {
            let reading = self.distinct[place].run(cache)?;
            sum.ns += reading.ns;
            sum.throttled |= reading.throttled;
        }
        Ok(sum)
    }

    /// That of the first layer: one engine's readings are all of one kind.
    fn provenance(&self) -> Provenance {
        self.distinct.first().map_or(Provenance::Measured, |first| first.provenance())
    }
}
