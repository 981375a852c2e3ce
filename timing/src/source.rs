//! An engine as a latency source.

use crate::anchors::{Anchors, DriftReport};
use crate::backend::{Backend, Prepared};
use crate::error::{TimingError, Unavailable};
use crate::interleave::{interleave, interleave_each};
use crate::kept::Kept;
use crate::policy::Policy;
use crate::sample::Samples;
use crate::stop::{Count, Relative, StopRule};
use netspec::{ConvSpec, LatencySource, Machine, Measurement, SourceError};
use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

/// Convolutions that take turns, unless told otherwise.
const CHUNK: usize = 16;

/// Repetitions of a chunk during which an anchor moved, unless told otherwise.
const REPETITIONS: u32 = 1;

/// Threads that prepare the next chunk, where the engine looks ahead.
const AHEAD: usize = 4;

type Hook = Box<dyn FnMut(&ConvSpec, &Result<Measurement, SourceError>) + Send>;
type SamplesHook = Box<dyn FnMut(&ConvSpec, &Samples) + Send>;
/// What takes turns, and how its samples are taken.
type Turns<'a> = [Box<dyn Prepared + Send + 'a>];
type Take<'t> = &'t mut dyn FnMut(&mut Turns<'_>, &Policy) -> Vec<Result<Samples, TimingError>>;
type Ready = Vec<Result<Box<dyn Prepared + Send>, TimingError>>;

/// Measures on an engine what it is asked for, many specs in turns.
///
/// Specs are prepared and interleaved in chunks, so that drift cancels within one and memory stays bounded;
/// between chunks anchors, if there are any, tell whether the machine itself has changed speed, and a chunk during
/// which it did is rejected and measured again, never rescaled. An engine that can prepare on other threads while
/// something is timed (see [`Backend::look_ahead`]) prepares the next chunk meanwhile.
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
    anchors: Anchors,
    repetitions: u32,
    hook: Option<Hook>,
    samples_hook: Option<SamplesHook>,
    report: DriftReport,
    kept: Kept,
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
            anchors: Anchors::default(),
            repetitions: REPETITIONS,
            hook: None,
            samples_hook: None,
            report: DriftReport::default(),
            kept: Kept::default(),
        })
    }
}

impl<B: Backend, R: StopRule + Clone> BackendSource<B, R> {
    /// Sets the rule; each spec gets its own copy.
    pub fn rule<S: StopRule + Clone>(self, rule: S) -> BackendSource<B, S> {
        let BackendSource {
            backend,
            machine,
            policy,
            chunk,
            anchors,
            repetitions,
            hook,
            samples_hook,
            report,
            kept,
            ..
        } = self;
        BackendSource { backend, machine, rule, policy, chunk, anchors, repetitions, hook, samples_hook, report, kept }
    }

    /// Sets how samples are taken, the flag that stops everything included.
    pub fn policy(self, policy: Policy) -> BackendSource<B, R> {
        BackendSource { policy, ..self }
    }

    /// Sets how many specs take turns, at least 1.
    pub fn chunk(self, specs: usize) -> BackendSource<B, R> {
        BackendSource { chunk: specs.max(1), ..self }
    }

    /// Measures `spec` too, before and after each chunk; a chunk during which it moved by more than `tolerance` (0.03
    /// being 3 %) is measured again. There may be several: one bound by arithmetic and one by memory see more than one.
    pub fn anchor(mut self, spec: ConvSpec, tolerance: f64) -> BackendSource<B, R> {
        self.anchors.add(spec, tolerance);
        self
    }

    /// Sets how often a chunk is measured again at most.
    pub fn repetitions(self, repetitions: u32) -> BackendSource<B, R> {
        BackendSource { repetitions, ..self }
    }

    /// Calls `hook` with every answer as soon as it is final: for progress, and for saving what was measured.
    pub fn on_answer(
        self,
        hook: impl FnMut(&ConvSpec, &Result<Measurement, SourceError>) + Send + 'static,
    ) -> BackendSource<B, R> {
        BackendSource { hook: Some(Box::new(hook)), ..self }
    }

