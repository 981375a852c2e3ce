//! What removing channels loses.

use netspec::{GroupId, TensorError};
use std::fmt;
use std::sync::Arc;

/// What a value means. A magnitude is a proxy for damage, and is labelled as one wherever its value is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "lowercase"))]
#[non_exhaustive]
pub enum ValueKind {
    /// Computed from the weights alone.
    Magnitude,
    /// Predicted damage to the outputs, from calibration images.
    Damage,
    /// Computed elsewhere, or given by hand.
    File,
    /// Drawn by lot: the baseline that every other value must beat.
    Random,
}

impl fmt::Display for ValueKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            ValueKind::Magnitude => "magnitude",
            ValueKind::Damage => "damage",
            ValueKind::File => "file",
            ValueKind::Random => "random",
        })
    }
}

/// Why a value cannot be told.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ValueError {
    /// There is no such group.
    #[error("there is no group {group}; the network has {groups}, counted from 0")]
    UnknownGroup {
        /// The group's index.
        group: usize,
        /// Groups there are.
        groups: usize,
    },
    /// A curve or a list of scores is for another number of channels.
    #[error("group `{group}` has {expected} channels, and its scores are for {found}; they are of another model")]
    Channels {
        /// The group's name.
        group: String,
        /// The group's channels.
        expected: usize,
        /// Channels of the curve.
        found: usize,
    },
    /// The order of removal does not name every channel once.
    #[error("the order of removal must name each of {channels} channels once; channel {channel} is missing or doubled")]
    Order {
        /// Channels there are.
        channels: usize,
        /// One that is missing or named twice.
        channel: usize,
    },
    /// A curve is not as long as its order asks for.
    #[error("a curve over {channels} channels needs {} losses, from none removed to all, and has {found}", channels + 1)]
    Length {
        /// Channels there are.
        channels: usize,
        /// Losses that were given.
        found: usize,
    },
    /// A score or a loss is not finite, or the losses do not start at 0 and fall from there.
    #[error("after removing {removed} channels the value is {value}; it must be finite, start at 0 and never rise")]
    Loss {
        /// Channels removed.
        removed: usize,
        /// The value.
        value: f64,
    },
    /// A weight is missing.
    #[error("group `{group}` needs the weight `{tensor}`, which the model does not hold; {EMBED}")]
    MissingTensor {
        /// The group's name.
        group: String,
        /// The weight's name.
        tensor: String,
    },
    /// A weight does not have the positions that the group claims.
    #[error(
        "the weight `{tensor}` of shape {shape:?} has no position {position} on axis {axis}, which group `{group}` owns"
    )]
    Shape {
        /// The group's name.
        group: String,
        /// The weight's name.
        tensor: String,
        /// The weight's shape.
        shape: Vec<usize>,
        /// The axis.
        axis: usize,
        /// The position that is missing.
        position: usize,
    },
    /// A weight cannot be read as numbers.
    #[error("the weight `{tensor}` of group `{group}`: {source}")]
    Tensor {
        /// The group's name.
        group: String,
        /// The weight's name.
        tensor: String,
        /// Why.
        source: TensorError,
    },
    /// A weight holds NaN or infinity.
    #[error("the weight `{tensor}` of group `{group}` holds a number that is not finite; {REPAIR_MODEL}")]
    NotFinite {
        /// The group's name.
        group: String,
        /// The weight's name.
        tensor: String,
    },
    /// The criterion is a norm's scale, and no norm acts on the group.
    #[error(
        "group `{group}` has no norm whose scale could tell what its channels are worth (a norm folded into a \
         convolution has none); {FREEZE}"
    )]
    NoScale {
        /// The group's name.
        group: String,
    },
    /// Scores or a curve are given for a tensor that no group knows.
    #[error("there are scores for `{tensor}`, which is not a weight of a channel group{}", nearest_words(.nearest))]
    UnknownTensor {
        /// The tensor's name in the scores.
        tensor: String,
        /// A tensor whose name looks like it.
        nearest: Option<String>,
    },
    /// Scores do not fit the weight they are for.
    #[error(
        "the scores for `{tensor}` have the shape {found:?}; expected {expected:?}, as the weight has it, or one score for each position of an axis"
    )]
    ScoreShape {
        /// The weight's name.
        tensor: String,
        /// The weight's shape.
        expected: Vec<usize>,
        /// The shape of the scores.
        found: Vec<usize>,
    },
    /// A score is negative or not finite.
    #[error("score {position} for `{tensor}` is {value}; scores must be finite and at least 0, most valuable highest")]
    Score {
        /// The tensor's name in the scores.
        tensor: String,
        /// Which element, in C order.
        position: usize,
        /// The score.
        value: f64,
    },
    /// A group that may be pruned has no scores.
    #[error("group `{group}` has no scores; {}", scores_words(.tensors))]
    NoScores {
        /// The group's name.
        group: String,
        /// Weights whose scores would tell.
        tensors: Vec<String>,
    },
    /// A group has a curve and scores, or two curves: which one counts cannot be told.
    #[error("group `{group}` has a curve, and `{tensor}` gives it another; {LEAVE_OUT}")]
    Twice {
        /// The group's name.
        group: String,
        /// The second name.
        tensor: String,
    },
    /// Some other source of values failed.
    #[error("{reason}")]
    Other {
        /// What went wrong, and what to do.
        reason: String,
    },
}

