//! Whole models.

use super::plan::Plan;
use crate::caches::Caches;
use crate::{fill, inputs};
use netspec::{CacheState, InputSizes, Tensor, TensorView};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;
use timing::{ModelRun, NodeTime, Prepared, Reading, TimingError};
use tract_onnx::prelude::{
    DatumType, Framework as _, InferenceFact, InferenceModelExt as _, IntoTValue as _, TValue, TVec,
    Tensor as TractTensor, TractResult,
};
use tract_onnx::tract_core::internal::{DimLike as _, ToDim as _, bail};
use tract_onnx::tract_hir::infer::Factoid as _;

/// A loaded model.
pub(super) struct TractModel(Plan);

impl TractModel {
    /// Returns what each node takes, in the order in which they run.
    pub(super) fn profile(&mut self) -> Result<Vec<NodeTime>, TimingError> {
        self.0.profile()
    }
}

impl Prepared for TractModel {
    fn run(&mut self, cache: CacheState) -> Result<Reading, TimingError> {
        // Inside of a model the layers before one have put its caches into the network's state.
        self.0.time(if cache == CacheState::Network { CacheState::Warm } else { cache })
    }
}

impl ModelRun for TractModel {
    fn infer(&mut self, inputs: &[TensorView<'_>]) -> Result<Vec<Tensor>, TimingError> {
        self.0.infer(inputs)
    }
}

/// Loads an ONNX file for inputs of these sizes.
pub(super) fn load(path: &Path, sizes: &InputSizes, caches: Arc<Caches>) -> Result<TractModel, TimingError> {
    let refused = |reason: String| TimingError::Model { path: path.to_owned(), reason };
    // tract's reader indexes by names that a malformed file may lack, and panics where one is missing.
    match catch_unwind(AssertUnwindSafe(|| read(path, sizes, caches))) {
        Ok(Ok(plan)) => Ok(TractModel(plan)),
        Ok(Err(error)) => Err(refused(format!("{error:#}"))),
        Err(_) => Err(refused("tract's reader gave up; check the file with `onnx.checker`".to_owned())),
    }
}

fn read(path: &Path, sizes: &InputSizes, caches: Arc<Caches>) -> TractResult<Plan> {
    // Shapes that exporters note for inner tensors and outputs may name the batch in ways that cannot be unified
    // with a fixed one; tract infers them itself.
    let onnx = tract_onnx::onnx().with_ignore_value_info(true).with_ignore_output_shapes(true);
    let mut model = onnx.model_for_path(path)?;
    let mut values: TVec<TValue> = TVec::new();
    let outlets = model.input_outlets()?.to_vec();
    for (index, outlet) in outlets.iter().enumerate() {
        let fact = model.input_fact(index)?;
        let Some(datum) = fact.datum_type.concretize() else { bail!("input {index} has no element type") };
        let name = &model.node(outlet.node).name;
        let known = fact.shape.dims().map(|dim| dim.concretize().and_then(|dim| dim.to_usize().ok()));
        let mut dims: Vec<Option<usize>> = known.collect();
        if let (Some(first), None) = (dims.first_mut(), sizes.of(name, outlets.len())) {
            // Some exports are fixed to the batch that they were traced with, and run at any.
            *first = None;
        }
        let shape = match inputs::shape(sizes, name, outlets.len(), &dims) {
            Ok(shape) => shape,
            Err(reason) => bail!(reason),
        };
        values.push(filled(datum, &shape, index)?);
        let dims: TVec<_> = shape.iter().map(|n| n.to_dim()).collect();
        model.set_input_fact(index, InferenceFact::dt_shape(datum, dims))?;
    }
    Plan::new(path.display().to_string(), model.into_typed()?, values, caches)
}

/// Something for the model to run on while it is timed: noise for numbers, zeros for indices.
fn filled(datum: DatumType, shape: &[usize], index: usize) -> TractResult<TValue> {
    if datum == DatumType::F32 {
        let values = fill::activations(shape.iter().product(), index as u64 + 3);
        return Ok(TractTensor::from_shape(shape, &values)?.into_tvalue());
    }
    Ok(TractTensor::zero_dt(datum, shape)?.into_tvalue())
}
