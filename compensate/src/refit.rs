//! The weights of what remains.

use crate::error::check;
use crate::moments::{About, Center};
use crate::solve::factored;
use crate::{CompensateError, Moments};
use nalgebra::DMatrix;

/// A layer's new weights.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Refit {
    /// Targets x inputs, row after row.
    pub weights: Vec<f64>,
    /// What the layer's bias should be, per target; 0 without one.
    pub shift: Vec<f64>,
    /// The share of the targets' energy (their variance, if there is a bias) that the old weights miss, with the best bias.
    pub lost_before: f64,
    /// The share that the new weights miss, with theirs.
    pub lost_after: f64,
}

/// Whether a layer has a bias that may change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bias {
    /// It has one, which absorbs the means.
    Free,
    /// It has none, or one that stays: the targets are without it.
    Kept,
}

/// Weights and biases that bring a layer's outputs close to their targets.
///
/// They minimize `E |W x + b - y|^2 + r |W - old|^2` over the rows that the moments saw: a ridge regression toward the old
/// weights, `old` being targets x inputs, row after row. `r` is `ridge` times the mean variance of the inputs; where
/// there are fewer rows than inputs it is what decides in the directions that no row has. The bias absorbs the means, or `b` is 0.
/// (Channel pruning with least-squares reconstruction: He, Zhang, Sun, "Channel pruning for accelerating very deep neural
/// networks", 2017; Hoerl and Kennard, "Ridge regression", 1970.)
///
/// # Errors
/// No rows, weights of the wrong length, numbers that are not finite.
pub fn refit(moments: &Moments, old: &[f64], ridge: f64, bias: Bias) -> Result<Refit, CompensateError> {
    let (inputs, targets) = (moments.inputs(), moments.targets());
    check("the old weights", old, inputs * targets)?;
    if moments.rows() == 0 {
        return Err(CompensateError::Empty);
    }
    let center = if bias == Bias::Free { Center::Mean } else { Center::Zero };
    let About { mean_x, mean_y, xx, xy, yy } = moments.about(center);
    let old_t = DMatrix::from_column_slice(inputs, targets, old);
    let (factor, ridge) = factored(&xx, ridge)?;
    let new_t = factor.solve(&(&xy + &old_t * ridge));
    check("the fit", new_t.as_slice(), inputs * targets)?;
    let variance = yy.sum();
    let lost = |weights_t: &DMatrix<f64>| {
        let explained = weights_t.component_mul(&(&xy * 2.0 - &xx * weights_t)).sum();
        if variance > 0.0 { ((variance - explained) / variance).max(0.0) } else { 0.0 }
    };
    let shift = if bias == Bias::Free { mean_y - new_t.tr_mul(&mean_x) } else { mean_y * 0.0 };
    let (lost_before, lost_after) = (lost(&old_t), lost(&new_t));
    Ok(Refit { weights: new_t.as_slice().to_vec(), shift: shift.as_slice().to_vec(), lost_before, lost_after })
}
