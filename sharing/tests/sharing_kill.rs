//! Processes that write one table at once and are killed at random moments lose nothing that was acknowledged.
//!
//! A short round by default; the whole proof is
//! `LOCP_KILLS=200 cargo test --release -p sharing --test sharing_kill -- --nocapture`.
#![expect(clippy::print_stdout, reason = "the figures are the proof, and children talk to their parent")]

use netspec::{CacheState, ConvSpec, Machine, Measurement, Provenance};
use sharing::*;
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::ops::ControlFlow;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

const PROCESSES: usize = 4;

fn key(number: usize) -> Key {
    let machine = Machine { engine: "tract".into(), device: "a device".into(), ..Machine::default() };
    Key::new(&ConvSpec::new(1 + number % 1000, 1 + number / 1000, [8, 8], [3, 3]), &machine, CacheState::Network)
}

fn entry(number: usize) -> Entry {
    let measurement = Measurement::exact(1.0 + number as f64, Provenance::Measured);
    Entry { measurement, unix_s: 7, tool: "test".into() }
}

/// Not a test: the process that is killed. It writes one by one and in batches, and says what is acknowledged.
#[test]
#[ignore = "started by another test"]
fn child_writer() {
    let (Ok(path), Ok(first)) = (std::env::var("SHARING_TABLE"), std::env::var("SHARING_FIRST")) else { return };
    let first: usize = first.parse().expect("a number");
    let mut store = DiskStore::open(&path, TableKind::Live).expect("the table is whole");
    let mut out = std::io::stdout().lock();
    let mut next = first;
    loop {
        let batch = if next.is_multiple_of(3) { 24 } else { 1 };
        let entries: Vec<_> = (next..next + batch).map(|number| (key(number), entry(number))).collect();
        store.put_all(&entries).expect("a live entry");
        // Lines of their own, so that one that is cut short by the kill is not taken for another number.
        writeln!(out, "\nacknowledged {next} {batch} .").expect("the parent listens");
        out.flush().expect("the parent listens");
        assert_eq!(store.get(&key(next)).expect("whole"), Some(entry(next)), "what was put is there");
        next += batch;
    }
}

struct Writer {
    child: Child,
    said: JoinHandle<Vec<(usize, usize)>>,
    end: Instant,
}

fn start(path: &Path, first: usize, lives: Duration) -> Writer {
    let mut child = Command::new(std::env::current_exe().expect("this test"))
        .args(["--exact", "child_writer", "--ignored", "--nocapture", "--test-threads", "1"])
        .env("SHARING_TABLE", path)
        .env("SHARING_FIRST", first.to_string())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("this test can run itself");
    let out = BufReader::new(child.stdout.take().expect("piped"));
    let said = std::thread::spawn(move || {
        let lines = out.lines().map_while(Result::ok);
        let acknowledged = lines.filter_map(|line| {
            let words: Vec<&str> = line.split(' ').collect();
            let ["acknowledged", first, count, "."] = words[..] else { return None };
            Some((first.parse().expect("a number"), count.parse().expect("a number")))
        });
        acknowledged.collect()
    });
    Writer { child, said, end: Instant::now() + lives }
}

/// Moments that differ from run to run would make a failure hard to see again.
fn random(state: &mut u64) -> u64 {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    *state
}

fn run(name: &str, kills: usize) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join(name);
    let mut state = 0x5eed_1234_u64;
    // From before the table is opened, or even made, to some hundred commits later.
    let mut life = || Duration::from_micros(random(&mut state) % 400_000);
    let (mut running, mut killed, mut next): (Vec<Writer>, usize, usize) = (Vec::new(), 0, 0);
    let (mut acknowledged, mut silent): (BTreeMap<usize, usize>, usize) = (BTreeMap::new(), 0);
    let begin = Instant::now();
    while killed < kills {
        while running.len() < PROCESSES {
            running.push(start(&path, next, life()));
            next += 1_000_000;
        }
        let soonest = (0..running.len()).min_by_key(|&i| running[i].end).expect("some are running");
        let mut writer = running.swap_remove(soonest);
        std::thread::sleep(writer.end.saturating_duration_since(Instant::now()));
        writer.child.kill().expect("it can be killed");
        let status = writer.child.wait().expect("it was started");
        assert_eq!(status.code(), None, "kill {killed}: it ended by itself, so something failed in it");
        let said = writer.said.join().expect("the reader does not panic");
        silent += usize::from(said.is_empty());
        acknowledged.extend(said);
        killed += 1;
    }
    for mut writer in running {
        writer.child.kill().expect("it can be killed");
        writer.child.wait().expect("it was started");
        acknowledged.extend(writer.said.join().expect("the reader does not panic"));
    }
    let seconds = begin.elapsed().as_secs_f64();

    let store = DiskStore::open(&path, TableKind::Live).expect("the table is whole");
    let numbers: Vec<usize> = acknowledged.iter().flat_map(|(&first, &count)| first..first + count).collect();
    let lost = numbers.iter().filter(|&&number| store.get(&key(number)).expect("whole") != Some(entry(number))).count();
    let (mut found, mut wrong) = (0, 0);
    let each = &mut |key: Key, entry: Entry| {
        found += 1;
        let number = entry.measurement.median_ns as usize - 1;
        wrong += usize::from((key, entry) != (self::key(number), self::entry(number)));
        ControlFlow::Continue(())
    };
    store.scan(each).expect("the table is whole");
    println!(
        "{name}: {PROCESSES} processes at once, {killed} killed at random moments in {seconds:.0} s \
         ({silent} before their first entry); {} entries acknowledged, {lost} lost; {found} in the table, {wrong} wrong",
        numbers.len()
    );
    assert_eq!((lost, wrong), (0, 0));
    assert!(found >= numbers.len() && numbers.len() > 10 * kills, "only {} were written", numbers.len());
}

fn kills() -> usize {
    std::env::var("LOCP_KILLS").ok().and_then(|kills| kills.parse().ok()).unwrap_or(10)
}

#[test]
fn a_store_survives_kills() {
    run("table.redb", kills());
}
