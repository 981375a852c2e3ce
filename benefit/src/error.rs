//! What can be wrong with a problem.

use crate::ValueError;
use netspec::Axis;

/// Why a problem cannot be solved as it was given.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ProblemError {
    /// There is nothing to choose.
    #[error("the problem has {groups} groups and {layers} layers; it needs at least one of each")]
    Empty {
        /// Groups there are.
        groups: usize,
        /// Layers there are.
        layers: usize,
    },
    /// A group has no level at all.
    #[error("group `{group}` has no levels; give it at least its full width of {channels} channels")]
    NoLevels {
        /// The group's name.
        group: String,
        /// Its channels.
        channels: usize,
    },
    /// A level is wider than the group.
    #[error("group `{group}` has a level of {level}, more than its {channels} channels; remove that level")]
    LevelAbove {
        /// The group's name.
        group: String,
        /// The level.
        level: usize,
        /// The group's channels.
        channels: usize,
    },
    /// Levels are not ascending.
    #[error("the levels of group `{group}` must be ascending; {after} stands after {before}")]
    LevelOrder {
        /// The group's name.
        group: String,
        /// A level.
        before: usize,
        /// The level behind it, not larger.
        after: usize,
    },
    /// The full width is missing.
    #[error("the levels of group `{group}` lack its full width; add {channels} as the last level")]
    NoFullWidth {
        /// The group's name.
        group: String,
        /// Its channels.
        channels: usize,
    },
    /// Values do not match levels or channels one to one.
    #[error("group `{group}` needs {expected} values, one per level or per removed channel, and has {found}")]
    ValueLength {
        /// The group's name.
        group: String,
        /// Values that are needed.
        expected: usize,
        /// Values that were given.
        found: usize,
    },
    /// A value is no loss.
    #[error(
        "the value of group `{group}` at {width} channels is {value}; \
         it must be finite, at most 0, and 0 at full width"
    )]
    Value {
        /// The group's name.
        group: String,
        /// The width.
        width: usize,
        /// Its value.
        value: f64,
    },
    /// A group's value curve could not be had.
    #[error("no value for group `{group}`: {source}")]
    Curve {
        /// The group's name.
        group: String,
        /// Why.
        source: ValueError,
    },
    /// A cost is no latency.
    #[error("layer `{layer}` costs {ns} ns at c_in {c_in}, c_out {c_out}; it must be from 0 to 1e12 ns")]
    Cost {
        /// The layer's name.
        layer: String,
        /// Input channels.
        c_in: usize,
        /// Output channels.
        c_out: usize,
        /// The cost in nanoseconds.
        ns: f64,
    },
    /// A cell can be reached and has no price.
    #[error("layer `{layer}` has no cost at c_in {c_in}, c_out {c_out}; give it that cell, or a sweep of each axis")]
    MissingCell {
        /// The layer's name.
        layer: String,
        /// Input channels.
        c_in: usize,
        /// Output channels.
        c_out: usize,
    },
    /// A sweep cannot be used.
    #[error("the {axis} sweep of layer `{layer}`: {reason}")]
    Sweep {
        /// The layer's name.
        layer: String,
        /// The swept axis.
        axis: Axis,
        /// What is wrong with it.
        reason: SweepError,
    },
    /// A width follows a group that does not exist.
    #[error("`{name}` follows group {group}, and there are {groups}; add the group first")]
    UnknownGroup {
        /// The layer's or operator's name.
        name: String,
        /// The group's index.
        group: usize,
        /// Groups there are.
        groups: usize,
    },
    /// There is not one level index per group.
    #[error("{found} level indices for {groups} groups; give one index per group")]
    LevelCount {
        /// Indices that were given.
        found: usize,
        /// Groups there are.
        groups: usize,
    },
    /// A group has no level of this index.
    #[error("group `{group}` has no level {level}; it has {levels}, counted from 0, and a width is not an index")]
    LevelIndex {
        /// The group's name.
        group: String,
        /// The index.
        level: usize,
        /// Levels that the group has.
        levels: usize,
    },
    /// There is no layer of this index.
    #[error("there is no layer {index}; the problem has {layers}, counted from 0")]
    UnknownLayer {
        /// The index.
        index: usize,
        /// Layers there are.
        layers: usize,
    },
    /// A layer has no channels on one side.
    #[error("layer `{layer}` has no {axis} channels; a fixed number is a width too")]
    NoChannels {
        /// The layer's name.
        layer: String,
        /// The side.
        axis: Axis,
    },
    /// A number outside its range.
    #[error("{what} is {value}; it must be from {low} to {high}")]
    Number {
        /// What the number is.
        what: String,
        /// Its value.
        value: f64,
        /// The smallest that is allowed.
        low: f64,
        /// The largest that is allowed.
        high: f64,
    },
}

/// Why a sweep cannot be used.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum SweepError {
    /// It has no knots.
    #[error("it is empty; time at least the full width")]
    Empty,
    /// A knot's latency is no positive time.
    #[error("{channels} channels take {ns} ns; a swept latency must be above 0 and at most 1e12 ns")]
    Cost {
        /// The knot's width.
        channels: usize,
        /// Its latency in nanoseconds.
        ns: f64,
    },
    /// A width occurs twice.
    #[error("{channels} channels occur twice; keep the better measurement")]
    Twice {
        /// The width.
        channels: usize,
    },
    /// The full width was not swept, so that nothing relates it to the other axis.
    #[error("the full width of {full} channels is not in it; time that one too")]
    NoFullWidth {
        /// The full width.
        full: usize,
    },
    /// Depthwise and grouped layers have one axis only.
    #[error("c_in moves with c_out in a grouped layer; sweep c_out, with c_in following")]
    Coupled,
}
