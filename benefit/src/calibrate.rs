//! From the sum of layers to the whole model.

use crate::choice::Levels;
use crate::error::ProblemError;
use crate::problem::Problem;
use nalgebra::{DMatrix, DVector};

/// A run of the whole model at some choice of levels.
#[derive(Clone, Debug, PartialEq)]
pub struct Reading {
    /// The level of every group.
    pub levels: Levels,
    /// The whole model's latency in nanoseconds.
    pub ns: f64,
}

/// Coefficients that make a problem's prediction fit runs of the whole model.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Calibration {
    /// What costs the same at all widths, in nanoseconds.
    pub fixed_ns: f64,
    /// What a layer's cell counts for in the whole model.
    pub conv_scale: f64,
    /// What operators pay per element, in nanoseconds.
    pub ns_per_element: f64,
    /// Root mean square of (predicted - measured) / measured over the readings.
    pub residual: f64,
    /// Readings that it rests on.
    pub readings: usize,
}

/// Why a calibration is not possible.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum CalibrateError {
    /// There are no readings.
    #[error("no runs of the whole model to calibrate with; time at least the dense model")]
    NoReadings,
    /// A reading is no latency.
    #[error("reading {index} is {ns} ns; a whole model's latency must be positive and finite")]
    Reading {
        /// The reading's index.
        index: usize,
        /// Its latency in nanoseconds.
        ns: f64,
    },
}

/// How far a reading is trusted against the assumption that the layers' sum holds: readings to 1 %, each term's
/// assumed share of the latency to 100 % of the latency.
const PRIOR_WEIGHT: f64 = 0.01;

/// Fits `fixed + scale * (sum of cells) + per_element * (elements)` to runs of the whole model, by least squares of
/// the relative errors. No coefficient is negative: the best fit without negative ones is found by trying every
/// subset of the three.
///
/// # Errors
/// If there are no readings, or one is not a positive finite latency.
///
/// # Panics
/// If a reading's levels belong to a problem with other group or level counts.
///
/// One rule serves any number of readings. The fit is drawn, weakly, towards this assumption: cells count fully
/// (scale 1), and what the whole model takes beyond them goes to the operators, or to the fixed part where there
/// are no operators; where the cells alone take longer than the model, only the scale explains it. A problem that
/// knows what an element costs ([`Problem::assume_ns_per_element`], or an earlier calibration) is taken at its word, and
/// the scale explains the rest. With one reading the assumption is met exactly. More readings move away from it in
/// the directions that they tell apart, and those that they do not, as when elements and cells shrink alike, stay as assumed.
///
/// ```
/// use benefit::{Problem, Reading, calibrate};
/// let mut problem = Problem::builder();
/// let a = problem.group("a", 64).levels(&[32, 64]).value(&[-1.0, 0.0]);
/// problem.layer("conv", 3, a, |_, c_out| 10.0 * c_out as f64);
/// problem.operator("concat", a, 100.0);
/// let mut problem = problem.build()?;
/// let calibration = calibrate(&problem, &[Reading { levels: problem.dense(), ns: 960.0 }])?;
/// assert!((calibration.ns_per_element - 0.05).abs() < 1e-9);
/// problem.apply(&calibration)?;
/// assert!((problem.dense_ns() - 960.0).abs() < 1e-3);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn calibrate(problem: &Problem, readings: &[Reading]) -> Result<Calibration, CalibrateError> {
    if readings.is_empty() {
        return Err(CalibrateError::NoReadings);
    }
    if let Some((index, reading)) = readings.iter().enumerate().find(|(_, r)| !(r.ns > 0.0 && r.ns.is_finite())) {
        return Err(CalibrateError::Reading { index, ns: reading.ns });
    }
    let count = readings.len() as f64;
    let mean_ns = readings.iter().map(|reading| reading.ns).sum::<f64>() / count;
    let terms: Vec<[f64; 3]> = readings.iter().map(|reading| problem.terms(&reading.levels)).collect();
    let mean: [f64; 3] = [0, 1, 2].map(|i| terms.iter().map(|row| row[i]).sum::<f64>() / count);
    // Unknowns are shares of the mean latency, so that they are of one size.
    let unit: [f64; 3] = mean.map(|term| if term > 0.0 { mean_ns / term } else { 0.0 });
    let rest = ((mean_ns - mean[1]) / mean_ns).max(0.0);
    let cells = (mean[1] / mean_ns).min(1.0);
    let known = (problem.ns_per_element * mean[2] / mean_ns).min(1.0);
    let assumed = match (known > 0.0, mean[2] > 0.0) {
        (true, _) => [0.0, 1.0 - known, known],
        (false, true) => [0.0, cells, rest],
        (false, false) => [rest, cells, 0.0],
    };

    let rows = readings.len() + 3;
    let design = DMatrix::from_fn(rows, 3, |row, i| match readings.get(row) {
        Some(reading) => terms[row][i] * unit[i] / reading.ns,
        None => PRIOR_WEIGHT * f64::from(row - readings.len() == i),
    });
    let target = DVector::from_fn(rows, |row, _| match row.checked_sub(readings.len()) {
        None => 1.0,
        Some(i) => PRIOR_WEIGHT * assumed[i],
    });
    let shares = non_negative(&design, &target);
    let [fixed_ns, conv_scale, ns_per_element] = [0, 1, 2].map(|i| shares[i] * unit[i]);
    let error = |(row, reading): (&[f64; 3], &Reading)| {
        let predicted = fixed_ns * row[0] + conv_scale * row[1] + ns_per_element * row[2];
        ((predicted - reading.ns) / reading.ns).powi(2)
    };
    let residual = (terms.iter().zip(readings).map(error).sum::<f64>() / count).sqrt();
    Ok(Calibration { fixed_ns, conv_scale, ns_per_element, residual, readings: readings.len() })
}

