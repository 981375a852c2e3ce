//! Every width: the grid of step 1.

use super::grid::{self, Grid};
use crate::Config;
use crate::rounds::Rounds;

pub(crate) fn search(config: &Config) -> Rounds<Grid> {
    grid::search(config, 1)
}
