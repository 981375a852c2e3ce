//! The conformance kit: sources that keep the contract pass, and each fault fails the check that is for it.
#![allow(clippy::unwrap_used, reason = "a test")]

mod honest;

use honest::{Fault, Source, unsampled};
use netspec::{CacheState, ConvSpec, Machine, Measurement, Provenance};
use std::panic::{AssertUnwindSafe, catch_unwind};
use timing::conformance::{Check, Kit, Outcome, Report, check};
use timing::{Backend, BackendSource, Counted, Prepared, Reading, TimingError, Unavailable, from_fn};

const MACHINE: &str = "the machine names an engine and stays the same";
const ORDER: &str = "one answer per request, in order";
const REPEATABLE: &str = "the same convolution twice agrees";
const MONOTONIC: &str = "twice the work is not faster";
const FURTHER: &str = "further readings are as many as asked";
const UNSUPPORTED: &str = "what cannot run is a typed error";
const CANCEL: &str = "a raised flag interrupts, and a fresh one does not";
const SETTLED: &str = "a settled answer is complete";
const CHAIN: &str = "a chain takes as long as its parts";
const MODELS: &str = "whole models load and run";
const INFERENCE: &str = "inference computes what the model says";

fn names(report: &Report, is_wanted: impl Fn(&Outcome) -> bool) -> Vec<&'static str> {
    report.checks.iter().filter(|check| is_wanted(&check.outcome)).map(|check| check.name).collect()
}

fn failed(report: &Report) -> Vec<&'static str> {
    names(report, |outcome| matches!(outcome, Outcome::Failed(_)))
}

fn skipped(report: &Report) -> Vec<&'static str> {
    names(report, |outcome| matches!(outcome, Outcome::Skipped(_)))
}

#[test]
fn a_source_that_keeps_the_contract_passes_every_check() {
    let report = check(&mut Source::with(Fault::None));
    report.assert();
    assert!(report.passed() && report.checks.iter().all(|check| check.outcome == Outcome::Passed), "{report}");
    let layers = check(&mut Counted::new(&mut Source::with(Fault::None)));
    assert_eq!(layers, report, "a layer around it changes nothing");
}

#[test]
fn every_fault_fails_exactly_the_check_that_is_for_it() {
    let table = [
        (Fault::Nameless, MACHINE, "`Machine::engine` is empty"),
        (Fault::Restless, MACHINE, "after a reading"),
        (Fault::Reversed, ORDER, "out of order"),
        (Fault::TooFew, ORDER, "5 requests got 4 answers"),
        (Fault::FromNothing, ORDER, "an empty list of requests got 1 answers"),
        (Fault::RunsNothing, ORDER, "it is tired"),
        (Fault::Unsteady, REPEATABLE, "in one call"),
        (Fault::FasterWhenWide, MONOTONIC, "with twice the output channels"),
        (Fault::OneMore, FURTHER, "1 readings of `16>32 14x14 k3 p1 bias relu`: 2 came"),
        (Fault::Forgetful, FURTHER, "3 readings of `16>32 14x14 k3 p1 bias relu`: 0 came"),
        (Fault::NotANumber, FURTHER, "one is NaN ns"),
        (Fault::TakesAnything, UNSUPPORTED, "c_out is 0"),
        (Fault::FailsTogether, UNSUPPORTED, "a valid one is not answered"),
        (Fault::WrongError, UNSUPPORTED, "neither `Unsupported` nor `Missing`"),
        (Fault::IgnoresCancel, CANCEL, "although the flag was raised"),
        (Fault::StaysInterrupted, CANCEL, "interrupted"),
        (Fault::Zero, SETTLED, "it answers 0 ns"),
        (Fault::OutsideInterval, SETTLED, "outside of its interval"),
        (Fault::AlwaysWarm, SETTLED, "asked for Network caches, it measured with Warm caches"),
        (Fault::RecordedReadings, SETTLED, "provenance is Recorded"),
        (Fault::ShortChain, CHAIN, "one of its parts alone"),
        (Fault::NoChain, CHAIN, "it is broken"),
        (Fault::WrongBatch, MODELS, "inference on 4 images"),
        (Fault::MissingFileRuns, MODELS, "the error of missing.onnx is not `Model`"),
        (Fault::LoadsGarbage, MODELS, "garbage.onnx was loaded"),
        (Fault::NoBias, INFERENCE, "the model computes"),
        (Fault::FirstImageOnly, INFERENCE, "at batch 4"),
        (Fault::Drifts, INFERENCE, "another output the second time"),
        (Fault::AnyInput, INFERENCE, "two inputs is accepted"),
    ];
    for (fault, name, reason) in table {
        let report = check(&mut Source::with(fault));
        assert_eq!(failed(&report), [name], "{fault:?}: {report}");
        assert!(report.to_string().contains(reason), "{fault:?}: `{reason}` is not in {report}");
    }
}

