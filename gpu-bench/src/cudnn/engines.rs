//! What the library offers for a graph.

use super::descriptor::Descriptor;
use super::graph::OperationGraph;
use super::select::{Traits, order};
use crate::GpuError;
use cudarc::cudnn::sys::{
    cudnnBackendAttributeName_t as Attribute, cudnnBackendAttributeType_t as Type,
    cudnnBackendDescriptorType_t as Kind, cudnnBackendHeurMode_t as Mode,
};
use netspec::ConvSpec;

/// Room for what one mode answers: 40 configurations at most, as of 9.28. All are taken, because those that a data type
/// allows may come late.
const PER_MODE: usize = 64;

/// Room for an engine's knobs; there are fewer kinds of them.
const KNOBS: usize = 64;

/// Room for notes; there are fewer kinds of them.
const NOTES: usize = 32;

/// An engine with its knobs set.
#[derive(Debug)]
pub(crate) struct Candidate {
    pub(super) config: Descriptor,
    pub(super) traits: Traits,
    /// Whether the library's recommended heuristic knew nothing better.
    pub(super) is_fallback: bool,
}

/// What may run the graph, the library's first choice first.
///
/// Mode A is the library's recommended heuristic, and fallback lists what is slow and sure; a mode that knows nothing
/// for a graph answers "not supported", which says nothing about the next mode.
pub(crate) fn candidates(graph: &OperationGraph, spec: &ConvSpec) -> Result<Vec<Candidate>, GpuError> {
    candidates_on(graph, spec, None)
}

/// The same on a device that is described rather than there; `None` is the graph's own.
pub(super) fn candidates_on(
    graph: &OperationGraph,
    spec: &ConvSpec,
    device: Option<&Descriptor>,
) -> Result<Vec<Candidate>, GpuError> {
    let mut found: Vec<Candidate> = Vec::new();
    let mut why = String::new();
    for mode in [Mode::CUDNN_HEUR_MODE_A, Mode::CUDNN_HEUR_MODE_FALLBACK] {
        let is_fallback = mode == Mode::CUDNN_HEUR_MODE_FALLBACK;
        match ask(graph, mode, device) {
            Ok(configs) => {
                for config in configs {
                    let traits = traits(&config)?;
                    found.push(Candidate { config, traits, is_fallback });
                }
            }
            Err(GpuError::Unsupported { reason }) => why = reason,
            Err(other) => return Err(other),
        }
    }
    let all: Vec<Traits> = found.iter().map(|candidate| candidate.traits.clone()).collect();
    let recommended = found.iter().filter(|candidate| !candidate.is_fallback).count();
    let order = order(&all, recommended, spec);
    if order.is_empty() {
        let reason = match all.len() {
            0 if why.is_empty() => "cuDNN has no engine for it".to_owned(),
            0 => format!("cuDNN has no engine for it: {why}"),
            n => format!("none of cuDNN's {n} engine configurations for it computes in {}", spec.dtype),
        };
        return Err(GpuError::Unsupported { reason });
    }
    let mut found: Vec<Option<Candidate>> = found.into_iter().map(Some).collect();
    Ok(order.into_iter().filter_map(|i| found[i].take()).collect())
}

fn ask(graph: &OperationGraph, mode: Mode, device: Option<&Descriptor>) -> Result<Vec<Descriptor>, GpuError> {
    let mut heuristic = Descriptor::new(Kind::CUDNN_BACKEND_ENGINEHEUR_DESCRIPTOR)?;
    if let Some(device) = device {
        heuristic.refer(Attribute::CUDNN_ATTR_ENGINEHEUR_DEVICEPROP, &[device])?;
    }
    heuristic.refer(Attribute::CUDNN_ATTR_ENGINEHEUR_OPERATION_GRAPH, &[graph.descriptor()])?;
    heuristic.set(Attribute::CUDNN_ATTR_ENGINEHEUR_MODE, Type::CUDNN_TYPE_HEUR_MODE, &[mode])?;
    heuristic.finalize()?;
    heuristic.referred(Attribute::CUDNN_ATTR_ENGINEHEUR_RESULTS, Kind::CUDNN_BACKEND_ENGINECFG_DESCRIPTOR, PER_MODE)
}

fn traits(config: &Descriptor) -> Result<Traits, GpuError> {
    let engines = config.referred(Attribute::CUDNN_ATTR_ENGINECFG_ENGINE, Kind::CUDNN_BACKEND_ENGINE_DESCRIPTOR, 1)?;
    let Some(engine) = engines.first() else { return Ok(Traits { engine: -1, ..Traits::default() }) };
    let mut number = [0_i64];
    engine.get(Attribute::CUDNN_ATTR_ENGINE_GLOBAL_INDEX, Type::CUDNN_TYPE_INT64, &mut number)?;
    let notes = |name, of| -> Result<Vec<u32>, GpuError> {
        let mut notes = [0_u32; NOTES];
        let n = engine.get(name, of, &mut notes)?;
        Ok(notes[..n].to_vec())
    };
    let choices = config.referred(
        Attribute::CUDNN_ATTR_ENGINECFG_KNOB_CHOICES,
        Kind::CUDNN_BACKEND_KNOB_CHOICE_DESCRIPTOR,
        KNOBS,
    )?;
    let mut knobs = Vec::with_capacity(choices.len());
    for choice in &choices {
        let (mut of, mut value) = ([0_u32], [0_i64]);
        choice.get(Attribute::CUDNN_ATTR_KNOB_CHOICE_KNOB_TYPE, Type::CUDNN_TYPE_KNOB_TYPE, &mut of)?;
        choice.get(Attribute::CUDNN_ATTR_KNOB_CHOICE_KNOB_VALUE, Type::CUDNN_TYPE_INT64, &mut value)?;
        knobs.push([i64::from(of[0]), value[0]]);
    }
    Ok(Traits {
        engine: number[0],
        knobs,
        numerical: notes(Attribute::CUDNN_ATTR_ENGINE_NUMERICAL_NOTE, Type::CUDNN_TYPE_NUMERICAL_NOTE)?,
        behavior: notes(Attribute::CUDNN_ATTR_ENGINE_BEHAVIOR_NOTE, Type::CUDNN_TYPE_BEHAVIOR_NOTE)?,
    })
}
