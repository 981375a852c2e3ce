//! One convolution with its epilogue, as tract finds it in a network.

use super::plan::Plan;
use crate::caches::Caches;
use crate::fill;
use netspec::{Activation, CacheState, ConvSpec, DType, Layout, Tensor, TensorView};
use std::fmt;
use std::sync::Arc;
use timing::{ModelRun, Prepared, Reading, TimingError};
use tract_onnx::prelude::{IntoTValue as _, TVec, Tensor as TractTensor, TractResult, TypedModel, tvec};
use tract_onnx::tract_core::internal::{DatumExt as _, OutletId, SpecialOps as _};
use tract_onnx::tract_core::ops::cnn::{Conv, KernelFormat, PaddingSpec, PoolSpec};
use tract_onnx::tract_core::ops::math;
use tract_onnx::tract_core::ops::nn::{self, DataFormat};

/// Elements of the largest tensor that is still prepared: 4 GiB of f32. Beyond it tract's own sizes may overflow.
const MAX_ELEMENTS: usize = 1 << 30;

/// A convolution of tract's, ready to run, with weights of its own.
///
/// As a [`ModelRun`] it takes the activations (batch, c_in, height, width) and, where the epilogue adds a residual,
/// a tensor of the output's shape, and returns one output.
pub struct TractConv {
    plan: Plan,
    spec: ConvSpec,
    weights: Vec<f32>,
    bias: Option<Vec<f32>>,
}

impl TractConv {
    pub(crate) fn new(spec: &ConvSpec, caches: Arc<Caches>) -> Result<TractConv, TimingError> {
        refuse(spec).map_or(Ok(()), |reason| Err(TimingError::unsupported(spec, reason)))?;
        let [_, n_weights, _] = spec.elements();
        let weights = fill::weights(n_weights, spec.fan_in(), 1);
        let bias = spec.epilogue.bias.then(|| fill::weights(spec.c_out, 2, 2));
        let failed = |error: tract_onnx::prelude::TractError| TimingError::unsupported(spec, format!("{error:#}"));
        let model = wire(spec, &weights, bias.as_deref()).map_err(failed)?;
        let inputs = inputs(spec).map_err(failed)?;
        let plan = Plan::new(format!("`{spec}`"), model, inputs, caches).map_err(failed)?;
        Ok(TractConv { plan, spec: spec.clone(), weights, bias })
    }

    /// The convolution.
    pub fn spec(&self) -> &ConvSpec {
        &self.spec
    }

    /// The kernel in the order (c_out, c_in / groups, kernel height, kernel width).
    pub fn weights(&self) -> &[f32] {
        &self.weights
    }

    /// One value per output channel, where the epilogue has a bias.
    pub fn bias(&self) -> Option<&[f32]> {
        self.bias.as_deref()
    }
}

impl fmt::Debug for TractConv {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TractConv").field("spec", &self.spec.to_string()).finish_non_exhaustive()
    }
}

impl Prepared for TractConv {
    fn run(&mut self, cache: CacheState) -> Result<Reading, TimingError> {
        self.plan.time(cache)
    }
}

