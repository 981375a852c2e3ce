//! A model file: its network, its weights, and what names it.

use crate::Constraints;
use crate::Error;
use crate::report::ModelReport;
use netspec::{ChannelGroup, Constraint, DType, InputSizes, Network};
use sha2::{Digest, Sha256};
use std::path::{Path, PathBuf};

/// An ONNX file that was read and understood.
#[derive(Debug)]
pub struct Model {
    path: PathBuf,
    sha256: String,
    sizes: InputSizes,
    dtype: DType,
    network: Network,
    constraints: Constraints,
    onnx: onnx_surgery::Model,
}

impl Model {
    /// Reads a model for runs in which its inputs have these sizes: [`InputSizes`], or the batch alone. Without a batch
    /// there are as many images per run as the file fixes, or one.
    ///
    /// The pruned model's file keeps its dynamic dimensions.
    pub fn open(path: &Path, sizes: impl Into<InputSizes>) -> Result<Model, Error> {
        let sizes = sizes.into();
        let onnx = onnx_surgery::Model::open_with(path, &sizes)?;
        let sha256 = sha256(onnx.contents());
        let network = onnx.network().clone();
        let dtype = network.layers.first().map_or(DType::default(), |layer| layer.spec.dtype);
        Ok(Model { path: path.to_owned(), sha256, sizes, dtype, network, constraints: Constraints::default(), onnx })
    }

    /// The same, to be deployed in this data type: its convolutions are timed in it, in the type's usual memory order.
    ///
    /// The file stays as it is; what runs it converts, as deployments do.
    pub fn computed_in(mut self, dtype: DType) -> Model {
        self.dtype = dtype;
        for layer in &mut self.network.layers {
            (layer.spec.dtype, layer.spec.layout) = (dtype, dtype.usual_layout());
        }
        self
    }

    /// The same, with a condition on the widths of the groups that `applies` picks; plans for it then meet it.
    ///
    /// ```no_run
    /// use locp::{Model, netspec::Constraint};
    /// let model = Model::open("model.onnx".as_ref(), None)?
    ///     .constrained(&Constraint::MultipleOf(8), |group| group.frozen.is_none())
    ///     .constrained(&Constraint::AtLeast(32), |group| group.name == "/stem/Conv");
    /// # Ok::<(), locp::Error>(())
    /// ```
    pub fn constrained(mut self, constraint: &Constraint, applies: impl Fn(&ChannelGroup) -> bool) -> Model {
        self.network.constrain(constraint, applies);
        self
    }

    /// The same with a group that keeps all its channels, if it is not frozen anyway.
    pub(crate) fn frozen(mut self, group: usize, reason: String) -> Model {
        if let Some(group) = self.network.groups.get_mut(group) {
            group.frozen.get_or_insert(reason);
        }
        self
    }

    /// The same, remembering what was asked of its plans.
    pub(crate) fn under(mut self, constraints: &Constraints) -> Model {
        self.constraints = constraints.clone();
        self
    }

    /// What was asked of its plans by [`Constraints::apply`].
    pub fn constraints(&self) -> &Constraints {
        &self.constraints
    }

    /// The data type in which its convolutions are timed.
    pub fn dtype(&self) -> DType {
        self.dtype
    }

    /// The data type of its weights.
    pub(crate) fn stored_in(&self) -> DType {
        self.onnx.network().layers.first().map_or(self.dtype, |layer| layer.spec.dtype)
    }

    /// The path as it was given.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Images per run.
    pub fn batch(&self) -> usize {
        self.onnx.batch()
    }

    /// The sizes that it was opened with.
    pub(crate) fn sizes(&self) -> &InputSizes {
        &self.sizes
    }

    /// The sizes of all inputs in a run, as far as they are known.
    pub(crate) fn run_sizes(&self) -> InputSizes {
        self.onnx.input_sizes(self.batch())
    }

    /// Layers and channel groups.
    pub fn network(&self) -> &Network {
        &self.network
    }

    /// The model as surgery sees it, weights included.
    pub fn onnx(&self) -> &onnx_surgery::Model {
        &self.onnx
    }

    /// What names the model in reports.
    pub fn report(&self) -> ModelReport {
        ModelReport { path: self.path.display().to_string(), sha256: self.sha256.clone() }
    }
}

/// SHA-256 in hexadecimal of files one behind the other: weights outside the model's file are the model, too.
fn sha256<'a>(files: impl Iterator<Item = &'a [u8]>) -> String {
    let hash = files.fold(Sha256::new(), |hasher, bytes| hasher.chain_update(bytes)).finalize();
    hash.iter().map(|byte| format!("{byte:02x}")).collect()
}
