//! Further readings, and interruptions.

use super::Specs;
use super::ask::{Found, answers, failed, is_time, read, sampling, skipped};
use crate::door::{Answer, LatencySource, Request};
use crate::error::TimingError;
use crate::sampling::Sampling;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

pub(super) fn further(source: &mut dyn LatencySource, specs: &Specs) -> Found {
    for (round, wanted) in [1, 4, 3].into_iter().enumerate() {
        for spec in [&specs.first, &specs.second] {
            let request = Request::further(spec.clone(), wanted);
            for answer in answers(source, &[request], &sampling(1))? {
                enough(&answer, wanted).or_else(|what| failed(format!("{wanted} readings of `{spec}`: {what}")))?;
            }
        }
        // The second round goes on with what the first one left; the third starts afresh.
        if round == 1 {
            source.forget();
        }
    }
    Ok(())
}

/// What is wrong with an answer to a request for `wanted` readings.
fn enough(answer: &Answer, wanted: u32) -> Result<(), String> {
    match answer {
        Answer::Settled(_) => Ok(()),
        Answer::Readings(samples) if samples.ns.len() != wanted as usize => Err(format!("{} came", samples.ns.len())),
        Answer::Readings(samples) => match samples.ns.iter().find(|&&ns| !is_time(ns)) {
            Some(ns) => Err(format!("one is {ns} ns")),
            None => Ok(()),
        },
    }
}

pub(super) fn cancellation(source: &mut dyn LatencySource, specs: &Specs) -> Found {
    let requests = [
        Request::settled(specs.first.clone()),
        Request::further(specs.second.clone(), 2),
        Request::settled(specs.first.clone()),
    ];
    for answer in read(source, &requests, &flagged(true))? {
        match answer {
            // What is known without measuring may be answered all the same.
            Err(TimingError::Interrupted) | Ok(Answer::Settled(_)) => {}
            Err(error @ (TimingError::Missing { .. } | TimingError::Unsupported { .. })) => {
                return skipped(error.to_string());
            }
            Err(error) => return failed(format!("instead of `Interrupted` it answers: {error}")),
            Ok(Answer::Readings(_)) => return failed("it took readings although the flag was raised"),
        }
    }
    answers(source, &requests, &flagged(false)).map(|_| ())
}

fn flagged(is_raised: bool) -> Sampling {
    let how = sampling(3);
    let policy = how.policy.clone().cancel(Arc::new(AtomicBool::new(is_raised)));
    how.policy(policy)
}
