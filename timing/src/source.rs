//! An engine as a latency source.

use crate::ahead::{Ready, prepare_ahead, prepare_all};
use crate::anchors::{Anchors, DriftReport};
use crate::backend::{Backend, Prepared};
use crate::chunks::chunk_len;
use crate::door::{Answer, LatencySource, Request};
use crate::error::{TimingError, Unavailable};
use crate::kept::Kept;
use crate::model::ModelBackend;
use crate::sample::Samples;
use crate::sampling::Sampling;
use crate::stop::Count;
use crate::turns::Turns;
use netspec::{ConvSpec, Machine};
use std::fmt;

/// Convolutions that take turns by default: drift cancels among them, and a kill loses seconds of work at most.
const CHUNK: usize = 24;

/// Bytes of weights and activations that are prepared at the same time by default; an engine may hold them two or
/// three times.
const MEMORY: usize = 512 << 20;

/// Repetitions of a chunk during which an anchor moved, by default.
const REPETITIONS: u32 = 1;

type Hook = Box<dyn FnMut(&ConvSpec, &Result<Samples, TimingError>) + Send>;

/// Measures on an engine what it is asked for, many convolutions in turns.
///
/// Convolutions are prepared and interleaved in chunks, so that drift cancels within one and memory stays bounded.
/// Between chunks anchors, if there are any, tell whether the machine itself has changed speed; a chunk during
/// which it did is rejected and measured again, never rescaled. An engine that can prepare on other threads while
/// something is timed (see [`Backend::look_ahead`]) prepares the next chunk meanwhile.
///
/// ```
/// use netspec::ConvSpec;
/// # use netspec::{CacheState, Machine};
/// # use timing::{Backend, Prepared, Reading, TimingError, Unavailable};
/// # struct Abacus;
/// # struct Beads(u64);
/// # impl Backend for Abacus {
/// #     fn check(&self) -> Result<Machine, Unavailable> { Ok(Machine::default()) }
/// #     fn prepare(&self, spec: &ConvSpec) -> Result<Box<dyn Prepared + Send>, TimingError> { Ok(Box::new(Beads(spec.macs()))) }
/// # }
/// # impl Prepared for Beads {
/// #     fn run(&mut self, _: CacheState) -> Result<Reading, TimingError> { Ok(Reading::new(self.0 as f64)) }
/// # }
/// use timing::{BackendSource, LatencySource, Policy, Sampling, stop};
///
/// let mut source = BackendSource::new(Abacus)?;
/// let specs = [8, 16, 24].map(|c_out| ConvSpec::new(3, c_out, [32, 32], [3, 3]));
/// let answers = source.latencies(&specs, &Sampling::new(Policy::network(), stop::Relative::new(0.01)));
/// assert!(answers[0].as_ref().unwrap().median_ns < answers[2].as_ref().unwrap().median_ns);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct BackendSource<B> {
    backend: B,
    models: Option<Box<dyn ModelBackend>>,
    machine: Machine,
    chunk: usize,
    anchors: Anchors,
    repetitions: u32,
    hook: Option<Hook>,
    report: DriftReport,
    turn: u64,
    kept: Kept,
}

impl<B: Backend> BackendSource<B> {
    /// Checks the engine; chunks of 24 convolutions and 512 MiB, no anchor, no whole models.
    ///
    /// # Errors
    /// Why the engine cannot run here.
    pub fn new(backend: B) -> Result<BackendSource<B>, Unavailable> {
        let machine = backend.check()?;
        Ok(BackendSource {
            backend,
            models: None,
            machine,
            chunk: CHUNK,
            anchors: Anchors::default(),
            repetitions: REPETITIONS,
            hook: None,
            report: DriftReport::default(),
            turn: 0,
            kept: Kept::new(MEMORY),
        })
    }

    /// Sets what runs whole models on the same device.
    pub fn models(self, models: impl ModelBackend + 'static) -> BackendSource<B> {
        BackendSource { models: Some(Box::new(models)), ..self }
    }

    /// Sets how many convolutions take turns, at least 1.
    pub fn chunk(self, specs: usize) -> BackendSource<B> {
        BackendSource { chunk: specs.max(1), ..self }
    }

    /// Sets how many bytes of weights and activations are prepared at the same time; one convolution always is.
    pub fn memory(mut self, bytes: usize) -> BackendSource<B> {
        self.kept.most_bytes = bytes;
        self
    }

    /// Measures `spec` too, before and after each chunk; a chunk during which it moved by more than `tolerance` (0.03
    /// being 3 %) is measured again. There may be several: one bound by arithmetic and one by memory see more than one.
    pub fn anchor(mut self, spec: ConvSpec, tolerance: f64) -> BackendSource<B> {
        self.anchors.add(spec, tolerance);
        self
    }

    /// Sets how often a chunk is measured again at most.
    pub fn repetitions(self, repetitions: u32) -> BackendSource<B> {
        BackendSource { repetitions, ..self }
    }

    /// Calls `hook` with the samples of every settled request as soon as its chunk is final: for progress, and for
    /// saving what was measured.
    pub fn on_samples(
        self,
        hook: impl FnMut(&ConvSpec, &Result<Samples, TimingError>) + Send + 'static,
    ) -> BackendSource<B> {
        BackendSource { hook: Some(Box::new(hook)), ..self }
    }

