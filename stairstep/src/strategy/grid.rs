//! Every multiple of a step, and the largest width.

use crate::Config;
use crate::rounds::{Plan, Rounds, Wants};

#[derive(Clone, Debug)]
pub(crate) struct Grid {
    step: usize,
}

pub(crate) fn search(config: &Config, step: usize) -> Rounds<Grid> {
    Rounds::new(config, Grid { step: step.clamp(1, config.sane().max_channels) })
}

impl Plan for Grid {
    fn plan(&mut self, wants: &mut Wants<'_>) {
        wants.request_all(wants.config.points(self.step));
    }

    fn lattice(&self) -> usize {
        self.step
    }
}
