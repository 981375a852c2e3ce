//! From the scores of a group's weights to its curve.

use crate::value::{ValueCurve, ValueError};
use std::fmt;

/// What a channel's score is relative to.
///
/// # Per layer
/// Every weight's scores are divided by their sum, and s, the share that is removed, is the mean over the weights.
/// The value is -n (s / (1 - s))^2, n being the number of weights that read the group (at least 1). The reasons:
/// - Behind a ReLU channels are positive, so what is missing adds up coherently in every consumer: the error's
///   *amplitude* grows with s, its energy with s^2, against the energy of what survives.
/// - With a value linear in s, the optimum empties the layers that save most time and leaves the others alone.
///   Magnitudes know too little for that: at equal cost such plans were measured to be worse than uniform ones.
///   This value is flat at 0 and steep near 1, so that plans stay near uniform and deviate where it pays well.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Scope {
    /// Nothing: layers with large scores count for more. The value is minus the sum of the removed scores.
    Raw,
    /// Each weight's own sum, so that every layer counts the same. The value grows faster than the removed share.
    #[default]
    PerLayer,
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Scope::Raw => "raw",
            Scope::PerLayer => "per layer",
        })
    }
}

impl Scope {
    /// Adds one weight's scores to its group's.
    pub(crate) fn add(self, scores: &mut [f64], own: &[f64]) {
        let sum: f64 = own.iter().sum();
        let unit = match self {
            Scope::Raw => 1.0,
            Scope::PerLayer if sum > 0.0 => sum,
            // An all-zero weight says nothing about which channel matters.
            Scope::PerLayer => f64::INFINITY,
        };
        scores.iter_mut().zip(own).for_each(|(score, own)| *score += own / unit);
    }

    /// The curve of a group that `readers` weights read.
    pub(crate) fn curve(self, mut scores: Vec<f64>, readers: usize) -> Result<ValueCurve, ValueError> {
        if self == Scope::Raw {
            return ValueCurve::from_scores(&scores);
        }
        if scores.iter().all(|&score| score == 0.0) {
            scores.fill(1.0);
        }
        let weight = readers.max(1) as f64;
        ValueCurve::shaped(&scores, |lost, total| {
            let share = (lost / total).min(1.0);
            // All of a group gone is worse than anything else, and still finite.
            -weight * (share / (1.0 - share).max(1e-6)).powi(2)
        })
    }
}
