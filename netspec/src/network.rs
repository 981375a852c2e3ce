//! A network as pruning sees it: convolutions, channel groups, and what moves data between them.

use crate::{Constraint, ConvSpec};

/// A channel group's index in [`Network::groups`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(transparent))]
pub struct GroupId(pub usize);

/// Which positions of a tensor's axis belong to each channel of a group.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(untagged))]
pub enum IndexMap {
    /// Channel c owns positions `offset + c * repeat` up to `offset + c * repeat + repeat - 1`.
    Affine {
        /// Positions before channel 0.
        offset: usize,
        /// Positions that each channel owns.
        repeat: usize,
    },
    /// Channel c owns the positions listed at index c.
    Positions {
        /// A list of positions per channel.
        positions: Vec<Vec<usize>>,
    },
}

impl IndexMap {
    /// The shortest form of a list of positions per channel.
    pub fn from_positions(positions: Vec<Vec<usize>>) -> IndexMap {
        let offset = positions.first().and_then(|first| first.first()).copied().unwrap_or(0);
        let repeat = positions.first().map_or(1, Vec::len);
        let is_affine = positions.iter().flatten().enumerate().all(|(i, &p)| p == offset + i)
            && positions.iter().all(|p| p.len() == repeat);
        if is_affine { IndexMap::Affine { offset, repeat } } else { IndexMap::Positions { positions } }
    }

    /// The positions that channel `c` owns. A channel past the end of a list owns none.
    pub fn positions(&self, c: usize) -> Vec<usize> {
        match self {
            IndexMap::Affine { offset, repeat } => (offset + c * repeat..offset + (c + 1) * repeat).collect(),
            IndexMap::Positions { positions } => positions.get(c).cloned().unwrap_or_default(),
        }
    }
}

/// What a tensor's axis has to do with a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "lowercase"))]
#[non_exhaustive]
pub enum Role {
    /// Output axis of a weight that computes the channels.
    Producer,
    /// Per-channel parameter: bias, a norm's shift and statistics, depthwise kernel.
    Parameter,
    /// Per-channel factor of a norm, often called gamma.
    Scale,
    /// Input axis of a weight that reads the channels.
    Consumer,
}

impl Role {
    /// Whether the weight computes or reads the channels; otherwise it acts on each channel by itself.
    pub fn mixes(self) -> bool {
        matches!(self, Role::Producer | Role::Consumer)
    }
}

/// One tensor axis that loses positions when a group loses channels.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Member {
    /// The weight's name in the model.
    pub tensor: String,
    /// The axis that shrinks.
    pub axis: usize,
    /// What the axis has to do with the channels.
    pub role: Role,
    /// Which positions belong to which channel.
    #[cfg_attr(feature = "serde", serde(flatten))]
    pub map: IndexMap,
}

/// All tensor axes that must lose the same channels together.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct ChannelGroup {
    /// Its index in [`Network::groups`].
    pub id: GroupId,
    /// The name of its first producer.
    pub name: String,
    /// Channels before pruning.
    pub channels: usize,
    /// Every axis that shrinks with it.
    pub members: Vec<Member>,
    /// Whether several producers are added into it: a residual stream.
    pub residual: bool,
    /// Why it cannot be pruned, or nothing: then every width that [`constraints`](Self::constraints) allow is possible.
    pub frozen: Option<String>,
    /// Whether all of its channels may go. Either it is the inside of a residual branch: the layers around it go, too, and
    /// what the branch adds to the stream becomes a constant. Or it is one channel with others beside it on every axis.
    #[cfg_attr(feature = "serde", serde(default))]
    pub removable: bool,
    /// Which widths it may take, besides at least one channel: all must hold. [`allows`](Self::allows) asks them.
    #[cfg_attr(feature = "serde", serde(default))]
    pub constraints: Vec<Constraint>,
}

impl ChannelGroup {
    /// A group without members that may take any width but none.
    pub fn new(id: GroupId, name: &str, channels: usize) -> ChannelGroup {
        let name = name.to_owned();
        let (members, constraints) = (vec![], vec![]);
        ChannelGroup { id, name, channels, members, residual: false, frozen: None, removable: false, constraints }
    }
}

/// A group's share of a width.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Part {
    /// The group.
    pub group: GroupId,
    /// Positions per channel: height x width behind a Flatten, else mostly 1.
    pub repeat: usize,
}

/// A channel count that follows groups: a fixed part, and `repeat` positions per channel of each part.
///
/// A number, a group and a list of groups convert to it.
///
/// ```
/// use netspec::{GroupId, Width};
/// assert_eq!(Width::from(3).at(|_| 8), 3);
/// assert_eq!(Width::from([GroupId(0), GroupId(1)]).at(|_| 8), 16);
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Width {
    /// Channels that never change.
    pub fixed: usize,
    /// Channels that follow a group.
    pub parts: Vec<Part>,
}

impl From<usize> for Width {
    /// Channels that never change.
    fn from(fixed: usize) -> Width {
        Width { fixed, parts: Vec::new() }
    }
}

impl From<GroupId> for Width {
    /// The channels of one group.
    fn from(group: GroupId) -> Width {
        Width::from([group])
    }
}