    /// Calls `hook` with every sample of whatever was measured, as soon as its chunk is final.
    pub fn on_samples(self, hook: impl FnMut(&ConvSpec, &Samples) + Send + 'static) -> BackendSource<B, R> {
        BackendSource { samples_hook: Some(Box::new(hook)), ..self }
    }

    /// Takes so many further samples of each spec, all in turns, by no rule but these counts.
    ///
    /// What was prepared stays ready for later calls, because a search asks again for what is close, until
    /// [`BackendSource::forget`]: whoever asks for many or large specs bounds what is held at once by calling that.
    /// As in [`LatencySource::latencies`], samples during which an anchor moved are taken again.
    /// Each spec should be wanted once, at least one sample; no hook is called.
    pub fn further_samples(&mut self, wanted: &[(ConvSpec, u32)]) -> Vec<Result<Samples, TimingError>> {
        let mut ready: Ready =
            wanted.iter().map(|(spec, _)| self.kept.take(&self.backend, spec, &self.policy)).collect();
        // What could not be prepared takes no turn.
        let turns = wanted.iter().zip(&ready).filter(|(_, ready)| ready.is_ok());
        let rules: Vec<Count> = turns.map(|(&(_, samples), _)| Count::new(samples)).collect();
        // What is kept was warmed up when it was prepared.
        let mut policy = self.policy.clone().warm_up(self.policy.rewarm);
        let BackendSource { backend, rule, anchors, repetitions, report, .. } = self;
        let mut bench = Bench { backend, rule, policy: &mut policy, anchors, report, repetitions: *repetitions };
        let samples = bench.anchored(&mut ready, &mut |turns, policy| interleave_each(turns, rules.clone(), policy));
        self.policy.seed = policy.seed;
        for ((spec, _), prepared) in wanted.iter().zip(ready) {
            if let Ok(prepared) = prepared {
                self.kept.keep(spec, prepared);
            }
        }
        samples
    }

    /// Drops what [`BackendSource::further_samples`] keeps ready.
    pub fn forget(&mut self) {
        self.kept.clear();
    }

    /// What the latencies are true for.
    pub fn machine(&self) -> &Machine {
        &self.machine
    }

    /// The engine.
    pub fn backend(&self) -> &B {
        &self.backend
    }

    /// What the anchors saw so far.
    pub fn drift(&self) -> DriftReport {
        self.report
    }
}

/// What measuring a chunk needs of a source, apart from its hooks.
struct Bench<'a, B, R> {
    backend: &'a B,
    rule: &'a R,
    policy: &'a mut Policy,
    anchors: &'a mut Anchors,
    report: &'a mut DriftReport,
    repetitions: u32,
}

impl<B: Backend, R: StopRule + Clone> Bench<'_, B, R> {
    /// Measures what is ready while the next chunk is made ready, on other threads where the engine allows it.
    fn step(&mut self, ready: &mut Ready, next: &[ConvSpec]) -> (Vec<Result<Samples, TimingError>>, Option<Ready>) {
        let rule = self.rule;
        let mut by_rule = |turns: &mut Turns<'_>, policy: &Policy| interleave(turns, rule, policy);
        let Some(ahead) = self.backend.look_ahead().filter(|_| !next.is_empty()) else {
            return (self.anchored(ready, &mut by_rule), None);
        };
        let policy = self.policy.clone();
        std::thread::scope(|scope| {
            let preparing = scope.spawn(|| prepare_ahead(ahead, next, &policy));
            let measured = self.anchored(ready, &mut by_rule);
            let panicked = || next.iter().map(|_| Err(TimingError::run("preparing ahead", "it panicked"))).collect();
            (measured, Some(preparing.join().unwrap_or_else(|_| panicked())))
        })
    }

    /// Measures a chunk between two looks at the anchors, again if need be; what could not be prepared stays so.
    fn anchored(&mut self, ready: &mut Ready, take: Take<'_>) -> Vec<Result<Samples, TimingError>> {
        if !self.policy.is_cancelled() {
            self.report.chunks += 1;
        }
        self.anchors.begin(self.backend, self.policy, self.report);
        for repetition in 0.. {
            let measured = self.measure(ready, take);
            if self.anchors.are_steady(self.backend, self.policy, self.report) {
                return measured;
            }
            if self.policy.is_cancelled() {
                return measured;
            }
            if repetition >= self.repetitions {
                self.report.unsettled += 1;
                return measured;
            }
            self.report.repeated += 1;
        }
        Vec::new()
    }

    fn measure(&mut self, ready: &mut Ready, take: Take<'_>) -> Vec<Result<Samples, TimingError>> {
        let mut turns: Vec<Box<dyn Prepared + Send + '_>> = Vec::with_capacity(ready.len());
        let mut failures = Vec::with_capacity(ready.len());
        for prepared in ready.iter_mut() {
            failures.push(match prepared {
                Ok(prepared) => {
                    turns.push(Box::new(&mut **prepared));
                    None
                }
                Err(error) => Some(error.clone()),
            });
        }
        let mut samples = take(&mut turns, self.policy).into_iter();
        // The next chunk's order should not repeat this one's.
        self.policy.seed = self.policy.seed.wrapping_add(1);
        let answer = |failure: Option<TimingError>| match failure {
            Some(error) => Err(error),
            None => samples.next().unwrap_or(Err(TimingError::Interrupted)),
        };
        failures.into_iter().map(answer).collect()
    }
}

