//! The dependency engine: which tensor axes must lose the same channels together.
//!
//! Every activation carries, along its channel axis, one label per position ([`Labels`]).
//! Layers make fresh labels, everything else passes them on, concatenates, repeats or unites them, and
//! tensors whose axes follow the channels are recorded under the labels of their positions.
//! A channel is then a class of united labels, and a channel group is all classes that reach the same
//! places equally often.
//! The cost of labelling positions one by one is memory in proportion to the channels of all layers;
//! what it buys is that concatenation, flattening, grouping and any mix of them need no special case.
//!
//! The engine knows nothing of ONNX.

mod grouping;
mod labels;
mod layout;
mod rectangle;
mod single;

pub(crate) use grouping::{Extent, Grouping};
pub(crate) use labels::Labels;
pub(crate) use layout::Layout;

use labels::FIXED;
use netspec::{Frozen, Role};
use std::collections::HashMap;

/// A registered reason for not pruning.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Reason(u32);

/// Two axes that must correspond position by position have different lengths.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Mismatch {
    /// Positions of the first.
    pub(crate) left: usize,
    /// Positions of the second.
    pub(crate) right: usize,
}

impl std::fmt::Display for Mismatch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} channels meet {}", self.left, self.right)
    }
}

impl std::error::Error for Mismatch {}

/// A tensor's axis, with the label of each position.
#[derive(Debug)]
struct Slot {
    tensor: String,
    axis: usize,
    role: Role,
    labels: Labels,
}

/// Collects how channels depend on each other; see the [module's documentation](self).
#[derive(Debug, Default)]
pub(crate) struct Dependencies {
    /// Union-find over labels; a root is the smallest label of its class.
    parent: Vec<u32>,
    /// Index of the first reason that froze a label, plus one; 0 where there is none.
    frozen: Vec<u32>,
    /// Whether a label was an operand of an addition.
    added: Vec<bool>,
    /// First label and name of every producer, ascending.
    producers: Vec<(u32, String)>,
    slots: Vec<Slot>,
    slot_of: HashMap<String, Vec<usize>>,
    reasons: Vec<Frozen>,
    /// Parts of axes whose lengths matter by themselves.
    parts: Vec<Labels>,
    /// Tensors whose channels stand on several axes, and why others must go with them.
    rectangles: Vec<(Layout, Reason)>,
}

impl Dependencies {
    /// No channels yet.
    pub(crate) fn new() -> Dependencies {
        Dependencies::default()
    }

    /// Registers a reason; it is reported if it freezes a channel.
    pub(crate) fn reason(&mut self, reason: Frozen) -> Reason {
        self.reasons.push(reason);
        Reason(self.reasons.len() as u32 - 1)
    }

    /// What was registered.
    pub(crate) fn registered(&self, reason: Reason) -> &Frozen {
        &self.reasons[reason.0 as usize]
    }

    /// Fresh labels: the output channels of a layer. The name is for people.
    pub(crate) fn produce(&mut self, name: &str, channels: usize) -> Labels {
        let first = self.parent.len() as u32;
        let labels = first..first + channels as u32;
        self.producers.push((first, name.to_owned()));
        self.parent.extend(labels.clone());
        self.frozen.resize(self.parent.len(), 0);
        self.added.resize(self.parent.len(), false);
        Labels::new(labels.collect())
    }

    /// Position by position, both keep or lose a channel together.
    ///
    /// Where one side cannot change, the other is frozen for the reason `otherwise`.
    pub(crate) fn unite(&mut self, a: &Labels, b: &Labels, otherwise: Reason) -> Result<(), Mismatch> {
        if a.len() != b.len() {
            return Err(Mismatch { left: a.len(), right: b.len() });
        }
        if !a.is_same(b) {
            a.iter().zip(b.iter()).for_each(|(a, b)| self.unite_two(a, b, otherwise));
        }
        Ok(())
    }

    /// Like [`unite`](Self::unite), for an addition: it makes a residual stream of several producers.
    pub(crate) fn add(&mut self, a: &Labels, b: &Labels, otherwise: Reason) -> Result<(), Mismatch> {
        self.unite(a, b, otherwise)?;
        for label in a.iter().filter(|&label| label != FIXED) {
            self.added[label as usize] = true;
        }
        Ok(())
    }

    /// Makes every block of `size` neighbors one channel, as grouped convolutions do.
    ///
    /// Answers one label per block. A last block may be shorter.
    pub(crate) fn tie(&mut self, labels: &Labels, size: usize, otherwise: Reason) -> Labels {
        let all: Vec<u32> = labels.iter().collect();
        let tied = all.chunks(size.max(1)).map(|block| {
            block.windows(2).for_each(|pair| self.unite_two(pair[0], pair[1], otherwise));
            if block.contains(&FIXED) { FIXED } else { block[0] }
        });
        Labels::new(tied.collect())
    }

