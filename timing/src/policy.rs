//! How samples are taken, whatever is sampled.

use netspec::CacheState;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// How samples are taken: warm-up, cache state, throttling, turns.
///
/// ```
/// let policy = timing::Policy::cold().warm_up(1).seed(7);
/// assert_eq!(policy.cache(), netspec::CacheState::Cold);
/// ```
#[derive(Clone, Debug)]
pub struct Policy {
    pub(crate) warm_up: u32,
    pub(crate) cache: CacheState,
    pub(crate) rewarm: u32,
    pub(crate) burst: u32,
    pub(crate) max_discarded: u32,
    pub(crate) throttle_wait: Duration,
    pub(crate) seed: u64,
    cancel: Option<Arc<AtomicBool>>,
}

impl Policy {
    fn new(cache: CacheState, rewarm: u32) -> Policy {
        Policy {
            warm_up: 3,
            cache,
            rewarm,
            burst: 4,
            max_discarded: 200,
            throttle_wait: Duration::from_millis(10),
            seed: 0,
            cancel: None,
        }
    }

    /// Each run finds the last run's data in the caches.
    pub fn warm() -> Policy {
        Policy::new(CacheState::Warm, 1)
    }

    /// Each run finds nothing of its own in the caches.
    pub fn cold() -> Policy {
        Policy::new(CacheState::Cold, 0)
    }

    /// Each run finds its input in the caches, and its weights not, as inside of a network.
    ///
    /// Runs after each change are thrown away here too: what others did meanwhile decides how far away the weights are, and
    /// first readings that find them in memory among others that find them in the last cache are no noise that a median
    /// would settle.
    pub fn network() -> Policy {
        Policy::new(CacheState::Network, 1)
    }

    /// Sets the least number of runs before the first sample, whose times are thrown away; 3 by default. More follow
    /// until two in a row are no faster than all before, 12 at most; none if it is 0.
    pub fn warm_up(self, runs: u32) -> Policy {
        Policy { warm_up: runs, ..self }
    }

    /// Sets, where several things take turns, the least number of runs that are thrown away after each change, since the
    /// others have used the caches meanwhile. More follow as in [`Policy::warm_up`]; none if it is 0.
    pub fn rewarm(self, runs: u32) -> Policy {
        Policy { rewarm: runs, ..self }
    }

    /// Sets, where several things take turns, the number of samples before the next one's turn, at least 1; 4 by default.
    pub fn burst(self, samples: u32) -> Policy {
        Policy { burst: samples.max(1), ..self }
    }

    /// Sets the number of throttled readings that are discarded before giving up; 200 by default.
    pub fn max_discarded(self, readings: u32) -> Policy {
        Policy { max_discarded: readings, ..self }
    }

    /// Sets the wait after the first throttled reading, 10 ms by default; it doubles after each further one in a row, up
    /// to 100 ms.
    pub fn throttle_wait(self, wait: Duration) -> Policy {
        Policy { throttle_wait: wait, ..self }
    }

    /// Sets the seed of the random order in which several things take turns; 0 by default.
    pub fn seed(self, seed: u64) -> Policy {
        Policy { seed, ..self }
    }

    /// Sets a flag that stops everything before the next run once it is raised.
    pub fn cancel(self, flag: Arc<AtomicBool>) -> Policy {
        Policy { cancel: Some(flag), ..self }
    }

    /// Returns what each run finds in the caches.
    pub fn cache(&self) -> CacheState {
        self.cache
    }

    /// The same for things that were warmed up when they were prepared: a run only brings the caches back.
    pub fn warmed_up(self) -> Policy {
        Policy { warm_up: self.rewarm, ..self }
    }

    /// Returns whether the flag is raised.
    pub fn is_cancelled(&self) -> bool {
        self.cancel.as_ref().is_some_and(|flag| flag.load(Ordering::Relaxed))
    }
}

/// Warm, the least noisy state.
impl Default for Policy {
    fn default() -> Policy {
        Policy::warm()
    }
}
