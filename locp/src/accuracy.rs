//! `accuracy`: the share of right answers, with an interval that says how sure one may be.

use crate::images::Images;
use crate::report::Accuracy;
use crate::{Error, Watch};
use netspec::Tensor;
use std::ops::Range;
use std::path::Path;
use timing::ModelBackend;

/// Runs all images through the model, `batch` at a time, and counts right answers.
///
/// `labels` are class indices, one per image. A label past the model's outputs is an error, not a wrong answer.
pub fn accuracy(
    models: &dyn ModelBackend,
    onnx: &Path,
    batch: usize,
    images: &Images,
    labels: &[usize],
    watch: &Watch<'_>,
) -> Result<Accuracy, Error> {
    if images.len() != labels.len() {
        return Err(Error::Count { images: images.len(), labels: labels.len() });
    }
    let mut run = models.load(onnx, &images.sizes(batch.max(1)))?;
    watch.progress.begin("accuracy", Some(images.len() as u64));
    let mut tally = Tally::default();
    for block in blocks(images, batch, watch) {
        let block = block?;
        let scores = scores(&run.infer(&block.inputs)?);
        tally.add(&scores.ok_or_else(|| no_scores(onnx))?, &labels[block.images.clone()], block.images.start)?;
        watch.progress.advance(block.images.len() as u64);
    }
    watch.progress.end("");
    Ok(tally.accuracy())
}

/// A batch of images for each of a model's inputs, the last one repeated if there are no more, and which of all images it
/// is.
pub(crate) struct Block {
    pub(crate) inputs: Vec<Tensor>,
    pub(crate) images: Range<usize>,
}

/// Batch after batch of the images, until somebody asks to stop.
pub(crate) fn blocks<'a>(
    images: &'a Images,
    batch: usize,
    watch: &'a Watch<'_>,
) -> impl Iterator<Item = Result<Block, Error>> + 'a {
    let batch = batch.max(1);
    (0..images.len()).step_by(batch).map(move |first| {
        if watch.cancel.is_raised() {
            return Err(Error::Interrupted);
        }
        Ok(Block { inputs: images.batch(first, batch), images: first..images.len().min(first + batch) })
    })
}

/// Right answers so far.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tally {
    hits: [usize; 2],
    images: usize,
}

impl Tally {
    /// Counts images whose answers should be these labels; `first` is the position of the first of them.
    ///
    /// Ties and what is no number count against the model: one that answers the same everywhere knows nothing.
    pub(crate) fn add(&mut self, scores: &[Vec<f32>], labels: &[usize], first: usize) -> Result<(), Error> {
        for (i, (&label, scores)) in labels.iter().zip(scores).enumerate() {
            let Some(&own) = scores.get(label) else {
                return Err(Error::Label { index: first + i, label, classes: scores.len() });
            };
            let rank = scores.iter().enumerate().filter(|&(class, &s)| class != label && !is_below(s, own)).count();
            self.hits[0] += usize::from(rank == 0);
            self.hits[1] += usize::from(rank < 5);
            self.images += 1;
        }
        Ok(())
    }

    pub(crate) fn accuracy(&self) -> Accuracy {
        let (n, share) = (self.images, |hits: usize| hits as f64 / self.images.max(1) as f64);
        let [top1, top5] = self.hits.map(share);
        Accuracy { n, top1, top1_interval: wilson(self.hits[0], n), top5 }
    }
}

/// False also where one of them is no number.
fn is_below(a: f32, b: f32) -> bool {
    a < b
}

pub(crate) fn no_scores(onnx: &Path) -> Error {
    Error::Output { path: onnx.to_owned() }
}

/// The scores of each image: a model's first output, if its shape is N x classes (x 1 x 1).
pub(crate) fn scores(outputs: &[Tensor]) -> Option<Vec<Vec<f32>>> {
    let output = outputs.first()?;
    match output.shape.as_slice() {
        [_, classes, rest @ ..] if *classes > 0 && rest.iter().all(|&d| d == 1) => {
            Some(output.to_f32().ok()?.chunks(*classes).map(<[f32]>::to_vec).collect())
        }
        _ => None,
    }
}

/// Wilson's score interval of a share at 95 % (Wilson, "Probable inference, the law of succession, and
/// statistical inference", JASA 1927): it stays within [0, 1] and holds near both ends.
pub fn wilson(hits: usize, n: usize) -> [f64; 2] {
    const Z: f64 = 1.959_963_984_540_054;
    if n == 0 {
        return [0.0, 1.0];
    }
    let (n, p) = (n as f64, hits as f64 / n as f64);
    let center = p + Z * Z / (2.0 * n);
    let spread = Z * (p * (1.0 - p) / n + Z * Z / (4.0 * n * n)).sqrt();
    let scale = 1.0 + Z * Z / n;
    [((center - spread) / scale).max(0.0), ((center + spread) / scale).min(1.0)]
}

#[cfg(test)]
mod tests {
    use super::wilson;

    #[test]
    fn wilson_matches_its_closed_form() {
        // n = 10, all right: upper end 1, lower end n / (n + z^2) = 10 / 13.8415.
        let [low, high] = wilson(10, 10);
        assert!((low - 10.0 / 13.841_458_820_694_124).abs() < 1e-9 && (high - 1.0).abs() < 1e-12, "{low} {high}");
        // Half right: symmetric about a half.
        let [low, high] = wilson(50, 100);
        assert!((low + high - 1.0).abs() < 1e-12 && low > 0.40 && low < 0.41, "{low} {high}");
        assert_eq!(wilson(0, 0), [0.0, 1.0]);
    }
}
