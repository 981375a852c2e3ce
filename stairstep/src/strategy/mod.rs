//! One private module per strategy.

pub(crate) mod bisection;
mod cliffs;
pub(crate) mod exhaustive;
pub(crate) mod grid;
pub(crate) mod lattice;
pub(crate) mod segmentation;
pub(crate) mod three_point;

pub use lattice::LatticeSearch;
