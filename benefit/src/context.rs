//! What layers and operators cost in the whole model, from profiles of it.

use crate::cells::LayerCost;
use crate::choice::Levels;
use crate::loading::{Loading, capacities, loaded};
use crate::problem::Problem;
use nalgebra::{SMatrix, SVector};

/// What parts of the whole model took in a run of it at some choice of levels.
#[derive(Clone, Debug, PartialEq)]
pub struct Profile {
    /// The level of every group.
    pub levels: Levels,
    /// Nanoseconds of each layer, in the order of the problem's layers.
    pub layers: Vec<f64>,
    /// Nanoseconds of each operator, in the order of the problem's operators.
    pub operators: Vec<f64>,
}

/// Standard error of a profile's numbers: relative, and in nanoseconds, since profilers count whole microseconds.
const RELATIVE: f64 = 0.03;
const ABSOLUTE_NS: f64 = 500.0;

/// Standard errors of what all layers have in common: by how much their scale differs from 1, and what each pays alone
/// and not in the whole model, or the other way around.
const COMMON: [f64; 2] = [0.2, 5000.0];
/// By how much one layer differs from what all have in common.
const OWN: [f64; 2] = [0.15, 3000.0];

/// Standard error of what a weight costs more, in nanoseconds: far above what any memory takes for four bytes.
const PER_WEIGHT: f64 = 100.0;
/// By how much loading has to lower the sum of squared standardized errors to count.
const EVIDENCE: f64 = 11.0;

/// A layer in the whole model costs at least this share of what it costs alone.
const LEAST: f64 = 0.1;

impl LayerCost {
    /// What the layer costs in the whole model, before the whole model's own factor, where it costs `ns` alone.
    pub(crate) fn in_context(&self, ns: f64) -> f64 {
        let [scale, offset_ns] = self.context;
        if ns > 0.0 { (scale * ns + offset_ns).max(LEAST * ns) } else { 0.0 }
    }
}

impl Problem {
    /// Fits what layers and operators cost in the whole model to profiles of it, each time from scratch: layers affine in
    /// what they cost alone, drawn towards what all layers have in common, besides what loading their weights costs, and
    /// operators affine in the elements that they move. Without a profile everything stays as it is.
    ///
    /// Follow it by [`fit_latency`](crate::fit_latency), which relates the sum of the parts and the whole model.
    ///
    /// # Panics
    /// If a profile belongs to a problem with other groups, levels, layers or operators.
    pub fn fit_profiles(&mut self, profiles: &[Profile]) {
        if profiles.is_empty() {
            return;
        }
        let layers = self.layers.len();
        let mut points: Vec<Vec<Point>> = vec![Vec::new(); layers];
        for profile in profiles {
            assert_eq!(profile.layers.len(), layers, "the profile belongs to another problem");
            let all_weights = self.weights(&profile.levels);
            for (used, &ns) in self.cells(&profile.levels).iter().zip(&profile.layers) {
                if used.runs() && ns > 0.0 {
                    let weights = self.layers[used.layer].weights_at(used.c_in, used.c_out);
                    points[used.layer].push(Point { size: used.cell.ns, weights, all_weights, ns });
                }
            }
        }
        let all: Vec<Point> = points.iter().flatten().copied().collect();
        let (common, loading) = common(&all, self.weights(&self.dense()));
        for (layer, points) in self.layers.iter_mut().zip(&points) {
            let beside = |point: &Point| Point { ns: point.ns - loading.map_or(0.0, |l| point.loaded_ns(l)), ..*point };
            let points: Vec<Point> = points.iter().map(beside).collect();
            layer.context = affine(&points, common, OWN);
        }
        self.loading = loading;
        for index in 0..self.operators.len() {
            let points: Vec<Point> = profiles
                .iter()
                .map(|profile| Point {
                    size: self.elements(index, self.own(&profile.levels)),
                    weights: 0.0,
                    all_weights: 0.0,
                    ns: profile.operators[index],
                })
                .collect();
            self.operators[index].known = Some(operator(&points));
        }
    }

    /// Takes back what [`fit_profiles`](Self::fit_profiles) found.
    pub fn forget_profiles(&mut self) {
        self.layers.iter_mut().for_each(|layer| layer.context = [1.0, 0.0]);
        self.operators.iter_mut().for_each(|operator| operator.known = None);
        self.loading = None;
    }

    /// Whether profiles told what layers and operators cost in the whole model.
    pub(crate) fn is_profiled(&self) -> bool {
        self.operators.iter().any(|operator| operator.known.is_some())
            || self.layers.iter().any(|layer| layer.context != [1.0, 0.0])
    }

