//! Stores: kills, several processes, refusals; and what `Cached` does around them.
use netspec::{CacheState, ConvSpec, Machine, Measurement, Provenance, StopReason};
use sharing::*;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use timing::{Answer, LatencySource, Policy, Request, Sampling, TimingError, from_fn};

fn key(channels: usize) -> Key {
    let machine = Machine { engine: "tract".into(), ..Machine::default() };
    Key::new(&ConvSpec::new(channels, 8, [8, 8], [3, 3]), &machine, CacheState::Network)
}

fn entry(ns: f64) -> Entry {
    Entry { measurement: Measurement::exact(ns, Provenance::Measured), unix_s: 7, tool: "test".into() }
}

fn live(path: &Path) -> DiskStore {
    DiskStore::open(path, TableKind::Live).expect("a whole table")
}

/// Not a test: the process that other tests start. It writes entries and says which are acknowledged.
#[test]
#[ignore = "started by other tests"]
fn child_writer() {
    let (Ok(path), Ok(first)) = (std::env::var("SHARING_TABLE"), std::env::var("SHARING_FIRST")) else { return };
    let count: usize = std::env::var("SHARING_COUNT").expect("a number").parse().expect("a number");
    let first: usize = first.parse().expect("a number");
    let path = Path::new(&path);
    let mut store = live(path);
    // Children that start at once write at once.
    while !path.with_extension("go").exists() {
        std::thread::yield_now();
    }
    let mut out = std::io::stdout().lock();
    for channels in first..first + count {
        store.put(&key(channels), &entry(channels as f64)).expect("a live entry");
        writeln!(out, "\nacknowledged {channels}").expect("the parent listens");
        out.flush().expect("the parent listens");
    }
}

fn start(path: &Path, first: usize, count: usize) -> Child {
    Command::new(std::env::current_exe().expect("this test"))
        .args(["--exact", "child_writer", "--ignored", "--nocapture", "--test-threads", "1"])
        .env("SHARING_TABLE", path)
        .env("SHARING_FIRST", first.to_string())
        .env("SHARING_COUNT", count.to_string())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("this test can run itself")
}

#[test]
fn a_kill_at_any_moment_loses_nothing_acknowledged() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("table");
    std::fs::write(path.with_extension("go"), "").expect("a temporary file");
    let mut acknowledged: Vec<usize> = Vec::new();
    for round in 0..10 {
        let mut child = start(&path, 1 + round * 1_000_000, 1_000_000);
        let mut out = BufReader::new(child.stdout.take().expect("piped"));
        let mut seen = 0;
        let mut line = String::new();
        while out.read_line(&mut line).is_ok_and(|bytes| bytes > 0) {
            // The last line of a killed process may be cut short, and would then name another width.
            let whole = line.strip_suffix('\n').and_then(|line| line.strip_prefix("acknowledged "));
            if let Some(channels) = whole {
                acknowledged.push(channels.parse::<usize>().expect("a width"));
                seen += 1;
                if seen == 1 + round * 7 {
                    child.kill().expect("it runs");
                }
            }
            line.clear();
        }
        let status = child.wait().expect("it was started");
        assert!(!status.success(), "it was killed");
        let store = live(&path);
        for &channels in &acknowledged {
            let found = store.get(&key(channels)).expect("a whole table");
            assert_eq!(found, Some(entry(channels as f64)), "{channels} was acknowledged in round {round} or before");
        }
    }
    assert!(acknowledged.len() > 10 * 20, "only {} entries were written", acknowledged.len());
}

#[test]
fn processes_share_one_file() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("table");
    let looking_on = live(&path);
    // 1 to 300, 201 to 500 and 401 to 700: what two of them write is written once.
    let children = [1, 201, 401].map(|first| start(&path, first, 300));
    std::thread::sleep(std::time::Duration::from_millis(50));
    std::fs::write(path.with_extension("go"), "").expect("a temporary file");
    for mut child in children {
        let out = BufReader::new(child.stdout.take().expect("piped"));
        let acknowledged = out.lines().map_while(Result::ok).filter(|line| line.starts_with("acknowledged")).count();
        assert_eq!(acknowledged, 300);
        assert!(child.wait().expect("it was started").success());
    }
    for channels in 1..=700 {
        assert_eq!(looking_on.get(&key(channels)).expect("whole"), Some(entry(channels as f64)));
    }
    let mut entries = 0;
    let count = &mut |_, _| {
        entries += 1;
        std::ops::ControlFlow::Continue(())
    };
    live(&path).scan(count).expect("whole");
    assert_eq!(entries, 700);
}

