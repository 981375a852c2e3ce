//! What must hold of any bytes whatever, for tests and fuzzers.
//!
//! They open or are refused with an error that says where; what opens can be patched, the same way each time, and
//! the result opens and has the widths that the plan predicts; all that in memory in proportion to the bytes.
#![allow(dead_code)] // Every test binary uses another part of it.

use netspec::{GroupPlan, Layer, Network, PrunePlan};
use onnx_surgery::{Model, ModelError, Patch, SurgeryError};
use peak_alloc::PeakAlloc;
use std::sync::{Mutex, PoisonError};

#[global_allocator]
static HEAP: PeakAlloc = PeakAlloc;

/// Heap that a model may take at most, per byte of its file. A node of twenty bytes is a kilobyte once its names
/// are looked up, its shapes inferred and its reasons written; the weights, which are nearly all of a real file,
/// are never copied.
const HEAP_PER_BYTE: usize = 64;
/// Heap that any model may take: positions of channels that no weight stands behind are limited by number.
const HEAP_AT_LEAST: usize = 64 << 20;

/// How far some bytes got.
#[derive(Debug)]
pub(crate) enum Fate {
    Refused(ModelError),
    /// The model opened, and this many plans were applied to it.
    Patched(usize),
}

/// Opens bytes and, if that succeeds, goes on to the end.
#[track_caller]
pub(crate) fn survives(bytes: &[u8]) -> Fate {
    // Allocations are counted for the whole process: one case at a time.
    static ALONE: Mutex<()> = Mutex::new(());
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let before = HEAP.current_usage();
    HEAP.reset_peak_usage();
    let fate = go(bytes);
    let (taken, limit) = (HEAP.peak_usage().saturating_sub(before), bytes.len() * HEAP_PER_BYTE + HEAP_AT_LEAST);
    assert!(taken <= limit, "{} bytes took {taken} bytes of heap, more than {limit}: {fate:?}", bytes.len());
    fate
}

fn go(bytes: &[u8]) -> Fate {
    let model = match Model::from_bytes(bytes.to_vec()) {
        Ok(model) => model,
        Err(error) => {
            let text = error.to_string();
            assert!(!text.is_empty(), "an error says something");
            let again = Model::from_bytes(bytes.to_vec()).err().map(|error| error.to_string());
            assert_eq!(again, Some(text), "the same bytes are refused for the same reason");
            return Fate::Refused(error);
        }
    };
    let network = model.network();
    drop(Model::from_bytes_with(bytes.to_vec(), &2.into()));
    let prunable: Vec<_> = network.groups.iter().filter(|group| group.frozen.is_none()).collect();
    let half = |channels: usize| (0..channels).step_by(2).collect();
    let all = PrunePlan { groups: prunable.iter().map(|group| GroupPlan::new(group, half(group.channels))).collect() };
    // Some group alone, another one for other bytes; its upper half goes.
    let some = bytes.iter().fold(bytes.len(), |sum, &b| sum.wrapping_mul(31).wrapping_add(b.into()));
    let alone = prunable.get(some % prunable.len().max(1));
    let alone = alone.map(|group| GroupPlan::new(group, (0..group.channels / 2).collect()));
    let plans = [all, PrunePlan { groups: alone.into_iter().collect() }];
    let applied = plans.iter().filter(|plan| patches(&model, plan)).count();

    let again = Model::from_bytes(bytes.to_vec()).expect("it opened a moment ago");
    assert_eq!(format!("{network:?}"), format!("{:?}", again.network()), "the same bytes give the same network");
    let patched = |model| Patch::build(model, &plans[0]).map(|patch| (patch.to_bytes(), patch.to_string())).ok();
    assert!(patched(&model) == patched(&again), "the same plan gives the same file");
    Fate::Patched(applied)
}

/// Applies a plan, and answers whether it could be applied.
fn patches(model: &Model, plan: &PrunePlan) -> bool {
    match Patch::disconnect(model, plan) {
        Ok(patch) => {
            let disconnected =
                Model::from_bytes(patch.to_bytes()).unwrap_or_else(|e| panic!("disconnected, it does not open: {e}"));
            assert_eq!(sizes(disconnected.network()), sizes(model.network()), "disconnecting changes no width");
        }
        // A ConstantOfShape cannot be zero in part.
        Err(SurgeryError::NotStored { .. }) => (),
        Err(error) => panic!("plans for the model's own groups fit it: {error}"),
    }
    let patch = match Patch::build(model, plan) {
        Ok(patch) => patch,
        Err(SurgeryError::Audit { why }) => {
            // Safe, for nothing is written, but a group that is offered should be prunable.
            let is_finding = std::env::var_os("LOCP_HOSTILE_AUDIT").is_some();
            assert!(!is_finding, "a group that is not frozen cannot be pruned: {why}");
            return false;
        }
        Err(error) => panic!("plans for the model's own groups fit it: {error}"),
    };
    assert!(!patch.to_string().is_empty(), "a patch prints");
    let bytes = patch.to_bytes();
    assert!(bytes == patch.to_bytes(), "a patch is written the same way each time");
    let pruned = Model::from_bytes(bytes).unwrap_or_else(|error| panic!("{error}, after\n{patch}"));
    let kept = |group: netspec::GroupId| {
        let planned = plan.groups.iter().find(|planned| planned.id == group);
        planned.map_or(model.network().groups[group.0].channels, |planned| planned.keep.len())
    };
    let predicted = |layer: &Layer| (layer.name.clone(), layer.inputs.at(kept), layer.outputs.at(kept));
    let predicted: Vec<_> = model.network().layers.iter().map(predicted).collect();
    assert_eq!(sizes(pruned.network()), predicted, "widths are what the plan predicts, after\n{patch}");
    true
}

fn sizes(network: &Network) -> Vec<(String, usize, usize)> {
    network.layers.iter().map(|layer| (layer.name.clone(), layer.spec.c_in, layer.spec.c_out)).collect()
}
