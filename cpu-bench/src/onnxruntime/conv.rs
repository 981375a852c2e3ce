//! One convolution with its epilogue, and whole models, as things that run.

use super::encode::Weights;
use super::session::Run;
use super::{OnnxRuntime, encode, reorder};
use crate::fill;
use netspec::{CacheState, ConvSpec, DType, Layout, Tensor, TensorView};
use std::fmt;
use std::sync::Arc;
use timing::{ModelRun, Prepared, Reading, TimingError};

/// Bytes of weights up to which a model is one message of protobuf.
const MAX_BYTES: usize = 1 << 31;

/// A convolution of ONNX Runtime's, ready to run, with weights of its own.
///
/// As a [`ModelRun`] it takes the activations (batch, c_in, height, width) and, where the epilogue adds a residual,
/// a tensor of the output's shape, and returns one output.
pub struct OrtConv {
    run: Run,
    /// Runs the convolution for its output, once that was asked for.
    inferring: Option<Run>,
    runtime: OnnxRuntime,
    spec: ConvSpec,
    weights: Weights,
}

impl OrtConv {
    pub(super) fn new(runtime: &OnnxRuntime, spec: &ConvSpec) -> Result<OrtConv, TimingError> {
        refuse(spec).map_or(Ok(()), |reason| Err(TimingError::unsupported(spec, reason)))?;
        let failed = |reason: String| TimingError::unsupported(spec, reason);
        let mut all: Vec<Weights> = (0..copies(spec)).map(|copy| weights(spec, copy as u64)).collect();
        let unknown = || failed(format!("the activation {:?} is not known to this engine", spec.epilogue.activation));
        let model = encode::timed(spec, &all).ok_or_else(unknown)?;
        let overhead_ns = profile(runtime, &model, spec)?;
        let mut run = session(runtime, &model, spec)?;
        (run.overhead_ns, run.share) = (overhead_ns, 1.0 / all.len() as f64);
        let weights = all.swap_remove(0);
        Ok(OrtConv { run, inferring: None, runtime: runtime.clone(), spec: spec.clone(), weights })
    }

    /// The convolution.
    pub fn spec(&self) -> &ConvSpec {
        &self.spec
    }

    /// The kernel in the order (c_out, c_in / groups, kernel height, kernel width).
    pub fn weights(&self) -> &[f32] {
        &self.weights.kernel
    }

    /// One value per output channel, where the epilogue has a bias.
    pub fn bias(&self) -> Option<&[f32]> {
        self.weights.bias.as_deref()
    }

    /// Nanoseconds of a reading's run that are subtracted, because a network does not pay them between its layers.
    pub fn overhead_ns(&self) -> f64 {
        self.run.overhead_ns * self.run.share
    }
}

/// Copies of a convolution that are timed together: several of a grouped one, which is computed in less time than its input
/// is converted in, so that little of the conversion's own scatter is left in a reading.
fn copies(spec: &ConvSpec) -> usize {
    if spec.groups > 1 { 4 } else { 1 }
}

fn weights(spec: &ConvSpec, copy: u64) -> Weights {
    let [_, kernel, _] = spec.elements();
    // Copies with equal weights would be merged.
    let kernel = fill::weights(kernel, spec.fan_in(), 1 + 2 * copy);
    Weights { kernel, bias: spec.epilogue.bias.then(|| fill::weights(spec.c_out, 2, 2 + 2 * copy)) }
}

fn session(runtime: &OnnxRuntime, model: &[u8], spec: &ConvSpec) -> Result<Run, TimingError> {
    let failed = |reason: String| TimingError::unsupported(spec, reason);
    let session = runtime.builder().map_err(failed)?.commit_from_memory(model);
    let session = session.map_err(|error| failed(error.to_string()))?;
    Run::new(format!("`{spec}`"), session, inputs(spec)?, Arc::clone(&runtime.caches))
}

/// How long the nodes of a run of the model take that are not the convolution's.
fn profile(runtime: &OnnxRuntime, model: &[u8], spec: &ConvSpec) -> Result<f64, TimingError> {
    let failed = |reason: String| TimingError::unsupported(spec, reason);
    let session = runtime.profiling().map_err(failed)?.commit_from_memory(model);
    let session = session.map_err(|error| failed(error.to_string()))?;
    let mut run = Run::new(format!("`{spec}`"), session, inputs(spec)?, Arc::clone(&runtime.caches))?;
    for _ in 0..reorder::RUNS {
        run.time(CacheState::Warm)?;
    }
    let told = run.profiled(reorder::overhead_ns).map_err(failed)?;
    told.ok_or_else(|| failed("its profile tells of no run".to_owned()))
}

impl fmt::Debug for OrtConv {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OrtConv").field("spec", &self.spec.to_string()).finish_non_exhaustive()
    }
}

impl Prepared for OrtConv {
    fn run(&mut self, cache: CacheState) -> Result<Reading, TimingError> {
        self.run.time(cache)
    }
}

impl ModelRun for OrtConv {
    fn infer(&mut self, inputs: &[TensorView<'_>]) -> Result<Vec<Tensor>, TimingError> {
        if self.inferring.is_none() {
            let reason = || "its activation is not known to this engine".to_owned();
            let model = encode::model(&self.spec, &self.weights);
            let model = model.ok_or_else(|| TimingError::unsupported(&self.spec, reason()))?;
            self.inferring = Some(session(&self.runtime, &model, &self.spec)?);
        }
        self.inferring.as_mut().expect("it was just made").infer(inputs)
    }
}

/// A loaded model.
pub(super) struct WholeModel(pub(super) Run);

impl Prepared for WholeModel {
    fn run(&mut self, cache: CacheState) -> Result<Reading, TimingError> {
        // Inside of a model the layers before one have put its caches into the network's state.
        self.0.time(if cache == CacheState::Network { CacheState::Warm } else { cache })
    }
}

impl ModelRun for WholeModel {
    fn infer(&mut self, inputs: &[TensorView<'_>]) -> Result<Vec<Tensor>, TimingError> {
        self.0.infer(inputs)
    }
}

fn inputs(spec: &ConvSpec) -> Result<Vec<Tensor>, TimingError> {
    let [x, y] = encode::shapes(spec);
    let shapes = [Some((x, 3)), spec.epilogue.residual.then_some((y, 4))];
    let filled = |(shape, seed): ([usize; 4], u64)| {
        let values = fill::activations(shape.iter().product(), seed);
        Tensor::from_f32(shape.to_vec(), &values).map_err(|error| TimingError::unsupported(spec, error.to_string()))
    };
    shapes.into_iter().flatten().map(filled).collect()
}

/// Why the engine cannot run it, found before the library is asked.
fn refuse(spec: &ConvSpec) -> Option<String> {
    if let Err(error) = spec.validate() {
        return Some(error.to_string());
    }
    if spec.dtype != DType::F32 {
        return Some(format!("it is timed in f32 only here, not in {}", spec.dtype));
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
    let fits = |dims: &[usize; 4]| {
        dims.iter().try_fold(4_usize, |n, &dim| n.checked_mul(dim)).is_some_and(|bytes| bytes < MAX_BYTES)
    };
    (!volumes.iter().all(fits)).then(|| "one of its tensors has 2 GiB or more".to_owned())
}
