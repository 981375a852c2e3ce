//! `bench`: convolutions timed by themselves, now, whatever a table knows of them.

use crate::engine::Engine;
use crate::measure::{Precision, source};
use crate::report::{BenchReport, BenchRow, Latency};
use crate::{Error, Watch};
use netspec::{CacheState, ConvSpec, LatencySource, Measurement, SourceError};
use std::sync::{Arc, Mutex, PoisonError};
use timing::{DriftReport, Samples};

/// Times each of `specs` in turns with the others; one that cannot be timed says why, and the rest go on.
///
/// Fails where every one failed, by the first one's reason, and where somebody asked to stop.
pub fn bench(
    engine: &Engine,
    specs: &[ConvSpec],
    cache: CacheState,
    seed: u64,
    watch: &Watch<'_>,
) -> Result<BenchReport, Error> {
    let Timed { answers, samples, drift } = match engine.recorded(cache) {
        Some(mut recorded) => {
            Timed { answers: recorded.latencies(specs), samples: Vec::new(), drift: DriftReport::default() }
        }
        None => time(engine, specs, cache, seed, watch)?,
    };
    if answers.contains(&Err(SourceError::Interrupted)) {
        return Err(Error::Interrupted);
    }
    if let (false, Some(Err(first))) = (answers.iter().any(Result::is_ok), answers.first()) {
        return Err(first.clone().into());
    }
    let rows = specs.iter().zip(answers).map(|(spec, answer)| {
        let samples = samples.iter().find(|(of, _)| of == spec).map(|(_, samples)| samples);
        row(spec, answer, samples)
    });
    let header = engine.header("locp.bench/1");
    // A model of a device knows no caches.
    let cache = (!header.simulated || header.recorded).then_some(cache);
    Ok(BenchReport { rows: rows.collect(), drift: drift.into(), cache, header })
}

/// What came of timing.
struct Timed {
    answers: Vec<Result<Measurement, SourceError>>,
    samples: Vec<(ConvSpec, Samples)>,
    drift: DriftReport,
}

fn time(engine: &Engine, specs: &[ConvSpec], cache: CacheState, seed: u64, watch: &Watch<'_>) -> Result<Timed, Error> {
    let kept: Arc<Mutex<Vec<(ConvSpec, Samples)>>> = Arc::default();
    let keep = Arc::clone(&kept);
    let mut source =
        source(engine, &Precision::fresh(), cache, &watch.cancel, seed)?.on_samples(move |spec, samples| {
            keep.lock().unwrap_or_else(PoisonError::into_inner).push((spec.clone(), samples.clone()));
        });
    let answers = source.latencies(specs);
    let samples = std::mem::take(&mut *kept.lock().unwrap_or_else(PoisonError::into_inner));
    Ok(Timed { answers, samples, drift: source.drift() })
}

fn row(spec: &ConvSpec, answer: Result<Measurement, SourceError>, samples: Option<&Samples>) -> BenchRow {
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
