//! The engine as a latency source: what the conformance kit checks of any engine.

use crate::process::on_device;
use gpu_bench::Cuda;
use timing::BackendSource;
use timing::conformance::{Outcome, check};

#[test]
fn the_engine_keeps_the_contract_of_a_source() {
    on_device(&[], |_| {
        let mut source = BackendSource::new(Cuda::device(0).unwrap()).unwrap();
        let report = check(&mut source);
        report.assert();
        let skipped = report.checks.iter().filter(|check| matches!(check.outcome, Outcome::Skipped(_))).count();
        assert_eq!(skipped, 2, "whole models and inference: {report}");
    });
}
