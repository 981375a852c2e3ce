//! Images without labels: what they say of channels, and what they repair.

mod branch;
mod curves;
mod damage;
mod front;
mod layers;
mod repair;
mod taps;
mod windows;

pub use curves::write_damage;
pub use damage::Damage;
pub use repair::{LayerRepair, Repair, Skipped, repair};

use crate::files::resolved;
use crate::images::Images;
use crate::model::Model;
use crate::preprocess::Preprocess;
use crate::{Error, Parameter, Watch, sizes};
use std::path::{Path, PathBuf};
use timing::ModelBackend;

/// Images for calibration, without labels, and how they are used.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Calib {
    path: PathBuf,
    images: Images,
    /// How strongly new weights are held to the old ones, relative to the mean variance of a layer's inputs.
    pub ridge: f64,
    /// How often each image is run through the dense and the pruned network, about: each layer is fitted on what the
    /// layers before it have become, so that in a network of more layers each is fitted on fewer images.
    pub effort: usize,
    /// Images on which whole networks are compared.
    pub compared: usize,
    /// Which pixels are looked at.
    pub seed: u64,
}

impl Calib {
    /// Reads a `.npy` array of N x channels x height x width, prepared as the model takes them, or a folder of pictures to
    /// be prepared as said, or an array for each of several inputs as [`Images::open`] does, and checks that they fit.
    pub fn read(path: &Path, model: &Model, how: Option<&Preprocess>) -> Result<Calib, Error> {
        sizes::check(model)?;
        let images = Images::open(path, model, how)?;
        Ok(Calib { path: path.to_owned(), images, ridge: 1e-3, effort: 16, compared: 64, seed: 0 })
    }

    /// Another seed.
    pub fn seed(self, seed: u64) -> Calib {
        Calib { seed, ..self }
    }

    /// Images there are.
    pub fn len(&self) -> usize {
        self.images.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.images.is_empty()
    }

    /// The file they are from.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// What runs the network, on which images, and who watches.
#[derive(Clone, Copy)]
pub(crate) struct Setting<'a> {
    pub(crate) models: &'a dyn ModelBackend,
    pub(crate) calib: &'a Calib,
    pub(crate) watch: &'a Watch<'a>,
}

impl Setting<'_> {
    /// An error where somebody asked to stop.
    fn check(&self) -> Result<(), Error> {
        if self.watch.cancel.is_raised() { Err(Error::Interrupted) } else { Ok(()) }
    }
}

/// An error where the images that are to show accuracy are those that calibrate.
pub fn check_apart(calib: &Path, images: &Path) -> Result<(), Error> {
    let same = calib == images || resolved(calib).is_some_and(|path| resolved(images) == Some(path));
    if !same {
        return Ok(());
    }
    Err(Error::Contradiction {
        first: format!("the calibration images {}", calib.display()),
        second: format!("the images {}", images.display()),
        why: "accuracy on the images that calibrated says nothing of others".to_owned(),
        parameters: vec![Parameter::Calib, Parameter::Images],
    })
}
