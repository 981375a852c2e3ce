//! What `locp` does without any feature: it plans a model on a closure, and knows no engine of this machine.

use locp::netspec::{ConvSpec, Measurement, Provenance};
use locp::{Budget, MemoryStore, Model, Pipeline, from_fn};

const MODEL: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../models/fashion.onnx");

/// A device on which channels come in blocks of eight.
fn blocks_of_eight(spec: &ConvSpec) -> Measurement {
    let blocks = spec.c_in.div_ceil(8) * spec.c_out.div_ceil(8);
    Measurement::exact((blocks * spec.height * spec.width) as f64 + 500.0, Provenance::Simulated)
}

#[test]
fn a_model_is_planned_on_a_closure() -> Result<(), locp::Error> {
    let model = Model::open(MODEL.as_ref(), None)?;
    let source = from_fn(|spec: &ConvSpec| Ok(blocks_of_eight(spec)));
    let planned = Pipeline::new(source, MemoryStore::default()).plan(&model, Budget::ratio(0.6))?;

    assert!(planned.solution.predicted_ns <= 0.6 * planned.solution.dense_ns);
    let narrowed: Vec<_> = planned.plan.groups.iter().filter(|group| group.keep.len() < group.channels).collect();
    assert!(!narrowed.is_empty());
    for group in narrowed {
        assert_eq!(group.keep.len() % 8, 0, "{} keeps {} channels", group.name, group.keep.len());
    }
    Ok(())
}

#[test]
#[cfg(not(any(feature = "tract", feature = "onnxruntime", feature = "cuda")))]
fn engines_that_were_left_out_are_unknown() {
    for name in ["auto", "tract", "onnxruntime", "cuda"] {
        let error = locp::engine(name, 1, 0).err().map(|error| error.code());
        assert_eq!(error, Some("unknown-engine"), "{name}");
    }
}
