//! A plan in the words of the program that made the model: what each of its modules keeps.

use netspec::{Network, PrunePlan, Role};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// What a convolution or fully connected module keeps of its output channels.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[non_exhaustive]
pub struct ModuleKeep {
    /// Output channels before.
    pub channels: usize,
    /// How many stay.
    pub keep: usize,
    /// Which ones stay, ascending.
    pub indices: Vec<usize>,
    /// The share that goes, such that rounding `channels * (1 - ratio)` down gives `keep` in floating point too:
    /// pruners compute it so, and would keep one channel less where the quotient is rounded up.
    pub ratio: f64,
}

/// The modules that a plan speaks of.
#[derive(Default)]
pub(crate) struct Modules {
    /// By name, as in PyTorch's `get_submodule`.
    pub(crate) named: BTreeMap<String, ModuleKeep>,
    /// Weights of modules whose names the export did not keep.
    pub(crate) unnamed: Vec<String>,
}

impl ModuleKeep {
    fn new(channels: usize, indices: Vec<usize>) -> ModuleKeep {
        let keep = indices.len();
        let mut ratio = channels.saturating_sub(keep) as f64 / channels.max(1) as f64;
        while ((channels as f64 * (1.0 - ratio)) as usize) < keep && ratio > 0.0 {
            ratio = ratio.next_down().max(0.0);
        }
        ModuleKeep { channels, keep, indices, ratio }
    }
}

/// What every module that computes channels of a plan's groups keeps of its output, whichever axis of the weight that is.
///
/// A module's name is that of its weight without the `.weight` at its end. `network` is the plan's own: a module
/// may compute channels of several groups, of which the plan lists some.
pub(crate) fn modules(plan: &PrunePlan, network: &Network) -> Modules {
    let kept: BTreeMap<_, BTreeSet<usize>> =
        plan.groups.iter().map(|group| (group.id, group.keep.iter().copied().collect())).collect();
    let mut touched: BTreeSet<&str> = BTreeSet::new();
    // Every output position of a weight belongs to one group, so that these are all positions there are.
    let mut positions: BTreeMap<&str, BTreeMap<usize, bool>> = BTreeMap::new();
    for group in &network.groups {
        let keep = kept.get(&group.id);
        for member in group.members.iter().filter(|member| member.role == Role::Producer) {
            touched.extend(keep.map(|_| member.tensor.as_str()));
            let of_tensor = positions.entry(&member.tensor).or_default();
            for channel in 0..group.channels {
                let stays = keep.is_none_or(|keep| keep.contains(&channel));
                of_tensor.extend(member.map.positions(channel).into_iter().map(|position| (position, stays)));
            }
        }
    }
    let mut modules = Modules::default();
    for (tensor, positions) in positions.into_iter().filter(|(tensor, _)| touched.contains(tensor)) {
        let stays = |(position, stays): (&usize, &bool)| stays.then_some(*position);
        match tensor.strip_suffix(".weight").filter(|name| !name.is_empty()) {
            Some(name) => {
                let indices = positions.iter().filter_map(stays).collect();
                modules.named.insert(name.to_owned(), ModuleKeep::new(positions.len(), indices));
            }
            None => modules.unnamed.push(tensor.to_owned()),
        }
    }
    modules
}

#[cfg(test)]
mod tests {
    use super::{ModuleKeep, modules};
    use netspec::{ChannelGroup, GroupId, GroupPlan, IndexMap, Member, Network, PrunePlan, Role};

    #[test]
    fn a_ratio_gives_its_count_back_when_rounded_down() {
        let mut nudged = 0;
        for channels in 1..=1100 {
            for keep in 1..=channels {
                let module = ModuleKeep::new(channels, (0..keep).collect());
                let plain = (channels - keep) as f64 / channels as f64;
                assert_eq!((channels as f64 * (1.0 - module.ratio)) as usize, keep, "{keep} of {channels}");
                assert!((module.ratio - plain).abs() < 1e-12, "{keep} of {channels}: {}", module.ratio);
                nudged += usize::from(module.ratio != plain);
            }
        }
        assert!(nudged > 0, "no quotient is ever rounded up, so that this test shows nothing");
    }

    #[test]
    fn modules_keep_what_their_output_axis_keeps() {
        let member = |tensor: &str, axis, role, offset, repeat| Member {
            tensor: tensor.to_owned(),
            axis,
            role,
            map: IndexMap::Affine { offset, repeat },
        };
        use Role::*;
        // One convolution's output is split over two groups; a transposed one has its output on axis 1.
        let first = vec![
            member("stem.weight", 0, Producer, 0, 1),
            member("stem.bias", 0, Parameter, 0, 1),
            member("up.weight", 1, Producer, 0, 2),
            member("tail.weight", 1, Consumer, 0, 1),
        ];
        let second = vec![member("stem.weight", 0, Producer, 3, 1), member("onnx::Conv_7", 0, Producer, 0, 1)];
        let third = vec![member("head.weight", 0, Producer, 0, 1)];
        let group = |id, channels, members| {
            let mut group = ChannelGroup::new(GroupId(id), "g", channels);
            group.members = members;
            group
        };
        let mut network = Network::default();
        network.groups = vec![group(0, 3, first), group(1, 2, second), group(2, 5, third)];
        let plan = |keep: [&[usize]; 2]| PrunePlan {
            groups: network.groups.iter().zip(keep).map(|(group, keep)| GroupPlan::new(group, keep.to_vec())).collect(),
        };

        let found = modules(&plan([&[0, 2], &[1]]), &network);
        assert_eq!(
            found.named.keys().collect::<Vec<_>>(),
            ["stem", "up"],
            "groups that are not in the plan are silent"
        );
        let (stem, up) = (&found.named["stem"], &found.named["up"]);
        assert_eq!((stem.channels, stem.keep, &*stem.indices, stem.ratio), (5, 3, &[0, 2, 4][..], 0.4));
        assert_eq!((up.channels, up.keep, &*up.indices), (6, 4, &[0, 1, 4, 5][..]));
        assert_eq!(found.unnamed, ["onnx::Conv_7"]);

        // A group that is not in the plan keeps all its channels.
        let only_first = PrunePlan { groups: plan([&[1], &[0]]).groups[..1].to_vec() };
        assert_eq!(modules(&only_first, &network).named["stem"].indices, [1, 3, 4]);
    }
}
