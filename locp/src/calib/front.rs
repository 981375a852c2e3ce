//! How far images have been run: what is before that need not be run again.

use super::Setting;
use super::taps::{Taps, batches};
use crate::Error;
use netspec::Tensor;
use onnx_surgery::Model;
use std::ops::Range;

/// Bytes of a tensor that are held for all images at most; where it takes more, they are run from the start.
const MOST: usize = 768 << 20;

/// Some images, or what a network has made of them by one of its tensors.
///
/// Behind a tensor from which alone all else is computed, layers can be looked at, or changed, without running what is
/// before it.
#[derive(Default)]
pub(super) struct Front {
    images: Range<usize>,
    /// Nothing where the images are at the model's input.
    at: Option<At>,
}

struct At {
    tensor: String,
    /// Batch after batch, and how many of the images of each are no repetitions.
    batches: Vec<(Tensor, usize)>,
}

impl Front {
    /// Brings these images to the last tensor of a model from which all of `tensors` can be computed.
    ///
    /// Images that are on the way there go on from where they are, so that the model up to there must be what it was.
    pub(super) fn reach(
        &mut self,
        setting: &Setting<'_>,
        model: &Model,
        images: Range<usize>,
        tensors: &[&str],
    ) -> Result<(), Error> {
        let cut = model.cut(tensors);
        let place = self.at.as_ref().map(|at| at.tensor.as_str());
        let is_before = place.is_none_or(|place| cut.is_some_and(|cut| model.cut(&[place, cut]) == Some(place)));
        if self.images != images || !is_before {
            *self = Front { images, at: None };
        }
        let Some(cut) = cut.filter(|cut| self.at.as_ref().is_none_or(|at| at.tensor != *cut)) else { return Ok(()) };
        let mut reached: Vec<(Tensor, usize)> = Vec::new();
        let mut bytes = 0;
        self.each(setting, model, &[cut], |mut tensors, own| {
            let tensor = tensors.swap_remove(0);
            bytes += tensor.bytes.len();
            if bytes > MOST {
                reached.clear();
            } else {
                reached.push((tensor, own));
            }
            Ok(bytes <= MOST)
        })?;
        self.at = (bytes <= MOST).then(|| At { tensor: cut.to_owned(), batches: reached });
        Ok(())
    }

    /// Runs a model from where the images are, and calls `each` with the values of `tensors` for batch after batch, and how
    /// many of its images are no repetitions.
    pub(super) fn run(
        &self,
        setting: &Setting<'_>,
        model: &Model,
        tensors: &[&str],
        mut each: impl FnMut(Vec<Vec<f32>>, usize) -> Result<(), Error>,
    ) -> Result<(), Error> {
        self.each(setting, model, tensors, |tensors, own| {
            each(tensors.iter().map(|tensor| tensor.to_f32().unwrap_or_default()).collect(), own)?;
            Ok(true)
        })
    }

    /// The same with the tensors themselves, for as long as `each` wants more.
    fn each(
        &self,
        setting: &Setting<'_>,
        model: &Model,
        tensors: &[&str],
        mut each: impl FnMut(Vec<Tensor>, usize) -> Result<bool, Error>,
    ) -> Result<(), Error> {
        let Some(At { tensor, batches: held }) = &self.at else {
            let mut taps = Taps::new(setting, model, tensors)?;
            return batches(setting, model, self.images.clone(), |images, own| each(taps.run(images)?, own));
        };
        let Some((first, _)) = held.first() else { return Ok(()) };
        let mut taps = Taps::from(setting, model, (tensor, &first.shape), tensors)?;
        for (tensor, own) in held {
            setting.check()?;
            if !each(taps.run(std::slice::from_ref(tensor))?, *own)? {
                break;
            }
        }
        Ok(())
    }
}
