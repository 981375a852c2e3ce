//! A table in front of an engine is a latency source: what the conformance kit checks of any source.
#![allow(clippy::unwrap_used)]

use netspec::{CacheState, ConvSpec, Machine};
use sharing::{Cached, MemoryStore, TableKind};
use timing::conformance::check;
use timing::{Backend, BackendSource, Prepared, Reading, TimingError, Unavailable};

struct Engine;
struct Takes(f64);

impl Backend for Engine {
    fn check(&self) -> Result<Machine, Unavailable> {
        Ok(Machine { engine: "engine".into(), ..Machine::default() })
    }
    fn prepare(&self, spec: &ConvSpec) -> Result<Box<dyn Prepared + Send>, TimingError> {
        Ok(Box::new(Takes(spec.macs() as f64)))
    }
}

impl Prepared for Takes {
    fn run(&mut self, _: CacheState) -> Result<Reading, TimingError> {
        Ok(Reading::new(self.0))
    }
}

#[test]
fn a_table_in_front_of_an_engine_keeps_the_contract_empty_and_filled() {
    let mut source = Cached::new(BackendSource::new(Engine).unwrap(), MemoryStore::new(TableKind::Live)).chunk(3);
    check(&mut source).assert();
    let measured = source.stats().new;
    check(&mut source).assert();
    assert!(measured > 0 && source.stats().new == measured, "the second time every settled latency is in the table");
}
