//! Which widths a channel group may take, as data.

use crate::ChannelGroup;
use std::fmt;

/// A condition on the width of a channel group.
///
/// It speaks of widths below the full one: a group that loses nothing meets every constraint. That at least one
/// channel stays needs no constraint unless the group is [removable](ChannelGroup::removable), and that nothing may go is
/// said by [`ChannelGroup::frozen`].
///
/// ```
/// use netspec::{ChannelGroup, Constraint, GroupId};
/// let mut group = ChannelGroup::new(GroupId(0), "conv1", 30);
/// group.constraints.push(Constraint::MultipleOf(8));
/// assert_eq!(group.widths().collect::<Vec<_>>(), [8, 16, 24, 30]);
/// assert_eq!(group.allows(12).unwrap_err().to_string(), "it must keep a multiple of 8");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum Constraint {
    /// No fewer channels than this.
    AtLeast(usize),
    /// Channels in multiples of this.
    MultipleOf(usize),
}

impl Constraint {
    /// Whether a group of `channels` may be narrowed to `width`.
    pub fn allows(&self, width: usize, channels: usize) -> bool {
        width == channels
            || match self {
                Constraint::AtLeast(least) => width >= *least,
                Constraint::MultipleOf(step) => width.is_multiple_of(*step),
            }
    }
}

/// What must be kept, as in "a multiple of 8".
impl fmt::Display for Constraint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Constraint::AtLeast(least) => write!(f, "at least {least}"),
            Constraint::MultipleOf(step) => write!(f, "a multiple of {step}"),
        }
    }
}

/// Why a group may not have a width.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum WidthError {
    /// No channel would stay of a group that is not removable, or more than there are.
    Range {
        /// The group's channels.
        channels: usize,
    },
    /// The group cannot be pruned.
    Frozen {
        /// Why.
        reason: String,
    },
    /// A constraint forbids it.
    Constraint {
        /// The first one that does.
        constraint: Constraint,
    },
}

impl fmt::Display for WidthError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            WidthError::Range { channels } => write!(f, "it must keep from 1 to {channels} channels"),
            WidthError::Frozen { reason } => write!(f, "it cannot be pruned: {reason}"),
            WidthError::Constraint { constraint } => write!(f, "it must keep {constraint}"),
        }
    }
}

impl std::error::Error for WidthError {}

impl ChannelGroup {
    /// Whether the group may have this width, and if not, why.
    pub fn allows(&self, width: usize) -> Result<(), WidthError> {
        if width < usize::from(!self.removable) || width > self.channels {
            return Err(WidthError::Range { channels: self.channels });
        }
        match &self.frozen {
            Some(reason) if width < self.channels => return Err(WidthError::Frozen { reason: reason.clone() }),
            _ => {}
        }
        match self.constraints.iter().find(|constraint| !constraint.allows(width, self.channels)) {
            Some(constraint) => Err(WidthError::Constraint { constraint: constraint.clone() }),
            None => Ok(()),
        }
    }

    /// The widths that the group may have, ascending: 0 is one of a removable group's, and the full one is the last.
    pub fn widths(&self) -> impl Iterator<Item = usize> + '_ {
        (0..=self.channels).filter(|&width| self.allows(width).is_ok())
    }
}
