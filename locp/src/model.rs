//! A model file: its network, its weights, and what names it.

use crate::Error;
use crate::report::ModelReport;
use netspec::{DType, Network};
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

/// An ONNX file that was read and understood.
pub struct Model {
    path: PathBuf,
    sha256: String,
    batch: usize,
    dtype: DType,
    network: Network,
    onnx: onnx_surgery::Model,
}

impl Model {
    /// Reads a model for runs of `batch` images; without one, of as many as the file fixes, or one.
    pub fn open(path: &Path, batch: Option<usize>) -> Result<Model, Error> {
        let onnx = onnx_surgery::Model::open(path)?;
        let network = match batch {
            Some(batch) => onnx.network_at(batch)?,
            None => onnx.network().clone(),
        };
        let batch = network.layers.first().map_or(1, |layer| layer.spec.batch);
        let dtype = network.layers.first().map_or(DType::default(), |layer| layer.spec.dtype);
        Ok(Model { path: path.to_owned(), sha256: sha256(path)?, batch, dtype, network, onnx })
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
        self.batch
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

/// SHA-256 of a file in hexadecimal, read piece by piece.
fn sha256(path: &Path) -> Result<String, Error> {
    let mut file = File::open(path).map_err(|e| Error::read(path, e))?;
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 1 << 20];
    loop {
        match file.read(&mut buffer).map_err(|e| Error::read(path, e))? {
            0 => break,
            n => hasher.update(&buffer[..n]),
        }
    }
    Ok(hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
}