/// The least-squares solution without negative entries: the best among those of all subsets of columns.
fn non_negative(design: &DMatrix<f64>, target: &DVector<f64>) -> [f64; 3] {
    let mut best = (f64::INFINITY, [0.0; 3]);
    for subset in 0..8_usize {
        let columns: Vec<usize> = (0..3).filter(|i| subset >> i & 1 == 1).collect();
        let part = design.select_columns(&columns);
        // Every column holds a row of the assumption, so the normal equations are positive definite.
        let normal = part.transpose() * &part;
        let Some(factored) = normal.cholesky() else { continue };
        let solution = factored.solve(&(part.transpose() * target));
        if solution.iter().any(|&share| share < 0.0) {
            continue;
        }
        let error = (&part * &solution - target).norm_squared();
        if error < best.0 {
            best = (error, [0.0; 3]);
            columns.iter().zip(solution.iter()).for_each(|(&i, &share)| best.1[i] = share);
        }
    }
    best.1
}

impl Problem {
    /// Takes over coefficients that fit the whole model.
    pub fn apply(&mut self, calibration: &Calibration) -> Result<(), ProblemError> {
        let before = [self.fixed_ns, self.conv_scale, self.ns_per_element];
        let Calibration { fixed_ns, conv_scale, ns_per_element, .. } = *calibration;
        [self.fixed_ns, self.conv_scale, self.ns_per_element] = [fixed_ns, conv_scale, ns_per_element];
        self.check_coefficients().inspect_err(|_| [self.fixed_ns, self.conv_scale, self.ns_per_element] = before)
    }

    /// What operators are taken to pay per element, in nanoseconds, until runs of the whole model tell.
    pub fn assume_ns_per_element(&mut self, ns: f64) -> Result<(), ProblemError> {
        let before = std::mem::replace(&mut self.ns_per_element, ns);
        self.check_coefficients().inspect_err(|_| self.ns_per_element = before)
    }

    /// What the coefficients multiply: 1, the sum of all cells in nanoseconds, the elements that operators move.
    fn terms(&self, levels: &Levels) -> [f64; 3] {
        let cells = self.cells(levels).iter().map(|used| used.cell.ns).sum();
        let levels = self.own(levels);
        let elements = self.operators.iter().map(|operator| {
            operator.elements_per_channel * operator.width.at(|group| self.width_of(levels, group)) as f64
        });
        [1.0, cells, elements.sum()]
    }
}
