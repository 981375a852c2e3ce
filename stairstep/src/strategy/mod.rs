//! One private module per strategy.

pub(crate) mod exhaustive;
pub(crate) mod grid;
pub(crate) mod three_point;
