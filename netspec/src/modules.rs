//! A plan in the words of the program that made the model: what each of its modules keeps.

use crate::{Network, PrunePlan, Role};
use std::collections::{BTreeMap, BTreeSet};

/// What a convolution or fully connected module keeps of its output channels.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
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
#[derive(Clone, Debug, PartialEq, Default)]
#[non_exhaustive]
pub struct Modules {
    /// By name, as in PyTorch's `get_submodule`.
    pub named: BTreeMap<String, ModuleKeep>,
    /// Weights of modules whose names the export did not keep.
    pub unnamed: Vec<String>,
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

impl PrunePlan {
    /// What every module that computes channels of the plan's groups keeps of its output, whichever axis of the
    /// weight that is.
    ///
    /// A module's name is that of its weight without the `.weight` at its end. `network` is the plan's own: a module
    /// may compute channels of several groups, of which the plan lists some.
    pub fn modules(&self, network: &Network) -> Modules {
        let kept: BTreeMap<_, BTreeSet<usize>> =
            self.groups.iter().map(|group| (group.id, group.keep.iter().copied().collect())).collect();
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
}

#[cfg(test)]
mod tests {
    use super::ModuleKeep;

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
}