    /// The elements that an operator moves at these levels.
    pub(crate) fn elements(&self, operator: usize, levels: &[usize]) -> f64 {
        let operator = &self.operators[operator];
        operator.elements_per_channel * operator.width.at(|group| self.width_of(levels, group)) as f64
    }
}

/// A number that costs are affine in, and a cost.
#[derive(Clone, Copy)]
struct Point {
    size: f64,
    /// Weights of the layer, and of the whole model.
    weights: f64,
    all_weights: f64,
    ns: f64,
}

impl Point {
    fn weight(&self) -> f64 {
        (RELATIVE * self.ns.abs() + ABSOLUTE_NS).powi(-2)
    }

    /// The layer's share of the weights that each run loads.
    fn loaded(&self, cached: f64) -> f64 {
        if self.all_weights > 0.0 { self.weights / self.all_weights * loaded(self.all_weights, cached) } else { 0.0 }
    }

    fn loaded_ns(&self, loading: Loading) -> f64 {
        loading.ns_per_weight * self.loaded(loading.cached)
    }
}

/// Factor and offset that all layers have in common, and what loading weights costs if that explains the points.
fn common(points: &[Point], dense_weights: f64) -> ([f64; 2], Option<Loading>) {
    let plain = affine(points, [1.0, 0.0], COMMON);
    let error = |[scale, offset_ns]: [f64; 2], loading: Option<Loading>| -> f64 {
        let off = |point: &Point| {
            scale * point.size + offset_ns + loading.map_or(0.0, |loading| point.loaded_ns(loading)) - point.ns
        };
        points.iter().map(|point| point.weight() * off(point).powi(2)).sum()
    };
    let mut best = (error(plain, None) - EVIDENCE, plain, None);
    for cached in capacities(dense_weights) {
        let row = |point: &Point| [point.size, 1.0, point.loaded(cached)];
        let Some([scale, offset_ns, ns_per_weight]) =
            least_squares(points, row, [1.0, 0.0, 0.0], [COMMON[0], COMMON[1], PER_WEIGHT])
        else {
            continue;
        };
        let loading = Some(Loading { ns_per_weight, cached });
        let error = error([scale, offset_ns], loading);
        if scale > 0.0 && ns_per_weight > 0.0 && error < best.0 {
            best = (error, [scale, offset_ns], loading);
        }
    }
    (best.1, best.2)
}

/// The factor and the offset that fit `points`, drawn towards `mean`, from which they differ by `sd`.
fn affine(points: &[Point], mean: [f64; 2], sd: [f64; 2]) -> [f64; 2] {
    least_squares(points, |point| [point.size, 1.0], mean, sd).filter(|fitted| fitted[0] > 0.0).unwrap_or(mean)
}

/// The coefficients of the rows that fit the points' costs, drawn towards `mean`, from which they differ by `sd`.
fn least_squares<const N: usize>(
    points: &[Point],
    row: impl Fn(&Point) -> [f64; N],
    mean: [f64; N],
    sd: [f64; N],
) -> Option<[f64; N]> {
    let mut normal = SMatrix::<f64, N, N>::from_diagonal(&SVector::from(sd.map(|sd| sd.powi(-2))));
    let mut target = normal * SVector::from(mean);
    for point in points {
        let row = SVector::from(row(point));
        normal += point.weight() * row * row.transpose();
        target += point.weight() * point.ns * row;
    }
    Some(normal.cholesky()?.solve(&target).into())
}

/// What an operator costs per element and beside, neither of them below 0.
fn operator(points: &[Point]) -> [f64; 2] {
    let most = |of: fn(&Point) -> f64| points.iter().map(of).fold(0.0, f64::max);
    let (size, ns) = (most(|point| point.size), most(|point| point.ns).max(ABSOLUTE_NS));
    let mean = |weigh: fn(&Point) -> [f64; 2]| {
        let sums = points.iter().fold([0.0; 2], |[a, b], point| {
            let [value, by] = weigh(point);
            [a + point.weight() * value, b + point.weight() * by]
        });
        if sums[1] > 0.0 { sums[0] / sums[1] } else { 0.0 }
    };
    let constant = [0.0, mean(|point| [point.ns, 1.0])];
    if size == 0.0 {
        return constant;
    }
    let [per_element, beside] = affine(points, [0.5 * ns / size, 0.5 * ns], [10.0 * ns / size, 10.0 * ns]);
    let error = |[a, b]: [f64; 2]| -> f64 {
        points.iter().map(|point| point.weight() * (a * point.size + b - point.ns).powi(2)).sum()
    };
    if beside >= 0.0 && per_element >= 0.0 && error([per_element, beside]) <= error(constant) {
        return [per_element, beside];
    }
    let linear = [mean(|point| [point.ns * point.size, point.size * point.size]), 0.0];
    if error(linear) < error(constant) { linear } else { constant }
}
