//! Which answers come, in which order, and errors among them.

use super::Specs;
use super::ask::{Found, answers, failed, is_time, read, sampling, skipped, twice};
use super::latencies::TOLERANCE;
use crate::door::{Answer, LatencySource, Request};
use crate::error::TimingError;
use netspec::ConvSpec;

pub(super) fn machine(source: &mut dyn LatencySource, specs: &Specs) -> Found {
    let before = source.machine();
    if before.engine.trim().is_empty() {
        return failed("`Machine::engine` is empty");
    }
    // Whatever the answer is: taking readings must not change what they are true for.
    source.read(&[Request::settled(specs.first.clone())], &sampling(1));
    let after = source.machine();
    if before == after { Ok(()) } else { failed(format!("it was {before}, and is {after} after a reading")) }
}

/// Asks for a short and a long convolution in an order that is not its own reverse, some of them twice, and for settled
/// latencies and further readings in one call.
pub(super) fn order(source: &mut dyn LatencySource, specs: &Specs) -> Found {
    let nothing = source.read(&[], &sampling(1));
    if !nothing.is_empty() {
        return failed(format!("an empty list of requests got {} answers", nothing.len()));
    }
    let (short, long) = (&specs.first, &specs.wide);
    let requests = [
        Request::settled(long.clone()),
        Request::further(short.clone(), 7),
        Request::settled(short.clone()),
        Request::further(long.clone(), 7),
        Request::settled(short.clone()),
    ];
    let is_long = [true, false, false, true, false];
    twice(|| {
        let answers = source.read(&requests, &sampling(7));
        if answers.len() != requests.len() {
            return failed(format!("{} requests got {} answers", requests.len(), answers.len()));
        }
        let (mut longest_short, mut shortest_long) = (0.0_f64, f64::INFINITY);
        for (answer, is_long) in answers.into_iter().zip(is_long) {
            let ns = known(answer)?.measurement().median_ns;
            if !is_time(ns) {
                // Other checks report it.
                continue;
            }
            if is_long {
                shortest_long = shortest_long.min(ns);
            } else {
                longest_short = longest_short.max(ns);
            }
        }
        if longest_short > TOLERANCE * shortest_long {
            return failed(format!(
                "`{short}` took {longest_short:.0} ns and `{long}` {shortest_long:.0} ns: answers are out of order, \
                 or the second convolution is not the longer one"
            ));
        }
        Ok(())
    })
}

/// The answer to a request that the source should know; only this check fails if it cannot run the kit's convolutions.
fn known(answer: Result<Answer, TimingError>) -> Found<Answer> {
    answer.or_else(|error| match error {
        TimingError::Missing { .. } => skipped(error.to_string()),
        error => failed(format!("{error} (`Kit::specs` chooses other convolutions)")),
    })
}

/// Puts invalid specs between two valid ones.
pub(super) fn unsupported(source: &mut dyn LatencySource, specs: &Specs) -> Found {
    let valid = Request::settled(specs.first.clone());
    answers(source, std::slice::from_ref(&valid), &sampling(1))?;
    let mut requests = vec![valid.clone()];
    requests.extend(invalid(&specs.first).map(Request::settled));
    requests.push(valid);
    let answers = read(source, &requests, &sampling(1))?;
    for (request, answer) in requests.iter().zip(answers) {
        let spec = &request.spec;
        match (spec.validate(), answer) {
            (Ok(()), Ok(_)) => {}
            (Ok(()), Err(error)) => {
                return failed(format!("beside invalid specs, a valid one is not answered: {error}"));
            }
            (Err(why), Ok(_)) => return failed(format!("`{spec}` got an answer, and is invalid: {why}")),
            (Err(_), Err(TimingError::Unsupported { .. } | TimingError::Missing { .. })) => {}
            (Err(_), Err(error)) => {
                return failed(format!("the error of `{spec}` is neither `Unsupported` nor `Missing`: {error}"));
            }
        }
    }
    Ok(())
}

/// Specs that [`ConvSpec::validate`] rejects, each for a reason of its own.
fn invalid(spec: &ConvSpec) -> [ConvSpec; 5] {
    let changes: [fn(&mut ConvSpec); 5] = [
        |spec| spec.c_out = 0,
        |spec| spec.stride = [0, 1],
        |spec| spec.groups = spec.c_in + 1,
        |spec| (spec.kernel, spec.padding) = ([spec.height + 1, 1], [0; 4]),
        |spec| spec.batch = usize::MAX,
    ];
    changes.map(|change| {
        let mut spec = spec.clone();
        change(&mut spec);
        spec
    })
}
