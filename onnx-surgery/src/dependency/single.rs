//! Groups of a single channel: one may go as a whole where others stay beside it.
//!
//! Networks that grow by a channel with each block (PyramidNet) have many of them.

use super::labels::FIXED;
use super::{Grouping, Layout};

pub(super) const SINGLE: &str = "it is a single channel, and one must stay";

impl Grouping {
    /// Lets each single channel go that has channels beside it in all of these tensors, of which one stays in any case.
    pub(crate) fn release_singles<'a>(&mut self, tensors: impl Iterator<Item = &'a Layout>) {
        let is_single = |group: &netspec::ChannelGroup| group.frozen.as_deref() == Some(SINGLE);
        let mut may_go: Vec<bool> = self.groups.iter().map(is_single).collect();
        if !may_go.contains(&true) {
            return;
        }
        for layout in tensors {
            let of = |label: u32| {
                if label == FIXED { None } else { self.groups.get(self.group_of[label as usize] as usize) }
            };
            let groups = || layout.labels().iter().map(of);
            let stays = |group: Option<&netspec::ChannelGroup>| group.is_none_or(|group| !is_single(group));
            if layout.only_axis().is_none() || !groups().any(stays) {
                groups().flatten().for_each(|group| may_go[group.id.0] = false);
            }
        }
        for (group, _) in self.groups.iter_mut().zip(may_go).filter(|(_, may_go)| *may_go) {
            (group.frozen, group.removable) = (None, true);
        }
    }
}
