//! How far one model does what another does, without labels.

use crate::Error;
use crate::accuracy::{Tally, scores};
use crate::report::{Agreement, OutputError};
use netspec::Tensor;
use std::ops::Range;
use std::path::{Path, PathBuf};

/// The distance of two models' outputs so far.
pub(crate) struct Divergence {
    models: [PathBuf; 2],
    names: Vec<String>,
    outputs: Vec<Sums>,
    classes: Tally,
    images: usize,
}

/// Of one output.
#[derive(Clone, Default)]
struct Sums {
    error: f64,
    energy: f64,
    /// The image that differs most, relative to its own output, and by how much.
    worst: Option<(usize, f64)>,
}

impl Divergence {
    /// Of these models, whose outputs have these names.
    pub(crate) fn new(models: [&Path; 2], names: Vec<String>) -> Divergence {
        let outputs = vec![Sums::default(); names.len()];
        Divergence { models: models.map(Path::to_owned), names, outputs, classes: Tally::default(), images: 0 }
    }

    /// Adds what both models made of these images, which may be the first of a batch.
    pub(crate) fn add(
        &mut self,
        [dense, pruned]: [&[Tensor]; 2],
        images: Range<usize>,
        batch: usize,
    ) -> Result<(), Error> {
        if dense.len() != pruned.len() {
            return Err(self.apart(format!("{} outputs and {}", dense.len(), pruned.len())));
        }
        for (place, (dense, pruned)) in dense.iter().zip(pruned).enumerate() {
            if dense.shape != pruned.shape {
                let name = self.names.get(place).map_or("an output", String::as_str);
                return Err(self.apart(format!("`{name}` of shape {:?} and {:?}", dense.shape, pruned.shape)));
            }
            let unreadable = |_| self.apart("an output of 16-bit numbers, which are not compared".to_owned());
            let (before, after) = (dense.to_f32().map_err(unreadable)?, pruned.to_f32().map_err(unreadable)?);
            // An output whose first axis is not the images is looked at as a whole.
            let each = if dense.shape.first() == Some(&batch) { before.len() / batch } else { before.len() };
            let Some(sums) = self.outputs.get_mut(place) else { continue };
            for (image, (before, after)) in
                images.clone().zip(before.chunks(each.max(1)).zip(after.chunks(each.max(1))))
            {
                sums.add(image, before, after);
            }
        }
        if let (Some(before), Some(after)) = (scores(dense), scores(pruned)) {
            let answers: Vec<usize> = before.iter().take(images.len()).map(|scores| highest(scores)).collect();
            self.classes.add(&after, &answers, images.start)?;
        }
        self.images += images.len();
        Ok(())
    }

    pub(crate) fn agreement(&self) -> Agreement {
        let classes = self.classes.accuracy();
        let outputs = self.names.iter().zip(&self.outputs).map(|(name, sums)| OutputError {
            name: name.clone(),
            relative_error: relative(sums.error, sums.energy),
            worst_image: sums.worst.map(|(image, _)| image),
            worst_relative_error: sums.worst.map(|(_, error)| error),
        });
        Agreement { n: self.images, classes: (classes.n == self.images).then_some(classes), outputs: outputs.collect() }
    }

    fn apart(&self, what: String) -> Error {
        let [dense, pruned] = self.models.clone();
        Error::Incomparable { dense, pruned, what }
    }
}

impl Sums {
    fn add(&mut self, image: usize, before: &[f32], after: &[f32]) {
        let square = |x: f64| x * x;
        let error: f64 = before.iter().zip(after).map(|(&a, &b)| square(f64::from(a) - f64::from(b))).sum();
        let energy: f64 = before.iter().map(|&a| square(f64::from(a))).sum();
        self.error += error;
        self.energy += energy;
        let own = relative(error, energy);
        // What is no number is the worst there is, and the first of several stays.
        if self.worst.is_none_or(|(_, worst)| own > worst || own.is_nan() && !worst.is_nan()) {
            self.worst = Some((image, own));
        }
    }
}

/// The root of the ratio; 0 where both are, so that nothing is no error.
fn relative(error: f64, energy: f64) -> f64 {
    if error == 0.0 { 0.0 } else { (error / energy).sqrt() }
}

/// The class of the highest score, the first of equal ones.
fn highest(scores: &[f32]) -> usize {
    let best = scores
        .iter()
        .enumerate()
        .fold((0, f32::NEG_INFINITY), |best, (class, &score)| if score > best.1 { (class, score) } else { best });
    best.0
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
mod tests {
    use super::*;
    use netspec::TensorView;

    fn tensor(shape: &[usize], values: &[f32]) -> Tensor {
        TensorView::from_f32(shape.to_vec(), values).unwrap()
    }

    fn divergence(names: &[&str]) -> Divergence {
        Divergence::new([Path::new("dense.onnx"), Path::new("pruned.onnx")], names.iter().map(|&n| n.into()).collect())
    }

    #[test]
    fn repeated_images_do_not_count_and_the_worst_is_named() {
        let mut sums = divergence(&["scores"]);
        let dense = [tensor(&[2, 2], &[3.0, 4.0, 1.0, 0.0])];
        sums.add([&dense, &[tensor(&[2, 2], &[4.0, 3.0, 1.0, 0.0])]], 0..2, 2).unwrap();
        // The second row repeats an image that was seen: however wrong it is, it changes nothing.
        sums.add([&dense, &[tensor(&[2, 2], &[3.0, 4.0, 0.0, 9.0])]], 2..3, 2).unwrap();
        let found = sums.agreement();
        let classes = found.classes.unwrap();
        assert_eq!((found.n, classes.n), (3, 3));
        assert!((classes.top1 - 2.0 / 3.0).abs() < 1e-12);
        assert!((found.outputs[0].relative_error - (2.0f64 / 51.0).sqrt()).abs() < 1e-12);
        assert_eq!(found.outputs[0].worst_image, Some(0));
        assert!((found.outputs[0].worst_relative_error.unwrap() - (2.0f64 / 25.0).sqrt()).abs() < 1e-12);
    }

    #[test]
    fn outputs_that_are_no_classes_have_an_error_alone() {
        let mut sums = divergence(&["map"]);
        let map = tensor(&[1, 2, 2, 1], &[1.0, 2.0, 3.0, 4.0]);
        sums.add([std::slice::from_ref(&map), std::slice::from_ref(&map)], 0..1, 1).unwrap();
        let found = sums.agreement();
        assert_eq!((found.classes, found.outputs[0].relative_error), (None, 0.0));
        let other = tensor(&[1, 4], &[1.0; 4]);
        let error = sums.add([&[map], &[other]], 1..2, 1).unwrap_err().to_string();
        assert!(error.contains("`map` of shape [1, 2, 2, 1] and [1, 4]"), "{error}");
    }

    #[test]
    fn what_is_no_number_agrees_with_nothing() {
        let mut sums = divergence(&["scores"]);
        let dense = [tensor(&[1, 2], &[3.0, 4.0])];
        sums.add([&dense, &[tensor(&[1, 2], &[f32::NAN, f32::NAN])]], 0..1, 1).unwrap();
        let found = sums.agreement();
        assert_eq!(found.classes.unwrap().top1, 0.0);
        assert!(found.outputs[0].relative_error.is_nan() && found.outputs[0].worst_image == Some(0));
    }
}
