//! Values that were computed elsewhere.

use crate::criterion::sums_along;
use crate::magnitude::readers;
use crate::scope::Scope;
use crate::value::{Value, ValueCurve, ValueError, ValueKind};
use netspec::{GroupId, IndexMap, Member, Network, Role, Weights};
use std::collections::HashSet;
use std::fmt;

/// Scores by tensor name, or whole curves, from wherever they come: Taylor expansion, a Hessian, activations.
///
/// A weight's scores are one number per element, in the weight's shape, and are summed over what each channel owns;
/// or one number per position of its output axis (of its input axis, where only that one may be pruned). Scores
/// for several weights of a group add up, as [`Magnitude`](crate::Magnitude)'s do.
///
/// ```
/// # use netspec::{ChannelGroup, GroupId, IndexMap, Member, Network, Role, TensorView, Weights};
/// use benefit::{Scope, Scores, Value};
/// # struct Zeros;
/// # impl Weights for Zeros {
/// #     fn get(&self, name: &str) -> Option<TensorView<'_>> {
/// #         (name == "conv1.weight").then(|| TensorView::from_f32(vec![3, 2, 1, 1], &[0.0; 6]).ok())?
/// #     }
/// # }
/// # let mut group = ChannelGroup::new(GroupId(0), "conv1", 3);
/// # let (tensor, map) = ("conv1.weight".to_owned(), IndexMap::Affine { offset: 0, repeat: 1 });
/// # group.members.push(Member { tensor, axis: 0, role: Role::Producer, map });
/// # let mut network = Network::default();
/// # network.groups.push(group);
/// # let weights = Zeros;
/// // `conv1.weight` has the shape [3, 2, 1, 1].
/// let mut scores = Scores::new(&network, &weights, Scope::Raw);
/// scores.tensor("conv1.weight", &[3], &[0.5, 0.1, 0.4])?;
/// assert_eq!(scores.curve(GroupId(0))?.order(), [1, 2, 0]);
/// assert!(scores.tensor("conv1.weight", &[4], &[1.0; 4]).is_err());
/// # Ok::<(), benefit::ValueError>(())
/// ```
#[derive(Clone)]
pub struct Scores<'a> {
    network: &'a Network,
    weights: &'a dyn Weights,
    scope: Scope,
    kind: ValueKind,
    known: Vec<Known>,
    tensors: HashSet<String>,
}

#[derive(Clone, Debug)]
enum Known {
    Nothing,
    Scores(Vec<f64>),
    Curve(ValueCurve),
}

impl fmt::Debug for Scores<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Scores { scope, kind, known, .. } = self;
        f.debug_struct("Scores").field("scope", scope).field("kind", kind).field("known", known).finish_non_exhaustive()
    }
}

