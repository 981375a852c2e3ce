//! Laws of tables: merging is a union of sets, and equal specs are asked once.
use netspec::{CacheState, ConvSpec, Machine, Measurement, Provenance, StopReason};
use proptest::prelude::*;
use sharing::*;
use std::ops::ControlFlow;
use timing::{LatencySource, Sampling, TimingError, from_fn};

fn entries() -> impl Strategy<Value = (Key, Entry)> {
    let key = (1usize..3, 0usize..2).prop_map(|(channels, threads)| {
        let machine = Machine { engine: "tract".into(), threads, ..Machine::default() };
        (ConvSpec::new(channels, 8, [8, 8], [3, 3]), machine)
    });
    let stop = prop::sample::select(vec![StopReason::Precise, StopReason::SampleLimit, StopReason::Decided]);
    let cache = prop::sample::select(vec![CacheState::Warm, CacheState::Cold, CacheState::Network]);
    // Few different values, so that entries often differ in one field only.
    let numbers = (prop::sample::select(vec![1.5, 1e9]), prop::sample::select(vec![0.0, 0.5]), 0u32..3);
    let said = (0u64..2, "[ab]?", prop::option::of("eng[12]"));
    (key, numbers, stop, cache, said).prop_map(
        |((spec, machine), (ns, wide, samples), stop, cache, (unix_s, tool, algorithm))| {
            let measurement = Measurement {
                median_ns: ns,
                interval_ns: [ns / (1.0 + wide), ns * (1.0 + wide)],
                samples,
                provenance: Provenance::Measured,
                cache,
                stop,
                algorithm,
            };
            (Key::new(&spec, &machine, cache), Entry { measurement, unix_s, tool })
        },
    )
}

fn table(entries: &[(Key, Entry)]) -> MemoryStore {
    let mut store = MemoryStore::new(TableKind::Live);
    for (key, entry) in entries {
        store.put(key, entry).expect("these entries are live");
    }
    store
}

fn united(a: &MemoryStore, b: &MemoryStore) -> MemoryStore {
    let mut both = a.clone();
    merge(&mut both, b).expect("both are live");
    both
}

fn all(store: &dyn Store) -> Vec<(Key, Entry)> {
    let mut all = Vec::new();
    store
        .scan(&mut |key, entry| {
            all.push((key, entry));
            ControlFlow::Continue(())
        })
        .expect("it was opened");
    all
}

fn tables() -> impl Strategy<Value = Vec<(Key, Entry)>> {
    prop::collection::vec(entries(), 0..20)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn merging_is_commutative_associative_and_idempotent(a in tables(), b in tables(), c in tables()) {
        let [a, b, c] = [a, b, c].map(|entries| table(&entries));
        prop_assert_eq!(united(&a, &b), united(&b, &a));
        prop_assert_eq!(united(&united(&a, &b), &c), united(&a, &united(&b, &c)));
        prop_assert_eq!(united(&a, &a), a.clone());
        let both = united(&a, &b);
        for (key, _) in all(&both) {
            let of_key: Vec<Entry> = all(&both).into_iter().filter(|(k, _)| *k == key).map(|(_, entry)| entry).collect();
            let is_coarse = |entry: &Entry| entry.measurement.stop == StopReason::Decided;
            let first = both.get(&key).expect("memory").expect("it was scanned");
            prop_assert_eq!(is_coarse(&first), of_key.iter().all(is_coarse), "a coarse reading answers only alone");
            let times = of_key.iter().filter(|entry| is_coarse(entry) == is_coarse(&first)).map(|entry| entry.unix_s);
            prop_assert_eq!(Some(first.unix_s), times.min(), "the first writer answers");
        }
    }

    #[test]
    fn the_text_of_equal_keys_is_equal_and_of_others_not(a in entries(), b in entries()) {
        prop_assert_eq!(a.0 == b.0, a.0.to_string() == b.0.to_string());
    }

    #[test]
    fn equal_specs_are_asked_once(calls in prop::collection::vec(prop::collection::vec(1usize..8, 0..10), 1..5), chunk in 1usize..4) {
        let mut asked = Vec::new();
        let mut store = MemoryStore::default();
        let engine = from_fn(|spec: &ConvSpec| {
            asked.push(spec.c_in);
            if spec.c_in == 7 {
                return Err(TimingError::unsupported(spec, "seven"));
            }
            Ok(Measurement::exact(spec.c_in as f64, Provenance::Measured))
        });
        let mut source = Cached::new(engine, &mut store).chunk(chunk);
        for call in &calls {
            let specs: Vec<ConvSpec> = call.iter().map(|&c| ConvSpec::new(c, 8, [8, 8], [3, 3])).collect();
            let answers = source.latencies(&specs, &Sampling::default());
            prop_assert_eq!(answers.len(), specs.len());
            for (spec, answer) in specs.iter().zip(answers) {
                match answer {
                    Ok(measurement) => prop_assert_eq!(measurement.median_ns, spec.c_in as f64),
                    Err(TimingError::Unsupported { .. }) => prop_assert_eq!(spec.c_in, 7),
                    Err(error) => prop_assert!(false, "{}", error),
                }
            }
        }
        let stats = source.stats();
        drop(source);
        let flat: Vec<usize> = calls.concat();
        let sevens = flat.iter().filter(|&&c| c == 7).count() as u64;
        prop_assert_eq!(stats.asked, flat.len() as u64);
        prop_assert_eq!(stats.failed, sevens);
        prop_assert_eq!(stats.new, store.keys() as u64);
        prop_assert_eq!(stats.asked, stats.new + stats.shared + stats.failed);
        asked.retain(|&c| c != 7);
        let repeats = asked.len();
        asked.sort_unstable();
        asked.dedup();
        prop_assert_eq!(repeats, asked.len(), "an equal spec was measured twice");
    }
}
