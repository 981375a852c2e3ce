//! Models that were damaged in one way or another: refused with a reason, or as good as new; never a panic.

#[path = "support/generated.rs"]
mod generated;
mod support;
#[path = "support/survive.rs"]
mod survive;
#[path = "support/tree.rs"]
mod tree;

use onnx_surgery::ModelError;
use proptest::prelude::*;
use std::sync::OnceLock;
use survive::{Fate, survives};
use tree::{Damage, Tree};

fn exported(name: &str) -> Vec<u8> {
    let found = support::exported().into_iter().find(|(found, _)| found == name);
    found.map(|(_, bytes)| bytes).unwrap_or_else(|| panic!("{name} is committed"))
}

/// All hand-built models and the small exported ones.
fn models() -> &'static [(String, Vec<u8>)] {
    static MODELS: OnceLock<Vec<(String, Vec<u8>)>> = OnceLock::new();
    MODELS.get_or_init(|| {
        let built = support::shapes().into_iter().map(|(name, bytes)| (name.to_owned(), bytes));
        let small = ["chain_ts", "grouped_ts", "nothing", "unknown_op"].map(|name| (name.to_owned(), exported(name)));
        built.chain(small).collect()
    })
}

#[test]
fn undamaged_models_are_patched() {
    for (name, bytes) in models() {
        let fate = survives(bytes);
        assert!(matches!(fate, Fate::Patched(2)), "{name}: {fate:?}");
        assert!(Tree::new(bytes).bytes() == *bytes, "{name} is the same after reading and writing it field by field");
    }
}

#[test]
fn what_is_cut_off_anywhere_is_called_truncated() {
    let check = |name: &str, bytes: &[u8], length: usize| match survives(&bytes[..length]) {
        Fate::Refused(ModelError::Truncated { .. }) => (),
        // Within the first fields there is nothing yet to tell a model by.
        Fate::Refused(ModelError::NotOnnx { .. }) if length < 8 => (),
        fate => panic!("{name} at {length} of {}: {fate:?}", bytes.len()),
    };
    for (name, bytes) in models() {
        // Every length of the small ones.
        let step = if bytes.len() < 20_000 { 1 } else { 97 };
        (0..bytes.len()).step_by(step).for_each(|length| check(name, bytes, length));
    }
    for name in ["resnet_ts", "densenet_dynamo", "resnet_constants_ts"] {
        let bytes = exported(name);
        (0..bytes.len()).step_by(bytes.len() / 200).for_each(|length| check(name, &bytes, length));
        (bytes.len() - 40..bytes.len()).for_each(|length| check(name, &bytes, length));
    }
}

fn damage() -> impl Strategy<Value = Damage> {
    const NUMBERS: [i64; 13] = [0, 1, -1, 2, 7, 8, 10, 1 << 20, 1 << 31, 1 << 32, 1 << 62, i64::MAX, i64::MIN];
    prop_oneof![
        2 => Just(Damage::Drop),
        2 => Just(Damage::Double),
        1 => Just(Damage::Swap),
        4 => prop::sample::select(&NUMBERS[..]).prop_map(Damage::Number),
        4 => any::<prop::sample::Index>().prop_map(|index| Damage::Text(index.index(1 << 20))),
        1 => (1usize..200).prop_map(Damage::Shorten),
    ]
}

proptest! {
    // What takes too much is slow to shrink: a failure shall be seen, not waited for.
    #![proptest_config(ProptestConfig { cases: 2000, max_shrink_time: 20_000, ..ProptestConfig::default() })]

    #[test]
    fn noise_is_refused(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        prop_assert!(matches!(survives(&bytes), Fate::Refused(_)));
    }

    #[test]
    fn flipped_bytes_do_no_harm(
        model in any::<prop::sample::Index>(),
        flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
    ) {
        let mut bytes = models()[model.index(models().len())].1.clone();
        for (at, with) in flips {
            let at = at.index(bytes.len());
            bytes[at] ^= with;
        }
        survives(&bytes);
    }

    #[test]
    fn damaged_fields_do_no_harm(
        model in any::<prop::sample::Index>(),
        damages in prop::collection::vec((any::<prop::sample::Index>(), damage()), 1..4),
    ) {
        let mut tree = Tree::new(&models()[model.index(models().len())].1);
        for (at, damage) in &damages {
            tree.damage(at.index(tree.len().max(1)), damage);
        }
        survives(&tree.bytes());
    }

    #[test]
    fn graphs_that_nearly_make_sense_do_no_harm(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        survives(&generated::graph(&bytes));
    }
}

/// Each kind of damage, once to every field of one model.
#[test]
fn every_field_may_be_damaged() {
    let (name, bytes) = models().iter().find(|(name, _)| name == "flat_chain").expect("it is built");
    let tree = Tree::new(bytes);
    let numbers = [0, -1, 1 << 31, 1 << 62, i64::MAX, i64::MIN].map(Damage::Number);
    let all = [Damage::Drop, Damage::Double, Damage::Swap, Damage::Text(usize::MAX), Damage::Shorten(1)];
    let (mut refused, mut patched) = (0, 0);
    for damage in all.iter().chain(&numbers) {
        for at in 0..tree.len() {
            let mut damaged = tree.clone();
            damaged.damage(at, damage);
            match survives(&damaged.bytes()) {
                Fate::Refused(_) => refused += 1,
                Fate::Patched(_) => patched += 1,
            }
        }
    }
    assert!(refused > 100 && patched > 100, "{name}: {refused} refused, {patched} patched");
}

/// What fuzzing has found, as models.
#[test]
fn what_fuzzing_found_does_no_harm() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus/open_and_patch");
    let files: Vec<_> = std::fs::read_dir(folder).expect("findings are committed").collect();
    assert!(!files.is_empty(), "there are some");
    for file in files {
        survives(&std::fs::read(file.expect("an entry").path()).expect("a readable model"));
    }
}
