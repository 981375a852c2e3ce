//! Every multiple of a step, and the largest width.

use crate::rounds::{Plan, Rounds, Wants};
use crate::{Config, Granularity};

#[derive(Clone, Debug)]
pub(crate) struct Grid {
    step: usize,
}

pub(crate) fn search(config: &Config, step: usize) -> Rounds<Grid> {
    let step = step.clamp(1, config.sane().max_channels);
    Rounds::new(&config.clone().granularity(step), Grid { step })
}

impl Plan for Grid {
    fn plan(&mut self, wants: &mut Wants<'_>) {
        wants.request_all(wants.config.points(self.step));
    }

    fn granularity(&self) -> Granularity {
        Granularity::multiples(self.step)
    }
}
