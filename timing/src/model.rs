//! The seam between timing and the engine that runs whole models.

use crate::backend::Prepared;
use crate::error::TimingError;
use netspec::{InputSizes, Tensor, TensorView};
use std::path::Path;

/// An engine that can run whole ONNX models on this machine.
///
/// # Contract
/// - `load` fixes the inputs' shapes to those stated in `sizes`; a symbolic or different first dimension of every other
///   input becomes the batch.
/// - What cannot be loaded is an error that names the file and the engine's reason.
///
/// # A second, silly implementation
/// ```
/// use netspec::{CacheState, InputSizes, Tensor, TensorView};
/// use std::path::Path;
/// use timing::{ModelBackend, ModelRun, Prepared, Reading, TimingError};
///
/// /// Believes that every model is the identity.
/// struct Identity;
/// struct Echo;
/// impl ModelBackend for Identity {
///     fn load(&self, _: &Path, _: &InputSizes) -> Result<Box<dyn ModelRun>, TimingError> {
///         Ok(Box::new(Echo))
///     }
/// }
/// impl Prepared for Echo {
///     fn run(&mut self, _: CacheState) -> Result<Reading, TimingError> {
///         Ok(Reading::new(1.0))
///     }
/// }
/// impl ModelRun for Echo {
///     fn infer(&mut self, inputs: &[TensorView<'_>]) -> Result<Vec<Tensor>, TimingError> {
///         Ok(inputs.iter().map(|t| Tensor { bytes: t.bytes.to_vec().into(), element: t.element, shape: t.shape.clone() }).collect())
///     }
/// }
///
/// let image = Tensor::from_f32(vec![1, 2], &[0.25, 0.75]).unwrap();
/// let mut model = Identity.load(Path::new("any.onnx"), &1.into())?;
/// assert_eq!(model.infer(std::slice::from_ref(&image))?, [image]);
/// # Ok::<(), TimingError>(())
/// ```
pub trait ModelBackend: Send + Sync {
    /// Loads a model for inputs of these sizes.
    fn load(&self, onnx: &Path, sizes: &InputSizes) -> Result<Box<dyn ModelRun>, TimingError>;

    /// Runs a model on inputs of its own and returns what each of its nodes takes, in the order in which they run;
    /// `None` if the engine cannot tell.
    ///
    /// Nodes are those that the engine runs: some of the file's are fused into others or left out, and some are added.
    fn profile(&self, _onnx: &Path, _sizes: &InputSizes) -> Option<Result<Vec<NodeTime>, TimingError>> {
        None
    }
}

/// What a node of a whole model takes.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct NodeTime {
    /// Its name, as the engine says: that of a node or a tensor of the file, or one that begins with such a name, where
    /// the engine has kept it.
    pub name: String,
    /// Its operator, as the engine calls it.
    pub op: String,
    /// Nanoseconds of a typical run.
    pub ns: f64,
}

impl NodeTime {
    /// Sums up what a node took in several runs, by the mean of the middle half: profilers count in coarse units, so that
    /// a median would, too. `None` without a run.
    pub fn typical(name: &str, op: &str, mut runs_ns: Vec<f64>) -> Option<NodeTime> {
        runs_ns.sort_by(f64::total_cmp);
        let middle = &runs_ns[runs_ns.len() / 4..runs_ns.len() - runs_ns.len() / 4];
        let ns = middle.iter().sum::<f64>() / middle.len() as f64;
        (!middle.is_empty()).then(|| NodeTime { name: name.to_owned(), op: op.to_owned(), ns })
    }
}

/// A loaded model: it can be timed as any [`Prepared`], on inputs of its own, and run on given ones.
pub trait ModelRun: Prepared + Send {
    /// Runs the model on its graph inputs in order, and returns its graph outputs in order.
    fn infer(&mut self, inputs: &[TensorView<'_>]) -> Result<Vec<Tensor>, TimingError>;
}

macro_rules! forward_model_backend {
    ($($pointer:ty),*) => {$(
        impl<T: ModelBackend + ?Sized> ModelBackend for $pointer {
            fn load(&self, onnx: &Path, sizes: &InputSizes) -> Result<Box<dyn ModelRun>, TimingError> {
                (**self).load(onnx, sizes)
            }
            fn profile(&self, onnx: &Path, sizes: &InputSizes) -> Option<Result<Vec<NodeTime>, TimingError>> {
                (**self).profile(onnx, sizes)
            }
        }
    )*};
}
forward_model_backend!(&T, Box<T>, std::sync::Arc<T>);

macro_rules! forward_model_run {
    ($($pointer:ty),*) => {$(
        impl<T: ModelRun + ?Sized> ModelRun for $pointer {
            fn infer(&mut self, inputs: &[TensorView<'_>]) -> Result<Vec<Tensor>, TimingError> {
                (**self).infer(inputs)
            }
        }
    )*};
}
forward_model_run!(&mut T, Box<T>);
