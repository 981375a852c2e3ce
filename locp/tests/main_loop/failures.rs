//! What ends a run early: nothing that was read is lost, and the next run goes on from there.

use crate::scripted::{Device, Event, Script, shipped};
use locp::netspec::ConvSpec;
use locp::{Cancel, Error, Limited, MemoryStore, Model, Pipeline, Store as _, TimingError};
use std::collections::BTreeSet;
use std::ops::ControlFlow;

/// Convolutions by their texts.
type Texts = BTreeSet<String>;

/// Checks that two sets are equal, and shows only what differs.
#[track_caller]
fn check_same(found: &Texts, expected: &Texts) {
    let only = |a: &Texts, b: &Texts| a.difference(b).cloned().collect::<Vec<_>>();
    assert_eq!([only(found, expected), only(expected, found)], [vec![], Vec::<String>::new()]);
}

fn texts(specs: &[ConvSpec]) -> Texts {
    specs.iter().map(ConvSpec::to_string).collect()
}

/// The convolutions that a table has entries of.
fn known(table: &MemoryStore) -> Texts {
    let mut known = Texts::new();
    table
        .scan(&mut |key, _| {
            known.insert(key.spec);
            ControlFlow::Continue(())
        })
        .unwrap();
    known
}

/// What a search of the whole model measures on a quiet device, in order.
fn searched(model: &Model) -> Vec<ConvSpec> {
    let device = Device::new(Script::default());
    device.pipeline().steps(model, None).unwrap();
    device.prepared()
}

/// Searches again on the same table, and checks that nothing that is known is measured again; a third search measures
/// nothing. Returns what the second one measured.
#[track_caller]
fn check_resumes(model: &Model, mut table: MemoryStore) -> Texts {
    let before = known(&table);
    let device = Device::new(Script::default());
    let report = device.pipeline_on(&mut table).steps(model, None).unwrap();
    let prepared = device.prepared();
    let measured = texts(&prepared);
    assert!(measured.is_disjoint(&before));
    assert_eq!(report.measured as usize, measured.len());
    check_same(&known(&table), &before.union(&measured).cloned().collect());

    let third = Device::new(Script::default());
    third.pipeline_on(&mut table).steps(model, None).unwrap();
    assert_eq!(third.runs(), 0);
    measured
}

/// The rest of a search is measured, but for the audits of the line that was begun.
#[track_caller]
fn check_rest(measured: &Texts, rest: &Texts) {
    assert!(measured.is_subset(rest), "{:?}", measured.difference(rest).collect::<Vec<_>>());
    assert!(measured.len() + 2 >= rest.len(), "{:?}", rest.difference(measured).collect::<Vec<_>>());
}

#[test]
fn a_convolution_that_fails_is_named_and_the_rest_is_kept() {
    let model = shipped("fashion-vgg.onnx");
    let all = searched(&model);
    let fails = all[all.len() / 2].clone();
    let device = Device::new(Script { fails: Some(fails.clone()), ..Script::default() });
    let mut table = MemoryStore::default();
    let mut pipeline = device.pipeline_on(&mut table);
    let error = pipeline.steps(&model, None).unwrap_err();
    assert!(error.to_string().contains(&format!("`{fails}`")), "{error}");
    let measured = pipeline.measurer().measured();
    drop(pipeline);

    // Up to the failure everything went as without it, and what was asked for together with it was read, too.
    let prepared = texts(&device.prepared());
    assert!(texts(&all[..all.len() / 2]).is_subset(&prepared));
    check_same(&known(&table), &prepared);
    assert_eq!(measured, prepared.len() as u64);
    let rest: Texts = texts(&all).difference(&prepared).cloned().collect();
    check_rest(&check_resumes(&model, table), &rest);
}

#[test]
fn a_cancelled_line_keeps_what_was_read_and_the_next_run_measures_the_rest() {
    let model = shipped("fashion-vgg.onnx");
    let all = texts(&searched(&model));
    for runs in [1, 40, 300, 1000] {
        let cancel = Cancel::new();
        let device = Device::new(Script { cancel: Some((runs, cancel.clone())), ..Script::default() });
        let mut table = MemoryStore::default();
        let mut pipeline = device.pipeline_on(&mut table);
        let error = pipeline.steps(&model, None).unwrap_err();
        assert!(matches!(error, Error::Interrupted), "{error}");
        let measured = pipeline.measurer().measured();
        drop(pipeline);
        assert_eq!(device.runs(), runs, "nothing runs after the flag was raised");

        // A turn is three runs until the caches have settled, and four readings.
        let ran = |spec: &ConvSpec| device.log().iter().filter(|event| **event == Event::Ran(spec.clone())).count();
        let read: Vec<ConvSpec> = device.prepared().into_iter().filter(|spec| ran(spec) >= 7).collect();
        check_same(&known(&table), &texts(&read));
        assert_eq!(measured, texts(&read).len() as u64);
        let rest: Texts = all.difference(&texts(&read)).cloned().collect();
        check_rest(&check_resumes(&model, table), &rest);
    }
}

#[test]
fn a_time_budget_ends_the_run_and_keeps_what_was_read() {
    let model = shipped("fashion-vgg.onnx");
    let quiet = Device::new(Script::default());
    quiet.pipeline().steps(&model, None).unwrap();

    let device = Device::new(Script::default());
    let (budget, clock) = (quiet.now() / 2, device.clone());
    let source = Limited::by_clock(device.source(), budget, move || clock.now());
    let mut table = MemoryStore::default();
    let error = Pipeline::new(source, &mut table).steps(&model, None).unwrap_err();
    let Error::Timing(TimingError::OutOfTime { budget_s }) = error else { panic!("{error}") };
    assert_eq!(budget_s, budget.as_secs_f64());
    assert!(device.now() > budget && device.now() < quiet.now());
    check_same(&known(&table), &texts(&device.prepared()));
    // Figures that are known leave a search in less doubt than readings do, so that it may look at fewer widths.
    assert!(!check_resumes(&model, table).is_empty());
}
