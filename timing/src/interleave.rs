//! Many things in turns.

use crate::backend::Prepared;
use crate::error::TimingError;
use crate::policy::Policy;
use crate::sample::{Sampler, Samples, Taken};
use crate::stop::{StopRule, Verdict};
use stats::Rng;

/// Samples several things in turns, each by its own copy of the rule, and answers in their order.
///
/// In every round each one that is not finished gets a burst of samples, in a random order that changes from round
/// to round. What slows the machine for a while then slows all of them, and differences between them, which is what
/// a staircase consists of, survive. One after the other, the same slow while would look like a step.
///
/// A failure ends the one that failed and no other. When the policy's flag asks to stop, the finished ones keep
/// their samples and the others answer [`TimingError::Interrupted`].
pub fn interleave<R: StopRule + Clone>(
    prepared: &mut [Box<dyn Prepared + Send + '_>],
    rule: &R,
    policy: &Policy,
) -> Vec<Result<Samples, TimingError>> {
    let rules = prepared.iter().map(|_| rule.clone()).collect();
    interleave_each(prepared, rules, policy)
}

/// As [`interleave`], each by a rule of its own.
pub(crate) fn interleave_each<R: StopRule>(
    prepared: &mut [Box<dyn Prepared + Send + '_>],
    rules: Vec<R>,
    policy: &Policy,
) -> Vec<Result<Samples, TimingError>> {
    let mut rng = Rng::new(policy.seed);
    let turns = prepared.iter_mut().zip(rules);
    let mut turns: Vec<Turn<'_, R>> = turns.map(|(p, rule)| Turn::new(&mut **p, rule, policy)).collect();
    let mut order: Vec<usize> = (0..turns.len()).collect();
    while !order.is_empty() {
        rng.shuffle(&mut order);
        order.retain(|&i| turns[i].visit().is_none());
    }
    turns.into_iter().map(Turn::finish).collect()
}

/// One of the things that take turns.
struct Turn<'a, R> {
    prepared: &'a mut (dyn Prepared + Send),
    rule: R,
    sampler: Sampler<'a>,
    policy: &'a Policy,
    taken: Taken,
    end: Option<Result<netspec::StopReason, TimingError>>,
}

impl<'a, R: StopRule> Turn<'a, R> {
    fn new(prepared: &'a mut (dyn Prepared + Send), mut rule: R, policy: &'a Policy) -> Turn<'a, R> {
        rule.reset();
        Turn { prepared, rule, sampler: Sampler::new(policy), policy, taken: Taken::default(), end: None }
    }

    /// One burst; says whether that was the last one.
    fn visit(&mut self) -> Option<()> {
        match self.burst() {
            Ok(Verdict::Continue) => return None,
            Ok(Verdict::Stop(reason)) => self.end = Some(Ok(reason)),
            Err(error) => self.end = Some(Err(error)),
        }
        Some(())
    }

    fn burst(&mut self) -> Result<Verdict, TimingError> {
        let idle_runs = if self.taken.ns.is_empty() { self.policy.warm_up } else { self.policy.rewarm };
        self.sampler.settle(self.prepared, idle_runs)?;
        for _ in 0..self.policy.burst.max(1) {
            let reading = self.sampler.accepted(self.prepared)?;
            self.taken.push(reading);
            self.rule.add(reading.ns);
            if let stop @ Verdict::Stop(_) = self.rule.verdict() {
                return Ok(stop);
            }
        }
        Ok(Verdict::Continue)
    }

    fn finish(self) -> Result<Samples, TimingError> {
        let stop = self.end.unwrap_or(Err(TimingError::Interrupted))?;
        Ok(self.taken.samples(self.prepared, self.sampler.discarded, self.policy.cache, stop))
    }
}
