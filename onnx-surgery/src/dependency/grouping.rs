//! From united labels to channel groups.

use super::rectangle::shrinking;
use super::single::SINGLE;
use super::{Dependencies, FIXED, Labels, Layout, find};
use netspec::{ChannelGroup, Frozen, GroupId, IndexMap, Member, Part, Role, Width};
use std::collections::{BTreeSet, HashMap};

/// Marks a label that belongs to no group.
const NONE: u32 = u32::MAX;

/// The channel groups of a network, and where every label went.
#[derive(Debug)]
pub(crate) struct Grouping {
    /// The groups, in the order of their first producers.
    pub(crate) groups: Vec<ChannelGroup>,
    /// The reasons that froze something.
    pub(crate) frozen: Vec<Frozen>,
    /// Group of every label, or `NONE`, and its channel there.
    pub(super) group_of: Vec<u32>,
    channel_of: Vec<u32>,
    /// A name for the class of every label.
    class: Vec<u32>,
}

/// Some neighboring positions of a tensor's axis: a length that may follow channels.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Extent {
    /// Where the tensor's channels are.
    pub(crate) layout: Layout,
    /// The axis.
    pub(crate) axis: usize,
    /// The positions.
    pub(crate) range: std::ops::Range<usize>,
}

impl Extent {
    /// A whole axis that carries channels.
    pub(crate) fn whole(layout: &Layout, axis: usize) -> Extent {
        Extent { layout: layout.clone(), axis, range: 0..layout.len(axis) }
    }
}

/// What tells one class of labels from another: where it occurs how often, and why it is frozen.
#[derive(Clone, Default, PartialEq, Eq, Hash)]
struct Signature {
    /// Slot and number of positions in it, in the order of slots.
    places: Vec<(u32, u32)>,
    frozen: u32,
    residual: bool,
}

impl Grouping {
    pub(super) fn new(deps: &mut Dependencies) -> Grouping {
        let n = deps.parent.len();
        let class: Vec<u32> = (0..n as u32).map(|label| find(&mut deps.parent, label)).collect();
        let signatures = signatures(deps, &class);

        // Classes in ascending order of their roots are in the order of their first producer's channels.
        let mut groups: Vec<ChannelGroup> = Vec::new();
        let mut by_signature: HashMap<&Signature, u32> = HashMap::new();
        let mut last: Option<(&Signature, u32)> = None;
        let (mut group_of, mut channel_of) = (vec![NONE; n], vec![0u32; n]);
        for root in (0..n).filter(|&label| class[label] as usize == label) {
            let signature = &signatures[root];
            let is_producer =
                |place: &&(u32, u32)| deps.slots.get(place.0 as usize).is_some_and(|slot| slot.role == Role::Producer);
            let producers = signature.places.iter().filter(is_producer).count();
            if producers == 0 {
                continue;
            }
            // Neighbors mostly belong to one group; comparing is cheaper than hashing.
            let group = match last {
                Some((like, group)) if like == signature => group,
                _ => *by_signature.entry(signature).or_insert_with(|| {
                    let reason = signature.frozen.checked_sub(1).map(|i| &deps.reasons[i as usize]);
                    let mut group = ChannelGroup::new(GroupId(groups.len()), &name_of(deps, root), 0);
                    group.residual = signature.residual && producers > 1;
                    group.frozen = reason.map(|f| format!("`{}` ({}) {}", f.node, f.op, f.reason));
                    groups.push(group);
                    groups.len() as u32 - 1
                }),
            };
            last = Some((signature, group));
            group_of[root] = group;
            channel_of[root] = groups[group as usize].channels as u32;
            groups[group as usize].channels += 1;
        }
        for label in 0..n {
            group_of[label] = group_of[class[label] as usize];
            channel_of[label] = channel_of[class[label] as usize];
        }
        add_members(deps, &mut groups, &group_of, &channel_of);
        let reported: BTreeSet<u32> = by_signature.keys().map(|s| s.frozen).filter(|&reason| reason != 0).collect();
        let frozen = reported.into_iter().map(|reason| deps.reasons[reason as usize - 1].clone()).collect();
        finish_groups(&mut groups);
        Grouping { groups, frozen, group_of, channel_of, class }
    }

    /// What the length of each axis of a tensor follows, if it follows anything.
    pub(crate) fn widths(&self, layout: &Layout) -> Vec<(usize, Width)> {
        let axis = match layout.axes()[..] {
            [] => return vec![],
            [axis] => axis,
            _ => match self.shrinking(layout) {
                Some(axis) => axis,
                None => return vec![],
            },
        };
        let (labels, times) = layout.counted(axis);
        vec![(axis, self.width_of_repeated(&labels, times))]
    }

    /// The one of several labelled axes that shrinks.
    fn shrinking(&self, layout: &Layout) -> Option<usize> {
        let (grid, labels) = layout.grid();
        let class = |label| if label == FIXED { FIXED } else { self.class[label as usize] };
        let classes: Vec<u32> = labels.iter().map(class).collect();
        shrinking(&grid, &classes).map(|i| grid[i].0)
    }

    /// What a part of an axis follows.
    pub(crate) fn extent(&self, extent: &Extent) -> Width {
        let Extent { layout, axis, range } = extent;
        let shrinks =
            layout.only_axis() == Some(*axis) || (layout.carries(*axis) && self.shrinking(layout) == Some(*axis));
        if shrinks {
            self.width(&layout.line(*axis).select(range.clone()))
        } else {
            Width { fixed: range.len(), parts: vec![] }
        }
    }

