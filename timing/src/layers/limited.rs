//! A time budget for measuring.

use crate::door::{Answer, LatencySource, Request};
use crate::error::TimingError;
use crate::sampling::Sampling;
use std::fmt;
use std::time::{Duration, Instant};

/// A clock that tells the time since some moment in the past.
type Clock = Box<dyn FnMut() -> Duration + Send>;

/// A source that is asked nothing more once a time budget is spent.
///
/// A call that has begun is finished; the next one answers [`TimingError::OutOfTime`].
pub struct Limited<S> {
    source: S,
    budget: Duration,
    clock: Clock,
}

impl<S> Limited<S> {
    /// Asks `source` for at most `budget`, counted from now.
    pub fn new(source: S, budget: Duration) -> Limited<S> {
        let start = Instant::now();
        Limited::by_clock(source, budget, move || start.elapsed())
    }

    /// Asks `source` until `clock` shows more than `budget`: for tests, and for devices whose time is not the host's.
    pub fn by_clock(source: S, budget: Duration, clock: impl FnMut() -> Duration + Send + 'static) -> Limited<S> {
        Limited { source, budget, clock: Box::new(clock) }
    }
}

impl<S: LatencySource> LatencySource for Limited<S> {
    forward_to_source!();

    fn read(&mut self, requests: &[Request], how: &Sampling) -> Vec<Result<Answer, TimingError>> {
        if (self.clock)() > self.budget {
            let budget_s = self.budget.as_secs_f64();
            return requests.iter().map(|_| Err(TimingError::OutOfTime { budget_s })).collect();
        }
        self.source.read(requests, how)
    }
}

impl<S: fmt::Debug> fmt::Debug for Limited<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Limited").field("source", &self.source).field("budget", &self.budget).finish_non_exhaustive()
    }
}
