//! `accuracy`: the share of right answers, with an interval that says how sure one may be.

use crate::images::Images;
use crate::report::Accuracy;
use crate::{Error, Watch};
use netspec::Tensor;
use std::path::Path;
use timing::{ModelBackend, ModelRun};

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
    let batch = batch.max(1);
    let mut run = models.load(onnx, batch)?;
    watch.progress.begin("accuracy", Some(images.len() as u64));
    let mut hits = [0usize; 2];
    for (block, labels) in labels.chunks(batch).enumerate() {
        if watch.cancel.is_raised() {
            return Err(Error::Interrupted);
        }
        let first = block * batch;
        let scores = scores(run.as_mut(), images.batch(first, batch), onnx)?;
        for (i, (&label, scores)) in labels.iter().zip(&scores).enumerate() {
            let Some(&own) = scores.get(label) else {
                return Err(Error::Label { index: first + i, label, classes: scores.len() });
            };
            // Ties and what is no number count against the model: one that answers the same everywhere knows nothing.
            let rank = scores.iter().enumerate().filter(|&(class, &s)| class != label && !is_below(s, own)).count();
            hits[0] += usize::from(rank == 0);
            hits[1] += usize::from(rank < 5);
        }
        watch.progress.advance(labels.len() as u64);
    }
    watch.progress.end("");
    let n = labels.len();
    Ok(Accuracy {
        n,
        top1: hits[0] as f64 / n as f64,
        top1_interval: wilson(hits[0], n),
        top5: hits[1] as f64 / n as f64,
    })
}

/// False also where one of them is no number.
fn is_below(a: f32, b: f32) -> bool {
    a < b
}

/// The scores of each image: the model's first output, of shape N x classes (x 1 x 1).
fn scores(run: &mut dyn ModelRun, images: Tensor, onnx: &Path) -> Result<Vec<Vec<f32>>, Error> {
    let outputs = run.infer(&[images])?;
    let no_scores = || Error::Output { path: onnx.to_owned() };
    let output = outputs.first().ok_or_else(no_scores)?;
    let scores = output.to_f32().map_err(|_| no_scores())?;
    match output.shape.as_slice() {
        [_, classes, rest @ ..] if *classes > 0 && rest.iter().all(|&d| d == 1) => {
            Ok(scores.chunks(*classes).map(<[f32]>::to_vec).collect())
        }
        _ => Err(no_scores()),
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
