//! Layers around a source, and closures as sources.
#![allow(clippy::unwrap_used)]

use netspec::{ConvSpec, Machine, Measurement, Provenance};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use timing::{
    Counted, LatencySource, Limited, Policy, Request, Rule, Sampling, StopRule, TimingError, Verdict, from_fn, stop,
};

fn specs(widths: &[usize]) -> Vec<ConvSpec> {
    widths.iter().map(|&c_out| ConvSpec::new(1, c_out, [8, 8], [3, 3])).collect()
}

/// Knows even widths.
fn even(spec: &ConvSpec) -> Result<Measurement, TimingError> {
    match spec.c_out % 2 {
        0 => Ok(Measurement::exact(spec.c_out as f64, Provenance::Recorded)),
        _ => Err(TimingError::missing(spec, "the even widths")),
    }
}

#[test]
fn a_closure_answers_in_order_and_says_what_it_does_not_know() {
    let mut source = from_fn(even);
    let answers = source.latencies(&specs(&[8, 3, 4]), &Sampling::default());
    assert_eq!(answers[0].as_ref().unwrap().median_ns, 8.0);
    assert!(matches!(&answers[1], Err(TimingError::Missing { place, .. }) if place == "the even widths"));
    assert_eq!(answers[2].as_ref().unwrap().median_ns, 4.0);
    assert!(source.models().is_none() && source.chain(&specs(&[8])).is_none());
}

#[test]
fn two_closures_are_never_the_same_machine_unless_they_are_named() {
    let named = |device: &str| from_fn(even).on(Machine { device: device.into(), ..Machine::default() });
    assert_ne!(from_fn(even).machine(), from_fn(even).machine());
    assert_eq!(named("a").machine(), named("a").machine());
}

#[test]
fn a_cancelled_closure_is_not_called() {
    let flag = Arc::new(AtomicBool::new(false));
    let stop_it = Arc::clone(&flag);
    let mut source = from_fn(move |spec: &ConvSpec| {
        stop_it.store(true, Ordering::Relaxed);
        even(spec)
    });
    let how = Sampling::default().policy(Policy::warm().cancel(flag));
    let answers = source.latencies(&specs(&[2, 4, 6]), &how);
    assert!(answers[0].is_ok());
    assert_eq!(answers[1..], [Err(TimingError::Interrupted), Err(TimingError::Interrupted)]);
}

#[test]
fn what_is_asked_is_counted_also_through_pointers() {
    let mut inner = from_fn(even);
    let boxed: Box<dyn LatencySource + '_> = Box::new(&mut inner);
    let mut source = Counted::new(boxed);
    source.latencies(&specs(&[2, 3, 4]), &Sampling::default());
    let counts = source.counts();
    assert_eq!((counts.answered, counts.failed, counts.readings), (2, 1, 0));
    assert_eq!((counts.recorded, counts.simulated), (2, 0));
}

#[test]
fn a_spent_time_budget_asks_nothing_more() {
    let asked = Arc::new(AtomicU64::new(0));
    let (clock, count) = (Arc::new(Mutex::new(0_u64)), Arc::clone(&asked));
    let source = from_fn(move |spec: &ConvSpec| {
        count.fetch_add(1, Ordering::Relaxed);
        even(spec)
    });
    let shown = Arc::clone(&clock);
    let mut source =
        Limited::by_clock(source, Duration::from_secs(10), move || Duration::from_secs(*shown.lock().unwrap()));
    assert!(source.latencies(&specs(&[2, 4]), &Sampling::default()).iter().all(Result::is_ok));
    *clock.lock().unwrap() = 11;
    let answers = source.read(&[Request::settled(specs(&[6]).remove(0))], &Sampling::default());
    assert_eq!(answers, [Err(TimingError::OutOfTime { budget_s: 10.0 })]);
    assert_eq!(asked.load(Ordering::Relaxed), 2);
}

#[test]
fn a_rule_is_copied_fresh_for_everything_that_is_sampled() {
    let mut used = stop::Count::new(2);
    used.add(1.0);
    let rule = Rule::new(used);
    for _ in 0..2 {
        let mut copy = rule.fresh();
        copy.add(1.0);
        assert_eq!(copy.verdict(), Verdict::Continue, "it has seen one sample, not two");
    }
}