impl From<&[GroupId]> for Width {
    /// The channels of several groups side by side, as behind a Concat.
    fn from(groups: &[GroupId]) -> Width {
        Width { fixed: 0, parts: groups.iter().map(|&group| Part { group, repeat: 1 }).collect() }
    }
}

impl<const N: usize> From<[GroupId; N]> for Width {
    fn from(groups: [GroupId; N]) -> Width {
        Width::from(groups.as_slice())
    }
}

impl From<Vec<GroupId>> for Width {
    fn from(groups: Vec<GroupId>) -> Width {
        Width::from(groups.as_slice())
    }
}

impl Width {
    /// The width when group g has `channels(g)` channels.
    pub fn at(&self, mut channels: impl FnMut(GroupId) -> usize) -> usize {
        self.fixed + self.parts.iter().map(|part| part.repeat * channels(part.group)).sum::<usize>()
    }

    /// Whether it follows `group`.
    pub fn follows(&self, group: GroupId) -> bool {
        self.parts.iter().any(|part| part.group == group)
    }
}

/// A convolution, or a fully connected layer as a 1x1 convolution on a 1x1 image.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Layer {
    /// The node's name, or its first output's where it has none.
    pub name: String,
    /// The weight tensor's name.
    pub weight: String,
    /// The convolution at full width.
    pub spec: ConvSpec,
    /// What its input channels follow.
    pub inputs: Width,
    /// What its output channels follow.
    pub outputs: Width,
    /// Groups that it neither reads nor computes alone and yet leads to nothing else: without all of one's channels it
    /// does not run, as the first convolution of a bottleneck without its second one.
    #[cfg_attr(feature = "serde", serde(default))]
    pub gone_with: Vec<GroupId>,
}

impl Layer {
    /// A layer that runs whatever groups lose.
    pub fn new(name: &str, weight: &str, spec: ConvSpec, inputs: Width, outputs: Width) -> Layer {
        let (name, weight) = (name.to_owned(), weight.to_owned());
        Layer { name, weight, spec, inputs, outputs, gone_with: vec![] }
    }

    /// The layer's conv spec when group g has `channels(g)` channels.
    pub fn spec_at(&self, mut channels: impl FnMut(GroupId) -> usize) -> ConvSpec {
        let c_in = self.inputs.at(&mut channels);
        self.spec.with_channels(c_in, self.outputs.at(channels))
    }
}

/// An operator between convolutions that an engine does not fuse away; it costs by the elements it moves.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Operator {
    /// The node's name, or its first output's where it has none.
    pub name: String,
    /// The operator's type, as ONNX calls it.
    pub op: String,
    /// What its channels follow.
    pub width: Width,
    /// Elements read and written per channel and image.
    pub elements_per_channel: usize,
}

/// A place where channels cannot be pruned, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Frozen {
    /// The node that freezes.
    pub node: String,
    /// Its operator type.
    pub op: String,
    /// The reason, for a person.
    pub reason: String,
}

/// A layer that cannot be timed alone: a transposed or three-dimensional convolution, or one of unknown size.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Untimed {
    /// The node.
    pub node: String,
    /// Its operator type.
    pub op: String,
    /// The reason, for a person.
    pub reason: String,
    /// Multiply-accumulate operations of one run, if its size is known.
    pub macs: Option<u64>,
}

/// A network as pruning sees it; `default()` is an empty one, to be filled field by field.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Network {
    /// Convolutions and fully connected layers, in topological order.
    pub layers: Vec<Layer>,
    /// Channel groups; a group's id is its index.
    pub groups: Vec<ChannelGroup>,
    /// Operators between the layers.
    pub operators: Vec<Operator>,
    /// What cannot be pruned, and why.
    pub frozen: Vec<Frozen>,
    /// Layers that are not among `layers`, because they cannot be timed alone: a sum over the layers leaves them out.
    pub untimed: Vec<Untimed>,
    /// Elements of all weights.
    pub parameters: usize,
}

impl Network {
    /// The convolutions of all layers, in their order.
    pub fn specs(&self) -> Vec<ConvSpec> {
        self.layers.iter().map(|layer| layer.spec.clone()).collect()
    }

    /// Adds a constraint to every group that `applies` picks.
    ///
    /// Whatever plans on this network then offers only widths that it allows, and [`PrunePlan::validate`] refuses
    /// others.
    ///
    /// [`PrunePlan::validate`]: crate::PrunePlan::validate
    pub fn constrain(&mut self, constraint: &Constraint, applies: impl Fn(&ChannelGroup) -> bool) {
        for group in &mut self.groups {
            if applies(group) && !group.constraints.contains(constraint) {
                group.constraints.push(constraint.clone());
            }
        }
    }

    /// Indices of the layers whose output channels follow `group`.
    pub fn producers(&self, group: GroupId) -> impl Iterator<Item = usize> + '_ {
        (0..self.layers.len()).filter(move |&i| self.layers[i].outputs.follows(group))
    }

    /// Indices of the layers whose input channels follow `group`.
    pub fn consumers(&self, group: GroupId) -> impl Iterator<Item = usize> + '_ {
        (0..self.layers.len()).filter(move |&i| self.layers[i].inputs.follows(group))
    }
}
