//! One private module per strategy.

mod cliffs;
pub(crate) mod exhaustive;
pub(crate) mod grid;
pub(crate) mod lattice;
pub(crate) mod three_point;

pub use lattice::LatticeSearch;
