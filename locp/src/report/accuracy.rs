//! What `accuracy` reports, and what `prune` says of held-out images.

use super::{Header, Interval, ModelReport};
use crate::{Model, engine};
use serde::Serialize;
use timing::LatencySource;

/// Share of right answers.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Accuracy {
    /// Images.
    pub n: usize,
    /// Share whose label is the highest output.
    pub top1: f64,
    /// Its Wilson interval.
    pub top1_interval: Interval,
    /// Share whose label is among the five highest outputs.
    pub top5: f64,
}

/// How far a model does what the dense one does on the same images, without labels.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Agreement {
    /// Images.
    pub n: usize,
    /// Of a classifier: the dense model's highest class taken for the label, the share of images where this model has it
    /// highest, and among its five highest.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub classes: Option<Accuracy>,
    /// Output by output, in the model's order.
    pub outputs: Vec<OutputError>,
}

/// One output's distance from the dense model's.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct OutputError {
    /// The output.
    pub name: String,
    /// |y - dense| / |dense|, Euclidean norms over all images and elements.
    pub relative_error: f64,
    /// The image that differs most, by its position.
    pub worst_image: Option<usize>,
    /// The same quotient for it alone.
    pub worst_relative_error: Option<f64>,
}

/// Result of `accuracy`.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct AccuracyReport {
    /// Schema, engine, machine.
    #[serde(flatten)]
    pub header: Header,
    /// The model.
    pub model: ModelReport,
    /// The shares, where there are labels.
    #[serde(flatten)]
    pub accuracy: Option<Accuracy>,
    /// How far the model does what another one does, where one was given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub agreement: Option<Agreement>,
}

impl AccuracyReport {
    /// The accuracy of a model, and how far it does what another one does, on an engine.
    pub fn new(
        source: &dyn LatencySource,
        model: &Model,
        accuracy: Option<Accuracy>,
        agreement: Option<Agreement>,
    ) -> AccuracyReport {
        let header = engine::header(source, "locp.accuracy/1");
        AccuracyReport { header, model: model.report(), accuracy, agreement }
    }
}
