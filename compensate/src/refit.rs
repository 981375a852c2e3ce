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
    /// The share that the new weights miss, with theirs; from [`refit_held_out`], of rows that they were not fitted to.
    pub lost_after: f64,
    /// The ridge that was taken, relative to the mean variance of the inputs.
    pub ridge: f64,
}

/// How often the ridge is raised tenfold in search of a better one.
const RAISES: usize = 5;

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
    let normal = Normal::new(moments, old, bias)?;
    let (new_t, absolute) = normal.solve(ridge)?;
    let Normal { about: About { mean_x, mean_y, xy, yy, .. }, old_t } = &normal;
    // What is solved says xx new = xy + r (old - new), so that the large product need not be taken once more.
    let product = xy + (old_t - &new_t) * absolute;
    let lost_after = missed(&product, xy, yy.sum(), &new_t);
    let shift = if bias == Bias::Free { mean_y - new_t.tr_mul(mean_x) } else { mean_y * 0.0 };
    let (weights, shift) = (new_t.as_slice().to_vec(), shift.as_slice().to_vec());
    Ok(Refit { weights, shift, lost_before: normal.about.missed(old_t), lost_after, ridge })
}

/// The normal equations of a layer's fit, before the ridge.
struct Normal {
    about: About,
    /// Inputs x targets.
    old_t: DMatrix<f64>,
}

impl Normal {
    fn new(moments: &Moments, old: &[f64], bias: Bias) -> Result<Normal, CompensateError> {
        let (inputs, targets) = (moments.inputs(), moments.targets());
        check("the old weights", old, inputs * targets)?;
        if moments.rows() == 0 {
            return Err(CompensateError::Empty);
        }
        let old_t = DMatrix::from_column_slice(inputs, targets, old);
        Ok(Normal { about: moments.about(bias.center()), old_t })
    }

    /// The weights (inputs x targets) with this ridge, and that in absolute terms.
    fn solve(&self, ridge: f64) -> Result<(DMatrix<f64>, f64), CompensateError> {
        let (factor, absolute) = factored(&self.about.xx, ridge)?;
        let new_t = factor.solve(&(&self.about.xy + &self.old_t * absolute));
        check("the fit", new_t.as_slice(), self.old_t.len())?;
        Ok((new_t, absolute))
    }
}

impl Bias {
    fn center(self) -> Center {
        if self == Bias::Free { Center::Mean } else { Center::Zero }
    }
}

impl About {
    /// The share of the targets' energy that weights (inputs x targets) miss.
    fn missed(&self, weights_t: &DMatrix<f64>) -> f64 {
        missed(&(&self.xx * weights_t), &self.xy, self.yy.sum(), weights_t)
    }
}

/// The same on all rows, with the ridge with which weights fitted to the rows of `moments` miss least of those of
/// `held_out`: the one that is asked for, or ten times as much, as long as that misses less.
///
/// A layer that gives few rows to an image (a fully connected one gives one) would else be fitted to their noise. Rows of
/// one image belong to one side, so that the two are independent. Without rows to hold out, or to fit, the ridge is at
/// least the number of inputs for each row.
///
/// # Errors
/// As [`refit`]; also where the two have other inputs or targets.
pub fn refit_held_out(
    moments: &Moments,
    held_out: &Moments,
    old: &[f64],
    ridge: f64,
    bias: Bias,
) -> Result<Refit, CompensateError> {
    let all = moments.merged(held_out)?;
    if moments.rows() == 0 || held_out.rows() == 0 {
        return refit(&all, old, ridge.max(all.inputs() as f64 / all.rows().max(1) as f64), bias);
    }
    let (fitted, held_out) = (Normal::new(moments, old, bias)?, held_out.about(bias.center()));
    let mut best: Option<(f64, f64)> = None;
    for raised in 0..RAISES {
        let ridge = ridge * 10f64.powi(raised as i32);
        let lost = held_out.missed(&fitted.solve(ridge)?.0);
        if best.is_some_and(|(_, least)| lost >= least) {
            break;
        }
        best = Some((ridge, lost));
    }
    drop((fitted, held_out));
    let (ridge, lost_after) = best.expect("the first ridge is better than none");
    Ok(Refit { lost_after, ..refit(&all, old, ridge, bias)? })
}

/// The share of the targets' energy that weights miss, of which this is the product with the inputs' moments; both are
/// inputs x targets.
fn missed(product: &DMatrix<f64>, xy: &DMatrix<f64>, energy: f64, weights_t: &DMatrix<f64>) -> f64 {
    let explained = weights_t.component_mul(&(xy * 2.0 - product)).sum();
    if energy > 0.0 { ((energy - explained) / energy).max(0.0) } else { 0.0 }
}
