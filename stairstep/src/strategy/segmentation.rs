//! Every width, then the treads that explain the sweep best: the reference.

use crate::Config;
use crate::rounds::{Plan, Rounds, Wants};

#[derive(Clone, Debug)]
pub(crate) struct Segmentation;

pub(crate) fn search(config: &Config) -> Rounds<Segmentation> {
    Rounds::new(config, Segmentation)
}

impl Plan for Segmentation {
    fn plan(&mut self, wants: &mut Wants<'_>) {
        for channels in wants.config.points(1) {
            wants.has(channels);
        }
    }

    fn lattice(&self) -> usize {
        1
    }

    fn is_segmented(&self) -> bool {
        true
    }
}