const EMBED: &str = "embed it in the file";
const FREEZE: &str = "freeze the group or choose another value";
const LEAVE_OUT: &str = "leave out one of them";
const REPAIR_MODEL: &str = "repair the model first";

impl ValueError {
    /// What to do, as the error's text ends; `None` if no step is known.
    pub fn remedy(&self) -> Option<String> {
        match self {
            ValueError::MissingTensor { .. } => Some(EMBED.to_owned()),
            ValueError::NotFinite { .. } => Some(REPAIR_MODEL.to_owned()),
            ValueError::NoScale { .. } => Some(FREEZE.to_owned()),
            ValueError::Twice { .. } => Some(LEAVE_OUT.to_owned()),
            ValueError::NoScores { tensors, .. } => Some(scores_words(tensors)),
            ValueError::UnknownTensor { nearest, .. } => nearest.as_deref().map(meant_words),
            _ => None,
        }
    }
}

fn nearest_words(nearest: &Option<String>) -> String {
    nearest.as_ref().map_or_else(String::new, |nearest| format!("; {}", meant_words(nearest)))
}

fn meant_words(nearest: &str) -> String {
    format!("did you mean `{nearest}`?")
}

/// Names the first few of what may be many.
fn scores_words(tensors: &[String]) -> String {
    let quoted: Vec<String> = tensors.iter().take(3).map(|tensor| format!("`{tensor}`")).collect();
    let tensors = if quoted.is_empty() { "a weight of it".to_owned() } else { quoted.join(" or ") };
    format!("give some for {tensors}, or freeze the group")
}

/// A group's channels in order of removal, and what is lost on the way.
///
/// ```
/// use benefit::ValueCurve;
/// let curve = ValueCurve::from_scores(&[0.5, 0.1, 0.4])?;
/// assert_eq!(curve.order(), [1, 2, 0]);
/// assert_eq!((curve.value(2), curve.value(1)), (-0.1, -0.5));
/// assert_eq!(curve.keep(2), [0, 2]);
/// # Ok::<(), benefit::ValueError>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct ValueCurve {
    order: Vec<usize>,
    loss: Vec<f64>,
}

impl ValueCurve {
    /// A curve from an order of removal and the value after removing none, one, ... all of the channels:
    /// 0 first, and never rising.
    pub fn new(order: Vec<usize>, loss: Vec<f64>) -> Result<ValueCurve, ValueError> {
        let channels = order.len();
        let mut seen = vec![false; channels];
        for &channel in &order {
            match seen.get_mut(channel) {
                Some(seen) if !*seen => *seen = true,
                _ => return Err(ValueError::Order { channels, channel }),
            }
        }
        if loss.len() != channels + 1 {
            return Err(ValueError::Length { channels, found: loss.len() });
        }
        let mut previous = 0.0;
        for (removed, &value) in loss.iter().enumerate() {
            if !value.is_finite() || value > previous || (removed == 0 && value != 0.0) {
                return Err(ValueError::Loss { removed, value });
            }
            previous = value;
        }
        Ok(ValueCurve { order, loss })
    }

