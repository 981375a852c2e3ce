//! Where the next plan aims, after others were timed as whole models.

/// Plans that are timed at most.
pub(crate) const ATTEMPTS: usize = 6;

/// A plan this close below its target is not made again: the timing itself is not better.
const CLOSE: f64 = 0.97;

/// How far over the target the last attempt may be, for the same reason.
const SLACK: f64 = 1.02;

/// How far below the target the next plan aims, so that noise does not put it above again.
const MARGIN: f64 = 0.995;

/// The share of a bracket that the next limit keeps away from either end, where the same plans would come again.
const INSET: f64 = 0.1;

/// By what share a limit moves on when a plan comes again; each further move is twice as long.
const MOVE: f64 = 0.01;

/// Moves that look for a plan that was not timed yet, and the share of a limit below which a bracket is closed.
const MOVES: usize = 8;
const CLOSED: f64 = 0.002;

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

impl Verdict {
    /// Whether the plan holds the target.
    pub(crate) fn is_within(self) -> bool {
        matches!(self, Verdict::Fast | Verdict::Close)
    }
}

/// A network that was timed as a whole.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Point {
    /// What is predicted for it, by all that is known now.
    pub(crate) predicted_ns: f64,
    pub(crate) achieved_ns: f64,
    /// Whether it holds the target.
    pub(crate) is_within: bool,
}

/// The target in nanoseconds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Aim {
    target_ns: f64,
}

impl Aim {
    pub(crate) fn new(target_ns: f64) -> Aim {
        Aim { target_ns }
    }

    pub(crate) fn judge(self, achieved_ns: f64) -> Verdict {
        match self.used(achieved_ns) {
            share if share > SLACK => Verdict::Slow,
            share if share > 1.0 => Verdict::Tolerable,
            share if share < CLOSE => Verdict::Fast,
            _ => Verdict::Close,
        }
    }

    /// The share of the target that a latency takes.
    pub(crate) fn used(self, achieved_ns: f64) -> f64 {
        achieved_ns / self.target_ns
    }

    /// Returns where to look for the next plan: the plans that were timed are known, and that the dense model, which is
    /// predicted to take `dense_ns`, is too slow.
    ///
    /// Sum and whole differ, and by how much changes with the widths. Between a plan that is too fast and one that is
    /// too slow, the limit is interpolated. With plans on one side only, it is where the target would be if whole and
    /// prediction kept the ratio that they have in the plan nearest to it.
    pub(crate) fn bracket(self, dense_ns: f64, timed: &[Point]) -> Bracket {
        let aim_ns = MARGIN * self.target_ns;
        let order = |a: &&Point, b: &&Point| a.predicted_ns.total_cmp(&b.predicted_ns);
        let low = timed.iter().filter(|p| p.is_within).max_by(order);
        let low_ns = low.map(|low| low.predicted_ns);
        let slow = timed.iter().filter(|p| !p.is_within && low_ns.is_none_or(|low_ns| p.predicted_ns > low_ns));
        let high = slow.min_by(order);
        let high_ns = high.map_or(dense_ns, |high| high.predicted_ns);
        let limit_ns = match (low, high) {
            (None, None) => self.target_ns,
            (None, Some(high)) => high_ns * (aim_ns / high.achieved_ns).min(MARGIN),
            (Some(low), None) => {
                let most_ns = low.predicted_ns + (1.0 - INSET) * (high_ns - low.predicted_ns).max(0.0);
                (low.predicted_ns * aim_ns / low.achieved_ns).clamp(low.predicted_ns, most_ns)
            }
            (Some(low), Some(high)) => {
                let share = (aim_ns - low.achieved_ns) / (high.achieved_ns - low.achieved_ns).max(f64::MIN_POSITIVE);
                low.predicted_ns + share.clamp(INSET, 1.0 - INSET) * (high_ns - low.predicted_ns)
            }
        };
        Bracket { low_ns, high_ns, limit_ns, moves: 0 }
    }
}

/// Limits, in predicted nanoseconds, between which the next plan is looked for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bracket {
    /// A limit whose plan is too fast.
    low_ns: Option<f64>,
    /// A limit whose plan is too slow.
    high_ns: f64,
    /// What the planner is given.
    pub(crate) limit_ns: f64,
    moves: usize,
}

impl Bracket {
    /// Moves on from a limit whose plan is known to be too fast; `None` if no other plan is left to be found.
    pub(crate) fn raised(mut self) -> Option<Bracket> {
        let low_ns = self.limit_ns;
        let step = MOVE * f64::from(1 << self.moves.min(MOVES)) * low_ns;
        self.low_ns = Some(low_ns);
        self.limit_ns = (low_ns + step).min((low_ns + self.high_ns) / 2.0);
        self.moved()
    }

    /// Moves on from a limit whose plan is known to be too slow; `None` if no other plan is left to be found.
    pub(crate) fn lowered(mut self) -> Option<Bracket> {
        self.high_ns = self.limit_ns;
        let step = MOVE * f64::from(1 << self.moves.min(MOVES)) * self.high_ns;
        self.limit_ns = (self.high_ns - step).max(self.low_ns.map_or(0.0, |low_ns| (low_ns + self.high_ns) / 2.0));
        self.moved()
    }

