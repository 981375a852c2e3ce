//! Settled latencies: equal ones, longer ones, and what belongs to one.

use super::Specs;
use super::ask::{Found, failed, is_time, medians, read, sampling, skipped, twice};
use crate::door::{Answer, LatencySource, Request};
use crate::error::TimingError;
use crate::policy::Policy;
use netspec::{CacheState, ConvSpec, Provenance, StopReason};

/// The factor by which two times may differ that are expected to be equal.
///
/// The kit runs in unit tests, on shared processors. Medians of readings taken in turns cancel what slows both, and one
/// more attempt takes care of a short disturbance. What remains between two instances of one convolution is where their
/// memory lies and which costs the engine subtracts: for tract and ONNX Runtime at most 14 % in 12 runs each, on two cores
/// with eight busy processes. The faults that the kit looks for (another convolution's time, another unit) are mostly
/// factors of 2 and more.
pub(super) const TOLERANCE: f64 = 1.25;

/// Readings of each latency that is compared: the median stays put if a third of them is disturbed.
const READINGS: u32 = 31;

pub(super) fn repeatable(source: &mut dyn LatencySource, specs: &Specs) -> Found {
    let request = Request::settled(specs.first.clone());
    twice(|| {
        let ns = medians(source, &[request.clone(), request.clone()], &sampling(READINGS))?;
        let ratio = ns[0].max(ns[1]) / ns[0].min(ns[1]);
        if ratio > TOLERANCE {
            return failed(format!("`{}` took {:.0} ns and {:.0} ns in one call", request.spec, ns[0], ns[1]));
        }
        Ok(())
    })
}

pub(super) fn monotonic(source: &mut dyn LatencySource, specs: &Specs) -> Found {
    let double = ConvSpec { c_out: 2 * specs.wide.c_out, ..specs.wide.clone() };
    let [wide, double] = [&specs.wide, &double].map(|spec| Request::settled(spec.clone()));
    // Each once before and once after the other, so that drift favors neither.
    let requests = [wide.clone(), double.clone(), double.clone(), wide.clone()];
    twice(|| {
        let ns = medians(source, &requests, &sampling(READINGS))?;
        let (wide_ns, double_ns) = (ns[0].min(ns[3]), ns[1].min(ns[2]));
        if wide_ns > TOLERANCE * double_ns {
            return failed(format!(
                "`{}` took {wide_ns:.0} ns, and with twice the output channels {double_ns:.0} ns",
                wide.spec
            ));
        }
        Ok(())
    })
}

/// Asks in every cache state; a table may know only some of them.
pub(super) fn settled(source: &mut dyn LatencySource, specs: &Specs) -> Found {
    let requests = [Request::settled(specs.first.clone())];
    let mut is_known = false;
    for policy in [Policy::network(), Policy::warm(), Policy::cold()] {
        let cache = policy.cache();
        for answer in read(source, &requests, &sampling(5).policy(policy))? {
            match answer {
                Ok(answer) => {
                    complete(&answer, cache).or_else(|what| failed(format!("asked for {cache:?} caches, {what}")))?;
                    is_known = true;
                }
                Err(TimingError::Missing { .. } | TimingError::Unsupported { .. }) => {}
                Err(error) => return failed(format!("{cache:?} caches: {error}")),
            }
        }
    }
    if is_known { Ok(()) } else { skipped(format!("no answer for `{}` in any cache state", specs.first)) }
}

/// What is wrong with an answer.
fn complete(answer: &Answer, cache: CacheState) -> Result<(), String> {
    let measurement = answer.measurement();
    let (ns, [low, high]) = (measurement.median_ns, measurement.interval_ns);
    if !is_time(ns) {
        return Err(format!("it answers {ns} ns"));
    }
    if !(low <= ns && ns <= high && high.is_finite()) {
        return Err(format!("its median of {ns} ns is outside of its interval [{low}, {high}]"));
    }
    let provenance = measurement.provenance;
    let is_measured = provenance == Provenance::Measured;
    if is_measured && measurement.cache != cache {
        return Err(format!("it measured with {:?} caches", measurement.cache));
    }
    if is_measured && (measurement.samples == 0 || measurement.stop == StopReason::NotSampled) {
        return Err("it says that it measured, and took no sample".to_owned());
    }
    // An engine without a device may play readings; what was recorded or inferred is a settled latency.
    if answer.samples().is_some() && !is_measured && provenance != Provenance::Simulated {
        return Err(format!("it gives raw readings whose provenance is {provenance:?}"));
    }
    Ok(())
}
