//! Symmetric systems with a ridge.

use crate::CompensateError;
use crate::factor::Factor;
use nalgebra::DMatrix;

/// How often the ridge is raised tenfold where a matrix cannot be factored.
const RAISES: usize = 12;

/// What the ridge is relative to: the mean variance of the inputs, or 1 where all of them are constant.
pub(crate) fn scale(xx: &DMatrix<f64>) -> f64 {
    let mean = xx.trace() / xx.nrows().max(1) as f64;
    if mean > 0.0 && mean.is_finite() { mean } else { 1.0 }
}

/// The factored matrix with `ridge`, relative to its mean variance, on its diagonal, and the ridge in absolute terms:
/// higher than asked for where the matrix would not be positive definite.
pub(crate) fn factored(xx: &DMatrix<f64>, ridge: f64) -> Result<(Factor, f64), CompensateError> {
    let mut ridge = ridge.max(f64::EPSILON) * scale(xx);
    for _ in 0..RAISES {
        let mut with = xx.clone();
        (0..with.nrows()).for_each(|i| with[(i, i)] += ridge);
        if let Some(factor) = Factor::new(with) {
            return Ok((factor, ridge));
        }
        ridge *= 10.0;
    }
    Err(CompensateError::Singular { features: xx.nrows() })
}
