//! Tables as latency sources, in front of an engine and alone: what the conformance kit checks of any source.
#![allow(clippy::unwrap_used)]

use netspec::{CacheState, ConvSpec, Machine};
use sharing::{Cached, MemoryStore, Recorded, Recorder, TableKind};
use timing::conformance::{Kit, Outcome, Report, check};
use timing::{Backend, BackendSource, LatencySource, Prepared, Reading, Sampling, TimingError, Unavailable};

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
    let first = source.stats().new;
    check(&mut source).assert();
    // Only further readings are taken anew; settled latencies are in the table.
    assert!(source.stats().new < 2 * first, "{:?}", source.stats());
}

fn skipped(report: &Report) -> usize {
    report.checks.iter().filter(|check| matches!(check.outcome, Outcome::Skipped(_))).count()
}

#[test]
fn a_recorded_table_keeps_the_contract_on_what_is_in_it() {
    let specs = [16, 32, 512].map(|c_out| ConvSpec::new(16, c_out, [14, 14], [3, 3]));
    let wider = ConvSpec { c_out: 1024, ..specs[2].clone() };
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("table.jsonl");
    let mut engine = BackendSource::new(Engine).unwrap();
    let mut recorder = Recorder::append(&path, &engine.machine()).unwrap();
    for spec in specs.iter().chain([&wider]) {
        let measured = engine.latencies(std::slice::from_ref(spec), &Sampling::default()).remove(0).unwrap();
        recorder.record(spec, &measured).unwrap();
    }
    let mut table = Recorded::open(&path, None).unwrap();
    let report = Kit::new().specs(specs).check(&mut table);
    report.assert();
    assert_eq!(skipped(&report), 3, "chains, models and inference: {report}");
    let report = check(&mut table);
    report.assert();
    assert_eq!(skipped(&report), 10, "none of the kit's own convolutions is known: {report}");
}