fn prepare_one(
    backend: &(impl Backend + ?Sized),
    spec: &ConvSpec,
    policy: &Policy,
) -> Result<Box<dyn Prepared + Send>, TimingError> {
    if policy.is_cancelled() { Err(TimingError::Interrupted) } else { backend.prepare(spec) }
}

fn prepare_all(backend: &impl Backend, specs: &[ConvSpec], policy: &Policy) -> Ready {
    specs.iter().map(|spec| prepare_one(backend, spec, policy)).collect()
}

/// The same on several threads, each taking the next spec that nobody has.
fn prepare_ahead(backend: &(dyn Backend + Sync), specs: &[ConvSpec], policy: &Policy) -> Ready {
    let next = AtomicUsize::new(0);
    let slots: Vec<Mutex<Option<_>>> = specs.iter().map(|_| Mutex::new(None)).collect();
    let work = || {
        while let Some((spec, slot)) = {
            let i = next.fetch_add(1, Ordering::Relaxed);
            specs.get(i).zip(slots.get(i))
        } {
            let prepared = prepare_one(backend, spec, policy);
            *slot.lock().unwrap_or_else(PoisonError::into_inner) = Some(prepared);
        }
    };
    std::thread::scope(|scope| (0..AHEAD.min(specs.len())).for_each(|_| _ = scope.spawn(work)));
    let taken = |slot: Mutex<Option<_>>| slot.into_inner().unwrap_or_else(PoisonError::into_inner);
    slots.into_iter().map(|slot| taken(slot).unwrap_or(Err(TimingError::Interrupted))).collect()
}

impl<B: Backend, R: StopRule + Clone> LatencySource for BackendSource<B, R> {
    fn latency(&mut self, spec: &ConvSpec) -> Result<Measurement, SourceError> {
        self.latencies(std::slice::from_ref(spec)).pop().unwrap_or(Err(SourceError::Interrupted))
    }

    fn latencies(&mut self, specs: &[ConvSpec]) -> Vec<Result<Measurement, SourceError>> {
        let BackendSource { backend, rule, policy, chunk, anchors, repetitions, hook, samples_hook, report, .. } = self;
        let mut bench = Bench { backend, rule, policy, anchors, report, repetitions: *repetitions };
        let mut answers = Vec::with_capacity(specs.len());
        let mut chunks = specs.chunks(*chunk).peekable();
        let mut ahead = None;
        while let Some(chunk) = chunks.next() {
            // Without looking ahead, one chunk is dropped before the next one takes its memory.
            let mut ready = ahead.take().unwrap_or_else(|| prepare_all(bench.backend, chunk, bench.policy));
            let measured;
            (measured, ahead) = bench.step(&mut ready, chunks.peek().copied().unwrap_or_default());
            for (spec, samples) in chunk.iter().zip(measured) {
                if let (Some(hook), Ok(samples)) = (samples_hook.as_mut(), &samples) {
                    hook(spec, samples);
                }
                let answer = samples.map(|samples| samples.measurement()).map_err(|error| error.for_source(spec));
                if let Some(hook) = hook {
                    hook(spec, &answer);
                }
                answers.push(answer);
            }
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
