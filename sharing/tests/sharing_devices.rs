//! Several devices in one table: machine texts, lines, differences, layers.
use netspec::{Axis, CacheState, ConvSpec, Machine, Measurement, Provenance};
use proptest::prelude::*;
use sharing::*;
use std::ops::ControlFlow;

const MINE: &str = "tract|EPYC 9R14|avx512||tract 0.23.9||1|1";

#[test]
fn only_a_canonical_text_is_read_as_a_machine() {
    let read = |text: &str| {
        Key { spec: "3>8 8x8 k3".to_owned(), machine: text.to_owned(), cache: CacheState::Network }.machine()
    };
    assert_eq!(read(MINE), Some(machine("EPYC 9R14")));
    let engine = read("simulated:h100|H100|9.0||m||1|1").map(|machine| machine.engine);
    assert_eq!(engine.as_deref(), Some("simulated:h100"));
    // Empty, too few fields, a number in another form, and one field too many.
    for text in ["", "tract|a|b|c", "tract|EPYC 9R14|avx512||tract 0.23.9||+1|1", "tract|a|device|avx512||tract||1|1"] {
        assert_eq!(read(text), None, "{text}");
    }
}

fn machine(device: &str) -> Machine {
    let [engine, compute, library] = ["tract", "avx512", "tract 0.23.9"].map(str::to_owned);
    Machine { engine, device: device.to_owned(), compute, library, threads: 1, method: 1, ..Machine::default() }
}

fn stairs(device: &str, spec: &str, axis: Axis, ns: &[(usize, f64)]) -> MemoryStore {
    let spec: ConvSpec = spec.parse().expect("a spec");
    let (line, _) = Line::of(&spec, axis).expect("it has this line");
    let mut store = MemoryStore::new(TableKind::Live);
    for &(channels, ns) in ns {
        let mut measurement = Measurement::exact(ns, Provenance::Measured);
        measurement.interval_ns = [ns * 0.99, ns * 1.01];
        let entry = Entry { measurement, unix_s: 7, tool: "test".to_owned() };
        store.put(&Key::new(&line.at(channels), &machine(device), CacheState::Network), &entry).expect("live");
    }
    store
}

#[test]
fn lines_leave_one_width_open() {
    #[track_caller]
    fn check(spec: &str, axis: Axis, text: Option<(&str, usize)>) {
        let spec: ConvSpec = spec.parse().expect("a spec");
        let found = Line::of(&spec, axis);
        assert_eq!(
            found.as_ref().map(|(line, channels)| (line.to_string(), *channels)),
            text.map(|(t, c)| (t.into(), c))
        );
        if let Some((line, channels)) = found {
            assert_eq!(line.at(channels), spec, "a convolution stands on its own line");
            assert_eq!(line.axis(), axis);
        }
    }
    check("n2 64>128 14x14 k3 p1 f16 nhwc relu", Axis::COut, Some(("n2 64>* 14x14 k3 p1 f16 nhwc relu", 128)));
    check("n2 64>128 14x14 k3 p1 f16 nhwc relu", Axis::CIn, Some(("n2 *>128 14x14 k3 p1 f16 nhwc relu", 64)));
    check("32>32 14x14 k3 p1 g32", Axis::COut, Some(("*>* 14x14 k3 p1 g*", 32)));
    check("32>32 14x14 k3 p1 g32", Axis::CIn, None);
    check("64>128 14x14 k3 g2", Axis::COut, Some(("64>* 14x14 k3 g2", 128)));
}

#[test]
fn a_line_has_one_stair_for_each_machine() {
    let spec = "64>1 14x14 k3 p1";
    let mut table = stairs("EPYC 9R14", spec, Axis::COut, &[(8, 1.0), (16, 2.0)]);
    merge(&mut table, &stairs("other", spec, Axis::COut, &[(16, 20.0), (24, 30.0)])).expect("live");
    merge(&mut table, &stairs("other", "64>1 7x7 k3 p1", Axis::COut, &[(32, 9.0)])).expect("live");
    let (line, _) = Line::of(&spec.parse().expect("a spec"), Axis::COut).expect("it has this line");
    let found = |lines: &Lines| -> Vec<(String, Vec<(usize, f64)>)> {
        let points = |stair: &Stair| stair.iter().map(|(&channels, m)| (channels, m.median_ns)).collect();
        lines.stairs(&line).map(|(machine, stair)| (machine.to_owned(), points(stair))).collect()
    };
    let all = found(&Lines::read(&table, CacheState::Network, |_| true).expect("memory"));
    let mine = (MINE.to_owned(), vec![(8, 1.0), (16, 2.0)]);
    let other = (machine("other").to_string(), vec![(16, 20.0), (24, 30.0)]);
    assert_eq!(all, [mine.clone(), other], "an entry of another line does not belong here");
    // Only the selected keys are read.
    assert_eq!(found(&Lines::read(&table, CacheState::Network, |key| key.machine == MINE).expect("memory")), [mine]);
}