#[test]
fn a_failed_report_panics_with_every_line() {
    let report = check(&mut Source::with(Fault::Zero));
    let panic = catch_unwind(AssertUnwindSafe(|| report.assert())).unwrap_err();
    let text = panic.downcast_ref::<String>().unwrap();
    assert!(text.contains("conformance of the latency source `honest`\n  passed   the machine names"), "{text}");
    assert!(text.contains("\n  FAILED   a settled answer is complete: asked for Network caches"), "{text}");
    assert!(text.contains("\n  skipped  twice the work is not faster: 0 ns cannot be compared"), "{text}");
    assert_eq!(text.lines().count(), 12, "{text}");
}

#[test]
fn public_types_are_send_and_debug() {
    fn send_and_debug<T: Send + std::fmt::Debug>() {}
    send_and_debug::<Kit>();
    send_and_debug::<Report>();
    send_and_debug::<Check>();
    send_and_debug::<Outcome>();
}

#[test]
fn a_closure_passes_and_offers_neither_chains_nor_models() {
    let mut source = from_fn(|spec: &ConvSpec| {
        // It is never asked for what would make this arithmetic fail.
        Ok(Measurement::exact(spec.macs() as f64 / 50.0, Provenance::Simulated))
    });
    let report = check(&mut source);
    report.assert();
    assert_eq!(skipped(&report), [CHAIN, MODELS, INFERENCE]);
    let mut boasts = from_fn(|spec: &ConvSpec| Ok(unsampled(spec.macs() as f64)));
    assert_eq!(failed(&check(&mut boasts)), [SETTLED], "measured without a sample");
}

/// Knows these widths and no other.
fn table(known: [usize; 3]) -> impl timing::LatencySource {
    from_fn(move |spec: &ConvSpec| match known.contains(&spec.c_out) {
        true => Ok(Measurement::exact(spec.macs() as f64, Provenance::Recorded)),
        false => Err(TimingError::missing(spec, "three widths")),
    })
}

#[test]
fn a_table_is_checked_on_what_it_knows() {
    let report = check(&mut table([7, 8, 9]));
    report.assert();
    // None of the kit's own convolutions is in it.
    assert_eq!(names(&report, |outcome| *outcome == Outcome::Passed), [MACHINE]);
    let spec = |c_out| ConvSpec::new(8, c_out, [8, 8], [3, 3]);
    let report = Kit::new().specs([7, 8, 9].map(spec)).check(&mut table([7, 8, 9]));
    report.assert();
    assert_eq!(skipped(&report), [MONOTONIC, CHAIN, MODELS, INFERENCE], "{report}");
}

/// An engine that would divide by zero if it were given a stride of 0.
struct Divides;
struct Takes(f64);

impl Backend for Divides {
    fn check(&self) -> Result<Machine, Unavailable> {
        Ok(Machine { engine: "divides".into(), ..Machine::default() })
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
fn an_engine_is_never_given_an_invalid_spec() {
    let report = check(&mut BackendSource::new(Divides).unwrap());
    report.assert();
    assert_eq!(skipped(&report), [MODELS, INFERENCE]);
}
