//! What the table answers, and what is measured all the same.

use crate::scripted::{Device, Script, shipped};
use locp::netspec::{CacheState, ConvSpec, Machine, Measurement, Provenance, StopReason};
use locp::{LatencySource as _, Measurer, MemoryStore, Store as _};
use sharing::{Entry, Key, StoreError};

fn measured(ns: f64, stop: StopReason) -> Measurement {
    Measurement { stop, ..Measurement::exact(ns, Provenance::Measured) }
}

#[test]
fn only_settled_entries_of_this_machine_and_cache_state_answer() {
    let device = Device::new(Script::default());
    let machine = device.source().machine();
    let other = Machine { driver: "older".into(), ..machine.clone() };
    let specs: Vec<ConvSpec> = (1..=7).map(|i| ConvSpec::new(8, 8 * i, [14, 14], [3, 3])).collect();
    let [settled, decided, both, elsewhere, warm, foreign, unknown] = specs.as_slice() else { unreachable!() };

    let mut table = MemoryStore::default();
    let mut put = |spec: &ConvSpec, machine: &Machine, measurement: Measurement| {
        table.put(&Key::new(spec, machine, measurement.cache), &Entry::now(measurement, "test"))
    };
    put(settled, &machine, measured(1.0, StopReason::Precise)).unwrap();
    put(decided, &machine, measured(2.0, StopReason::Decided)).unwrap();
    put(both, &machine, measured(3.0, StopReason::Decided)).unwrap();
    put(both, &machine, measured(4.0, StopReason::SampleLimit)).unwrap();
    put(elsewhere, &other, measured(5.0, StopReason::Precise)).unwrap();
    put(warm, &machine, Measurement { cache: CacheState::Warm, ..measured(5.5, StopReason::Precise) }).unwrap();
    for provenance in [Provenance::Recorded, Provenance::Simulated, Provenance::Interpolated, Provenance::SameTread] {
        let refused = put(foreign, &machine, Measurement::exact(6.0, provenance));
        assert!(matches!(refused, Err(StoreError::Refused { .. })), "{provenance:?}");
    }

    let mut measurer = Measurer::new(device.source(), &mut table);
    let answers: Vec<f64> = measurer.get(&specs).unwrap().iter().map(|m| m.median_ns).collect();
    let truth = |spec| device.truth_ns(spec);
    assert_eq!(answers, [1.0, truth(decided), 4.0, truth(elsewhere), truth(warm), truth(foreign), truth(unknown)]);
    assert_eq!((measurer.measured(), measurer.shared()), (5, 2));
    assert_eq!(device.prepared(), [decided, elsewhere, warm, foreign, unknown].map(Clone::clone));

    // Asked again, all are in the table, and equal requests are one.
    let again: Vec<ConvSpec> = specs.iter().chain(&specs).cloned().collect();
    measurer.get(&again).unwrap();
    assert_eq!((measurer.measured(), measurer.shared()), (5, 16));
    // The entries of another machine and another cache state stay beside the new ones.
    drop(measurer);
    assert_eq!(table.keys(), 9);
}

#[test]
fn a_second_search_measures_nothing() {
    let model = shipped("fashion-vgg.onnx");
    let mut table = MemoryStore::default();
    let first = Device::new(Script::default()).pipeline_on(&mut table).steps(&model, None).unwrap();
    assert_eq!(table.keys() as u64, first.measured);
    let device = Device::new(Script::default());
    let second = device.pipeline_on(&mut table).steps(&model, None).unwrap();
    assert_eq!((second.measured, device.runs()), (0, 0));
    let edges = |report: &locp::report::StepsReport| -> Vec<Vec<usize>> {
        report.layers.iter().map(|stair| stair.edges.iter().map(|edge| edge.channels).collect()).collect()
    };
    assert_eq!(edges(&first), edges(&second));
}
