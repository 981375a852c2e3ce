//! Sampling one thing.

use crate::backend::{Prepared, Reading};
use crate::error::TimingError;
use crate::policy::Policy;
use crate::stop::{StopRule, Verdict};
use netspec::{CacheState, Measurement, Provenance, StopReason};
use stats::SortedSamples;
use std::time::Duration;

/// The longest wait between throttled readings; with the usual limit of discarded ones it is given up after 20 s.
const MAX_THROTTLE_WAIT: Duration = Duration::from_millis(100);

/// Runs at most for the caches' sake, and the share of the fastest run so far below which a run is faster.
const MOST_SETTLING: u32 = 12;
const FASTER: f64 = 0.99;

/// Raw samples, and all that is needed to sum them up again in another way.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Samples {
    /// Nanoseconds of each accepted run, in the order they ran; never empty.
    pub ns: Vec<f64>,
    /// Throttled readings that are not among them.
    pub discarded: u32,
    /// What the runs found in the caches.
    pub cache: CacheState,
    /// Where the readings come from.
    pub provenance: Provenance,
    /// Why sampling stopped.
    pub stop: StopReason,
    /// What the engine ran, where it says.
    pub algorithm: Option<String>,
    /// The device's clock during each accepted run in MHz, where the device tells.
    pub clock_mhz: Vec<f64>,
}

impl Samples {
    /// Median and its 95 % interval by order statistics.
    pub fn measurement(&self) -> Measurement {
        let sorted: SortedSamples = self.ns.iter().copied().collect();
        Measurement {
            median_ns: sorted.median().unwrap_or(f64::NAN),
            interval_ns: sorted.median_interval(0.95).unwrap_or([f64::NAN; 2]),
            samples: u32::try_from(self.ns.len()).unwrap_or(u32::MAX),
            provenance: self.provenance,
            cache: self.cache,
            stop: self.stop,
            algorithm: self.algorithm.clone(),
        }
    }
}

/// Samples one thing until the rule says stop: warm-up, then accepted readings only.
///
/// The rule is reset first. Fails where a run fails, where more readings are throttled than the policy allows,
/// or where the policy's flag asks to stop.
pub fn measure(
    prepared: &mut dyn Prepared,
    rule: &mut dyn StopRule,
    policy: &Policy,
) -> Result<Measurement, TimingError> {
    Ok(sample(prepared, rule, policy)?.measurement())
}

/// As [`measure`], and keeps every sample.
pub fn sample(prepared: &mut dyn Prepared, rule: &mut dyn StopRule, policy: &Policy) -> Result<Samples, TimingError> {
    rule.reset();
    let mut sampler = Sampler::new(policy);
    sampler.settle(prepared, policy.warm_up)?;
    let mut taken = Taken::default();
    let stop = loop {
        let reading = sampler.accepted(prepared)?;
        taken.push(reading);
        rule.add(reading.ns);
        if let Verdict::Stop(reason) = rule.verdict() {
            break reason;
        }
    };
    Ok(taken.samples(prepared, sampler.discarded, policy.cache, stop))
}

/// Accepted readings so far.
#[derive(Default)]
pub(crate) struct Taken {
    pub(crate) ns: Vec<f64>,
    clock_mhz: Vec<f64>,
}

impl Taken {
    pub(crate) fn push(&mut self, reading: Reading) {
        self.ns.push(reading.ns);
        self.clock_mhz.extend(reading.clock_mhz);
    }

    /// All of them, with what `prepared` says of itself.
    pub(crate) fn samples(
        self,
        prepared: &dyn Prepared,
        discarded: u32,
        cache: CacheState,
        stop: StopReason,
    ) -> Samples {
        let Taken { ns, clock_mhz } = self;
        let (provenance, algorithm) = (prepared.provenance(), prepared.algorithm());
        Samples { ns, discarded, cache, provenance, stop, algorithm, clock_mhz }
    }
}

/// Runs under a policy: it looks at the flag, checks each reading, discards and counts the throttled ones.
pub(crate) struct Sampler<'a> {
    policy: &'a Policy,
    pub(crate) discarded: u32,
    wait: Duration,
}

impl<'a> Sampler<'a> {
    pub(crate) fn new(policy: &'a Policy) -> Sampler<'a> {
        Sampler { policy, discarded: 0, wait: policy.throttle_wait }
    }

    /// Runs so many times for the caches' sake.
    pub(crate) fn discard(&self, prepared: &mut dyn Prepared, runs: u32) -> Result<(), TimingError> {
        (0..runs).try_for_each(|_| self.once(prepared).map(|_| ()))
    }

    /// Runs at least `least` times, and until the caches have settled: until two runs in a row are no faster than all
    /// before, or [`MOST_SETTLING`] have been made. Does nothing if `least` is 0.
    ///
    /// Runs of something else fill the last cache with their data, and it takes up to eight runs to get it back. A network
    /// of 18 layers on a CPU took 1.88, 1.73, 1.67, 1.54, 1.46, 1.45, 1.40 and then 1.34 ms after another one's turn.
    pub(crate) fn settle(&self, prepared: &mut dyn Prepared, least: u32) -> Result<(), TimingError> {
        if least == 0 {
            return Ok(());
        }
        let (mut fastest, mut since) = (f64::INFINITY, 0);
        for run in 1..=least.max(MOST_SETTLING) {
            // A throttled run says nothing of the caches.
            let ns = self.once(prepared)?.map_or(f64::INFINITY, |reading| reading.ns);
            since = if ns < FASTER * fastest { 0 } else { since + 1 };
            fastest = fastest.min(ns);
            if run >= least && since >= 2 {
                break;
            }
        }
        Ok(())
    }

    /// The first reading that is not throttled.
    pub(crate) fn accepted(&mut self, prepared: &mut dyn Prepared) -> Result<Reading, TimingError> {
        loop {
            if let Some(reading) = self.once(prepared)? {
                self.accept();
                return Ok(reading);
            }
            self.reject()?;
        }
    }

    /// A burst after another thing's turn: settled, then timed; `None` if a run was throttled.
    pub(crate) fn turn(&self, prepared: &mut dyn Prepared) -> Result<Option<Vec<Reading>>, TimingError> {
        self.settle(prepared, self.policy.rewarm)?;
        (0..self.policy.burst.max(1)).map(|_| self.once(prepared)).collect()
    }

    /// One run; `None` where it was throttled.
    pub(crate) fn once(&self, prepared: &mut dyn Prepared) -> Result<Option<Reading>, TimingError> {
        if self.policy.is_cancelled() {
            return Err(TimingError::Interrupted);
        }
        let reading = prepared.run(self.policy.cache)?;
        if !(reading.ns.is_finite() && reading.ns > 0.0) {
            let reason = format!("it reported {} ns, which is no time a run can take", reading.ns);
            return Err(TimingError::run("a prepared convolution or model", reason));
        }
        Ok((!reading.throttled).then_some(reading))
    }

    pub(crate) fn accept(&mut self) {
        self.wait = self.policy.throttle_wait;
    }

    /// Counts a throttled reading and gives the device time to cool.
    pub(crate) fn reject(&mut self) -> Result<(), TimingError> {
        self.discarded += 1;
        if self.discarded > self.policy.max_discarded {
            return Err(TimingError::Throttled { discarded: self.discarded });
        }
        std::thread::sleep(self.wait);
        self.wait = (self.wait * 2).min(MAX_THROTTLE_WAIT);
        Ok(())
    }
}
