//! `accuracy`: the share of right answers, with an interval that says how sure one may be.

use crate::images::Images;
use crate::report::Accuracy;
use crate::{Error, Watch};
use netspec::Tensor;
use std::path::Path;
use timing::{ModelBackend, ModelRun};

/// Runs all images through the model and counts right answers.
///
/// `labels` are class indices, one per image. Images whose label is past the model's outputs are an error,
/// not a wrong answer.
pub fn accuracy(
    models: &dyn ModelBackend,
    onnx: &Path,
    images: &Images,
    labels: &[usize],
    watch: &Watch<'_>,
) -> Result<Accuracy, Error> {
    if images.len() != labels.len() {
        return Err(Error::Count { images: images.len(), labels: labels.len() });
    }
    let mut run = models.load(onnx, 1)?;
    watch.progress.begin("accuracy", Some(images.len() as u64));
    let mut hits = [0usize; 2];
    for (i, &label) in labels.iter().enumerate() {
        if watch.cancel.is_raised() {
            return Err(Error::Interrupted);
        }
        let scores = scores(run.as_mut(), images.batch(i, 1), onnx)?;
        let Some(&own) = scores.get(label) else {
            return Err(Error::Label { index: i, label, classes: scores.len() });
        };
        // Ties count against the model: a network that answers the same everywhere knows nothing.
        let rank = scores.iter().enumerate().filter(|&(class, &s)| class != label && (s >= own || s.is_nan())).count();
        hits[0] += usize::from(rank == 0);
        hits[1] += usize::from(rank < 5);
        watch.progress.advance(1);
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

fn scores(run: &mut dyn ModelRun, image: Tensor, onnx: &Path) -> Result<Vec<f32>, Error> {
    let outputs = run.infer(&[image])?;
    let output = outputs.first().ok_or_else(|| Error::Output { path: onnx.to_owned() })?;
    output.to_f32().map_err(|_| Error::Output { path: onnx.to_owned() })
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
