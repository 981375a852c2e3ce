//! A fixed number of samples.

use super::{StopRule, Verdict};
use netspec::StopReason;

/// Stops after a fixed number of samples.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Count {
    wanted: u32,
    seen: u32,
}

impl Count {
    /// Stops after `samples`, at least 1.
    pub fn new(samples: u32) -> Count {
        Count { wanted: samples.max(1), seen: 0 }
    }
}

impl StopRule for Count {
    fn reset(&mut self) {
        self.seen = 0;
    }

    fn add(&mut self, _ns: f64) {
        self.seen = self.seen.saturating_add(1);
    }

    fn verdict(&self) -> Verdict {
        if self.seen >= self.wanted { Verdict::Stop(StopReason::SampleLimit) } else { Verdict::Continue }
    }
}
