//! Values from the weights alone.

use crate::criterion::{Criterion, Slices};
use crate::scope::Scope;
use crate::value::{Value, ValueCurve, ValueError, ValueKind};
use netspec::{ChannelGroup, GroupId, Member, Network, Role, Weights};
use std::fmt;

/// Scores channels by their weights: a proxy for damage, and a poor one.
///
/// A channel's score sums over all coupled weights: the rows that produce it and the columns that read it, by
/// the group's index maps, as in Fang et al., "DepGraph: Towards Any Structural Pruning" (2023).
/// Biases, norm parameters and depthwise kernels are left out, unless the criterion is made of them: they scale a
/// channel, they do not compute or read it, and counting them would make groups with more of them look dearer.
#[derive(Clone, Copy)]
pub struct Magnitude<'a> {
    network: &'a Network,
    weights: &'a dyn Weights,
    criterion: Criterion,
    scope: Scope,
}

impl fmt::Debug for Magnitude<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Magnitude { network, criterion, scope, .. } = self;
        let groups = network.groups.len();
        f.debug_struct("Magnitude")
            .field("groups", &groups)
            .field("criterion", criterion)
            .field("scope", scope)
            .finish_non_exhaustive()
    }
}

impl<'a> Magnitude<'a> {
    /// Scores the groups of a network by its weights. `Criterion::L2` and `Scope::PerLayer` are the defaults.
    pub fn new(network: &'a Network, weights: &'a dyn Weights, criterion: Criterion, scope: Scope) -> Magnitude<'a> {
        Magnitude { network, weights, criterion, scope }
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
        let axis = member.axis;
        match Slices::new(&numbers, &view.shape, axis, group.channels, &member.map) {
            Ok(slices) => Ok(self.criterion.scores(&slices)),
            Err(position) => {
                Err(ValueError::Shape { group: group_name, tensor, shape: view.shape.clone(), axis, position })
            }
        }
    }
}

impl Value for Magnitude<'_> {
    fn curve(&self, group: GroupId) -> Result<ValueCurve, ValueError> {
        let groups = self.network.groups.len();
        let group = self.network.groups.get(group.0).ok_or(ValueError::UnknownGroup { group: group.0, groups })?;
        let counts = |role: Role| match self.criterion {
            Criterion::NormScale => role == Role::Scale,
            Criterion::Random(_) => false,
            _ => role.mixes(),
        };
        let mut scores = vec![0.0; group.channels];
        for member in group.members.iter().filter(|member| counts(member.role)) {
            self.scope.add(&mut scores, &self.member_scores(group, member)?);
        }
        if self.criterion == Criterion::NormScale && !group.members.iter().any(|member| counts(member.role)) {
            return Err(ValueError::NoScale { group: group.name.clone() });
        }
        self.criterion.finish(group.id, &mut scores);
        self.scope.curve(scores, readers(group))
    }

    fn kind(&self) -> ValueKind {
        match self.criterion {
            Criterion::Random(_) => ValueKind::Random,
            _ => ValueKind::Magnitude,
        }
    }

    fn name(&self) -> String {
        format!("{}, {}", self.criterion, self.scope)
    }
}

/// Weights that read a group.
pub(crate) fn readers(group: &ChannelGroup) -> usize {
    group.members.iter().filter(|member| member.role == Role::Consumer).count()
}
