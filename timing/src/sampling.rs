//! How a latency is asked for: the state in which it is read, and when reading stops.

use crate::policy::Policy;
use crate::stop::{Relative, StopRule};
use std::fmt;
use std::sync::Arc;

/// How a latency is asked for.
///
/// ```
/// use timing::{Policy, Sampling, stop};
/// let how = Sampling::new(Policy::network().seed(7), stop::Relative::new(0.005).max_samples(100));
/// assert_eq!(how.policy.cache(), netspec::CacheState::Network);
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Sampling {
    /// How readings are taken: cache state, warm-up, turns, throttling, and the flag that stops everything.
    pub policy: Policy,
    /// When the readings of one convolution suffice.
    pub rule: Rule,
}

impl Sampling {
    /// Reads by `policy` until `rule` stops.
    pub fn new(policy: Policy, rule: impl StopRule + Clone + Send + Sync + 'static) -> Sampling {
        Sampling { policy, rule: Rule::new(rule) }
    }

    /// Sets the policy.
    pub fn policy(self, policy: Policy) -> Sampling {
        Sampling { policy, ..self }
    }

    /// Sets the rule.
    pub fn rule(self, rule: Rule) -> Sampling {
        Sampling { rule, ..self }
    }
}

/// In the cache state of a network, to a half-width of 1 %.
impl Default for Sampling {
    fn default() -> Sampling {
        Sampling::new(Policy::network(), Relative::new(0.01))
    }
}

/// A stop rule of any type, of which every convolution gets a copy of its own.
#[derive(Clone)]
pub struct Rule(Arc<dyn Fn() -> Box<dyn StopRule + Send> + Send + Sync>);

impl Rule {
    /// Copies `rule` for every convolution.
    pub fn new(rule: impl StopRule + Clone + Send + Sync + 'static) -> Rule {
        Rule(Arc::new(move || Box::new(rule.clone())))
    }

    /// Returns a copy that has seen no sample.
    pub fn fresh(&self) -> Box<dyn StopRule + Send> {
        let mut rule = (self.0)();
        rule.reset();
        rule
    }
}

impl fmt::Debug for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rule").finish_non_exhaustive()
    }
}
