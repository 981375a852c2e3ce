//! Costs as whole numbers.
//!
//! Stairs make ties, and a sum of floats depends on its order: a planner that adds floats would choose
//! differently when somebody lists the layers in another order. Whole ticks add exactly, in any order, and a
//! cost that is updated step by step equals the cost that is computed afresh.

/// A latency in units of 2^-32 ns.
pub(crate) type Ticks = i128;

const PER_NS: f64 = 4_294_967_296.0;

/// The largest latency that counts as one: about 17 minutes.
pub(crate) const MOST_NS: f64 = 1e12;

/// Rounds to the nearest tick.
pub(crate) fn ticks(ns: f64) -> Ticks {
    (ns * PER_NS).round() as Ticks
}

/// The most ticks that do not exceed `ns`; nothing fits a limit that is not a number.
pub(crate) fn limit_ticks(ns: f64) -> Ticks {
    if ns.is_nan() { Ticks::MIN } else { (ns * PER_NS).floor() as Ticks }
}

/// Back to nanoseconds. Rounding is monotone, so what fits a limit in ticks fits it in nanoseconds.
pub(crate) fn nanoseconds(ticks: Ticks) -> f64 {
    ticks as f64 / PER_NS
}
