//! Portable tables that grow: kills, a full disk, other machines; and tables that play a device.
#![expect(clippy::print_stdout, reason = "children talk to their parent")]

use netspec::{CacheState, ConvSpec, Machine, Measurement, Provenance, StopReason};
use sharing::*;
use std::io::{BufRead, BufReader};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use timing::{LatencySource, Policy, Sampling, TimingError};

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

fn append(path: &Path) -> Recorder {
    Recorder::append(path, &machine()).expect("a table of this machine")
}

fn record(path: &Path, c_out: usize) {
    append(path).record(&spec(c_out), &measured(c_out as f64)).expect("a live measurement");
}

fn widths(path: &Path) -> Vec<usize> {
    let mut widths = Vec::new();
    let (table, _) = open_read_only(path).expect("a portable table");
    let each = &mut |key: Key, entry: Entry| {
        assert_eq!(key.machine(), Some(machine()));
        let spec = key.conv_spec().expect("a spec");
        assert_eq!(entry.measurement, measured(spec.c_out as f64));
        widths.push(spec.c_out);
        ControlFlow::Continue(())
    };
    table.scan(each).expect("memory");
    widths.sort_unstable();
    widths
}

struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Place {
        Place(tempfile::tempdir().expect("a folder"))
    }

    fn path(&self) -> PathBuf {
        self.0.path().join("table.jsonl")
    }
}

#[test]
fn a_table_is_continued_after_every_torn_end() {
    let place = Place::new();
    let path = place.path();
    record(&path, 8);
    let first = std::fs::read(&path).expect("it exists").len();
    record(&path, 16);
    let whole = std::fs::read(&path).expect("it exists");
    for end in 0..=whole.len() {
        std::fs::write(&path, &whole[..end]).expect("a temporary file");
        record(&path, 24);
        // A line of which only the line end is missing is whole.
        let mut expect = vec![24];
        expect.extend((end + 1 >= first).then_some(8));
        expect.extend((end + 1 >= whole.len()).then_some(16));
        expect.sort_unstable();
        assert_eq!(widths(&path), expect, "cut after {end} of {} bytes", whole.len());
    }
}

#[test]
fn what_does_not_belong_is_refused_and_the_file_stays() {
    let place = Place::new();
    let path = place.path();
    record(&path, 8);
    let before = std::fs::read(&path).expect("it exists");
    let other = Machine { driver: "2".into(), ..machine() };
    let error = Recorder::append(&path, &other).expect_err("another machine").to_string();
    assert!(error.contains("tract|a CPU|||||1|1, not of") && error.contains("tract|a CPU||2|||1|1"), "{error}");
    let simulated = Measurement { provenance: Provenance::Simulated, ..measured(1.0) };
    assert!(matches!(append(&path).record(&spec(8), &simulated), Err(StoreError::Refused { .. })));
    assert_eq!(std::fs::read(&path).expect("it exists"), before);
    std::fs::write(&path, "precious").expect("a temporary file");
    assert!(matches!(Recorder::append(&path, &machine()), Err(StoreError::Text { line: 1, .. })));
    assert_eq!(std::fs::read_to_string(&path).expect("it exists"), "precious");
    let no_folder = Recorder::append(path.with_file_name("no").join("table"), &machine());
    assert!(matches!(no_folder, Err(StoreError::Io { action: "open", .. })), "{no_folder:?}");
}

/// Not a test: the process that is killed, or whose disk is full.
#[test]
#[ignore = "started by other tests"]
fn child_recorder() {
    let (Ok(path), Ok(first)) = (std::env::var("SHARING_TABLE"), std::env::var("SHARING_FIRST")) else { return };
    let first: usize = first.parse().expect("a number");
    let mut recorder = append(Path::new(&path));
    for c_out in first.. {
        match recorder.record(&spec(c_out), &measured(c_out as f64)) {
            Ok(()) => println!("\nacknowledged {c_out}"),
            Err(error) => {
                assert!(matches!(error, StoreError::Io { action: "write", .. }), "{error}");
                assert!(recorder.record(&spec(c_out), &measured(c_out as f64)).is_err(), "still full");
                println!("\nfull at {c_out}");
                return;
            }
        }
    }
}

#[test]
fn a_kill_at_any_moment_loses_nothing_acknowledged() {
    let place = Place::new();
    let path = place.path();
    let mut acknowledged = Vec::new();
    for round in 0..10 {
        let mut child = Command::new(std::env::current_exe().expect("this test"))
            .args(["--exact", "child_recorder", "--ignored", "--nocapture", "--test-threads", "1"])
            .env("SHARING_TABLE", &path)
            .env("SHARING_FIRST", (1 + round * 1_000_000).to_string())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("this test can run itself");
        let mut seen = 0;
        let out = BufReader::new(child.stdout.take().expect("piped"));
        for line in out.split(b'\n').map_while(Result::ok) {
            // The last line of a killed process may be cut short, and would then name another width.
            let line = String::from_utf8(line).expect("text");
            let Some(width) = line.strip_prefix("acknowledged ").and_then(|width| width.parse().ok()) else { continue };
            acknowledged.push(width);
            seen += 1;
            if seen == 1 + round * 7 {
                child.kill().expect("it runs");
            }
        }
        assert!(!child.wait().expect("it was started").success(), "it was killed");
        acknowledged.pop();
        let found = widths(&path);
        let lost = acknowledged.iter().filter(|&&width| found.binary_search(&width).is_err()).count();
        assert_eq!(lost, 0, "of {} acknowledged in round {round} or before", acknowledged.len());
    }
    assert!(acknowledged.len() > 10 * 20, "only {} entries were written", acknowledged.len());
}

