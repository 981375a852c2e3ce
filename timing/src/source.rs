//! An engine as a latency source.

use crate::backend::{Backend, Prepared};
use crate::error::{TimingError, Unavailable};
use crate::interleave::interleave;
use crate::policy::Policy;
use crate::sample::measure;
use crate::stop::{Count, Relative, StopRule};
use netspec::{ConvSpec, LatencySource, Machine, Measurement, SourceError};
use std::fmt;

/// Samples of the anchor each time; its median of so many is steadier than any drift worth a repetition.
const ANCHOR_SAMPLES: u32 = 15;

/// Convolutions that take turns, unless told otherwise.
const CHUNK: usize = 16;

type Hook = Box<dyn FnMut(&ConvSpec, &Result<Measurement, SourceError>) + Send>;

/// Measures on an engine what it is asked for, many specs in turns.
///
/// Specs are prepared and interleaved in chunks, so that drift cancels within one and memory stays bounded;
/// between chunks an anchor, if one is set, tells whether the machine itself has changed speed, and a chunk during
/// which it did is measured once more.
///
/// ```
/// use netspec::{ConvSpec, LatencySource};
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
/// use timing::{BackendSource, Policy, stop};
///
/// let mut source = BackendSource::new(Abacus)?.rule(stop::Relative::new(0.01)).policy(Policy::network());
/// let specs = [8, 16, 24].map(|c_out| ConvSpec::new(3, c_out, [32, 32], [3, 3]));
/// let answers = source.latencies(&specs);
/// assert!(answers[0].as_ref().unwrap().median_ns < answers[2].as_ref().unwrap().median_ns);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct BackendSource<B, R = Relative> {
    backend: B,
    machine: Machine,
    rule: R,
    policy: Policy,
    chunk: usize,
    anchor: Option<Anchor>,
    hook: Option<Hook>,
    report: DriftReport,
}

/// What the anchor saw.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct DriftReport {
    /// Chunks that were measured, repetitions not counted.
    pub chunks: u32,
    /// Chunks that were measured once more because the anchor had moved.
    pub repeated: u32,
    /// Repetitions during which it moved again; their numbers were kept.
    pub unsettled: u32,
    /// The largest relative move of the anchor during one chunk.
    pub worst_move: f64,
}

struct Anchor {
    spec: ConvSpec,
    tolerance: f64,
    prepared: Option<Box<dyn Prepared + Send>>,
    last_ns: Option<f64>,
}

impl<B: Backend> BackendSource<B> {
    /// Checks the engine; 1 % half-width, warm, chunks of 16, no anchor.
    pub fn new(backend: B) -> Result<BackendSource<B>, Unavailable> {
        let machine = backend.check()?;
        Ok(BackendSource {
            backend,
            machine,
            rule: Relative::new(0.01),
            policy: Policy::default(),
            chunk: CHUNK,
            anchor: None,
            hook: None,
            report: DriftReport::default(),
        })
    }
}

impl<B: Backend, R: StopRule + Clone> BackendSource<B, R> {
    /// Sets the rule; each spec gets its own copy.
    pub fn rule<S: StopRule + Clone>(self, rule: S) -> BackendSource<B, S> {
        let BackendSource { backend, machine, policy, chunk, anchor, hook, report, .. } = self;
        BackendSource { backend, machine, rule, policy, chunk, anchor, hook, report }
    }

    /// Sets how samples are taken, the flag that stops everything included.
    pub fn policy(self, policy: Policy) -> BackendSource<B, R> {
        BackendSource { policy, ..self }
    }

    /// Sets how many specs take turns, at least 1.
    pub fn chunk(self, specs: usize) -> BackendSource<B, R> {
        BackendSource { chunk: specs.max(1), ..self }
    }

    /// Measures `spec` before and after each chunk; a chunk during which it moved by more than `tolerance`
    /// (0.03 being 3 %) is measured once more.
    pub fn anchor(self, spec: ConvSpec, tolerance: f64) -> BackendSource<B, R> {
        BackendSource { anchor: Some(Anchor { spec, tolerance, prepared: None, last_ns: None }), ..self }
    }

    /// Calls `hook` with every answer as soon as it is final: for progress, and for saving what was measured.
    pub fn on_answer(
        self,
        hook: impl FnMut(&ConvSpec, &Result<Measurement, SourceError>) + Send + 'static,
    ) -> BackendSource<B, R> {
        BackendSource { hook: Some(Box::new(hook)), ..self }
    }

