//! `bench`: convolutions timed by themselves, now, whatever a table knows of them.

use crate::measure::fresh_rule;
use crate::report::{BenchReport, BenchRow, Latency};
use crate::{Error, Watch, engine};
use netspec::{CacheState, ConvSpec, Measurement};
use timing::{LatencySource, Policy, Request, Samples, Sampling, TimingError};

/// Times each of `specs` in turns with the others; one that cannot be timed says why, and the rest go on.
///
/// # Errors
/// The first one's reason if all failed, and [`Error::Interrupted`].
pub fn bench(
    source: &mut dyn LatencySource,
    specs: &[ConvSpec],
    cache: CacheState,
    seed: u64,
    watch: &Watch<'_>,
) -> Result<BenchReport, Error> {
    let policy = match cache {
        CacheState::Warm => Policy::warm(),
        CacheState::Cold => Policy::cold(),
        _ => Policy::network(),
    };
    let how = Sampling::new(policy.warm_up(2).seed(seed).cancel(watch.cancel.flag()), fresh_rule());
    let requests: Vec<Request> = specs.iter().cloned().map(Request::settled).collect();
    let answers = source.read(&requests, &how);
    if answers.contains(&Err(TimingError::Interrupted)) {
        return Err(Error::Interrupted);
    }
    if let (false, Some(Err(first))) = (answers.iter().any(Result::is_ok), answers.first()) {
        return Err(first.clone().into());
    }
    let rows = specs.iter().zip(answers).map(|(spec, answer)| match answer {
        Ok(answer) => row(spec, Ok(answer.measurement()), answer.samples()),
        Err(error) => row(spec, Err(error), None),
    });
    let rows = rows.collect();
    let header = engine::header(source, "locp.bench/1");
    // A model of a device knows no caches.
    let cache = (!header.simulated || header.recorded).then_some(cache);
    Ok(BenchReport { rows, drift: source.drift().into(), cache, header })
}

fn row(spec: &ConvSpec, answer: Result<Measurement, TimingError>, samples: Option<&Samples>) -> BenchRow {
    let (measurement, error) = match answer {
        Ok(measurement) => (Some(measurement), None),
        Err(error) => (None, Some(error.to_string())),
    };
    let clocks = samples.map(|samples| samples.clock_mhz.as_slice()).unwrap_or_default();
    let latency = measurement.as_ref().map(Latency::from);
    BenchRow {
        spec: spec.to_string(),
        // A product and a sum are two operations.
        tflops: measurement.as_ref().map(|m| 2.0 * spec.macs() as f64 / m.median_ns / 1e3),
        latency,
        samples: measurement.as_ref().map(|m| m.samples),
        stop: measurement.as_ref().map(|m| m.stop),
        discarded: samples.map(|samples| samples.discarded),
        clock_mhz: stats::median(clocks),
        algorithm: measurement.and_then(|m| m.algorithm),
        error,
    }
}
