//! What to keep: the plain result that surgery applies.

use crate::{ChannelGroup, Constraint, GroupId, Member, Network, WidthError};
use std::fmt;

/// What one group keeps.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct GroupPlan {
    /// The group.
    pub id: GroupId,
    /// The group's name, for people.
    #[cfg_attr(feature = "serde", serde(default))]
    pub name: String,
    /// Channels before.
    pub channels: usize,
    /// Channels that stay, ascending. Where none do, the branch that they are the inside of goes.
    pub keep: Vec<usize>,
    /// The tensor axes that shrink.
    pub members: Vec<Member>,
}

/// Channels to keep, for each group that loses some.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct PrunePlan {
    /// The groups; one that is not listed keeps all its channels.
    pub groups: Vec<GroupPlan>,
}

/// Why a plan does not fit a network.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PlanError {
    /// The network has no such group, or one with other channels or members.
    Mismatch {
        /// The plan's group.
        group: GroupId,
        /// Its name in the plan.
        name: String,
        /// What differs.
        what: &'static str,
    },
    /// The kept indices are no ascending list below the group's channels, or none though the group is not removable.
    Keep {
        /// The plan's group.
        group: GroupId,
        /// Its name in the plan.
        name: String,
    },
    /// The group cannot be pruned.
    Frozen {
        /// The plan's group.
        group: GroupId,
        /// Why.
        reason: String,
    },
    /// The group may not have this width.
    Width {
        /// The plan's group.
        group: GroupId,
        /// Its name in the plan.
        name: String,
        /// Channels that the plan keeps.
        width: usize,
        /// What forbids it.
        constraint: Constraint,
        /// The next widths below and above that are allowed.
        nearest: Vec<usize>,
    },
    /// A group is listed twice.
    Twice {
        /// The plan's group.
        group: GroupId,
    },
}

impl fmt::Display for PlanError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PlanError::Mismatch { group, name, what } => {
                write!(f, "group {} ({name}) of the plan: {what}; the plan was made for another model", group.0)
            }
            PlanError::Keep { group, name } => write!(
                f,
                "group {} ({name}) of the plan: `keep` must be ascending and below the group's channels, and may be empty \
                 only inside a residual branch",
                group.0
            ),
            PlanError::Frozen { group, reason } => {
                write!(f, "group {} of the plan cannot be pruned: {reason}", group.0)
            }
            PlanError::Width { group, name, width, constraint, nearest } => {
                let nearest = nearest.iter().map(usize::to_string).collect::<Vec<_>>().join(" or ");
                write!(
                    f,
                    "group {} ({name}) of the plan keeps {width} channels and must keep {constraint}; keep {nearest}",
                    group.0
                )
            }
            PlanError::Twice { group } => write!(f, "group {} stands twice in the plan", group.0),
        }
    }
}

impl std::error::Error for PlanError {}

impl GroupPlan {
    /// Keeps `keep` of a group.
    pub fn new(group: &ChannelGroup, keep: Vec<usize>) -> GroupPlan {
        GroupPlan {
            id: group.id,
            name: group.name.clone(),
            channels: group.channels,
            keep,
            members: group.members.clone(),
        }
    }

    /// The error for a width that the group refuses.
    fn refused(&self, group: &ChannelGroup, refused: WidthError) -> PlanError {
        let (id, name, width) = (self.id, self.name.clone(), self.keep.len());
        match refused {
            WidthError::Range { .. } => PlanError::Keep { group: id, name },
            WidthError::Frozen { reason } => PlanError::Frozen { group: id, reason },
            WidthError::Constraint { constraint } => {
                let is_allowed = |width: &usize| group.allows(*width).is_ok();
                let below = (1..width).rev().find(is_allowed);
                let above = (width..=group.channels).find(is_allowed);
                let nearest = below.into_iter().chain(above).collect();
                PlanError::Width { group: id, name, width, constraint, nearest }
            }
        }
    }
}

impl PrunePlan {
    /// How many channels `group` keeps.
    pub fn kept(&self, group: &ChannelGroup) -> usize {
        self.groups.iter().find(|g| g.id == group.id).map_or(group.channels, |g| g.keep.len())
    }

    /// The positions of a tensor's axis of this length that stay, ascending.
    pub fn positions(&self, tensor: &str, axis: usize, length: usize) -> Vec<usize> {
        let mut stays = vec![true; length];
        for GroupPlan { channels, keep, members, .. } in &self.groups {
            for member in members.iter().filter(|member| member.tensor == tensor && member.axis == axis) {
                for channel in (0..*channels).filter(|channel| keep.binary_search(channel).is_err()) {
                    member.map.positions(channel).into_iter().filter(|&p| p < length).for_each(|p| stays[p] = false);
                }
            }
        }
        (0..length).filter(|&position| stays[position]).collect()
    }

    /// Checks that the plan is for this network, and that every group may have the width that it keeps.
    pub fn validate(&self, network: &Network) -> Result<(), PlanError> {
        let mut seen = vec![false; network.groups.len()];
        for plan in &self.groups {
            let mismatch = |what| PlanError::Mismatch { group: plan.id, name: plan.name.clone(), what };
            let group = network.groups.get(plan.id.0).ok_or_else(|| mismatch("the model has no such group"))?;
            if std::mem::replace(&mut seen[plan.id.0], true) {
                return Err(PlanError::Twice { group: plan.id });
            }
            if group.channels != plan.channels {
                return Err(mismatch("the model's group has another number of channels"));
            }
            if group.members != plan.members {
                return Err(mismatch("the model's group has other members"));
            }
            let is_ascending = plan.keep.windows(2).all(|pair| pair[0] < pair[1]);
            if !is_ascending || plan.keep.last().is_some_and(|&last| last >= plan.channels) {
                return Err(PlanError::Keep { group: plan.id, name: plan.name.clone() });
            }
            group.allows(plan.keep.len()).map_err(|refused| plan.refused(group, refused))?;
        }
        Ok(())
    }
}
