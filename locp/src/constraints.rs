//! What plans for a model may not do, by the names of its layers.

use crate::members::names;
use crate::{Error, Model, Parameter};
use netspec::{ChannelGroup, Constraint, Network};
use serde::Serialize;
use std::fmt;
use std::str::FromStr;
use wildmatch::WildMatch;

/// How many channels stay at least.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Least {
    /// So many.
    Channels(usize),
    /// This share of what there is, in (0, 1].
    Share(f64),
}

impl fmt::Display for Least {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Least::Channels(channels) => write!(f, "{channels}"),
            Least::Share(share) => write!(f, "{share}x"),
        }
    }
}

/// A number of channels, or a share with an `x` behind it: `48`, `0.5x`.
impl FromStr for Least {
    type Err = String;

    fn from_str(text: &str) -> Result<Least, String> {
        let least = match text.strip_suffix('x') {
            Some(share) => share.parse().ok().filter(|share| *share > 0.0 && *share <= 1.0).map(Least::Share),
            None => text.parse().ok().filter(|channels| *channels > 0).map(Least::Channels),
        };
        least.ok_or_else(|| format!("`{text}` is neither a number of channels, as 48, nor a share of them, as 0.5x"))
    }
}

/// Constraints on the groups of any model, picked by name.
///
/// A pattern is compared with the name of every layer that computes a group's channels, of its weight and module; `*`
/// stands for any text, `?` for one character. What the network gives back is never narrowed, with or without
/// constraints, so the last layers keep their outputs. The first ones are open, as filter pruners' custom is, unless
/// they are on a residual stream: freeze them by name to protect them.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Constraints {
    /// Groups that keep all their channels.
    pub freeze: Vec<String>,
    /// If any: all other groups keep theirs.
    pub only: Vec<String>,
    /// Groups that keep at least so many.
    pub at_least: Vec<(String, Least)>,
    /// Every group keeps a multiple of this, or all.
    pub multiple_of: Option<usize>,
    /// The least value that a plan may have; 0 is the dense network's.
    pub value_floor: Option<f64>,
}

impl Constraints {
    /// Applies them to a model. `prune_residual` says whether residual streams are open at all.
    ///
    /// Errors are a pattern that fits no group, and two constraints that exclude each other.
    pub fn apply(&self, mut model: Model, prune_residual: bool) -> Result<Model, Error> {
        let network = model.network().clone();
        let pick_all = |parameter: Parameter, patterns: &[String]| {
            patterns.iter().map(|pattern| pick(&network, parameter, pattern)).collect::<Result<Vec<Picked>, Error>>()
        };
        let frozen = pick_all(Parameter::Freeze, &self.freeze)?;
        let only = pick_all(Parameter::Only, &self.only)?;
        for one in &only {
            self.check_open(&network, one, &frozen, prune_residual)?;
        }
        for (pattern, least) in &self.at_least {
            let picked = pick(&network, Parameter::AtLeast, pattern)?;
            for &group in &picked.groups {
                let channels = network.groups[group].channels;
                let least = match *least {
                    Least::Channels(least) => least,
                    Least::Share(share) => (share * channels as f64).ceil() as usize,
                };
                model = model.constrained(&Constraint::AtLeast(least), |candidate| candidate.id.0 == group);
            }
        }
        if let Some(step) = self.multiple_of {
            model = model.constrained(&Constraint::MultipleOf(step), |group| group.frozen.is_none());
        }
        let by_freeze = |group: usize| frozen.iter().find(|picked| picked.groups.contains(&group)).map(Picked::words);
        let is_left_out = |group: usize| !only.is_empty() && !only.iter().any(|picked| picked.groups.contains(&group));
        for group in 0..network.groups.len() {
            let reason = match by_freeze(group) {
                Some(words) => Some(format!("{words} keeps all its channels")),
                None if is_left_out(group) => Some("it is not among those that `only` names".to_owned()),
                None => None,
            };
            if let Some(reason) = reason {
                model = model.frozen(group, reason);
            }
        }
        Ok(model.under(self))
    }

    /// A group that alone is to be pruned must not be kept from it.
    fn check_open(
        &self,
        network: &Network,
        only: &Picked,
        frozen: &[Picked],
        prune_residual: bool,
    ) -> Result<(), Error> {
        let groups: Vec<&ChannelGroup> = only.groups.iter().map(|&group| &network.groups[group]).collect();
        for group in &groups {
            if let Some(other) = frozen.iter().find(|picked| picked.groups.contains(&group.id.0)) {
                let why = format!("both name the group `{}`", group.name);
                let parameters = vec![only.parameter, other.parameter];
                return Err(Error::Contradiction { first: only.words(), second: other.words(), why, parameters });
            }
        }
        let is_open = |group: &&&ChannelGroup| group.frozen.is_none() && (prune_residual || !group.residual);
        if let ([first, ..], None) = (groups.as_slice(), groups.iter().find(is_open)) {
            let (second, why, parameters) = match &first.frozen {
                Some(reason) => {
                    ("the model", format!("`{}` keeps its channels: {reason}", first.name), vec![only.parameter])
                }
                None => (
                    "the protection of residual streams",
                    format!("`{}` is a residual stream, which only `prune_residual` opens", first.name),
                    vec![only.parameter, Parameter::PruneResidual],
                ),
            };
            return Err(Error::Contradiction { first: only.words(), second: second.to_owned(), why, parameters });
        }
        Ok(())
    }
}

/// The groups that a pattern fits.
struct Picked {
    parameter: Parameter,
    pattern: String,
    groups: Vec<usize>,
}

impl Picked {
    fn words(&self) -> String {
        format!("{} '{}'", self.parameter, self.pattern)
    }
}

fn pick(network: &Network, parameter: Parameter, pattern: &str) -> Result<Picked, Error> {
    let wild = WildMatch::new(pattern);
    let fits = |group: &&ChannelGroup| names(network, group).any(|name| wild.matches(name));
    let groups: Vec<usize> = network.groups.iter().filter(fits).map(|group| group.id.0).collect();
    if groups.is_empty() {
        return Err(Error::NoMatch { parameter, pattern: pattern.to_owned() });
    }
    Ok(Picked { parameter, pattern: pattern.to_owned(), groups })
}