impl ModelRun for TractConv {
    fn infer(&mut self, inputs: &[TensorView<'_>]) -> Result<Vec<Tensor>, TimingError> {
        self.plan.infer(inputs)
    }
}

/// Why tract cannot run it, found before tract is asked: tract may panic on what makes no sense.
fn refuse(spec: &ConvSpec) -> Option<String> {
    if let Err(error) = spec.validate() {
        return Some(error.to_string());
    }
    if spec.dtype != DType::F32 {
        return Some(format!("it computes in f32 only, not in {}", spec.dtype));
    }
    if spec.layout != Layout::Nchw {
        return Some("it takes channels before pixels (nchw) only".to_owned());
    }
    let [out_h, out_w] = spec.out_hw();
    let volumes = [
        [spec.batch, spec.c_in, spec.height, spec.width],
        [spec.batch, spec.c_out, out_h, out_w],
        [spec.c_out, spec.c_in / spec.groups, spec.kernel[0], spec.kernel[1]],
    ];
    let fits =
        |dims: &[usize; 4]| dims.iter().try_fold(1_usize, |n, &d| n.checked_mul(d)).is_some_and(|n| n <= MAX_ELEMENTS);
    (!volumes.iter().all(fits)).then(|| format!("one of its tensors has more than {MAX_ELEMENTS} elements"))
}

fn input_shape(spec: &ConvSpec) -> [usize; 4] {
    [spec.batch, spec.c_in, spec.height, spec.width]
}

fn output_shape(spec: &ConvSpec) -> [usize; 4] {
    let [height, width] = spec.out_hw();
    [spec.batch, spec.c_out, height, width]
}

fn inputs(spec: &ConvSpec) -> TractResult<TVec<tract_onnx::prelude::TValue>> {
    let filled = |shape: [usize; 4], seed| {
        let values = fill::activations(shape.iter().product(), seed);
        TractResult::Ok(TractTensor::from_shape(&shape, &values)?.into_tvalue())
    };
    let mut inputs = tvec![filled(input_shape(spec), 3)?];
    if spec.epilogue.residual {
        inputs.push(filled(output_shape(spec), 4)?);
    }
    Ok(inputs)
}

fn wire(spec: &ConvSpec, weights: &[f32], bias: Option<&[f32]>) -> TractResult<TypedModel> {
    let mut model = TypedModel::default();
    let x = model.add_source("x", f32::fact(input_shape(spec)))?;
    let kernel_shape = [spec.c_out, spec.c_in / spec.groups, spec.kernel[0], spec.kernel[1]];
    let kernel = model.add_const("kernel", TractTensor::from_shape(&kernel_shape, weights)?)?;
    let bias = match bias {
        Some(bias) => TractTensor::from_shape(&[bias.len()], bias)?,
        None => TractTensor::from_shape(&[], &[0.0_f32])?,
    };
    let bias = model.add_const("bias", bias)?;
    let [top, left, bottom, right] = spec.padding;
    let conv = Conv {
        pool_spec: PoolSpec::new(
            DataFormat::NCHW,
            spec.kernel.into_iter().collect(),
            PaddingSpec::Explicit(tvec![top, left], tvec![bottom, right]),
            Some(spec.dilation.into_iter().collect()),
            Some(spec.stride.into_iter().collect()),
            spec.c_in,
            spec.c_out,
        ),
        kernel_fmt: KernelFormat::OIHW,
        group: spec.groups,
        q_params: None,
    };
    let mut y = one(model.wire_node("conv", conv, &[x, kernel, bias])?);
    if spec.epilogue.residual {
        let skip = model.add_source("skip", f32::fact(output_shape(spec)))?;
        y = one(model.wire_node("add", math::add(), &[y, skip])?);
    }
    let y = activation(&mut model, spec.epilogue.activation, y)?;
    model.select_output_outlets(&[y])?;
    Ok(model)
}

/// The activation in the form that tract's ONNX reader gives it, because the optimizer looks for these forms.
fn activation(model: &mut TypedModel, activation: Activation, y: OutletId) -> TractResult<OutletId> {
    let scalar = |value: f32| TractTensor::from_shape(&[1, 1, 1, 1], &[value]);
    Ok(match activation {
        Activation::None => y,
        Activation::Relu | Activation::Relu6 => {
            let zero = model.add_const("zero", scalar(0.0)?)?;
            let y = one(model.wire_node("relu", math::max(), &[y, zero])?);
            if activation == Activation::Relu {
                return Ok(y);
            }
            let six = model.add_const("six", scalar(6.0)?)?;
            one(model.wire_node("relu6", math::min(), &[y, six])?)
        }
        Activation::Sigmoid => one(model.wire_node("sigmoid", nn::sigmoid(), &[y])?),
        Activation::Silu => {
            let gate = one(model.wire_node("sigmoid", nn::sigmoid(), &[y])?);
            one(model.wire_node("silu", math::mul(), &[y, gate])?)
        }
        Activation::HardSwish => one(model.wire_node("hard_swish", nn::hard_swish(), &[y])?),
        other => tract_onnx::tract_core::internal::bail!("the activation {other:?} is not known to this engine"),
    })
}

/// The outlet of an operator that has exactly one.
fn one(outlets: TVec<OutletId>) -> OutletId {
    outlets[0]
}