#[test]
fn the_first_writer_answers_and_the_others_are_history() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut store = live(&folder.path().join("table"));
    assert_eq!(store.put(&key(8), &entry(5.0)).expect("live"), Put::Inserted);
    assert_eq!(store.put(&key(8), &entry(5.0)).expect("live"), Put::Known);
    assert_eq!(store.put(&key(8), &Entry { unix_s: 9, ..entry(4.0) }).expect("live"), Put::History);
    assert_eq!(store.get(&key(8)).expect("whole").map(|entry| entry.measurement.median_ns), Some(5.0));
    assert_eq!(store.keys().expect("whole"), 1);
}

#[test]
fn what_is_not_live_is_refused() {
    #[track_caller]
    fn check(kind: TableKind, provenance: Provenance, engine: &str, ns: f64, refusal: &str) {
        let machine = Machine { engine: engine.into(), ..Machine::default() };
        let key = Key::new(&ConvSpec::new(3, 8, [8, 8], [3, 3]), &machine, CacheState::Network);
        let entry = Entry { measurement: Measurement::exact(ns, provenance), unix_s: 1, tool: String::new() };
        let folder = tempfile::tempdir().expect("a folder");
        let mut file = DiskStore::open(folder.path().join("table"), kind).expect("new");
        let mut memory = MemoryStore::new(kind);
        for put in [file.put(&key, &entry), memory.put(&key, &entry)] {
            match put {
                Ok(_) => assert_eq!(refusal, "", "it was let in"),
                Err(error) => assert!(!refusal.is_empty() && error.to_string().contains(refusal), "{error}"),
            }
        }
        assert_eq!(file.keys().expect("whole"), usize::from(refusal.is_empty()));
    }
    check(TableKind::Live, Provenance::Measured, "tract", 5.0, "");
    check(TableKind::Live, Provenance::Simulated, "tract", 5.0, "its number is simulated");
    check(TableKind::Live, Provenance::Recorded, "tract", 5.0, "its number is recorded");
    check(TableKind::Live, Provenance::SameTread, "tract", 5.0, "its number is same-tread");
    check(TableKind::Live, Provenance::Interpolated, "tract", 5.0, "its number is interpolated");
    check(TableKind::Live, Provenance::Measured, "simulated:h100", 5.0, "its engine is simulated");
    check(TableKind::Live, Provenance::Measured, "recorded:a.json", 5.0, "its engine is recorded");
    check(TableKind::Live, Provenance::Measured, "tract", 0.0, "is not a latency");
    check(TableKind::Live, Provenance::Measured, "tract", f64::NAN, "is not a latency");
    check(TableKind::Live, Provenance::Measured, "tract", f64::INFINITY, "is not a latency");
    check(TableKind::Simulated, Provenance::Simulated, "simulated:h100", 5.0, "");
    check(TableKind::Simulated, Provenance::Measured, "simulated:h100", 5.0, "its number is measured");
    check(TableKind::Recorded, Provenance::Recorded, "recorded:a.json", 5.0, "");
}

#[test]
fn a_latency_of_another_cache_state_is_refused_and_never_answers() {
    let mut store = MemoryStore::new(TableKind::Live);
    let mut other = entry(5.0);
    other.measurement.cache = CacheState::Warm;
    let refused = store.put(&key(8), &other).map_err(|error| error.to_string());
    assert!(refused.as_ref().is_err_and(|error| error.contains("it was measured with warm caches")), "{refused:?}");

    // An engine that times warm caches, before a table that the pipeline reads too.
    let mut measured = 0;
    let engine = from_fn(|_: &ConvSpec| {
        measured += 1;
        Ok(Measurement { cache: CacheState::Warm, ..Measurement::exact(5.0, Provenance::Measured) })
    });
    let mut source = Cached::new(engine.on(Machine::default()), &mut store);
    let warm = Sampling::default().policy(Policy::warm());
    assert!(source.latencies(&[spec(8), spec(8)], &warm).iter().all(Result::is_ok));
    assert_eq!(source.latencies(&[spec(8)], &warm)[0].as_ref().map(|m| m.cache), Ok(CacheState::Warm));
    assert_eq!(measured, 1, "the look-up goes by the cache state");
    let network = from_fn(|_: &ConvSpec| Ok(Measurement::exact(7.0, Provenance::Measured)));
    let mut pipeline = Cached::new(network.on(Machine::default()), &mut store);
    assert_eq!(pipeline.latency(&spec(8)).map(|m| m.median_ns), Ok(7.0), "the warm figure does not answer");
    assert_eq!(store.keys(), 2);

    // A source whose state is not the one that is looked up: its figures are kept as what they are.
    let engine = from_fn(|_: &ConvSpec| {
        Ok(Measurement { cache: CacheState::Cold, ..Measurement::exact(9.0, Provenance::Measured) })
    });
    assert!(Cached::new(engine.on(Machine::default()), &mut store).latency(&spec(16)).is_ok());
    let cold = Key::new(&spec(16), &Machine::default(), CacheState::Cold);
    assert!(store.get(&cold).expect("memory").is_some());
    assert_eq!(store.get(&Key { cache: CacheState::Network, ..cold }).expect("memory"), None);
}

