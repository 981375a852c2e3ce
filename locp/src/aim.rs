//! Where the next plan aims, after one was timed as a whole.

/// Plans that are timed at most.
pub(crate) const ATTEMPTS: usize = 4;

/// A plan this close below its target is not made again: the timing itself is not better.
const CLOSE: f64 = 0.97;

/// How far over the target the last attempt may be, for the same reason.
const SLACK: f64 = 1.02;

/// How far below the target the next plan aims, so that noise does not put it above again.
const MARGIN: f64 = 0.995;

/// How a timed plan compares with its target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Over the target by more than noise explains.
    Slow,
    /// Over the target by what noise explains: to be taken if nothing better comes.
    Tolerable,
    /// Below the target, and another plan could keep more channels.
    Fast,
    /// Just below the target.
    Close,
}

/// The target in nanoseconds and the prediction that the next plan may reach.
///
/// The sum of the parts and the whole differ; by how much is learned from each plan that was timed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Aim {
    target_ns: f64,
    pub(crate) limit_ns: f64,
}

impl Aim {
    pub(crate) fn new(target_ns: f64) -> Aim {
        Aim { target_ns, limit_ns: target_ns }
    }

    pub(crate) fn judge(&self, achieved_ns: f64) -> Verdict {
        match achieved_ns / self.target_ns {
            share if share > SLACK => Verdict::Slow,
            share if share > 1.0 => Verdict::Tolerable,
            share if share < CLOSE => Verdict::Fast,
            _ => Verdict::Close,
        }
    }

    /// Aims where the target would be if whole and prediction kept the ratio that they had in the last plan.
    pub(crate) fn correct(&mut self, predicted_ns: f64, achieved_ns: f64) {
        self.limit_ns = MARGIN * predicted_ns * self.target_ns / achieved_ns;
    }
}

#[cfg(test)]
mod tests {
    use super::{Aim, Verdict};

    #[test]
    fn verdicts_follow_the_target() {
        let aim = Aim::new(100.0);
        let check = |achieved_ns: f64, expect| assert_eq!(aim.judge(achieved_ns), expect, "{achieved_ns}");
        check(103.0, Verdict::Slow);
        check(101.0, Verdict::Tolerable);
        check(100.0, Verdict::Close);
        check(98.0, Verdict::Close);
        check(90.0, Verdict::Fast);
    }

    #[test]
    fn a_whole_that_differs_by_a_constant_factor_is_hit_at_the_second_attempt() {
        for factor in [0.7, 0.95, 1.1, 1.6] {
            let mut aim = Aim::new(100.0);
            aim.correct(aim.limit_ns, factor * aim.limit_ns);
            assert_eq!(aim.judge(factor * aim.limit_ns), Verdict::Close, "{factor}");
        }
    }

    #[test]
    fn a_plan_below_its_limit_is_corrected_by_its_own_prediction() {
        let mut aim = Aim::new(100.0);
        aim.correct(80.0, 90.0);
        assert!((aim.limit_ns - 0.995 * 80.0 * 100.0 / 90.0).abs() < 1e-9);
    }
}