#[test]
fn a_device_that_is_merely_faster_does_not_differ() {
    let stair = [(8, 100.0), (16, 100.0), (24, 130.0), (32, 160.0)];
    let faster = stair.map(|(channels, ns)| (channels, ns / 7.0));
    for axis in [Axis::CIn, Axis::COut] {
        let a = stairs("a", "64>64 14x14 k3", axis, &stair);
        let b = stairs("b", "64>64 14x14 k3", axis, &faster);
        let lines = diff(&a, &b, &DiffOptions::default()).expect("memory");
        assert_eq!(lines.len(), 1, "the other axis' lines have one width each");
        assert_eq!((lines[0].axis, lines[0].points.len(), lines[0].jumps.len()), (axis, 4, 0));
        assert!((lines[0].ratio * 7.0 - 1.0).abs() < 1e-12 && lines[0].largest() < 1e-12);
        assert!(lines[0].machine_a.contains("|a|") && lines[0].machine_b.contains("|b|"));
    }
}

#[test]
fn jumps_without_a_counterpart_are_listed() {
    // At 16 both rise, A by 20 % and B by 9 %: less than half. At 24 B falls where A rises. At 40 only the interval says
    // that 4 % are nothing. 48 and 56 have one of the two only.
    let a = [(8, 100.0), (16, 120.0), (24, 144.0), (32, 144.0), (40, 144.0), (48, 1.0)];
    let b = [(8, 100.0), (16, 109.0), (24, 90.0), (32, 90.0), (40, 91.5), (56, 1.0)];
    let (a, b) = (stairs("a", "64>1 14x14 k3", Axis::COut, &a), stairs("b", "64>1 14x14 k3", Axis::COut, &b));
    let found = diff(&a, &b, &DiffOptions::default()).expect("memory").remove(0);
    let jumps: Vec<_> = found.jumps.iter().map(|jump| (jump.from, jump.to, jump.side)).collect();
    assert_eq!(jumps, [(8, 16, Side::A), (16, 24, Side::A), (16, 24, Side::B)]);
    assert!((found.jumps[0].a - 0.2).abs() < 1e-9 && (found.jumps[0].b - 0.09).abs() < 1e-9);
    assert_eq!((found.only_a, found.only_b), (1, 1));
    assert!((found.ratio - (90.0f64 / 144.0)).abs() < 0.02, "the median of five ratios");

    let mut options = DiffOptions::default();
    options.jump = 0.25;
    assert_eq!(diff(&a, &b, &options).expect("memory")[0].jumps, []);
    options.machine_b = Some("|b|".to_owned());
    assert_eq!(diff(&a, &b, &options).expect("memory").len(), 1, "a part of the text is enough");
    options.machine_b = Some("nobody".to_owned());
    assert_eq!(diff(&a, &b, &options).expect("memory"), []);
}

#[test]
fn cache_states_are_compared_apart() {
    let stair = [(8, 100.0), (16, 100.0), (24, 130.0)];
    let mut tables = ["a", "b"].map(|device| stairs(device, "64>1 14x14 k3", Axis::COut, &stair));
    // Warm caches: three times as fast on the one, and one width only on the other.
    for (table, (device, widths)) in tables.iter_mut().zip([("a", 3), ("b", 1)]) {
        for &(channels, ns) in &stair[..widths] {
            let measurement =
                Measurement { cache: CacheState::Warm, ..Measurement::exact(ns / 3.0, Provenance::Measured) };
            let key = Key::new(&ConvSpec::new(64, channels, [14, 14], [3, 3]), &machine(device), CacheState::Warm);
            table.put(&key, &Entry { measurement, unix_s: 1, tool: "test".to_owned() }).expect("live");
        }
    }
    let found = diff(&tables[0], &tables[1], &DiffOptions::default()).expect("memory");
    assert_eq!(found.iter().map(|line| (line.cache, line.ratio)).collect::<Vec<_>>(), [(CacheState::Network, 1.0)]);
    let own = diff(&tables[0], &tables[0], &DiffOptions::default()).expect("memory");
    assert_eq!(own.iter().map(|line| line.cache).collect::<Vec<_>>(), [CacheState::Network, CacheState::Warm]);
}

