//! Which images each layer is fitted on.

use super::Calib;
use std::ops::Range;

/// Images that a layer is fitted on at least, if there are so many.
const FEWEST: usize = 64;

/// The images that layers are fitted on, of which not all are run for each layer of a deep network.
///
/// Where a layer is fitted on the images of the one before, those go on from where they are; other images are run from the
/// start. So they change a few times only, between stretches: these end at tensors from which all else is computed, and
/// layers of one stretch are fitted on the same images.
#[derive(Default)]
pub(super) struct Windows {
    /// Where the stretch begins.
    cut: Option<String>,
    /// The first of its images.
    first: usize,
}

impl Windows {
    /// The images for the n-th of so many layers, which reads these tensors: as many as the effort allows.
    pub(super) fn images(
        &mut self,
        model: &onnx_surgery::Model,
        tensors: &[&str],
        calib: &Calib,
        [nth, layers]: [usize; 2],
    ) -> Range<usize> {
        let (all, layers) = (calib.len(), layers.max(1));
        let count = (all * calib.effort / layers).max(FEWEST).min(all);
        let cut = model.cut(tensors);
        if self.cut.as_deref() != cut {
            let windows = all.div_ceil(count.max(1));
            self.first = (nth * windows / layers * count).min(all - count);
            self.cut = cut.map(str::to_owned);
        }
        self.first..self.first + count
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
mod tests {
    use super::*;
    use crate::Model;
    use std::path::Path;

    #[test]
    fn images_change_a_few_times_and_all_are_used() {
        let models = Path::new(env!("CARGO_MANIFEST_DIR")).join("../models");
        let model = Model::open(&models.join("fashion-resnet20.onnx"), Some(8)).unwrap();
        let mut calib = Calib::read(&models.join("calib_images.npy"), &model, None).unwrap();
        calib.effort = 5;
        let wirings = model.onnx().wirings();
        let inputs: Vec<&str> = wirings.iter().flatten().map(|wiring| wiring.input.as_str()).collect();
        let (mut windows, layers) = (Windows::default(), inputs.len());
        let images: Vec<Range<usize>> =
            (0..layers).map(|nth| windows.images(model.onnx(), &inputs[nth..=nth], &calib, [nth, layers])).collect();
        let count = calib.len() * calib.effort / layers;
        assert!(images.iter().all(|images| images.len() == count));
        let changes: Vec<_> = images.windows(2).filter(|pair| pair[0] != pair[1]).collect();
        assert_eq!(changes.len(), calib.len().div_ceil(count) - 1);
        assert!(changes.iter().all(|pair| pair[0].start < pair[1].start && pair[1].start <= pair[0].end));
        assert_eq!((images[0].start, images[layers - 1].end), (0, calib.len()));
        calib.effort = layers;
        assert_eq!(Windows::default().images(model.onnx(), &inputs[..1], &calib, [0, layers]), 0..calib.len());
    }
}
