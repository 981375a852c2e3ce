//! One chunk of convolutions, measured in turns between two looks at the anchors.

use crate::ahead::Ready;
use crate::anchors::{Anchors, DriftReport};
use crate::backend::{Backend, Prepared};
use crate::error::TimingError;
use crate::interleave::interleave_each;
use crate::policy::Policy;
use crate::sample::Samples;
use crate::stop::StopRule;

/// What measuring a chunk needs of a source.
pub(crate) struct Turns<'a, B> {
    pub(crate) backend: &'a B,
    pub(crate) anchors: &'a mut Anchors,
    pub(crate) report: &'a mut DriftReport,
    /// Chunks measured so far, which decides the random order of turns.
    pub(crate) turn: &'a mut u64,
    pub(crate) repetitions: u32,
}

impl<B: Backend> Turns<'_, B> {
    /// Measures a chunk, and measures it again if an anchor moved meanwhile; what could not be prepared stays an error.
    ///
    /// `rules` makes the stop rule of the n-th convolution.
    pub(crate) fn take(
        &mut self,
        ready: &mut Ready,
        policy: &Policy,
        rules: &dyn Fn(usize) -> Box<dyn StopRule + Send>,
    ) -> Vec<Result<Samples, TimingError>> {
        if !policy.is_cancelled() {
            self.report.chunks += 1;
        }
        self.anchors.begin(self.backend, policy, self.report);
        let mut repetition = 0;
        loop {
            let measured = self.once(ready, policy, rules);
            if self.anchors.are_steady(self.backend, policy, self.report) || policy.is_cancelled() {
                return measured;
            }
            if repetition >= self.repetitions {
                self.report.unsettled += 1;
                return measured;
            }
            repetition += 1;
            self.report.repeated += 1;
        }
    }

    fn once(
        &mut self,
        ready: &mut Ready,
        policy: &Policy,
        rules: &dyn Fn(usize) -> Box<dyn StopRule + Send>,
    ) -> Vec<Result<Samples, TimingError>> {
        let mut turns: Vec<Box<dyn Prepared + Send + '_>> = Vec::with_capacity(ready.len());
        let mut failures = Vec::with_capacity(ready.len());
        let mut own_rules = Vec::with_capacity(ready.len());
        for (i, prepared) in ready.iter_mut().enumerate() {
            failures.push(match prepared {
                Ok(prepared) => {
                    turns.push(Box::new(&mut **prepared));
                    own_rules.push(rules(i));
                    None
                }
                Err(error) => Some(error.clone()),
            });
        }
        // The next chunk's order should not repeat this one's.
        let policy = policy.clone().seed(policy.seed.wrapping_add(*self.turn));
        *self.turn = self.turn.wrapping_add(1);
        let mut samples = interleave_each(&mut turns, own_rules, &policy).into_iter();
        let answer = |failure: Option<TimingError>| match failure {
            Some(error) => Err(error),
            None => samples.next().unwrap_or(Err(TimingError::Interrupted)),
        };
        failures.into_iter().map(answer).collect()
    }
}
