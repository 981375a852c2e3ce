//! The simulator as a latency source and as an engine: what the conformance kit checks of any of them.
#![allow(clippy::unwrap_used)]

use replay::Simulated;
use timing::BackendSource;
use timing::conformance::{Outcome, Report, check};

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
