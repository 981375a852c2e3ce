//! How samples are taken, whatever is sampled.

use netspec::CacheState;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// How samples are taken: warm-up, cache state, throttling, turns.
///
/// ```
/// let policy = timing::Policy::cold().warm_up(1).seed(7);
/// assert_eq!((policy.cache, policy.warm_up, policy.seed), (netspec::CacheState::Cold, 1, 7));
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Policy {
    /// Runs before the first sample; their times are thrown away.
    pub warm_up: u32,
    /// What each run finds in the caches.
    pub cache: CacheState,
    /// Where several things take turns: runs that are thrown away after each change.
    ///
    /// The others have used the caches meanwhile, so a warm reading needs one.
    pub rewarm: u32,
    /// Where several things take turns: samples before the next one's turn.
    pub burst: u32,
    /// Throttled readings that are discarded before giving up.
    pub max_discarded: u32,
    /// Wait after the first throttled reading; doubled after each further one in a row, up to 100 ms.
    pub throttle_wait: Duration,
    /// Seed of the random order in which several things take turns.
    pub seed: u64,
    /// Set by somebody else to stop before the next run.
    pub cancel: Option<Arc<AtomicBool>>,
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
    /// One run after each change is thrown away here too: what others did meanwhile decides how far away the weights
    /// are, and a first reading that finds them in memory among others that find them in the last cache is no noise
    /// that a median would settle.
    pub fn network() -> Policy {
        Policy::new(CacheState::Network, 1)
    }

    /// Sets [`Policy::warm_up`].
    pub fn warm_up(self, runs: u32) -> Policy {
        Policy { warm_up: runs, ..self }
    }

    /// Sets [`Policy::rewarm`].
    pub fn rewarm(self, runs: u32) -> Policy {
        Policy { rewarm: runs, ..self }
    }

    /// Sets [`Policy::burst`], at least 1.
    pub fn burst(self, samples: u32) -> Policy {
        Policy { burst: samples.max(1), ..self }
    }

    /// Sets [`Policy::max_discarded`].
    pub fn max_discarded(self, readings: u32) -> Policy {
        Policy { max_discarded: readings, ..self }
    }

    /// Sets [`Policy::throttle_wait`].
    pub fn throttle_wait(self, wait: Duration) -> Policy {
        Policy { throttle_wait: wait, ..self }
    }

    /// Sets [`Policy::seed`].
    pub fn seed(self, seed: u64) -> Policy {
        Policy { seed, ..self }
    }

    /// Sets [`Policy::cancel`].
    pub fn cancel(self, flag: Arc<AtomicBool>) -> Policy {
        Policy { cancel: Some(flag), ..self }
    }

    /// Whether somebody asked to stop.
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
