//! A plan of tract's with its inputs, run and timed.

use super::tensors;
use crate::caches::Caches;
use netspec::{CacheState, Tensor, TensorView};
use std::sync::Arc;
use std::time::Instant;
use timing::{NodeTime, Reading, TimingError};
use tract_onnx::prelude::{IntoRunnable as _, TValue, TVec, TractResult, TypedModel, TypedSimpleState};
use tract_onnx::tract_core::plan::eval;

/// An optimized model, its reusable state, and inputs to time it on.
pub(crate) struct Plan {
    what: String,
    state: TypedSimpleState,
    inputs: TVec<TValue>,
    caches: Arc<Caches>,
}

impl Plan {
    /// Optimizes the model as a deployment would, once.
    pub(crate) fn new(what: String, model: TypedModel, inputs: TVec<TValue>, caches: Arc<Caches>) -> TractResult<Plan> {
        let state = model.into_optimized()?.into_runnable()?.spawn()?;
        Ok(Plan { what, state, inputs, caches })
    }

    /// Times one run on the plan's own inputs. The outputs are freed outside of the time.
    pub(crate) fn time(&mut self, cache: CacheState) -> Result<Reading, TimingError> {
        let inputs = self.inputs.clone();
        let bytes: Vec<&[u8]> = inputs.iter().map(|input| input.as_bytes()).collect();
        self.caches.set(cache, &bytes);
        let inputs = self.inputs.clone();
        let start = Instant::now();
        let outputs = self.state.run(inputs);
        let elapsed = start.elapsed();
        match outputs {
            // A clock that did not tick must not look like an impossible reading.
            Ok(_) => Ok(Reading::new((elapsed.as_nanos() as f64).max(1.0))),
            Err(error) => Err(TimingError::run(&self.what, format!("{error:#}"))),
        }
    }

    /// Returns what each node takes, in the order in which they run.
    pub(crate) fn profile(&mut self) -> Result<Vec<NodeTime>, TimingError> {
        let mut nodes: Vec<(String, String, Vec<f64>)> = Vec::new();
        let first_ns = self.time(CacheState::Warm)?.ns;
        for run in 0..crate::profile_runs(first_ns) {
            let mut place = 0;
            let ran = self.state.run_plan_with_eval(self.inputs.clone(), |context, state, node, inputs| {
                let start = Instant::now();
                let outputs = eval(context, state, node, inputs);
                let ns = start.elapsed().as_nanos() as f64;
                if run == 0 {
                    nodes.push((node.name.clone(), node.op.name().into_owned(), Vec::new()));
                }
                nodes[place].2.push(ns);
                place += 1;
                outputs
            });
            ran.map_err(|error| TimingError::run(&self.what, format!("{error:#}")))?;
        }
        Ok(nodes.into_iter().filter_map(|(name, op, ns)| NodeTime::typical(&name, &op, ns)).collect())
    }

    /// Runs on given inputs.
    pub(crate) fn infer(&mut self, inputs: &[TensorView<'_>]) -> Result<Vec<Tensor>, TimingError> {
        if inputs.len() != self.inputs.len() {
            let reason = format!("{} inputs were given, and there are {}", inputs.len(), self.inputs.len());
            return Err(TimingError::Input { index: inputs.len().min(self.inputs.len()), reason });
        }
        let pairs = inputs.iter().zip(&self.inputs).enumerate();
        let values = pairs.map(|(index, (view, own))| {
            tensors::to_tract(view, own).map_err(|reason| TimingError::Input { index, reason })
        });
        let values = values.collect::<Result<TVec<TValue>, TimingError>>()?;
        let outputs = self.state.run(values).map_err(|error| TimingError::run(&self.what, format!("{error:#}")))?;
        let converted = outputs.iter().map(|output| tensors::from_tract(output));
        converted.collect::<Result<_, _>>().map_err(|reason| TimingError::run(&self.what, reason))
    }
}