proptest! {
    #[test]
    fn swapping_the_tables_swaps_the_sides(ns in prop::collection::vec((1.0f64..2.0, 1.0f64..2.0), 3..8)) {
        let side = |pick: fn(&(f64, f64)) -> f64| -> Vec<(usize, f64)> {
            ns.iter().enumerate().map(|(i, both)| (8 * (i + 1), pick(both))).collect()
        };
        let a = stairs("a", "64>1 14x14 k3", Axis::COut, &side(|both| both.0));
        let b = stairs("b", "64>1 14x14 k3", Axis::COut, &side(|both| both.1));
        let one = diff(&a, &b, &DiffOptions::default()).expect("memory").remove(0);
        let other = diff(&b, &a, &DiffOptions::default()).expect("memory").remove(0);
        prop_assert!((one.ratio * other.ratio - 1.0).abs() < 1e-12);
        prop_assert!((one.largest() - other.largest()).abs() < 1e-9);
        let mut swapped: Vec<_> = other.jumps.iter().map(|jump| {
            (jump.from, jump.to, if jump.side == Side::A { Side::B } else { Side::A })
        }).collect();
        swapped.sort_unstable();
        prop_assert_eq!(one.jumps.iter().map(|jump| (jump.from, jump.to, jump.side)).collect::<Vec<_>>(), swapped);
    }
}

/// A table of somebody else: whoever writes it is caught.
struct Theirs(MemoryStore);

impl Store for Theirs {
    fn get(&self, key: &Key) -> Result<Option<Entry>, StoreError> {
        self.0.get(key)
    }
    fn put(&mut self, key: &Key, _: &Entry) -> Result<Put, StoreError> {
        panic!("{key} was written to a table that belongs to somebody else")
    }
    fn scan(&self, each: &mut dyn FnMut(Key, Entry) -> ControlFlow<()>) -> Result<(), StoreError> {
        self.0.scan(each)
    }
}

fn small(entries: &[(usize, u32, u64)]) -> Vec<(Key, Entry)> {
    let entry = |ns: u32, unix_s| Entry {
        measurement: Measurement::exact(ns.into(), Provenance::Measured),
        unix_s,
        tool: "test".to_owned(),
    };
    let key =
        |channels| Key::new(&ConvSpec::new(channels, 8, [8, 8], [3, 3]), &Machine::default(), CacheState::Network);
    entries.iter().map(|&(channels, ns, unix_s)| (key(channels), entry(ns, unix_s))).collect()
}

proptest! {
    #[test]
    fn the_first_layer_that_knows_answers(layers in prop::collection::vec(prop::collection::vec((1usize..5, 1u32..3, 0u64..3), 0..6), 1..4), news in prop::collection::vec((1usize..5, 1u32..3, 0u64..3), 0..6)) {
        let memory = |entries: &[(usize, u32, u64)]| {
            let mut store = MemoryStore::new(TableKind::Live);
            store.put_all(&small(entries)).expect("live");
            store
        };
        let mut models: Vec<MemoryStore> = layers.iter().map(|layer| memory(layer)).collect();
        let mut tables = Layered::new(models[0].clone());
        for model in &models[1..] {
            tables = tables.over(Theirs(model.clone()));
        }
        for (key, entry) in small(&news) {
            prop_assert_eq!(tables.put(&key, &entry).expect("live"), models[0].put(&key, &entry).expect("live"));
        }
        tables.put_all(&small(&news)).expect("live");
        let mut union = MemoryStore::new(TableKind::Live);
        for model in &models {
            merge(&mut union, model).expect("live");
        }
        for (key, _) in small(&[(1, 1, 0), (2, 1, 0), (3, 1, 0), (4, 1, 0)]) {
            let first = models.iter().find_map(|model| model.get(&key).expect("memory"));
            prop_assert_eq!(tables.get(&key).expect("memory"), first);
        }
        let mut seen = Vec::new();
        tables.scan(&mut |key, entry| { seen.push((key, entry)); ControlFlow::Continue(()) }).expect("memory");
        let mut all = Vec::new();
        union.scan(&mut |key, entry| { all.push((key, entry)); ControlFlow::Continue(()) }).expect("memory");
        prop_assert_eq!(seen, all);
    }
}
