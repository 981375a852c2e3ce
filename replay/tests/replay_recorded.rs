//! Recorded tables: round trips, labels, and files that are not what they should be.
#![allow(clippy::unwrap_used)]

use netspec::{ConvSpec, Machine, Measurement, Provenance, StopReason};
use replay::{RecordError, Recorded, Recorder};
use std::path::PathBuf;
use timing::{LatencySource, Policy, Sampling, TimingError};

/// A file name of its own for each test, gone at the end.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Scratch {
        let path = std::env::temp_dir().join(format!("replay_{name}_{}.jsonl", std::process::id()));
        std::fs::remove_file(&path).ok();
        Scratch(path)
    }

    fn holding(name: &str, text: &str) -> Scratch {
        let scratch = Scratch::new(name);
        std::fs::write(&scratch.0, text).unwrap();
        scratch
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        std::fs::remove_file(&self.0).ok();
    }
}

fn machine() -> Machine {
    Machine { engine: "tract".into(), device: "a CPU".into(), threads: 1, method: 1, ..Machine::default() }
}

fn measured(ns: f64) -> Measurement {
    Measurement {
        median_ns: ns,
        interval_ns: [0.99 * ns, 1.01 * ns],
        samples: 25,
        stop: StopReason::Precise,
        ..Measurement::exact(ns, Provenance::Measured)
    }
}

fn spec(c_out: usize) -> ConvSpec {
    ConvSpec::new(16, c_out, [14, 14], [3, 3])
}

#[test]
fn what_was_recorded_comes_back_and_nothing_else() {
    let file = Scratch::new("round_trip");
    let mut recorder = Recorder::create(&file.0, &machine()).unwrap();
    recorder.record(&spec(8), &measured(1000.0)).unwrap();
    recorder.record(&spec(16), &measured(0.1 + 0.2)).unwrap();
    recorder.record(&spec(8), &measured(1100.0)).unwrap();
    recorder.record(&spec(32), &Measurement::exact(5.0, Provenance::Interpolated)).unwrap();

    let mut table = Recorded::open(&file.0).unwrap();
    assert_eq!(table.origin(), &machine());
    assert_eq!(table.machine().engine, format!("recorded:{}", file.0.display()));
    let expect = |ns, provenance| Measurement { provenance, ..measured(ns) };
    assert_eq!(table.latency(&spec(8)), Ok(expect(1100.0, Provenance::Recorded)), "the later line counts");
    assert_eq!(table.latency(&spec(16)), Ok(expect(0.1 + 0.2, Provenance::Recorded)), "to the last bit");
    assert_eq!(table.latency(&spec(32)).unwrap().provenance, Provenance::Interpolated, "an estimate stays one");
    assert_eq!(table.entries().count(), 3);
    let error = table.latency(&spec(9)).unwrap_err();
    assert!(matches!(&error, TimingError::Missing { place, .. } if place.contains("replay_round_trip")), "{error}");
}

#[test]
fn an_existing_file_is_not_overwritten() {
    let file = Scratch::holding("exists", "precious");
    assert!(matches!(Recorder::create(&file.0, &machine()), Err(RecordError::Io { .. })));
    assert_eq!(std::fs::read_to_string(&file.0).unwrap(), "precious");
}

#[test]
fn every_torn_end_is_survived() {
    let file = Scratch::new("torn");
    let mut recorder = Recorder::create(&file.0, &machine()).unwrap();
    let header = std::fs::read(&file.0).unwrap().len();
    recorder.record(&spec(8), &measured(1.0)).unwrap();
    let first = std::fs::read(&file.0).unwrap().len();
    recorder.record(&spec(16), &measured(2.0)).unwrap();
    let whole = std::fs::read(&file.0).unwrap();
    for end in header..=whole.len() {
        std::fs::write(&file.0, &whole[..end]).unwrap();
        let entries = Recorded::open(&file.0).unwrap().entries().count();
        // A line whose line break alone is missing is complete.
        let expect = usize::from(end + 1 >= first) + usize::from(end + 1 >= whole.len());
        assert_eq!(entries, expect, "cut after {end} of {} bytes", whole.len());
    }
}

