//! A model that is open for inspection and surgery.

use crate::assemble;
use crate::error::ModelError;
use crate::external::{self, External};
use crate::file;
use crate::fold;
use crate::graph::{Graph, Port};
use crate::infer::{Inference, infer, rules};
use bytes::Bytes;
use netspec::{Frozen, InputShape, InputSizes, Network, TensorView, Weights};
use std::fmt;
use std::path::{Path, PathBuf};

/// A model that is open for inspection and surgery.
///
/// Its weights are read from a memory map when they are asked for: opening half a gigabyte takes no memory.
/// The file, and those beside it that hold its data, must stay as they are while the model is open.
pub struct Model {
    pub(crate) path: Option<PathBuf>,
    /// The file as it is.
    source: Bytes,
    /// The file with folded constants: what surgery works on.
    pub(crate) bytes: Bytes,
    pub(crate) external: External,
    pub(crate) graph: Graph,
    pub(crate) inference: Inference,
    network: Network,
}

/// A batch that is hardly any other number in a model.
const UNUSUAL: usize = 1009;

impl fmt::Debug for Model {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (path, layers, groups) = (&self.path, self.network.layers.len(), self.network.groups.len());
        f.debug_struct("Model")
            .field("path", path)
            .field("layers", &layers)
            .field("groups", &groups)
            .finish_non_exhaustive()
    }
}

impl Model {
    /// Opens a file and finds its layers and channel groups, at batch 1 if the batch is dynamic.
    ///
    /// Data that the model keeps in other files are read there, as long as those lie below the model's folder.
    /// Weights and biases that nodes compute from constants alone are computed now, and count as constants.
    ///
    /// # Errors
    /// The file cannot be read, is not ONNX, is damaged, lacks a data file, contradicts itself, or has no
    /// convolution or fully connected layer of known shape. Operators without a rule are no error: the channels that
    /// reach them are frozen.
    pub fn open(path: impl AsRef<Path>) -> Result<Model, ModelError> {
        Model::open_with(path, &InputSizes::default())
    }

    /// Opens a file for runs in which its inputs have these sizes, with the layers' specs for them.
    ///
    /// Dimensions of the same name are one dimension: it is enough to state it once. What is written from the model keeps
    /// its dynamic dimensions.
    ///
    /// # Errors
    /// Those of [`open`](Self::open), and sizes that do not fit the model.
    pub fn open_with(path: impl AsRef<Path>, sizes: &InputSizes) -> Result<Model, ModelError> {
        let path = path.as_ref();
        Model::new(file::map(path)?, Some(path.to_owned()), sizes)
    }

    /// Opens a model in memory, as [`open`](Self::open) does.
    ///
    /// # Errors
    /// Those of [`open`](Self::open). Data in other files are an error: bytes have no folder.
    pub fn from_bytes(bytes: Vec<u8>) -> Result<Model, ModelError> {
        Model::from_bytes_with(bytes, &InputSizes::default())
    }

    /// Opens a model in memory, as [`open_with`](Self::open_with) does.
    ///
    /// # Errors
    /// Those of [`open_with`](Self::open_with). Data in other files are an error: bytes have no folder.
    pub fn from_bytes_with(bytes: Vec<u8>, sizes: &InputSizes) -> Result<Model, ModelError> {
        Model::new(bytes.into(), None, sizes)
    }

    fn new(bytes: Bytes, path: Option<PathBuf>, sizes: &InputSizes) -> Result<Model, ModelError> {
        let file = path.as_ref().map_or("the model".to_owned(), |path| path.display().to_string());
        let source = bytes;
        let mut bytes = source.clone();
        let (ir_version, mut external, mut graph) = read(&bytes, path.as_deref(), &file)?;
        if let Some(folded) = fold::folded(&graph, &bytes, ir_version) {
            bytes = folded;
            (_, external, graph) = read(&bytes, path.as_deref(), &file)?;
        }
        graph.set_sizes(sizes)?;
        graph.keep_batches(counts_images);
        let inference = infer(&graph, graph.surgery_batch())?;
        let network = if graph.batch == graph.surgery_batch() {
            assemble::network(&graph, &inference)
        } else {
            assemble::network(&graph, &infer(&graph, graph.batch)?)
        };
        if network.layers.is_empty() && network.untimed.is_empty() {
            let first = inference.stopped.as_ref().or(network.frozen.first());
            let why =
                first.map_or("it has none at all".to_owned(), |f| format!("`{}` ({}) {}", f.node, f.op, f.reason));
            return Err(ModelError::NoLayers { file, why });
        }
        Ok(Model { path, source, bytes, external, graph, inference, network })
    }

