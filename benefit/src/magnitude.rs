//! Values from the weights alone.

use crate::value::{Value, ValueCurve, ValueError, ValueKind};
use netspec::{ChannelGroup, GroupId, Member, Network, Role, Weights};

/// How a channel's weights become a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Norm {
    /// The sum of absolute values: Li et al., "Pruning Filters for Efficient ConvNets" (2017).
    L1,
    /// The sum of squares.
    #[default]
    L2,
}

/// What a channel's score is relative to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Scope {
    /// Nothing: layers with large weights count for more. The value is minus the sum of the removed scores.
    Raw,
    /// Each weight's own sum, so that every layer counts the same. The value grows faster than the removed share.
    #[default]
    PerLayer,
}

/// Scores channels by the size of their weights: a proxy for damage, and a poor one.
///
/// A channel's score sums over all coupled weights: the rows that produce it and the columns that read it, by
/// the group's index maps, as in Fang et al., "DepGraph: Towards Any Structural Pruning" (2023).
/// Biases, norm parameters and depthwise kernels are left out: they scale a channel, they do not compute or
/// read it, and counting them would make groups with more of them look dearer.
///
/// With [`Scope::PerLayer`] every weight's scores are divided by their sum, and s, the share that is removed,
/// is the mean over the weights. The value is -n (s / (1 - s))^2, n being the number of weights that read the
/// group (at least 1). The reasons:
/// - Behind a ReLU channels are positive, so what is missing adds up coherently in every consumer: the error's
///   *amplitude* grows with s, its energy with s^2, against the energy of what survives.
/// - With a value linear in s, the optimum empties the layers that save most time and leaves the others alone.
///   Magnitudes know too little for that: at equal cost such plans were measured to be worse than uniform ones.
///   This value is flat at 0 and steep near 1, so that plans stay near uniform and deviate where it pays well.
#[derive(Clone, Copy)]
pub struct Magnitude<'a> {
    network: &'a Network,
    weights: &'a dyn Weights,
    norm: Norm,
    scope: Scope,
}

impl<'a> Magnitude<'a> {
    /// Scores the groups of a network by its weights. `Norm::L2` and `Scope::PerLayer` are the defaults.
    pub fn new(network: &'a Network, weights: &'a dyn Weights, norm: Norm, scope: Scope) -> Magnitude<'a> {
        Magnitude { network, weights, norm, scope }
    }

    /// The score of each channel of one weight.
    fn member_scores(&self, group: &ChannelGroup, member: &Member) -> Result<Vec<f64>, ValueError> {
        let (group_name, tensor) = (group.name.clone(), member.tensor.clone());
        let Some(view) = self.weights.get(&member.tensor) else {
            return Err(ValueError::MissingTensor { group: group_name, tensor });
        };
        let numbers = match view.to_f32() {
            Ok(numbers) => numbers,
            Err(source) => return Err(ValueError::Tensor { group: group_name, tensor, source }),
        };
        if numbers.iter().any(|number| !number.is_finite()) {
            return Err(ValueError::NotFinite { group: group_name, tensor });
        }
        let slices = slice_norms(&numbers, &view.shape, member.axis, self.norm);
        let mut scores = vec![0.0; group.channels];
        for (channel, score) in scores.iter_mut().enumerate() {
            for position in member.map.positions(channel) {
                *score += slices.get(position).ok_or_else(|| ValueError::Shape {
                    group: group_name.clone(),
                    tensor: tensor.clone(),
                    shape: view.shape.clone(),
                    axis: member.axis,
                    position,
                })?;
            }
        }
        Ok(scores)
    }
}

impl Value for Magnitude<'_> {
    fn curve(&self, group: GroupId) -> Result<ValueCurve, ValueError> {
        let groups = self.network.groups.len();
        let group = self.network.groups.get(group.0).ok_or(ValueError::UnknownGroup { group: group.0, groups })?;
        let mut scores = vec![0.0; group.channels];
        let mut readers = 0;
        for member in group.members.iter().filter(|member| member.role != Role::Parameter) {
            readers += usize::from(member.role == Role::Consumer);
            let own = self.member_scores(group, member)?;
            let sum: f64 = own.iter().sum();
            let unit = match self.scope {
                Scope::Raw => 1.0,
                Scope::PerLayer if sum > 0.0 => sum,
                // An all-zero weight says nothing about which channel matters.
                Scope::PerLayer => f64::INFINITY,
            };
            scores.iter_mut().zip(own).for_each(|(score, own)| *score += own / unit);
        }
        if self.scope == Scope::Raw {
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

    fn kind(&self) -> ValueKind {
        ValueKind::Magnitude
    }
}

/// The norm of every slice of a C-order tensor along an axis; none where there is no such axis.
fn slice_norms(numbers: &[f32], shape: &[usize], axis: usize, norm: Norm) -> Vec<f64> {
    let Some(&length) = shape.get(axis) else { return Vec::new() };
    let inner: usize = shape[axis + 1..].iter().product();
    let mut norms = vec![0.0; length];
    if length > 0 && inner > 0 {
        for (i, run) in numbers.chunks(inner).enumerate() {
            norms[i % length] += match norm {
                Norm::L1 => run.iter().map(|&w| f64::from(w.abs())).sum::<f64>(),
                Norm::L2 => run.iter().map(|&w| f64::from(w) * f64::from(w)).sum::<f64>(),
            };
        }
    }
    norms
}