#[test]
fn a_table_is_gone_on_with_after_every_torn_end() {
    let file = Scratch::new("append");
    Recorder::append(&file.0, &machine()).unwrap().record(&spec(8), &measured(1.0)).unwrap();
    let first = std::fs::read(&file.0).unwrap().len();
    Recorder::append(&file.0, &machine()).unwrap().record(&spec(16), &measured(2.0)).unwrap();
    let whole = std::fs::read(&file.0).unwrap();
    for end in first..=whole.len() {
        std::fs::write(&file.0, &whole[..end]).unwrap();
        Recorder::append(&file.0, &machine()).unwrap().record(&spec(24), &measured(3.0)).unwrap();
        let table = Recorded::open(&file.0).unwrap();
        let widths: Vec<usize> = table.entries().map(|(spec, _)| spec.c_out).collect();
        let expect: &[usize] = if end == whole.len() { &[8, 16, 24] } else { &[8, 24] };
        assert_eq!(widths, expect, "cut after {end} of {} bytes", whole.len());
    }
    let before = std::fs::read(&file.0).unwrap();
    let other = Machine { driver: "2".into(), ..machine() };
    let error = Recorder::append(&file.0, &other).unwrap_err().to_string();
    assert!(error.contains("tract|a CPU|||||1|1, and") && error.contains("tract|a CPU||2|||1|1"), "{error}");
    assert_eq!(std::fs::read(&file.0).unwrap(), before, "another machine's table stays as it is");
}

#[test]
fn an_empty_file_is_no_table_yet_and_anything_else_stays() {
    let file = Scratch::holding("append_empty", "");
    Recorder::append(&file.0, &machine()).unwrap().record(&spec(8), &measured(1.0)).unwrap();
    assert_eq!(Recorded::open(&file.0).unwrap().entries().count(), 1);
    let file = Scratch::holding("append_other", "precious");
    assert!(matches!(Recorder::append(&file.0, &machine()), Err(RecordError::Header { .. })));
    assert_eq!(std::fs::read_to_string(&file.0).unwrap(), "precious");
}

#[test]
fn wrong_files_say_what_is_wrong() {
    let header = r#"{"schema":"locp.recorded/1","machine":{"engine":"e","device":"","compute":"","driver":"","library":"","policy":"","threads":1,"method":1}}"#;
    #[track_caller]
    fn check(name: &str, text: &str, expect: &str) {
        let file = Scratch::holding(name, text);
        let error = Recorded::open(&file.0).unwrap_err().to_string();
        assert!(error.contains(expect) && error.contains(name), "{error}");
    }
    check("empty", "", "not a header");
    check("binary", "\u{1}\u{2}", "not a header");
    check("newer", &header.replace("recorded/1", "recorded/2"), "schema locp.recorded/2 is not known");
    check("garbage", &format!("{header}\nnonsense\n"), "line 2");
    let line = r#"{"spec":"8>8 4x4 k3","measurement":{"median_ns":NS,"interval_ns":[1.0,2.0],"samples":9,"provenance":"measured","cache":"warm","stop":"precise"}}"#;
    check(
        "spec",
        &format!("{header}\n{}\n", line.replace("8>8", "8>x").replace("NS", "1.5")),
        "line 2: cannot read `8>x`",
    );
    check(
        "negative",
        &format!("{header}\n{}\n{}\n", line.replace("NS", "1.5"), line.replace("NS", "-1")),
        "line 3: a median of -1",
    );
    let missing = Recorded::open(&std::env::temp_dir().join("replay_no_such_file")).unwrap_err();
    assert!(matches!(missing, RecordError::Io { .. }));
    // What is left of the same line is a good one.
    let file = Scratch::holding("good", &format!("{header}\n{}\n\n", line.replace("NS", "1.5")));
    assert_eq!(Recorded::open(&file.0).unwrap().entries().count(), 1);
}

#[test]
fn a_table_answers_in_the_cache_state_that_it_was_measured_in() {
    let file = Scratch::new("caches");
    Recorder::create(&file.0, &machine()).unwrap().record(&spec(8), &measured(1000.0)).unwrap();
    let mut table = Recorded::open(&file.0).unwrap();
    let warm = table.latencies(&[spec(8)], &Sampling::default().policy(Policy::warm()));
    let missing = warm[0].as_ref().unwrap_err().to_string();
    assert!(missing.contains("is not recorded in the table") && missing.contains("with warm caches"), "{missing}");
    assert_eq!(table.latency(&spec(8)).unwrap().provenance, Provenance::Recorded);
}