    /// Removes the lowest score first; each channel costs its score. Scores are finite and not negative.
    /// Of equal scores the higher channel goes first, so that what is kept is a prefix where nothing tells.
    pub fn from_scores(scores: &[f64]) -> Result<ValueCurve, ValueError> {
        ValueCurve::shaped(scores, |lost, _| -lost)
    }

    /// Removes the lowest score first; `value` tells the value where `lost` of the sum `total` is gone.
    pub(crate) fn shaped(scores: &[f64], value: impl Fn(f64, f64) -> f64) -> Result<ValueCurve, ValueError> {
        let mut order: Vec<usize> = (0..scores.len()).collect();
        order.sort_by(|&a, &b| scores[a].total_cmp(&scores[b]).then(b.cmp(&a)));
        let total = order.iter().map(|&channel| scores[channel]).sum();
        let mut lost = 0.0;
        let mut loss = vec![0.0];
        for &channel in &order {
            lost += scores[channel];
            loss.push(value(lost, total));
        }
        ValueCurve::new(order, loss)
    }

    /// Channels before pruning.
    pub fn channels(&self) -> usize {
        self.order.len()
    }

    /// The channels, first removed first.
    pub fn order(&self) -> &[usize] {
        &self.order
    }

    /// The value at a width: 0 at full width and above.
    pub fn value(&self, width: usize) -> f64 {
        self.loss[self.channels().saturating_sub(width)]
    }

    /// The channels that stay at a width, ascending.
    pub fn keep(&self, width: usize) -> Vec<usize> {
        let mut keep = self.order[self.channels().saturating_sub(width)..].to_vec();
        keep.sort_unstable();
        keep
    }
}

/// Says what removing a group's channels loses, and which channels go first.
///
/// # Contract
/// - The curve is over exactly the group's channels, and asking twice gives the same curve: plans keep the
///   channels that the curve names.
/// - Values of different groups are on one scale, for plans add them.
/// - It can be shared between threads (`Send + Sync`): asking for a curve changes nothing that callers see.
///
/// # A second, silly implementation
/// ```
/// use benefit::{Value, ValueCurve, ValueError};
/// use netspec::GroupId;
///
/// /// Every channel is worth as much as any other: the first ones stay.
/// struct Prefix(Vec<usize>);
/// impl Value for Prefix {
///     fn curve(&self, group: GroupId) -> Result<ValueCurve, ValueError> {
///         let groups = self.0.len();
///         let channels = *self.0.get(group.0).ok_or(ValueError::UnknownGroup { group: group.0, groups })?;
///         ValueCurve::from_scores(&vec![1.0 / channels as f64; channels])
///     }
/// }
/// assert_eq!(Prefix(vec![4]).curve(GroupId(0))?.keep(2), [0, 1]);
/// # Ok::<(), ValueError>(())
/// ```
pub trait Value: Send + Sync {
    /// The curve of one group.
    fn curve(&self, group: GroupId) -> Result<ValueCurve, ValueError>;

    /// What the values mean.
    fn kind(&self) -> ValueKind {
        ValueKind::File
    }

    /// How the values were computed, for people: `l2, per layer`.
    fn name(&self) -> String {
        self.kind().to_string()
    }
}

/// Pointers to a value are values.
macro_rules! forward {
    ($($pointer:ty),*) => {$(
        impl<T: Value + ?Sized> Value for $pointer {
            fn curve(&self, group: GroupId) -> Result<ValueCurve, ValueError> {
                (**self).curve(group)
            }
            fn kind(&self) -> ValueKind {
                (**self).kind()
            }
            fn name(&self) -> String {
                (**self).name()
            }
        }
    )*};
}

forward!(&T, Box<T>, Arc<T>);