    fn unite_two(&mut self, a: u32, b: u32, otherwise: Reason) {
        match (a == FIXED, b == FIXED) {
            (true, true) => (),
            (true, false) => self.freeze_one(b, otherwise),
            (false, true) => self.freeze_one(a, otherwise),
            (false, false) => {
                let (a, b) = (find(&mut self.parent, a), find(&mut self.parent, b));
                // The smaller label wins: a class is then named by its first producer's channel.
                self.parent[a.max(b) as usize] = a.min(b);
            }
        }
    }

    /// These channels, and all that is united with them, now or later, cannot be pruned.
    pub(crate) fn freeze(&mut self, labels: &Labels, reason: Reason) {
        for label in labels.iter().filter(|&label| label != FIXED) {
            self.freeze_one(label, reason);
        }
    }

    fn freeze_one(&mut self, label: u32, reason: Reason) {
        let slot = &mut self.frozen[label as usize];
        if *slot == 0 {
            *slot = reason.0 + 1;
        }
    }

    /// A tensor's axis follows these channels, a position each.
    ///
    /// An axis that is recorded twice (two nodes read one tensor) must agree, so its labels are united.
    pub(crate) fn member(&mut self, tensor: &str, axis: usize, role: Role, labels: &Labels) -> Result<(), Mismatch> {
        let known = self.slot_of.get(tensor).and_then(|s| s.iter().find(|&&s| self.slots[s].axis == axis));
        if let Some(&known) = known {
            let before = self.slots[known].labels.clone();
            let otherwise = self.reason(Frozen {
                node: tensor.to_owned(),
                op: "Initializer".to_owned(),
                reason: format!("`{tensor}` is shared with channels that cannot change"),
            });
            return self.unite(&before, labels, otherwise);
        }
        self.slot_of.entry(tensor.to_owned()).or_default().push(self.slots.len());
        self.slots.push(Slot { tensor: tensor.to_owned(), axis, role, labels: labels.clone() });
        Ok(())
    }

    /// Axes of a tensor that are recorded so far, with their labels.
    pub(crate) fn members_of(&self, tensor: &str) -> Vec<(usize, Labels)> {
        let slots = self.slot_of.get(tensor).into_iter().flatten();
        slots.map(|&s| (self.slots[s].axis, self.slots[s].labels.clone())).collect()
    }

    /// The number of these channels matters by itself: a group has all of them or none.
    ///
    /// For what takes a part of an axis, as Slice and Split do, and for numbers that count channels.
    pub(crate) fn part(&mut self, labels: &Labels) {
        if !self.parts.iter().rev().take(8).any(|known| known.is_same(labels)) {
            self.parts.push(labels.clone());
        }
    }

    /// Takes a tensor out of the groups again: another one with the same channels stands for it.
    pub(crate) fn forget(&mut self, tensor: &str) {
        for slot in self.slot_of.remove(tensor).unwrap_or_default() {
            self.slots[slot].labels = Labels::fixed(0);
        }
    }

    /// A number for what each position is united with by now; equal numbers live and die together.
    pub(crate) fn classes(&mut self, labels: &Labels) -> Vec<u32> {
        labels.iter().map(|label| if label == FIXED { FIXED } else { find(&mut self.parent, label) }).collect()
    }

    /// The channel groups, after everything that must have a shape of its own got one.
    pub(crate) fn group(&mut self) -> Grouping {
        self.settle();
        Grouping::new(self)
    }
}

/// The class of a label, shortening the way to it.
fn find(parent: &mut [u32], mut label: u32) -> u32 {
    while parent[label as usize] != label {
        let up = parent[parent[label as usize] as usize];
        parent[label as usize] = up;
        label = up;
    }
    label
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two convolutions whose results are added, and a fully connected layer behind them.
    #[test]
    fn what_is_added_is_one_group() -> Result<(), Mismatch> {
        let mut network = Dependencies::new();
        let input = Frozen { node: "image".into(), op: "Input".into(), reason: "is the model's input".into() };
        let why = network.reason(input);
        let (a, b) = (network.produce("a", 8), network.produce("b", 8));
        network.member("a.weight", 0, Role::Producer, &a)?;
        network.member("b.weight", 0, Role::Producer, &b)?;
        network.add(&a, &b, why)?;
        // A Flatten of 2x2 images: every channel becomes four positions.
        let flat = a.merged(1, 4);
        network.member("fc.weight", 1, Role::Consumer, &flat)?;

        let grouping = network.group();
        let [group] = &grouping.groups[..] else { panic!("one group") };
        assert_eq!((group.channels, group.residual, group.members.len()), (8, true, 3));
        assert_eq!(group.members[2].map.positions(1), [4, 5, 6, 7]);
        assert_eq!(grouping.width(&flat).at(|_| 5), 20);
        Ok(())
    }
}