#[test]
#[cfg(unix)]
fn a_full_disk_leaves_whole_lines() {
    let place = Place::new();
    let path = place.path();
    record(&path, 1);
    let this = std::env::current_exe().expect("this test");
    // 4096 bytes: not a multiple of a line.
    let line =
        format!("trap '' XFSZ; ulimit -f 8 && exec '{}' --exact child_recorder --ignored --nocapture", this.display());
    let ran = Command::new("sh")
        .args(["-c", &line])
        .env("SHARING_TABLE", &path)
        .env("SHARING_FIRST", "2")
        .output()
        .expect("a shell");
    let said = String::from_utf8_lossy(&ran.stdout).into_owned();
    assert!(ran.status.success(), "{said}{}", String::from_utf8_lossy(&ran.stderr));
    let full = said.lines().find_map(|line| line.strip_prefix("full at ")?.parse::<usize>().ok());
    let full = full.expect("it says how far it came");
    assert!(full > 5, "{full}");
    assert_eq!(widths(&path), (1..full).collect::<Vec<_>>());
    assert!(std::fs::read(&path).expect("it exists").ends_with(b"\n"), "the part of a line was cut off");
    record(&path, full);
    assert_eq!(widths(&path).len(), full);
}

#[test]
fn what_was_recorded_comes_back_and_nothing_else() {
    let place = Place::new();
    let path = place.path();
    let mut recorder = append(&path);
    recorder.record(&spec(8), &measured(1000.0)).expect("live");
    recorder.record(&spec(16), &measured(0.1 + 0.2)).expect("live");
    let warm = Measurement { cache: CacheState::Warm, ..measured(500.0) };
    recorder.record(&spec(8), &warm).expect("live");

    // The same from a store.
    let store = path.with_file_name("table.redb");
    let (text, kind) = open_read_only(&path).expect("a table");
    merge(&mut DiskStore::open(&store, kind).expect("a new store"), &*text).expect("live");
    for path in [path, store] {
        let mut table = Recorded::open(&path, None).expect("one machine");
        assert_eq!((table.origin(), table.kind()), (&machine(), TableKind::Live));
        assert_eq!(table.machine().engine, format!("recorded:{}", path.display()));
        let expect = |ns| Measurement { provenance: Provenance::Recorded, ..measured(ns) };
        assert_eq!(table.latency(&spec(8)), Ok(expect(1000.0)));
        assert_eq!(table.latency(&spec(16)), Ok(expect(0.1 + 0.2)), "to the last bit");
        assert_eq!(table.entries().count(), 3);
        let error = table.latency(&spec(9)).expect_err("not recorded").to_string();
        assert!(error.contains("/table.") && error.contains("with network caches"), "{error}");
        let warm = table.latencies(&[spec(8), spec(16)], &Sampling::default().policy(Policy::warm()));
        assert_eq!(warm[0].as_ref().map(|m| m.median_ns), Ok(500.0));
        assert!(matches!(&warm[1], Err(TimingError::Missing { place, .. }) if place.contains("warm")), "{warm:?}");
    }
}

#[test]
fn simulated_stays_simulated_and_several_machines_need_a_choice() {
    let place = Place::new();
    let path = place.path();
    let t4 = Machine { engine: "simulated:t4".into(), ..machine() };
    let simulated = Measurement::exact(5.0, Provenance::Simulated);
    Recorder::append(&path, &t4).expect("a new file").record(&spec(8), &simulated).expect("simulated");
    let mut table = Recorded::open(&path, None).expect("one machine");
    assert_eq!((table.latency(&spec(8)), table.kind()), (Ok(simulated.clone()), TableKind::Simulated));

    let engine = &Recorded::open(&path, None).expect("one machine").machine().engine.clone();
    assert_eq!(TableKind::of_engine(engine), TableKind::Simulated, "{engine}");
    let text = std::fs::read_to_string(&path).expect("it exists");
    std::fs::write(&path, format!("{text}{}", text.replace("simulated:t4", "simulated:h100"))).expect("a file");
    for (part, fits) in [(None, 2), (Some("orin"), 0), (Some("simulated"), 2)] {
        let error = Recorded::open(&path, part);
        assert!(
            matches!(&error, Err(StoreError::WhichMachine { machines, .. }) if machines.len() == fits),
            "{error:?}"
        );
    }
    let h100 = Recorded::open(&path, Some("h100")).expect("one fits");
    assert_eq!(h100.origin().engine, "simulated:h100");
    assert!(matches!(Recorded::open(place.0.path().join("none"), None), Err(StoreError::Io { .. })));
}
