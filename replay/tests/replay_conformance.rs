//! Sources without a device: what the conformance kit checks of any source.
#![allow(clippy::unwrap_used)]

use netspec::{ConvSpec, Machine, Measurement, Provenance, StopReason};
use replay::{Recorded, Simulated};
use std::path::Path;
use timing::conformance::{Kit, Outcome, Report, check};
use timing::{BackendSource, LatencySource as _};

fn skipped(report: &Report) -> usize {
    report.checks.iter().filter(|check| matches!(check.outcome, Outcome::Skipped(_))).count()
}

#[test]
fn the_simulator_keeps_the_contract_as_a_source_and_as_an_engine() {
    for name in ["h100", "t4", "orin"] {
        let mut simulated = Simulated::named(name).unwrap();
        let report = check(&mut simulated);
        report.assert();
        assert_eq!(skipped(&report), 3, "chains, models and inference: {report}");
        let report = check(&mut BackendSource::new(simulated).unwrap());
        report.assert();
        assert_eq!(skipped(&report), 2, "models and inference: {report}");
    }
}

#[test]
fn a_recorded_table_keeps_the_contract_on_what_is_in_it() {
    let specs = [16, 32, 512].map(|c_out| ConvSpec::new(16, c_out, [14, 14], [3, 3]));
    let wider = ConvSpec { c_out: 1024, ..specs[2].clone() };
    let measured = |spec: &ConvSpec| {
        let ns = Simulated::named("t4").unwrap().latency(spec).unwrap().median_ns;
        let exact = Measurement::exact(ns, Provenance::Measured);
        (spec.clone(), Measurement { samples: 20, stop: StopReason::Precise, ..exact })
    };
    let entries = specs.iter().chain([&wider]).map(measured);
    let mut table = Recorded::of(Path::new("a table"), Machine::default(), entries);
    let report = Kit::new().specs(specs).check(&mut table);
    report.assert();
    assert_eq!(skipped(&report), 3, "chains, models and inference: {report}");
    let report = check(&mut table);
    report.assert();
    assert_eq!(skipped(&report), 10, "only the machine is known without its own convolutions: {report}");
}
