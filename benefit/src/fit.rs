//! From the sum of layers to the whole model.

use crate::choice::Levels;
use crate::error::ProblemError;
use crate::loading::{capacities, loaded};
use crate::problem::{Problem, Reformat};
use nalgebra::{DMatrix, DVector};

/// A run of the whole model at some choice of levels.
#[derive(Clone, Debug, PartialEq)]
pub struct Reading {
    /// The level of every group.
    pub levels: Levels,
    /// The whole model's latency in nanoseconds.
    pub ns: f64,
}

/// What is assumed where readings do not tell.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Assumptions {
    /// The most that an operator pays for an element, in nanoseconds; without a limit by default.
    pub most_ns_per_element: f64,
    /// The latency, in nanoseconds, around which the fit has to be best; readings far from it count less. `None` counts
    /// all of them alike.
    pub near_ns: Option<f64>,
}

impl Default for Assumptions {
    fn default() -> Assumptions {
        Assumptions { most_ns_per_element: f64::INFINITY, near_ns: None }
    }
}

/// A fitted number with its standard error.
#[derive(Clone, Copy, Debug, PartialEq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Coefficient {
    /// The number.
    pub value: f64,
    /// Its standard error.
    pub error: f64,
}

impl Coefficient {
    /// Whether the number differs from 0 by more than two standard errors.
    pub fn is_significant(&self) -> bool {
        self.value.abs() > 2.0 * self.error
    }
}

/// Coefficients that make a problem's prediction fit runs of the whole model.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct LatencyFit {
    /// What costs the same at all widths, in nanoseconds; below 0 if layers alone pay for what the whole model does not.
    pub fixed_ns: Coefficient,
    /// The factor from what was measured by itself to what it takes in the whole model.
    pub scale: Coefficient,
    /// What operators without a measurement of their own pay per element, in nanoseconds.
    pub ns_per_element: Coefficient,
    /// What layers pay per output element at widths that are not multiples of [`multiple`](Self::multiple) where the full
    /// width is one, in nanoseconds.
    pub reformat_ns_per_element: Coefficient,
    /// What layers pay more for each weight in the whole model than alone, in nanoseconds, around the latency that counts:
    /// of a model with more weights than a cache holds, each run loads the excess anew. The fixed part is lower by what is
    /// not loaded. 0 where a cache holds all weights.
    #[cfg_attr(feature = "serde", serde(default))]
    pub ns_per_weight: Coefficient,
    /// The multiple; `None` if no reading shows such a cost.
    pub multiple: Option<usize>,
    /// Root mean square of (predicted - measured) / measured over the readings, weighted as in the fit.
    pub residual: f64,
    /// The number of readings.
    pub readings: usize,
    /// Whether layers and operators have costs from profiles of the whole model.
    pub profiled: bool,
}

/// Why a fit is not possible.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum FitError {
    /// There are no readings.
    #[error("no runs of the whole model to fit to; time at least the dense model")]
    NoReadings,
    /// A reading is not a latency.
    #[error("reading {index} is {ns} ns; a whole model's latency must be positive and finite")]
    Reading {
        /// The reading's index.
        index: usize,
        /// Its latency in nanoseconds.
        ns: f64,
    },
}

/// Relative standard error of a reading at the latency that counts, and what is added for a latency e times as high
/// or low.
const READING: f64 = 0.01;
const FAR: f64 = 0.02;

/// Standard errors of what is assumed, as shares of the dense latency: of the fixed part, at least of the operators, of
/// reformats and of weights.
const FIXED: f64 = 0.2;
const OPERATORS: f64 = 0.05;
const REFORMAT: f64 = 1.0;
const WEIGHTS: f64 = 1.0;

/// Standard error of the scale: of layers measured alone, and of parts measured in the whole model.
const SCALE: [f64; 2] = [0.2, 0.03];

/// Multiples that engines may lay out channels by.
const MULTIPLES: [usize; 5] = [4, 8, 16, 32, 64];

/// By how much reformats have to lower the sum of squared standardized errors to count, one coefficient does so by
/// chance in one of a thousand cases, and by how much loading of weights, for which many capacities are tried.
const EVIDENCE: [f64; 2] = [11.0, 17.0];

/// Fits whose sums of squared standardized errors differ by no more are alike.
const ALIKE: f64 = 1.0;

/// The residual that a fit with reformats or loading may leave: where more is left, something else is going on.
const EXPLAINED: f64 = 0.015;

