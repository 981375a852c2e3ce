//! `bench`: convolutions timed by themselves, now, whatever a table knows of them.

use crate::engine::Engine;
use crate::measure::{Precision, source};
use crate::report::{BenchReport, BenchRow, Latency};
use crate::{Error, Watch};
use netspec::LatencySource;
use netspec::{CacheState, ConvSpec, Measurement, SourceError};
use std::sync::{Arc, Mutex, PoisonError};
use timing::Samples;

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
    let kept: Arc<Mutex<Vec<(ConvSpec, Samples)>>> = Arc::default();
    let keep = Arc::clone(&kept);
    let mut source =
        source(engine, &Precision::fresh(), cache, &watch.cancel, seed)?.on_samples(move |spec, samples| {
            keep.lock().unwrap_or_else(PoisonError::into_inner).push((spec.clone(), samples.clone()));
        });
    let answers = source.latencies(specs);
    if answers.contains(&Err(SourceError::Interrupted)) {
        return Err(Error::Interrupted);
    }
    if let (false, Some(Err(first))) = (answers.iter().any(Result::is_ok), answers.first()) {
        return Err(first.clone().into());
    }
    let kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
    let rows = specs.iter().zip(answers).map(|(spec, answer)| {
        let samples = kept.iter().find(|(of, _)| of == spec).map(|(_, samples)| samples);
        row(spec, answer, samples)
    });
    Ok(BenchReport { header: engine.header("locp.bench/1"), cache, rows: rows.collect(), drift: source.drift().into() })
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