    /// Which positions stay if a channel of a group stays where `stays` says so.
    pub(crate) fn survivors(&self, labels: &Labels, stays: impl Fn(GroupId, usize) -> bool) -> Vec<bool> {
        let survives = |label: u32| {
            let group = if label == FIXED { NONE } else { self.group_of[label as usize] };
            group == NONE || stays(GroupId(group as usize), self.channel_of[label as usize] as usize)
        };
        labels.iter().map(survives).collect()
    }

    /// Whether any of these labels is a channel of a group.
    pub(crate) fn has(&self, labels: &Labels, group: GroupId) -> bool {
        labels.iter().any(|label| label != FIXED && self.group_of[label as usize] as usize == group.0)
    }

    /// What the length of an axis with these labels follows.
    pub(crate) fn width(&self, labels: &Labels) -> Width {
        self.width_of_repeated(labels, 1)
    }

    /// The same where each of the labels occurs so many times.
    fn width_of_repeated(&self, labels: &Labels, times: usize) -> Width {
        let mut width = Width::default();
        let mut counts: Vec<(u32, usize)> = Vec::new();
        let mut place: HashMap<u32, usize> = HashMap::new();
        for label in labels.iter() {
            let group = if label == FIXED { NONE } else { self.group_of[label as usize] };
            // Neighbors mostly belong to one group.
            match counts.last_mut() {
                Some((last, n)) if *last == group => *n += 1,
                _ => {
                    let at = *place.entry(group).or_insert(counts.len());
                    match counts.get_mut(at) {
                        Some((_, n)) => *n += 1,
                        None => counts.push((group, 1)),
                    }
                }
            }
        }
        for (group, n) in counts {
            let n = n.saturating_mul(times);
            let channels = self.groups.get(group as usize).map_or(0, |g| g.channels);
            if channels > 0 && n.is_multiple_of(channels) {
                width.parts.push(Part { group: GroupId(group as usize), repeat: n / channels });
            } else {
                width.fixed += n;
            }
        }
        width
    }
}

fn signatures(deps: &Dependencies, class: &[u32]) -> Vec<Signature> {
    let mut signatures = vec![Signature::default(); class.len()];
    for (slot, labels) in deps.slots.iter().map(|slot| &slot.labels).chain(&deps.parts).enumerate() {
        for label in labels.iter().filter(|&label| label != FIXED) {
            let places = &mut signatures[class[label as usize] as usize].places;
            match places.last_mut() {
                Some((last, n)) if *last == slot as u32 => *n += 1,
                _ => places.push((slot as u32, 1)),
            }
        }
    }
    for (label, &root) in class.iter().enumerate() {
        let signature = &mut signatures[root as usize];
        signature.residual |= deps.added[label];
        let reason = deps.frozen[label];
        if reason != 0 && (signature.frozen == 0 || reason < signature.frozen) {
            signature.frozen = reason;
        }
    }
    signatures
}

fn name_of(deps: &Dependencies, label: usize) -> String {
    let after = deps.producers.partition_point(|(first, _)| *first as usize <= label);
    after.checked_sub(1).map(|i| deps.producers[i].1.clone()).unwrap_or_default()
}

fn add_members(deps: &Dependencies, groups: &mut [ChannelGroup], group_of: &[u32], channel_of: &[u32]) {
    for slot in &deps.slots {
        // Channels and positions by group, in the order in which the slot meets them.
        let mut owners: Vec<(u32, Vec<(usize, usize)>)> = Vec::new();
        let mut place: HashMap<u32, usize> = HashMap::new();
        for (position, label) in slot.labels.iter().enumerate().filter(|(_, label)| *label != FIXED) {
            let (group, channel) = (group_of[label as usize], channel_of[label as usize]);
            if group == NONE {
                continue;
            }
            let at = match owners.last() {
                Some((last, _)) if *last == group => owners.len() - 1,
                _ => *place.entry(group).or_insert_with(|| {
                    owners.push((group, vec![]));
                    owners.len() - 1
                }),
            };
            owners[at].1.push((channel as usize, position));
        }
        for (group, owned) in owners {
            let group = &mut groups[group as usize];
            let map = index_map(&owned, group.channels);
            group.members.push(Member { tensor: slot.tensor.clone(), axis: slot.axis, role: slot.role, map });
        }
    }
}

/// The map behind pairs of channel and position, positions ascending.
fn index_map(owned: &[(usize, usize)], channels: usize) -> IndexMap {
    let offset = owned.first().map_or(0, |first| first.1);
    let repeat = owned.len() / channels.max(1);
    let is_affine = |(i, &(channel, position))| (channel, position) == (i / repeat.max(1), offset + i);
    if repeat * channels == owned.len() && owned.iter().enumerate().all(is_affine) {
        // By far the most frequent case, and the lists of the other one cost an allocation per channel.
        return IndexMap::Affine { offset, repeat };
    }
    let mut positions = vec![vec![]; channels];
    owned.iter().for_each(|&(channel, position)| positions[channel].push(position));
    IndexMap::from_positions(positions)
}

/// Several groups of one producer get distinct names; a single channel must stay.
fn finish_groups(groups: &mut [ChannelGroup]) {
    let mut seen: HashMap<String, usize> = HashMap::new();
    for group in groups {
        let times = seen.entry(group.name.clone()).or_default();
        *times += 1;
        if *times > 1 {
            group.name = format!("{} ({times})", group.name);
        }
        if group.channels == 1 && group.frozen.is_none() {
            group.frozen = Some(SINGLE.to_owned());
        }
    }
}