/// The number of terms, and their indices.
const TERMS: usize = 5;
const ALL: [usize; TERMS] = [0, 1, 2, 3, 4];

/// Fits the whole model's latency to runs of it, by least squares of the relative errors:
///
/// `fixed + scale * (sum of what was measured by itself) + per_element * (elements that other operators move)
/// + reformat * (elements of layers at widths that are not multiples of something)
/// + per_weight * (weights beyond what a cache holds)`
///
/// What was measured by itself are the layers' cells, or [what the whole model's profile says](Problem::fit_profiles)
/// of layers and operators. None of the coefficients but the fixed part is negative. Reformats and loading of weights are
/// only assumed if the readings show them, with the multiple and the size of the cache that explain most.
///
/// One rule serves any number of readings. The fit is drawn towards this assumption, each coefficient with a standard
/// error: what was measured by itself counts fully (scale 1); what the whole model takes beyond it goes to the
/// operators, up to [`Assumptions::most_ns_per_element`], and then to the fixed part; what it takes less is shared by
/// the scale and the fixed part. With one reading the assumption is met exactly. More readings move away from it in
/// the directions that they tell apart.
///
/// # Errors
/// If there are no readings, or one is not a positive finite latency.
///
/// # Panics
/// If a reading's levels belong to a problem with other group or level counts.
///
/// ```
/// use benefit::{Assumptions, Problem, Reading, fit_latency};
/// let mut problem = Problem::builder();
/// let a = problem.group("a", 64).levels(&[32, 64]).value(&[-1.0, 0.0]);
/// problem.layer("conv", 3, a, |_, c_out| 10.0 * c_out as f64);
/// problem.operator("concat", a, 100.0);
/// let mut problem = problem.build()?;
/// let fit = fit_latency(&problem, &[Reading { levels: problem.dense(), ns: 960.0 }], Assumptions::default())?;
/// assert!((fit.ns_per_element.value - 0.05).abs() < 1e-9);
/// problem.apply(&fit)?;
/// assert!((problem.dense_ns() - 960.0).abs() < 1e-3);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn fit_latency(problem: &Problem, readings: &[Reading], assumed: Assumptions) -> Result<LatencyFit, FitError> {
    if readings.is_empty() {
        return Err(FitError::NoReadings);
    }
    if let Some((index, reading)) = readings.iter().enumerate().find(|(_, r)| !(r.ns > 0.0 && r.ns.is_finite())) {
        return Err(FitError::Reading { index, ns: reading.ns });
    }
    let dense_weights = problem.weights(&problem.dense());
    // Profiles, where there are any, tell what loading weights costs.
    let loading = capacities(dense_weights).filter(|_| !problem.is_profiled());
    let cached = std::iter::once(None).chain(loading.map(Some));
    let mut best: Option<(f64, Fit)> = None;
    for cached in cached {
        let fit = |multiple| Fit::new(problem, readings, assumed, multiple, cached);
        let reformats = MULTIPLES.map(|multiple| fit(Some(multiple)));
        let least = reformats.iter().map(|fit| fit.error).fold(f64::INFINITY, f64::min);
        // Of multiples that explain the readings alike, the highest keeps plans off all of them.
        let reformat = reformats.into_iter().rfind(|fit| fit.error <= least + ALIKE);
        for fit in std::iter::once(fit(None)).chain(reformat) {
            let penalty = fit.penalty();
            let error = fit.error + penalty;
            let explains = penalty == 0.0 || fit.residual(readings) <= EXPLAINED;
            if explains && best.as_ref().is_none_or(|(least, _)| error < *least) {
                best = Some((error, fit));
            }
        }
    }
    let (_, best) = best.expect("one fit is without a reformat and without loading");
    Ok(best.finish(problem, readings, assumed))
}

/// One linear model of the readings.
struct Fit {
    multiple: Option<usize>,
    /// The number of weights that a cache holds, if weights are loaded at all.
    cached: Option<f64>,
    /// What the coefficients multiply, by reading.
    terms: Vec<[f64; TERMS]>,
    /// One over the relative standard error of each reading.
    weights: Vec<f64>,
    /// The coefficient that makes a term the latency of the first reading: unknowns are shares of it.
    unit: [f64; TERMS],
    shares: [f64; TERMS],
    errors: [f64; TERMS],
    /// Sum of squared standardized errors, those of the assumption included.
    error: f64,
}