    /// Returns the engine.
    pub fn backend(&self) -> &B {
        &self.backend
    }

    fn turns(&mut self) -> Turns<'_, B> {
        let BackendSource { backend, anchors, report, turn, repetitions, .. } = self;
        Turns { backend, anchors, report, turn, repetitions: *repetitions }
    }

    /// Measures `specs` until the rule stops, chunk by chunk.
    fn settle(&mut self, specs: &[ConvSpec], how: &Sampling) -> Vec<Result<Samples, TimingError>> {
        let mut answers = Vec::with_capacity(specs.len());
        let mut rest = specs;
        let mut ahead = None;
        loop {
            let (chunk, later) = rest.split_at(chunk_len(rest.iter(), self.chunk, self.kept.most_bytes));
            if chunk.is_empty() {
                return answers;
            }
            let next = &later[..chunk_len(later.iter(), self.chunk, self.kept.most_bytes)];
            // Without looking ahead, one chunk is dropped before the next one takes its memory.
            let mut ready = ahead.take().unwrap_or_else(|| prepare_all(&self.backend, chunk, &how.policy));
            let measured;
            (measured, ahead) = self.settle_chunk(&mut ready, next, how);
            for (spec, samples) in chunk.iter().zip(measured) {
                let samples = samples.map_err(|error| error.of_spec(spec));
                if let Some(hook) = &mut self.hook {
                    hook(spec, &samples);
                }
                answers.push(samples);
            }
            rest = later;
        }
    }

    /// Measures what is ready while the next chunk is prepared, on other threads where the engine allows it.
    fn settle_chunk(
        &mut self,
        ready: &mut Ready,
        next: &[ConvSpec],
        how: &Sampling,
    ) -> (Vec<Result<Samples, TimingError>>, Option<Ready>) {
        let mut turns = self.turns();
        let rules = |_| how.rule.fresh();
        let Some(ahead) = turns.backend.look_ahead().filter(|_| !next.is_empty()) else {
            return (turns.take(ready, &how.policy, &rules), None);
        };
        std::thread::scope(|scope| {
            let preparing = scope.spawn(|| prepare_ahead(ahead, next, &how.policy));
            let measured = turns.take(ready, &how.policy, &rules);
            let panicked = || next.iter().map(|_| Err(TimingError::run("preparing ahead", "it panicked"))).collect();
            (measured, Some(preparing.join().unwrap_or_else(|_| panicked())))
        })
    }

    /// Takes further readings of each convolution, all in turns as far as memory allows, and keeps them ready.
    fn further(&mut self, wanted: &[(&ConvSpec, u32)], how: &Sampling) -> Vec<Result<Samples, TimingError>> {
        let warmed = how.policy.clone().warmed_up();
        let mut answers = Vec::with_capacity(wanted.len());
        let mut rest = wanted;
        loop {
            let specs = rest.iter().map(|(spec, _)| *spec);
            let (chunk, later) = rest.split_at(chunk_len(specs, usize::MAX, self.kept.most_bytes));
            if chunk.is_empty() {
                return answers;
            }
            let specs: Vec<&ConvSpec> = chunk.iter().map(|(spec, _)| *spec).collect();
            let mut ready = self.kept.take(&self.backend, &specs, &how.policy);
            let samples = self.turns().take(&mut ready, &warmed, &|i| Box::new(Count::new(chunk[i].1)));
            for ((spec, prepared), samples) in specs.into_iter().zip(ready).zip(samples) {
                if let Ok(prepared) = prepared {
                    self.kept.keep(spec, prepared);
                }
                answers.push(samples.map_err(|error| error.of_spec(spec)));
            }
            rest = later;
        }
    }
}

impl<B: Backend> LatencySource for BackendSource<B> {
    fn machine(&self) -> Machine {
        self.machine.clone()
    }

    fn read(&mut self, requests: &[Request], how: &Sampling) -> Vec<Result<Answer, TimingError>> {
        let settled = requests.iter().filter(|request| request.further.is_none()).map(|request| request.spec.clone());
        let settled: Vec<ConvSpec> = settled.collect();
        let further: Vec<(&ConvSpec, u32)> =
            requests.iter().filter_map(|request| Some((&request.spec, request.further?))).collect();
        let (mut settled, mut further) =
            (self.settle(&settled, how).into_iter(), self.further(&further, how).into_iter());
        let answer = |request: &Request| {
            let next = if request.further.is_none() { settled.next() } else { further.next() };
            next.unwrap_or_else(|| Err(TimingError::unanswered(&request.spec))).map(Answer::Readings)
        };
        requests.iter().map(answer).collect()
    }

    fn forget(&mut self) {
        self.kept.clear();
    }

    fn models(&self) -> Option<&dyn ModelBackend> {
        self.models.as_deref()
    }

    fn chain(&self, specs: &[ConvSpec]) -> Option<Result<Box<dyn Prepared + Send>, TimingError>> {
        Some(self.backend.chain(specs))
    }

    fn drift(&self) -> DriftReport {
        self.report
    }
}

impl<B: fmt::Debug> fmt::Debug for BackendSource<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BackendSource")
            .field("backend", &self.backend)
            .field("machine", &self.machine)
            .field("report", &self.report)
            .finish_non_exhaustive()
    }
}
