//! Plain bisection at a step: the rival that trusts the ends of an interval.

use crate::Config;
use crate::rounds::{Plan, Rounds, Wants};

#[derive(Clone, Debug)]
pub(crate) struct Bisection {
    step: usize,
}

pub(crate) fn search(config: &Config, step: usize) -> Rounds<Bisection> {
    Rounds::new(config, Bisection { step: step.clamp(1, config.sane().max_channels) })
}

impl Plan for Bisection {
    fn plan(&mut self, wants: &mut Wants<'_>) {
        let points = wants.config.points(self.step);
        let ends = [0, points.len() - 1].map(|i| wants.has(points[i]));
        if ends != [true; 2] {
            return;
        }
        let probed: Vec<usize> = (0..points.len()).filter(|&i| wants.is_known(points[i])).collect();
        for pair in probed.windows(2) {
            let [left, right] = [pair[0], pair[1]];
            if right - left > 1 && wants.differ_by_medians(points[left], points[right]) {
                wants.has(points[left.midpoint(right)]);
            }
        }
    }

    fn lattice(&self) -> usize {
        self.step
    }
}