impl Fit {
    fn new(
        problem: &Problem,
        readings: &[Reading],
        assumed: Assumptions,
        multiple: Option<usize>,
        cached: Option<f64>,
    ) -> Fit {
        let terms: Vec<[f64; TERMS]> = readings.iter().map(|r| problem.terms(&r.levels, multiple, cached)).collect();
        let (first, first_ns) = (terms[0], readings[0].ns);
        // Terms are compared in the first reading, the dense model's as a rule, or where they are largest.
        let largest = |i: usize| terms.iter().map(|row| row[i]).fold(0.0, f64::max);
        let size = ALL.map(|i| if first[i] > 0.0 { first[i] } else { largest(i) });
        let unit = size.map(|term| if term > 0.0 { first_ns / term } else { 0.0 });
        let (mean, sd) = assumption(first.map(|term| term / first_ns), assumed, problem.is_profiled());

        let rows = readings.len() + TERMS;
        let far = |ns: f64| assumed.near_ns.map_or(0.0, |near_ns| (ns / near_ns).ln().abs());
        let weights: Vec<f64> = readings.iter().map(|reading| 1.0 / (READING + FAR * far(reading.ns))).collect();
        let design = DMatrix::from_fn(rows, TERMS, |row, i| match readings.get(row) {
            Some(reading) => weights[row] * terms[row][i] * unit[i] / reading.ns,
            None => f64::from(row - readings.len() == i) / sd[i],
        });
        let target = DVector::from_fn(rows, |row, _| match readings.get(row) {
            Some(_) => weights[row],
            None => mean[row - readings.len()] / sd[row - readings.len()],
        });
        let (shares, error) = signed(&design, &target);
        let inverse = (design.transpose() * &design).cholesky().map(|factored| factored.inverse());
        let errors = ALL.map(|i| inverse.as_ref().map_or(sd[i], |inverse| inverse[(i, i)].max(0.0).sqrt()));
        Fit { multiple, cached, terms, weights, unit, shares, errors, error }
    }

    /// The evidence that its terms need.
    fn penalty(&self) -> f64 {
        let [of_reformat, of_loading] = EVIDENCE;
        self.multiple.map_or(0.0, |_| of_reformat) + self.cached.map_or(0.0, |_| of_loading)
    }

    fn coefficients(&self) -> [Coefficient; TERMS] {
        ALL.map(|i| {
            let (share, error) = if self.unit[i] > 0.0 { (self.shares[i], self.errors[i]) } else { (0.0, 0.0) };
            Coefficient { value: share * self.unit[i], error: error * self.unit[i] }
        })
    }

    /// Root mean square of the relative errors, weighted as in the fit.
    fn residual(&self, readings: &[Reading]) -> f64 {
        let coefficients = self.coefficients().map(|coefficient| coefficient.value);
        let error = |((terms, weight), reading): ((&[f64; TERMS], &f64), &Reading)| {
            let predicted: f64 = terms.iter().zip(coefficients).map(|(term, c)| term * c).sum();
            (weight * (predicted - reading.ns) / reading.ns).powi(2)
        };
        let squares: f64 = self.terms.iter().zip(&self.weights).zip(readings).map(error).sum();
        (squares / self.weights.iter().map(|weight| weight * weight).sum::<f64>()).sqrt()
    }

    fn finish(&self, problem: &Problem, readings: &[Reading], assumed: Assumptions) -> LatencyFit {
        let [mut fixed_ns, scale, ns_per_element, reformat_ns_per_element, per_weight] = self.coefficients();
        // What profiles say of weights is scaled like all that they say.
        let of_profiles = problem.loading.map(|loading| {
            let Coefficient { value, error } = scale;
            let [value, error] = [value, error].map(|scale| scale * loading.ns_per_weight);
            (Coefficient { value, error }, loading.cached)
        });
        let loading = of_profiles.or(self.cached.map(|cached| (per_weight, cached)));
        // Where all weights stay in the cache around the latency that counts, loading costs nothing.
        let near = |reading: &Reading| assumed.near_ns.map_or(0.0, |near_ns| (reading.ns / near_ns).ln().abs());
        let nearest = readings.iter().min_by(|a, b| near(a).total_cmp(&near(b)));
        let loads = |cached| nearest.is_some_and(|reading| problem.weights(&reading.levels) > cached);
        let mut ns_per_weight = Coefficient::default();
        if let Some((per_weight, cached)) = loading.filter(|&(_, cached)| loads(cached)) {
            fixed_ns.value -= per_weight.value * cached;
            ns_per_weight = per_weight;
        }
        LatencyFit {
            fixed_ns,
            scale,
            ns_per_element,
            reformat_ns_per_element,
            ns_per_weight,
            multiple: self.multiple,
            residual: self.residual(readings),
            readings: readings.len(),
            profiled: problem.is_profiled(),
        }
    }
}

