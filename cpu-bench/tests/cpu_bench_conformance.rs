//! tract and ONNX Runtime as latency sources: what the conformance kit checks of any engine.
//!
//! Without the library of ONNX Runtime its test says `skipped` and passes; `LOCP_REQUIRE_ORT=1` makes that a failure.
#![allow(clippy::unwrap_used, reason = "a test")]

#[path = "common/onnxruntime.rs"]
mod onnxruntime;

use cpu_bench::Tract;
use timing::conformance::{Outcome, Report, check};
use timing::{Backend, BackendSource, ModelBackend};

/// Every check passes: these engines offer all that the kit looks at.
fn report<E: Backend + ModelBackend + Clone + 'static>(engine: &E) -> Report {
    let mut source = BackendSource::new(engine.clone()).unwrap().models(engine.clone());
    let report = check(&mut source);
    report.assert();
    assert!(report.checks.iter().all(|check| check.outcome == Outcome::Passed), "{report}");
    report
}

#[test]
fn tract_keeps_the_contract() {
    assert_eq!(report(&Tract::new()).engine, "tract");
}

#[test]
fn onnxruntime_keeps_the_contract() {
    let Some(runtime) = onnxruntime::runtime() else { return };
    assert_eq!(report(&runtime).engine, "onnxruntime");
}