    fn moved(mut self) -> Option<Bracket> {
        self.moves += 1;
        let is_open = self.limit_ns > 0.0 && self.high_ns - self.low_ns.unwrap_or(0.0) > CLOSED * self.high_ns;
        (is_open && self.moves <= MOVES).then_some(self)
    }
}

#[cfg(test)]
mod tests {
    use super::{ATTEMPTS, Aim, MOVES, Point, Verdict};

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

    /// What a run of the loop came to, by a planner that knows these plans and finds the slowest within its limit.
    struct Run {
        /// What the plans that were timed took, in order.
        achieved_ns: Vec<f64>,
        solved: usize,
    }

    impl Run {
        fn best_ns(&self) -> f64 {
            self.achieved_ns.iter().copied().filter(|ns| *ns <= 70.0).fold(0.0, f64::max)
        }
    }

    /// Asks for 70 of 100 ns, where a plan that is predicted to take `p` takes `whole(p)`.
    fn run(plans: &[f64], whole: impl Fn(f64) -> f64) -> Run {
        let aim = Aim::new(70.0);
        let point = |predicted_ns: f64| {
            let achieved_ns = whole(predicted_ns);
            Point { predicted_ns, achieved_ns, is_within: aim.judge(achieved_ns).is_within() }
        };
        let mut timed: Vec<Point> = Vec::new();
        let mut solved = 0;
        'attempts: while timed.len() < ATTEMPTS {
            let mut bracket = aim.bracket(100.0, &timed);
            let next = loop {
                solved += 1;
                let plan = plans.iter().copied().chain([100.0]).filter(|p| *p <= bracket.limit_ns).reduce(f64::max);
                let Some(plan) = plan else { break 'attempts };
                let moved = match timed.iter().find(|p| p.predicted_ns == plan) {
                    Some(known) if known.is_within => bracket.raised(),
                    Some(_) => bracket.lowered(),
                    None if plan == 100.0 => bracket.lowered(),
                    None => break point(plan),
                };
                let Some(moved) = moved else { break 'attempts };
                bracket = moved;
            };
            timed.push(next);
            if aim.judge(next.achieved_ns) == Verdict::Close {
                break;
            }
        }
        assert!(solved <= ATTEMPTS * (MOVES + 1));
        Run { achieved_ns: timed.iter().map(|p| p.achieved_ns).collect(), solved }
    }

    fn every(step: f64) -> Vec<f64> {
        (1..).map(|i| f64::from(i) * step).take_while(|p| *p < 99.9).collect()
    }

    #[test]
    fn a_whole_that_differs_by_a_constant_factor_is_hit_at_the_second_attempt() {
        for factor in [0.75, 0.9, 1.1, 1.6] {
            let run = run(&every(0.1), |p| factor * p);
            assert_eq!(run.achieved_ns.len(), 2, "{factor}: {:?}", run.achieved_ns);
            assert!(run.best_ns() >= 0.97 * 70.0, "{factor}: {:?}", run.achieved_ns);
        }
    }

    #[test]
    fn a_whole_that_jumps_over_the_target_is_enclosed() {
        // Steep around the target: what one plan teaches is wrong for the next.
        for (steep, at) in [(4.0, 60.0), (4.0, 66.0), (4.0, 75.0), (6.0, 71.0), (0.5, 66.0), (0.5, 90.0)] {
            let run = run(&every(0.1), |p| (70.0 + steep * (p - at)).clamp(0.5 * p, 1.5 * p));
            assert!(run.best_ns() >= 0.97 * 70.0, "{steep} {at}: {:?}", run.achieved_ns);
        }
    }

    #[test]
    fn a_plan_that_comes_again_does_not_end_the_search_for_a_wider_one() {
        // The plan at 55 is far too fast, and it is the answer to every limit below 68.
        let run = run(&[30.0, 55.0, 68.0, 90.0], |p| if p > 60.0 { p } else { 0.9 * p });
        assert_eq!(run.achieved_ns, [68.0]);
        let coarse = self::run(&[30.0, 66.0, 84.0, 96.0], |p| 55.0 + (p - 66.0) * 0.75);
        assert_eq!(coarse.achieved_ns, [55.0, 68.5]);
        assert!(coarse.solved > 2, "the first plan came again");
    }

    #[test]
    fn a_gap_around_the_target_is_left_as_it_is() {
        let run = run(&[40.0, 60.0, 80.0], |p| p);
        assert_eq!(run.achieved_ns, [60.0, 80.0]);
        // Nothing is timed twice, and nothing above: the dense model is the next wider one.
        let alone = self::run(&[40.0], |p| p);
        assert_eq!(alone.achieved_ns, [40.0]);
    }

    #[test]
    fn plans_that_are_all_too_slow_lower_the_limit_until_there_is_none() {
        let run = run(&every(10.0), |p| 80.0 + 0.2 * p);
        assert!(run.achieved_ns.windows(2).all(|pair| pair[1] < pair[0]), "{:?}", run.achieved_ns);
        assert_eq!(run.best_ns(), 0.0);
    }
}