impl<'a> Scores<'a> {
    /// No scores yet.
    pub fn new(network: &'a Network, weights: &'a dyn Weights, scope: Scope) -> Scores<'a> {
        let known = vec![Known::Nothing; network.groups.len()];
        Scores { network, weights, scope, kind: ValueKind::File, known, tensors: HashSet::new() }
    }

    /// What the values mean, where it is more than that they are from a file.
    pub fn with_kind(self, kind: ValueKind) -> Scores<'a> {
        Scores { kind, ..self }
    }

    /// Adds the scores of one weight: finite, at least 0, in C order of `shape`.
    pub fn tensor(&mut self, tensor: &str, shape: &[usize], scores: &[f64]) -> Result<(), ValueError> {
        if let Some(position) = scores.iter().position(|score| !(score.is_finite() && *score >= 0.0)) {
            return Err(ValueError::Score { tensor: tensor.to_owned(), position, value: scores[position] });
        }
        let members: Vec<(GroupId, &Member)> = (self.network.groups.iter())
            .flat_map(|group| group.members.iter().map(|member| (group.id, member)))
            .filter(|(_, member)| member.tensor == tensor)
            .collect();
        let (Some(&(group, _)), Some(view)) = (members.first(), self.weights.get(tensor)) else {
            return Err(self.unknown(tensor));
        };
        if !self.tensors.insert(tensor.to_owned()) {
            return Err(ValueError::Twice {
                group: self.network.groups[group.0].name.clone(),
                tensor: tensor.to_owned(),
            });
        }
        let is_whole = shape == view.shape && shape.iter().product::<usize>() == scores.len();
        // Of a single number per position, the axis that the weight computes has the first claim.
        let axis = members.iter().find(|(_, member)| member.role != Role::Consumer).unwrap_or(&members[0]).1.axis;
        let is_line = shape == [scores.len()] && view.shape.get(axis) == Some(&scores.len());
        if !is_whole && !is_line {
            let (tensor, expected, found) = (tensor.to_owned(), view.shape.clone(), shape.to_vec());
            return Err(ValueError::ScoreShape { tensor, expected, found });
        }
        for (group, member) in members.into_iter().filter(|(_, member)| is_whole || member.axis == axis) {
            let inner = shape.get(member.axis + 1..).map_or(1, |inner| inner.iter().product());
            let sides = [shape.get(member.axis).copied().unwrap_or(0), inner];
            let sums = if is_whole { sums_along(scores, sides, |score| score) } else { scores.to_vec() };
            self.add(group, member, &sums)?;
        }
        Ok(())
    }

    /// Adds a whole curve for the group of this name, or the one whose channels the weight of this name computes.
    pub fn group(&mut self, name: &str, curve: ValueCurve) -> Result<(), ValueError> {
        let computes = |member: &Member| member.tensor == name && member.role == Role::Producer;
        let groups = &self.network.groups;
        let group = groups.iter().find(|group| group.name == name);
        let group = group.or_else(|| groups.iter().find(|group| group.members.iter().any(computes)));
        let group = group.ok_or_else(|| self.unknown(name))?;
        if curve.channels() != group.channels {
            let (expected, found) = (group.channels, curve.channels());
            return Err(ValueError::Channels { group: group.name.clone(), expected, found });
        }
        match &mut self.known[group.id.0] {
            known @ Known::Nothing => *known = Known::Curve(curve),
            _ => return Err(ValueError::Twice { group: group.name.clone(), tensor: name.to_owned() }),
        }
        Ok(())
    }

    /// Adds what each position of a member's axis is worth to the channels that own them.
    fn add(&mut self, group: GroupId, member: &Member, sums: &[f64]) -> Result<(), ValueError> {
        let group = &self.network.groups[group.0];
        let sum = |map: &IndexMap, channel| map.positions(channel).iter().map(|&p| sums.get(p).copied()).sum();
        let own: Option<Vec<f64>> = (0..group.channels).map(|channel| sum(&member.map, channel)).collect();
        let Some(own) = own else {
            let (expected, found) = (group.channels, sums.len());
            return Err(ValueError::Channels { group: group.name.clone(), expected, found });
        };
        let known = &mut self.known[group.id.0];
        match known {
            Known::Curve(_) => {
                return Err(ValueError::Twice { group: group.name.clone(), tensor: member.tensor.clone() });
            }
            Known::Scores(scores) => self.scope.add(scores, &own),
            Known::Nothing => {
                let mut scores = vec![0.0; group.channels];
                self.scope.add(&mut scores, &own);
                *known = Known::Scores(scores);
            }
        }
        Ok(())
    }

    fn unknown(&self, tensor: &str) -> ValueError {
        let all = self.network.groups.iter().flat_map(|group| group.members.iter().map(|member| &member.tensor));
        let nearest = all.max_by_key(|name| likeness(name, tensor)).filter(|name| likeness(name, tensor) > 3);
        ValueError::UnknownTensor { tensor: tensor.to_owned(), nearest: nearest.cloned() }
    }
}

/// Bytes that two names have in common at their ends: what a prefix or a suffix too many leaves.
fn likeness(a: &str, b: &str) -> usize {
    let front = a.bytes().zip(b.bytes()).take_while(|(a, b)| a == b).count();
    let back = a.bytes().rev().zip(b.bytes().rev()).take_while(|(a, b)| a == b).count();
    front.max(back)
}

impl Value for Scores<'_> {
    fn curve(&self, group: GroupId) -> Result<ValueCurve, ValueError> {
        let groups = self.network.groups.len();
        let Some(known) = self.known.get(group.0) else {
            return Err(ValueError::UnknownGroup { group: group.0, groups });
        };
        let group = &self.network.groups[group.0];
        match known {
            Known::Curve(curve) => Ok(curve.clone()),
            Known::Scores(scores) => self.scope.curve(scores.clone(), readers(group)),
            Known::Nothing => {
                let tensors = group.members.iter().filter(|member| member.role.mixes());
                let tensors = tensors.map(|member| member.tensor.clone()).collect();
                Err(ValueError::NoScores { group: group.name.clone(), tensors })
            }
        }
    }

    fn kind(&self) -> ValueKind {
        self.kind
    }

    fn name(&self) -> String {
        format!("scores, {}", self.scope)
    }
}
