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
        for channels in wants.config.points(self.step) {
            wants.has(channels);
        }
    }

    fn lattice(&self) -> usize {
        self.step
    }
}