fn spec(channels: usize) -> ConvSpec {
    ConvSpec::new(channels, 8, [8, 8], [3, 3])
}

#[test]
fn an_interruption_keeps_what_was_measured_before() {
    let mut left = 5;
    let engine = from_fn(|spec: &ConvSpec| {
        left -= 1;
        if left < 0 {
            Err(TimingError::Interrupted)
        } else {
            Ok(Measurement::exact(spec.c_in as f64, Provenance::Measured))
        }
    });
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("table");
    let specs: Vec<ConvSpec> = (1..=9).map(spec).collect();
    let mut source = Cached::new(engine.on(Machine::default()), live(&path));
    let answers = source.latencies(&specs, &Sampling::default());
    assert_eq!(answers.iter().filter(|answer| matches!(answer, Err(TimingError::Interrupted))).count(), 4);
    drop(source);
    assert_eq!(left, -1, "after an interruption nothing more is asked");
    assert_eq!(live(&path).keys().expect("whole"), 5);

    // The next run measures only the rest, and the one after it nothing.
    for new in [4, 0] {
        let engine = from_fn(|spec: &ConvSpec| Ok(Measurement::exact(spec.c_in as f64, Provenance::Measured)));
        let mut source = Cached::new(engine.on(Machine::default()), live(&path));
        assert!(source.latencies(&specs, &Sampling::default()).iter().all(Result::is_ok));
        assert_eq!((source.stats().new, source.stats().shared), (new, 9 - new));
    }
}

#[test]
fn chunks_reach_the_source_whole_and_in_order() {
    struct Counting(Vec<Vec<usize>>);
    impl LatencySource for Counting {
        fn machine(&self) -> Machine {
            Machine::default()
        }
        fn read(&mut self, requests: &[Request], _: &Sampling) -> Vec<Result<Answer, TimingError>> {
            self.0.push(requests.iter().map(|request| request.spec.c_in).collect());
            let exact = |c_in| Ok(Answer::Settled(Measurement::exact(c_in as f64, Provenance::Measured)));
            requests.iter().map(|request| exact(request.spec.c_in)).collect()
        }
    }
    let mut source = Cached::new(Counting(Vec::new()), MemoryStore::default()).chunk(3);
    let answers = source.latencies(&[5, 1, 5, 2, 9, 1, 4].map(spec), &Sampling::default());
    let medians: Vec<f64> = answers.into_iter().map(|answer| answer.expect("it cannot fail").median_ns).collect();
    assert_eq!(medians, [5.0, 1.0, 5.0, 2.0, 9.0, 1.0, 4.0]);
    assert_eq!(source.source().0, [vec![5, 1, 2], vec![9, 4]]);
}

#[test]
fn another_machine_shares_nothing() {
    let mut store = MemoryStore::new(TableKind::Live);
    for threads in [1, 2] {
        let engine = from_fn(|_: &ConvSpec| Ok(Measurement::exact(threads as f64, Provenance::Measured)));
        let machine = Machine { threads, ..Machine::default() };
        let mut source = Cached::new(engine.on(machine), &mut store);
        assert_eq!(source.latency(&spec(8)).map(|m| m.median_ns), Ok(threads as f64));
    }
    assert_eq!(store.keys(), 2);
}

#[test]
fn estimates_pass_and_simulated_numbers_stay_in_memory() {
    let mut store = MemoryStore::new(TableKind::Live);
    let engine = from_fn(|_: &ConvSpec| Ok(Measurement::exact(1.0, Provenance::SameTread)));
    let answer = Cached::new(engine.on(Machine::default()), &mut store).latency(&spec(8));
    assert_eq!(answer.map(|m| m.provenance), Ok(Provenance::SameTread));
    assert_eq!(store.keys(), 0);

    let engine = from_fn(|_: &ConvSpec| Ok(Measurement::exact(1.0, Provenance::Simulated)));
    let mut source = Cached::new(engine.on(Machine::default()), &mut store);
    for _ in 0..2 {
        assert_eq!(source.latency(&spec(8)).map(|m| m.provenance), Ok(Provenance::Simulated));
    }
    assert_eq!((source.stats().new, source.stats().shared), (1, 1), "what the table refuses stays in memory");
    assert_eq!(store.keys(), 0);

    let engine = from_fn(|_: &ConvSpec| Ok(Measurement::exact(f64::NAN, Provenance::Measured)));
    let answer = Cached::new(engine, &mut store).latency(&spec(8));
    assert!(matches!(answer, Err(TimingError::Run { reason, .. }) if reason.contains("NaN ns")));

    let missing = from_fn(|s: &ConvSpec| Err(TimingError::missing(s, "the recording")));
    let answer = Cached::new(missing.on(Machine::default()), &mut store).latency(&spec(8));
    assert!(matches!(answer, Err(TimingError::Missing { .. })));
}

