//! From a weight's numbers to a score per channel.

use nalgebra::DMatrix;
use netspec::{GroupId, IndexMap};
use stats::Rng;
use std::fmt;

/// How a channel's weights become a score.
///
/// All but [`NormScale`](Criterion::NormScale) and [`Random`](Criterion::Random) sum over the weights that compute
/// and the weights that read a channel. Biases, norms and depthwise kernels count for nothing there, and norms once
/// each, by their scale, in the criterion named for them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Criterion {
    /// The sum of absolute values: Li et al., "Pruning Filters for Efficient ConvNets" (2017).
    L1,
    /// The sum of squares.
    #[default]
    L2,
    /// The sum of the Euclidean distances to all other channels of the same weight: what lies near the geometric
    /// median can be made up for by the others. He et al., "Filter Pruning via Geometric Median for Deep
    /// Convolutional Neural Networks Acceleration" (2019). Takes channels^2 x weights per channel multiplications.
    GeometricMedian,
    /// The sum of squares over that of all channels that are not smaller, so that each group's largest is worth 1:
    /// Lee et al., "Layer-adaptive Sparsity for the Magnitude-based Pruning" (2021), on channels in place of weights.
    Lamp,
    /// The absolute scale (gamma) of the norms behind a channel: Liu et al., "Learning Efficient Convolutional
    /// Networks through Network Slimming" (2017). Says something after training that pulled scales to 0.
    NormScale,
    /// Uniform in [0, 1), by this seed: the baseline.
    Random(u64),
}

impl fmt::Display for Criterion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Criterion::L1 => "l1",
            Criterion::L2 => "l2",
            Criterion::GeometricMedian => "fpgm",
            Criterion::Lamp => "lamp",
            Criterion::NormScale => "bn-scale",
            Criterion::Random(_) => "random",
        })
    }
}

impl Criterion {
    /// The score of each of the channels whose positions on an axis of a weight these are.
    pub(crate) fn scores(self, slices: &Slices<'_>) -> Vec<f64> {
        match self {
            Criterion::L1 | Criterion::NormScale => slices.sums(|w| f64::from(w.abs())),
            Criterion::L2 | Criterion::Lamp => slices.sums(|w| f64::from(w) * f64::from(w)),
            Criterion::GeometricMedian => slices.distances(),
            Criterion::Random(_) => vec![0.0; slices.positions.len()],
        }
    }

    /// What becomes of a group's scores when all its weights are summed up.
    pub(crate) fn finish(self, group: GroupId, scores: &mut [f64]) {
        match self {
            Criterion::Lamp => {
                let mut order: Vec<usize> = (0..scores.len()).collect();
                order.sort_by(|&a, &b| scores[b].total_cmp(&scores[a]));
                let mut sum = 0.0;
                for channel in order {
                    sum += scores[channel];
                    scores[channel] = if sum > 0.0 { scores[channel] / sum } else { 0.0 };
                }
            }
            Criterion::Random(seed) => {
                let mut rng = Rng::new(seed ^ ((group.0 as u64) << 32));
                scores.iter_mut().for_each(|score| *score = rng.uniform());
            }
            _ => {}
        }
    }
}

/// Sums over all axes of a C-order tensor but one, by that axis' length and the numbers per position of it.
pub(crate) fn sums_along<T: Copy>(numbers: &[T], [length, inner]: [usize; 2], of: impl Fn(T) -> f64) -> Vec<f64> {
    let mut sums = vec![0.0; length];
    if length > 0 && inner > 0 {
        for (i, run) in numbers.chunks(inner).enumerate() {
            sums[i % length] += run.iter().map(|&number| of(number)).sum::<f64>();
        }
    }
    sums
}

/// Columns of the matrix of channels that are multiplied at a time: bounds the memory, not the result.
const BLOCK: usize = 512;

/// A weight's numbers, cut along an axis.
pub(crate) struct Slices<'a> {
    numbers: &'a [f32],
    /// Of the axis.
    length: usize,
    /// Numbers per position, one after another.
    inner: usize,
    /// Of each channel.
    positions: Vec<Vec<usize>>,
}

impl<'a> Slices<'a> {
    /// A C-order weight of this shape. The error is a position that the axis has not.
    pub(crate) fn new(
        numbers: &'a [f32],
        shape: &[usize],
        axis: usize,
        channels: usize,
        map: &IndexMap,
    ) -> Result<Slices<'a>, usize> {
        let positions: Vec<Vec<usize>> = (0..channels).map(|channel| map.positions(channel)).collect();
        let length = shape.get(axis).copied().unwrap_or(0);
        if let Some(&position) = positions.iter().flatten().find(|&&position| position >= length) {
            return Err(position);
        }
        let inner = shape.get(axis + 1..).map_or(1, |inner| inner.iter().product());
        Ok(Slices { numbers, length, inner, positions })
    }

    /// Sums over all numbers of each channel.
    fn sums(&self, of: impl Fn(f32) -> f64) -> Vec<f64> {
        let sums = sums_along(self.numbers, [self.length, self.inner], of);
        self.positions.iter().map(|own| own.iter().map(|&position| sums[position]).sum()).collect()
    }

    /// Sums of each channel's Euclidean distances to all others.
    fn distances(&self) -> Vec<f64> {
        let channels = self.positions.len();
        let repeat = self.positions.iter().map(Vec::len).max().unwrap_or(0);
        let outer = self.numbers.len() / (self.length * self.inner).max(1);
        let columns = outer * repeat * self.inner;
        // Squared distances come from scalar products: |a - b|^2 = a.a - 2 a.b + b.b.
        let mut products = DMatrix::<f64>::zeros(channels, channels);
        for from in (0..columns).step_by(BLOCK) {
            let block = DMatrix::from_fn(channels, BLOCK.min(columns - from), |channel, column| {
                let (rest, k) = ((from + column) / self.inner, (from + column) % self.inner);
                let position = self.positions[channel].get(rest % repeat);
                position.map_or(0.0, |p| f64::from(self.numbers[(rest / repeat * self.length + p) * self.inner + k]))
            });
            products.gemm(1.0, &block, &block.transpose(), 1.0);
        }
        let distance = |a: usize, b: usize| {
            // Rounding can make the square of a tiny distance negative.
            (products[(a, a)] - 2.0 * products[(a, b)] + products[(b, b)]).max(0.0).sqrt()
        };
        (0..channels).map(|a| (0..channels).filter(|&b| b != a).map(|b| distance(a, b)).sum()).collect()
    }
}