    /// What the latencies are true for.
    pub fn machine(&self) -> &Machine {
        &self.machine
    }

    /// The engine.
    pub fn backend(&self) -> &B {
        &self.backend
    }

    /// What the anchor saw so far.
    pub fn drift(&self) -> DriftReport {
        self.report
    }

    fn anchor_ns(&mut self) -> Option<f64> {
        let anchor = self.anchor.as_mut()?;
        if anchor.prepared.is_none() {
            anchor.prepared = self.backend.prepare(&anchor.spec).ok();
        }
        // An anchor that cannot run tells nothing; the chunk's own errors are reported by the chunk.
        measure(anchor.prepared.as_mut()?, &mut Count::new(ANCHOR_SAMPLES), &self.policy).ok().map(|m| m.median_ns)
    }

    /// Measures a chunk between two looks at the anchor, twice if need be.
    fn anchored(&mut self, specs: &[ConvSpec]) -> Vec<Result<Measurement, SourceError>> {
        self.report.chunks += 1;
        let mut before = match self.anchor.as_ref().and_then(|anchor| anchor.last_ns) {
            Some(ns) => Some(ns),
            None => self.anchor_ns(),
        };
        let tolerance = self.anchor.as_ref().map_or(f64::INFINITY, |anchor| anchor.tolerance);
        let mut is_repetition = false;
        loop {
            let answers = self.measure_chunk(specs);
            let after = self.anchor_ns();
            if let Some(anchor) = &mut self.anchor {
                anchor.last_ns = after;
            }
            let moved = before.zip(after).map_or(0.0, |(before, after)| (after / before).max(before / after) - 1.0);
            self.report.worst_move = self.report.worst_move.max(moved);
            if moved <= tolerance {
                return answers;
            }
            if is_repetition || self.policy.is_cancelled() {
                self.report.unsettled += 1;
                return answers;
            }
            self.report.repeated += 1;
            is_repetition = true;
            before = after;
        }
    }

    fn measure_chunk(&mut self, specs: &[ConvSpec]) -> Vec<Result<Measurement, SourceError>> {
        let mut ready = Vec::with_capacity(specs.len());
        let mut failures = Vec::with_capacity(specs.len());
        for spec in specs {
            let prepared =
                if self.policy.is_cancelled() { Err(TimingError::Interrupted) } else { self.backend.prepare(spec) };
            failures.push(prepared.map(|prepared| ready.push(prepared)).err());
        }
        let mut samples = interleave(&mut ready, &self.rule, &self.policy).into_iter();
        // The next chunk's order should not repeat this one's.
        self.policy.seed = self.policy.seed.wrapping_add(1);
        let answer = |(spec, failure): (&ConvSpec, Option<TimingError>)| match failure {
            Some(error) => Err(error.for_source(spec)),
            None => match samples.next() {
                Some(Ok(samples)) => Ok(samples.measurement()),
                Some(Err(error)) => Err(error.for_source(spec)),
                None => Err(SourceError::Interrupted),
            },
        };
        specs.iter().zip(failures).map(answer).collect()
    }
}

impl<B: Backend, R: StopRule + Clone> LatencySource for BackendSource<B, R> {
    fn latency(&mut self, spec: &ConvSpec) -> Result<Measurement, SourceError> {
        self.latencies(std::slice::from_ref(spec)).pop().unwrap_or(Err(SourceError::Interrupted))
    }

    fn latencies(&mut self, specs: &[ConvSpec]) -> Vec<Result<Measurement, SourceError>> {
        let mut answers = Vec::with_capacity(specs.len());
        for chunk in specs.chunks(self.chunk) {
            let measured = self.anchored(chunk);
            if let Some(hook) = &mut self.hook {
                chunk.iter().zip(&measured).for_each(|(spec, answer)| hook(spec, answer));
            }
            answers.extend(measured);
        }
        answers
    }
}

impl<B: fmt::Debug, R: fmt::Debug> fmt::Debug for BackendSource<B, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BackendSource")
            .field("backend", &self.backend)
            .field("machine", &self.machine)
            .field("rule", &self.rule)
            .field("policy", &self.policy)
            .field("report", &self.report)
            .finish_non_exhaustive()
    }
}