#[test]
fn what_was_read_for_a_comparison_only_answers_until_something_better_is_there() {
    let mut store = MemoryStore::new(TableKind::Live);
    let mut coarse = entry(5.0);
    coarse.measurement.stop = StopReason::Decided;
    let mut precise = entry(6.0);
    precise.unix_s = coarse.unix_s + 10;
    store.put(&key(8), &coarse).expect("live");
    assert_eq!(store.get(&key(8)).expect("a table"), Some(coarse.clone()));
    store.put(&key(8), &precise).expect("live");
    assert_eq!(store.get(&key(8)).expect("a table"), Some(precise.clone()));
    // Whatever order they come in.
    let mut other = MemoryStore::new(TableKind::Live);
    other.put(&key(8), &precise).expect("live");
    other.put(&key(8), &coarse).expect("live");
    assert_eq!(other.get(&key(8)).expect("a table"), Some(precise));
}

/// Counts how often the disk would be waited for, and refuses one width.
struct Counting {
    inner: MemoryStore,
    batches: usize,
}

impl Store for Counting {
    fn get(&self, key: &Key) -> Result<Option<Entry>, StoreError> {
        self.inner.get(key)
    }
    fn put(&mut self, key: &Key, entry: &Entry) -> Result<Put, StoreError> {
        if key.spec.starts_with("13>") {
            return Err(StoreError::Other { reason: "no thirteen here".into() });
        }
        self.inner.put(key, entry)
    }
    fn scan(&self, each: &mut dyn FnMut(Key, Entry) -> std::ops::ControlFlow<()>) -> Result<(), StoreError> {
        self.inner.scan(each)
    }
    fn put_all(&mut self, entries: &[(Key, Entry)]) -> Result<Merged, StoreError> {
        self.batches += 1;
        let mut merged = Merged::default();
        for (key, entry) in entries {
            merged.count(self.put(key, entry)?);
        }
        Ok(merged)
    }
}

#[test]
fn a_chunk_enters_at_once_and_a_refusal_stands_where_it_belongs() {
    let engine = from_fn(|spec: &ConvSpec| Ok(Measurement::exact(spec.c_in as f64, Provenance::Measured)));
    let store = Counting { inner: MemoryStore::new(TableKind::Live), batches: 0 };
    let mut source = Cached::new(engine.on(Machine::default()), store).chunk(24);
    assert!(source.latencies(&[1, 2, 3].map(spec), &Sampling::default()).iter().all(Result::is_ok));
    assert_eq!(source.store().batches, 1);
    let answers = source.latencies(&[12, 13, 14].map(spec), &Sampling::default());
    assert_eq!(answers.iter().map(Result::is_ok).collect::<Vec<_>>(), [true, false, true]);
    let measured: Vec<_> = [21, 13, 22].map(|c| (spec(c), Measurement::exact(1.0, Provenance::Measured))).into();
    let recorded = source.record_all(measured.iter().map(|(spec, measurement)| (spec, measurement)));
    assert!(matches!(recorded, Err(TimingError::Table { reason }) if reason.contains("no thirteen")));
    // Each once, also those that were written twice because of a refusal among them.
    let mut entries = 0;
    let count = &mut |_, _| {
        entries += 1;
        std::ops::ControlFlow::Continue(())
    };
    source.store().scan(count).expect("memory");
    assert_eq!((entries, source.store().inner.keys()), (7, 7));
}

#[test]
fn what_was_only_compared_answers_a_search_and_is_measured_for_a_plan() {
    let mut coarse = Measurement::exact(5.0, Provenance::Measured);
    coarse.stop = StopReason::Decided;
    let engine = from_fn(|_: &ConvSpec| Ok(Measurement::exact(6.0, Provenance::Measured)));
    let mut source = Cached::new(engine.on(Machine::default()), MemoryStore::default());
    source.record_all([(&spec(8), &coarse)]).expect("memory");
    let how = Sampling::default();
    let further = source.read(&[Request::further(spec(8), 3)], &how);
    assert_eq!(further, [Ok(Answer::Settled(coarse))]);
    assert_eq!(source.latency(&spec(8)).map(|m| m.median_ns), Ok(6.0));
    assert_eq!(source.known(&spec(8), CacheState::Network).map(|known| known.map(|m| m.median_ns)), Ok(Some(6.0)));
    assert_eq!(source.known(&spec(9), CacheState::Network), Ok(None));
}
