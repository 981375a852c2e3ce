//! Timing the convolutions of a part until it is complete or the time is over.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::Result;
use crate::args::Options;
use crate::engine::Engine;
use crate::environment::{Environment, Run};
use crate::folder::Folder;
use crate::{parts, progress};
use netspec::ConvSpec;
use timing::{BackendSource, DriftReport, LatencySource, Policy, Samples, Sampling, TimingError, stop};

/// Half-width of a median's interval that is asked for, and the most samples that are taken for it.
pub(crate) const TARGET: f64 = 0.005;
const MOST_SAMPLES: usize = 64;

/// A chunk during which either anchor moved by more is timed again.
pub(crate) const TOLERANCE: f64 = 0.01;

/// It is timed again so often at most.
const REPETITIONS: u32 = 3;

/// After so many failures in a row the device itself is taken to have failed.
const FAILURES_IN_A_ROW: usize = 30;

/// So many of them are printed; all are written down.
const FAILURES_SAID: usize = 3;

/// What the answers are told to, shared with whoever waits for the end.
struct Sink {
    folder: Folder,
    run: Run,
    failed_in_a_row: usize,
    broken: Option<String>,
    said: Instant,
    left: usize,
}

impl Sink {
    /// Keeps an answer; whether to go on.
    fn take(&mut self, spec: &ConvSpec, answer: &Result<Samples, TimingError>) -> bool {
        if let Err(error) = self.folder.answer(spec, answer) {
            self.broken = Some(error.to_string());
        }
        if let Err(error) = answer.as_ref().map_or(Ok(()), |samples| self.folder.samples(spec, samples)) {
            self.broken = Some(error.to_string());
        }
        match answer {
            Ok(_) => (self.run.measured, self.failed_in_a_row) = (self.run.measured + 1, 0),
            Err(TimingError::Interrupted) => return true,
            Err(TimingError::Unsupported { .. }) => self.run.unsupported += 1,
            Err(error) => {
                (self.run.failed, self.failed_in_a_row) = (self.run.failed + 1, self.failed_in_a_row + 1);
                if self.failed_in_a_row <= FAILURES_SAID {
                    progress(&error.to_string());
                }
                if self.failed_in_a_row == FAILURES_IN_A_ROW {
                    self.broken = Some(format!("{FAILURES_IN_A_ROW} convolutions in a row failed; the last: {error}"));
                }
            }
        }
        self.left = self.left.saturating_sub(1);
        if self.said.elapsed() > Duration::from_secs(10) {
            self.said = Instant::now();
            progress(&format!("{} measured, {} left", self.run.measured, self.left));
        }
        self.broken.is_none()
    }
}

/// A flag that is set when the time is over.
pub(crate) fn alarm(minutes: f64) -> Arc<AtomicBool> {
    let flag = Arc::new(AtomicBool::new(false));
    let set = Arc::clone(&flag);
    std::thread::spawn(move || {
        std::thread::sleep(Duration::from_secs_f64(60.0 * minutes));
        set.store(true, Ordering::Relaxed);
    });
    flag
}

/// Network cache state: what a convolution meets inside of a network.
pub(crate) fn policy(options: &Options, alarm: &Arc<AtomicBool>) -> Policy {
    Policy::network().seed(options.seed).cancel(Arc::clone(alarm))
}

/// Records the convolutions of a part that its folder lacks; how many it still lacks then.
pub(crate) fn record(options: &Options, engine: &Engine, alarm: &Arc<AtomicBool>) -> Result<usize> {
    let machine = engine.backend.check()?;
    let stages = parts::stages(&options.part)?;
    let folder = Folder::open(&options.out, &machine)?;
    let [known, failed] = folder.known()?;
    // Another order after every start, so that one that crashes the process does not stop all that follow it.
    let mut specs = parts::order(stages, &known, options.seed.wrapping_add(known.len() as u64));
    // One that failed before may break the device for all that follow it.
    specs.sort_by_key(|spec| failed.contains(spec));
    progress(&format!("{}: {} to measure, {} known", options.part, specs.len(), known.len()));
    if specs.is_empty() {
        return Ok(0);
    }
    let mut environment = Environment::open(options, &machine, engine)?;
    let mut run = Run::start(engine);
    environment.write(&run)?;

    let sink =
        Sink { folder, run: run.clone(), failed_in_a_row: 0, broken: None, said: Instant::now(), left: specs.len() };
    let sink = Arc::new(Mutex::new(sink));
    let (for_samples, stop_it) = (Arc::clone(&sink), Arc::clone(alarm));
    let on_samples = move |spec: &ConvSpec, answer: &Result<Samples, TimingError>| {
        if !for_samples.lock().unwrap_or_else(PoisonError::into_inner).take(spec, answer) {
            stop_it.store(true, Ordering::Relaxed);
        }
    };
    let how = Sampling::new(policy(options, alarm), stop::Relative::new(TARGET).max_samples(MOST_SAMPLES));
    let mut source = BackendSource::new(Arc::clone(&engine.backend))?.repetitions(REPETITIONS).on_samples(on_samples);
    for anchor in gpu_bench::anchors() {
        source = source.anchor(anchor, TOLERANCE);
    }
    let started = Instant::now();
    source.latencies(&specs, &how);
    let drift = source.drift();
    drop(source);

    let mut sink = sink.lock().unwrap_or_else(PoisonError::into_inner);
    run = sink.run.clone();
    let DriftReport { chunks, repeated, unsettled, .. } = drift;
    progress(&format!("{} measured in {:.0} s, {} left", run.measured, started.elapsed().as_secs_f64(), sink.left));
    progress(&format!("anchors: {chunks} chunks, {repeated} repeated, {unsettled} unsettled"));
    run.end(engine, Some(drift));
    environment.write(&run)?;
    match sink.broken.take() {
        Some(reason) => Err(reason.into()),
        None => Ok(sink.left),
    }
}