/// What is assumed of each share of the first reading, and its standard error; `first` is what the coefficients
/// multiply, per nanosecond of it. The shares sum up to 1.
fn assumption(first: [f64; TERMS], assumed: Assumptions, is_profiled: bool) -> ([f64; TERMS], [f64; TERMS]) {
    let [_, known, elements, ..] = first;
    let operators =
        if elements > 0.0 { (assumed.most_ns_per_element * elements).min((1.0 - known).max(0.0)) } else { 0.0 };
    let sd_scale = SCALE[usize::from(is_profiled)] * known.max(0.01);
    // The scale and the fixed part share what is missing, or too much, as their standard errors are.
    let missing = 1.0 - known - operators;
    let of_scale = if known > 0.0 { sd_scale.powi(2) / (sd_scale.powi(2) + FIXED * FIXED) } else { 0.0 };
    let mean = [(1.0 - of_scale) * missing, known + of_scale * missing, operators, 0.0, 0.0];
    (mean, [FIXED, sd_scale, operators.max(OPERATORS), REFORMAT, WEIGHTS])
}

/// The least-squares solution in which no entry but the first is negative, and its sum of squares: the best among
/// those of all subsets of columns.
fn signed(design: &DMatrix<f64>, target: &DVector<f64>) -> ([f64; TERMS], f64) {
    let mut best = ([0.0; TERMS], f64::INFINITY);
    for subset in (1..1_usize << TERMS).step_by(2) {
        let columns: Vec<usize> = (0..TERMS).filter(|i| subset >> i & 1 == 1).collect();
        let part = design.select_columns(&columns);
        // Every column holds a row of the assumption, so the normal equations are positive definite.
        let normal = part.transpose() * &part;
        let Some(factored) = normal.cholesky() else { continue };
        let solution = factored.solve(&(part.transpose() * target));
        if columns.iter().zip(solution.iter()).any(|(&i, &share)| i > 0 && share < 0.0) {
            continue;
        }
        let error = (&part * &solution - target).norm_squared();
        if error < best.1 {
            best = ([0.0; TERMS], error);
            columns.iter().zip(solution.iter()).for_each(|(&i, &share)| best.0[i] = share);
        }
    }
    best
}

impl Problem {
    /// Takes over coefficients that fit the whole model.
    pub fn apply(&mut self, fit: &LatencyFit) -> Result<(), ProblemError> {
        let ns_per_element = fit.reformat_ns_per_element.value;
        let fitted = Problem {
            fixed_ns: fit.fixed_ns.value,
            scale: fit.scale.value,
            ns_per_element: fit.ns_per_element.value,
            ns_per_weight: fit.ns_per_weight.value,
            operators_cost: fit.ns_per_element.is_significant(),
            reformat: fit.multiple.map(|multiple| Reformat { multiple, ns_per_element }),
            ..self.clone()
        };
        fitted.check_coefficients()?;
        *self = fitted;
        Ok(())
    }

    /// What the coefficients multiply: 1, the sum of what was measured by itself in nanoseconds, the elements that other
    /// operators move, those that layers write at widths that are not multiples of `multiple`, and the weights beyond
    /// `cached`.
    fn terms(&self, levels: &Levels, multiple: Option<usize>, cached: Option<f64>) -> [f64; TERMS] {
        let uses = self.cells(levels);
        let layers: f64 = uses.iter().map(|used| self.layers[used.layer].in_context(used.cell.ns)).sum();
        let reformatted = |multiple| -> f64 {
            uses.iter().map(|used| self.layers[used.layer].reformatted(multiple, used.c_out)).sum()
        };
        let weights = self.weights(levels);
        let loading = self.loading.map_or(0.0, |loading| loading.ns_per_weight * loaded(weights, loading.cached));
        let [mut measured, mut moved] = [layers + loading, 0.0];
        let levels = self.own(levels);
        for (index, operator) in self.operators.iter().enumerate() {
            let elements = self.elements(index, levels);
            match operator.known {
                Some([per_element, beside]) => measured += per_element * elements + beside,
                None => moved += elements,
            }
        }
        let reformatted = multiple.map_or(0.0, reformatted);
        [1.0, measured, moved, reformatted, cached.map_or(0.0, |cached| loaded(weights, cached))]
    }
}
