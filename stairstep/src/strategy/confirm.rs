//! Whether edges that are known from elsewhere stand here too, and nothing else.

use crate::rounds::{Plan, Rounds, Wants};
use crate::{Config, Hypothesis};
use std::cmp::Ordering;

#[derive(Clone, Debug, Default)]
pub(crate) struct Confirm {
    hypotheses: Vec<Hypothesis>,
}

pub(crate) fn search(config: &Config) -> Rounds<Confirm> {
    Rounds::new(config, Confirm::default())
}

impl Plan for Confirm {
    fn plan(&mut self, wants: &mut Wants<'_>) {
        let step = wants.config.lattice.unwrap_or(1);
        let max = wants.config.max_channels;
        let edges: Vec<usize> = wants.config.expected.iter().copied().filter(|&edge| edge < max).collect();
        // A step that moved to either side leaves no jump here, so that two widths tell; both of all edges are asked
        // for in one round, and read in turns.
        let test = |channels: usize| {
            let order = wants.confirm(channels, (channels + step).min(max));
            Hypothesis { channels, held: order == Some(Ordering::Less) }
        };
        self.hypotheses = edges.into_iter().map(test).collect();
    }

    fn lattice(&self) -> usize {
        1
    }

    fn hypotheses(&self) -> Vec<Hypothesis> {
        self.hypotheses.clone()
    }
}
