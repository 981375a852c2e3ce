//! Asking a source, and what its answers mean for a check.

use super::report::Outcome;
use crate::door::{Answer, LatencySource, Request};
use crate::error::TimingError;
use crate::policy::Policy;
use crate::sampling::Sampling;
use crate::stop::Count;

/// Why a check ended early: it failed, or it cannot be made.
pub(super) type Found<T = ()> = Result<T, Outcome>;

pub(super) fn failed<T>(reason: impl Into<String>) -> Found<T> {
    Err(Outcome::Failed(reason.into()))
}

pub(super) fn skipped<T>(reason: impl Into<String>) -> Found<T> {
    Err(Outcome::Skipped(reason.into()))
}

/// Asks for `readings` of each settled latency, in the cache state of a network: a table may know no other.
pub(super) fn sampling(readings: u32) -> Sampling {
    Sampling::new(Policy::network(), Count::new(readings))
}

/// Reads, and skips if the number of answers is wrong, which the check of the order reports.
pub(super) fn read(
    source: &mut dyn LatencySource,
    requests: &[Request],
    how: &Sampling,
) -> Found<Vec<Result<Answer, TimingError>>> {
    let answers = source.read(requests, how);
    if answers.len() != requests.len() {
        return skipped(format!("{} requests got {} answers", requests.len(), answers.len()));
    }
    Ok(answers)
}

/// The answers to valid requests; skips if the source does not know one or cannot run it.
pub(super) fn answers(source: &mut dyn LatencySource, requests: &[Request], how: &Sampling) -> Found<Vec<Answer>> {
    read(source, requests, how)?.into_iter().map(answer).collect()
}

fn answer(answer: Result<Answer, TimingError>) -> Found<Answer> {
    answer.or_else(|error| match error {
        TimingError::Missing { .. } | TimingError::Unsupported { .. } => skipped(error.to_string()),
        error => failed(format!("a valid request ended in an error: {error}")),
    })
}

/// The median of each answer; skips if one is not a positive number, which the check of settled answers reports.
pub(super) fn medians(source: &mut dyn LatencySource, requests: &[Request], how: &Sampling) -> Found<Vec<f64>> {
    let medians = answers(source, requests, how)?.into_iter().map(|answer| answer.measurement().median_ns);
    let is_time = |ns: f64| if is_time(ns) { Ok(ns) } else { skipped(format!("{ns} ns cannot be compared")) };
    medians.map(is_time).collect()
}

/// Whether a run can take this number of nanoseconds.
pub(super) fn is_time(ns: f64) -> bool {
    ns.is_finite() && ns > 0.0
}

/// Makes a check that compares times, and makes it again if it fails: other programs may take one attempt's processor.
pub(super) fn twice(mut check: impl FnMut() -> Found) -> Found {
    match check() {
        Err(Outcome::Failed(_)) => check(),
        found => found,
    }
}