    /// The network at the sizes that the model was opened with.
    pub fn network(&self) -> &Network {
        &self.network
    }

    /// Images per run: as many as the file fixes or were stated, or 1.
    pub fn batch(&self) -> usize {
        self.graph.batch
    }

    /// The shapes of the inputs in runs of `batch` images. Those of inputs with [free](Self::input_dims) dimensions are
    /// left out.
    pub fn input_sizes(&self, batch: usize) -> InputSizes {
        let shape = |(input, port): (usize, &Port)| {
            let dims = self.graph.dims_at(input, batch).into_iter().collect::<Option<Vec<usize>>>()?;
            (!self.graph.has_no_shape(input)).then(|| InputShape::named(&port.name, dims))
        };
        InputSizes::new(self.graph.inputs.iter().enumerate().filter_map(shape)).batch(batch)
    }

    /// The dims of an input in a run. `None` stands for those that are free: neither the file nor the sizes that it was
    /// opened with state them, and they are not the batch. Returns `None` if not even their number is known.
    ///
    /// # Panics
    /// If the model has no such input.
    pub fn input_dims(&self, input: usize) -> Option<Vec<Option<usize>>> {
        (!self.graph.has_no_shape(input)).then(|| self.graph.dims_at(input, self.graph.batch))
    }

    /// The value of a key of the file's metadata, if it is text.
    pub fn metadata(&self, key: &str) -> Option<&str> {
        let entry = self.graph.metadata.iter().find(|entry| entry.key == key.as_bytes())?;
        std::str::from_utf8(&entry.value).ok()
    }

    /// Returns the node that says why nothing of this file can be pruned: one that computes with quantized numbers, that
    /// ONNX Runtime's optimizer made, or that the file defines as a function. `None` if there is none.
    pub fn unprunable(&self) -> Option<&Frozen> {
        self.inference.stopped.as_ref().filter(|stopped| rules::is_of_file(&stopped.reason))
    }

    /// The model's inputs; initializers that old files list among them are left out.
    pub fn inputs(&self) -> &[Port] {
        &self.graph.inputs
    }

    /// The model's outputs.
    pub fn outputs(&self) -> &[Port] {
        &self.graph.outputs
    }

    /// Where the model was opened, if it was a file.
    pub fn path(&self) -> Option<&Path> {
        self.path.as_deref()
    }

    /// The files beside it that hold its data, in the order in which it names them, without links.
    pub fn data_files(&self) -> &[PathBuf] {
        &self.external.files
    }

    /// All bytes of the model's file and, behind it, of each of its data files: what names exactly this model.
    pub fn contents(&self) -> impl Iterator<Item = &[u8]> {
        std::iter::once(&self.source).chain(&self.external.maps).map(|bytes| &**bytes)
    }
}

/// Whether a model has the same channel groups at two batches of which one is no other number in it: what is taken for
/// the batch is then never a number of channels, and nothing is repeated because it happens to be 1.
fn counts_images(graph: &Graph) -> bool {
    let groups = |batch: usize| infer(graph, batch).map(|inference| inference.grouping.groups);
    let [first, second] = if graph.has_any_batch() { [1, UNUSUAL] } else { [graph.batch; 2] };
    let agree = matches!((groups(first), groups(second)), (Ok(first), Ok(second)) if first == second);
    agree && second > 1
}

/// Decodes a model's bytes; `file` is what errors call it. Returns its IR version, the data outside of it, and its graph.
fn read(bytes: &Bytes, path: Option<&Path>, file: &str) -> Result<(i64, External, Graph), ModelError> {
    let mut decoded = file::decode(bytes, file)?;
    let mut external = external::open(bytes, path)?;
    external.fill(&mut decoded);
    let ir_version = decoded.ir_version.unwrap_or_default();
    let graph = Graph::new(decoded, bytes.len().saturating_add(external.bytes()))?;
    Ok((ir_version, external, graph))
}

/// Every initializer, and every Constant node's value under the name of its output; also the copies of shared
/// parameters that groups have as members, which come to be when they are pruned.
///
/// Elements that the file keeps as raw bytes are borrowed from the memory map.
impl Weights for Model {
    fn get(&self, tensor: &str) -> Option<TensorView<'_>> {
        let id = self.graph.ids.get(tensor).or_else(|| self.inference.copies.get(tensor))?;
        self.graph.constants.get(&self.inference.root(*id))?.view()
    }
}
