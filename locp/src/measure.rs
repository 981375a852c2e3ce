//! The measuring end of the pipeline: an engine behind the latency table.

use crate::engine::{Engine, Liveness};
use crate::{Cancel, Error};
use netspec::{CacheState, ConvSpec, LatencySource, Measurement, SourceError, StopReason};
use sharing::{Cached, Key, Store};
use std::cell::Cell;
use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::time::{Duration, Instant};
use timing::{Backend, BackendSource, Policy, Samples, stop};

/// Convolutions that take turns, and that a kill may lose: drift cancels among them, and they take seconds at most.
const CHUNK: usize = 24;

/// Bytes of weights and activations that are prepared at the same time; an engine may hold them two or three times.
const TOGETHER: usize = 512 << 20;

/// A chunk during which an anchor moved by more than this is measured again, at most so often.
const DRIFT: f64 = 0.01;
const REPETITIONS: u32 = 3;

/// How precisely convolutions are timed.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Precision {
    /// Half-width of the median's interval, relative, at which sampling may stop.
    pub half_width: f64,
    /// Fewest samples.
    pub min_samples: usize,
    /// Most samples.
    pub max_samples: usize,
    /// Summed time of one width's samples after which sampling stops, in milliseconds.
    pub limit_ms: f64,
}

impl Precision {
    /// For staircases: many widths, each to about 1 %.
    pub fn survey() -> Precision {
        Precision { half_width: 0.01, min_samples: 11, max_samples: 300, limit_ms: 60.0 }
    }

    /// For the cells of a final plan: few, and taken afresh, because chosen readings are optimistic.
    pub fn fresh() -> Precision {
        Precision { half_width: 0.005, min_samples: 15, max_samples: 600, limit_ms: 120.0 }
    }

    fn rule(&self) -> stop::Relative {
        stop::Relative::new(self.half_width)
            .min_samples(self.min_samples)
            .max_samples(self.max_samples)
            .limit_ms(self.limit_ms)
    }
}

/// What a line of widths is asked of: readings, or what a table has.
#[derive(Clone, Debug)]
pub(crate) enum Told {
    /// Single readings, taken now, in nanoseconds.
    Readings(Vec<f64>),
    /// A figure that needs no further reading.
    Known(Measurement),
    /// The table that plays the engine has nothing of it.
    Absent,
}

/// A latency source that sums the time it was asked for.
struct Clocked<S> {
    source: S,
    spent: Rc<Cell<Duration>>,
}

impl<S> Clocked<S> {
    fn clock<T>(&mut self, ask: impl FnOnce(&mut S) -> T) -> T {
        let start = Instant::now();
        let answer = ask(&mut self.source);
        self.spent.set(self.spent.get() + start.elapsed());
        answer
    }
}

impl<S: LatencySource> LatencySource for Clocked<S> {
    fn latency(&mut self, spec: &ConvSpec) -> Result<Measurement, SourceError> {
        self.clock(|source| source.latency(spec))
    }

    fn latencies(&mut self, specs: &[ConvSpec]) -> Vec<Result<Measurement, SourceError>> {
        self.clock(|source| source.latencies(specs))
    }
}

type Source<'a> = Clocked<Box<dyn LatencySource + 'a>>;

/// Answers latencies from the table, and measures what is not in it.
pub struct Measurer<'a> {
    engine: &'a Engine,
    cached: Cached<Source<'a>, Box<dyn Store>>,
    afresh: u64,
    /// Takes single readings; nothing where a table plays the engine.
    reader: Option<BackendSource<&'a dyn Backend>>,
    /// What the reader keeps ready.
    held: BTreeSet<ConvSpec>,
    /// What was read and is not in the table yet.
    open: BTreeMap<ConvSpec, Samples>,
    told: u64,
    spent: Rc<Cell<Duration>>,
    cancel: Cancel,
    seed: u64,
}

impl<'a> Measurer<'a> {
    /// An engine behind a table. Figures that are not live never enter it: they stay in memory.
    pub fn new(engine: &'a Engine, table: Box<dyn Store>, cancel: &Cancel, seed: u64) -> Result<Measurer<'a>, Error> {
        let table = match engine.liveness() {
            Liveness::Live => table,
            _ => crate::table::in_memory(engine),
        };
        let spent = Rc::new(Cell::new(Duration::ZERO));
        let source = clocked(engine, &Precision::survey(), &spent, cancel, seed)?;
        let cached = Cached::new(source, table, engine.machine()).chunk(CHUNK);
        let reader = match engine.recorded(CacheState::Network) {
            Some(_) => None,
            None => Some(self::source(engine, &Precision::survey(), CacheState::Network, cancel, seed ^ 0x0dd)?),
        };
        let open = BTreeMap::new();
        let cancel = cancel.clone();
        Ok(Measurer { engine, cached, afresh: 0, reader, held: BTreeSet::new(), open, told: 0, spent, cancel, seed })
    }

    /// The latencies of `specs`, in their order; the first failure ends it, what was measured before is kept.
    ///
    /// What the table knows only as well as some comparison needed it is measured to the survey's precision now.
    pub fn latencies(&mut self, specs: &[ConvSpec]) -> Result<Vec<Measurement>, Error> {
        let mut answers = Vec::with_capacity(specs.len());
        for together in fitting(specs) {
            for answer in self.cached.latencies(together) {
                answers.push(answer?);
            }
        }
        let is_coarse = |m: &Measurement| m.stop == StopReason::Decided;
        let coarse: Vec<usize> = (0..specs.len()).filter(|&i| is_coarse(&answers[i])).collect();
        if !coarse.is_empty() {
            let wanted: Vec<ConvSpec> = coarse.iter().map(|&i| specs[i].clone()).collect();
            for (i, measurement) in coarse.into_iter().zip(self.afresh_by(&wanted, &Precision::survey())?) {
                answers[i] = measurement;
            }
        }
        Ok(answers)
    }

    /// Whether a table plays the engine, so that what is not in it is not known.
    pub(crate) fn is_table(&self) -> bool {
        self.reader.is_none()
    }

    /// What the table has of a spec; nothing where a table plays the engine.
    pub(crate) fn entry(&self, spec: &ConvSpec) -> Result<Option<Measurement>, Error> {
        if self.reader.is_none() {
            return Ok(None);
        }
        let entry = self.cached.store().get(&Key::new(spec, self.engine.machine()))?;
        Ok(entry.map(|entry| entry.measurement))
    }

    /// What the table has of these specs, and nothing of the others.
    pub(crate) fn recall<'s>(&mut self, specs: impl Iterator<Item = &'s ConvSpec>) -> Result<Vec<Told>, Error> {
        specs.map(|spec| Ok(self.known(spec)?.unwrap_or(Told::Absent))).collect()
    }

    /// So many further readings of each of the specs, or what the table has of it. Readings are taken in turns; they
    /// enter the table by [`Measurer::close`].
    pub(crate) fn read(&mut self, wanted: &[(ConvSpec, usize)]) -> Result<Vec<Told>, Error> {
        let mut answers: Vec<Option<Told>> = vec![None; wanted.len()];
        let mut open = Vec::new();
        for (i, (spec, readings)) in wanted.iter().enumerate() {
            answers[i] = if self.open.contains_key(spec) { None } else { self.known(spec)? };
            if answers[i].is_none() {
                open.push((i, (spec.clone(), u32::try_from(*readings).unwrap_or(u32::MAX))));
            }
        }
        let specs: Vec<ConvSpec> = open.iter().map(|(_, (spec, _))| spec.clone()).collect();
        let mut rest = open.as_slice();
        for together in fitting(&specs) {
            let (now, later) = rest.split_at(together.len());
            rest = later;
            let counts: Vec<(ConvSpec, u32)> = now.iter().map(|(_, count)| count.clone()).collect();
            let Some(reader) = &mut self.reader else { break };
            let new: usize = together.iter().filter(|spec| !self.held.contains(*spec)).map(bytes).sum();
            let held: usize = self.held.iter().map(bytes).sum();
            if held + new > TOGETHER {
                // What is asked for again has to be prepared again; the memory is not there for more.
                reader.forget();
                self.held.clear();
            }
            self.held.extend(together.iter().cloned());
            let start = Instant::now();
            let samples = reader.further_samples(&counts);
            self.spent.set(self.spent.get() + start.elapsed());
            for ((i, (spec, _)), samples) in now.iter().zip(samples) {
                let samples = samples.map_err(|error| error.for_source(spec))?;
                answers[*i] = Some(Told::Readings(samples.ns.clone()));
                match self.open.entry(spec.clone()) {
                    Entry::Occupied(mut known) => known.get_mut().ns.extend(samples.ns),
                    Entry::Vacant(none) => _ = none.insert(samples),
                }
            }
        }
        Ok(answers.into_iter().map(|answer| answer.unwrap_or(Told::Absent)).collect())
    }

    /// What is known of a spec without reading it.
    fn known(&mut self, spec: &ConvSpec) -> Result<Option<Told>, Error> {
        if self.reader.is_none() {
            return match self.cached.latency(spec) {
                Ok(measurement) => Ok(Some(Told::Known(measurement))),
                Err(SourceError::Missing { .. }) => Ok(Some(Told::Absent)),
                Err(error) => Err(error.into()),
            };
        }
        let entry = self.entry(spec)?;
        self.told += u64::from(entry.is_some());
        Ok(entry.map(Told::Known))
    }

    /// Puts what was read into the table, with the intervals given, and lets go of what was kept ready.
    ///
    /// Those of `precise` get further readings first, until they are known as well as a survey wants it. Answers what
    /// entered the table.
    pub(crate) fn close(
        &mut self,
        precise: &[ConvSpec],
        intervals: &BTreeMap<ConvSpec, [f64; 2]>,
    ) -> Result<BTreeMap<ConvSpec, Measurement>, Error> {
        let survey = Precision::survey();
        let further = |spec: &ConvSpec| {
            let [low, high] = *intervals.get(spec)?;
            let samples = self.open.get(spec)?;
            let median = stats::median(&samples.ns)?;
            // Intervals shrink with the square root of the readings.
            let half_widths = (high - low) / 2.0 / median / survey.half_width;
            let needed = samples.ns.len() as f64 * half_widths * half_widths;
            let affordable = survey.limit_ms * 1e6 / median;
            let wanted = needed.min(affordable).clamp(survey.min_samples as f64, survey.max_samples as f64);
            // Truncation costs one reading at most.
            Some((spec.clone(), (wanted as usize).saturating_sub(samples.ns.len()))).filter(|(_, more)| *more > 0)
        };
        let wanted: Vec<(ConvSpec, usize)> = precise.iter().filter_map(further).collect();
        let read = self.read(&wanted).map(|_| ());
        let mut entered = BTreeMap::new();
        for (spec, samples) in std::mem::take(&mut self.open) {
            let mut measurement = samples.measurement();
            measurement.stop = if precise.contains(&spec) && samples.ns.len() >= survey.min_samples {
                if measurement.relative_half_width() <= survey.half_width {
                    StopReason::Precise
                } else {
                    StopReason::SampleLimit
                }
            } else {
                if let Some([low, high]) = intervals.get(&spec) {
                    measurement.interval_ns = [low.min(measurement.median_ns), high.max(measurement.median_ns)];
                }
                StopReason::Decided
            };
            entered.insert(spec, measurement);
        }
        // At once: the table waits for its disk once for the whole line.
        self.cached.record_all(&entered)?;
        self.afresh += entered.len() as u64;
        if let Some(reader) = &mut self.reader {
            reader.forget();
        }
        self.held.clear();
        read.map(|()| entered)
    }

    /// The latencies of `specs`, measured now whatever the table says; it keeps them as history.
    pub fn fresh(&mut self, specs: &[ConvSpec]) -> Result<Vec<Measurement>, Error> {
        self.afresh_by(specs, &Precision::fresh())
    }

    fn afresh_by(&mut self, specs: &[ConvSpec], precision: &Precision) -> Result<Vec<Measurement>, Error> {
        // Another order than the survey's, so that a reading that was lucky there is not lucky again.
        let mut source = clocked(self.engine, precision, &self.spent, &self.cancel, self.seed ^ 0x5eed)?;
        let mut distinct: Vec<ConvSpec> = specs.to_vec();
        distinct.sort();
        distinct.dedup();
        let mut answers = Vec::with_capacity(distinct.len());
        for together in fitting(&distinct) {
            let read = source.latencies(together);
            // What was read stays, also where another one failed.
            let kept = together.iter().zip(&read).filter_map(|(spec, answer)| Some((spec, answer.as_ref().ok()?)));
            self.cached.record_all(kept)?;
            for answer in read {
                answers.push(answer?);
            }
        }
        self.afresh += distinct.len() as u64;
        let found = |spec| distinct.binary_search(spec).expect("every spec was put among the distinct ones");
        Ok(specs.iter().map(|spec| answers[found(spec)].clone()).collect())
    }

    /// Measurements made so far.
    pub fn measured(&self) -> u64 {
        self.cached.stats().new + self.afresh
    }

    /// Questions that the table answered so far.
    pub fn shared(&self) -> u64 {
        self.cached.stats().shared + self.told
    }

    /// Time that the engine was busy so far, preparing and running, in seconds.
    pub fn device_seconds(&self) -> f64 {
        self.spent.get().as_secs_f64()
    }
}

/// Weights and activations of a convolution.
fn bytes(spec: &ConvSpec) -> usize {
    spec.elements().iter().sum::<usize>() * spec.dtype.bytes()
}

/// Runs of specs that fit into memory together: what takes turns is prepared at the same time.
fn fitting(specs: &[ConvSpec]) -> impl Iterator<Item = &[ConvSpec]> {
    let mut rest = specs;
    std::iter::from_fn(move || {
        let mut sum = 0;
        let fit = rest.iter().take_while(|spec| {
            sum += bytes(spec);
            sum <= TOGETHER
        });
        // At least one, however large it is.
        let n = fit.count().max(1).min(rest.len());
        let (now, later) = rest.split_at(n);
        rest = later;
        (!now.is_empty()).then_some(now)
    })
}

fn clocked<'a>(
    engine: &'a Engine,
    precision: &Precision,
    spent: &Rc<Cell<Duration>>,
    cancel: &Cancel,
    seed: u64,
) -> Result<Source<'a>, Error> {
    let source: Box<dyn LatencySource> = match engine.recorded(CacheState::Network) {
        Some(recorded) => Box::new(recorded),
        None => Box::new(source(engine, precision, CacheState::Network, cancel, seed)?),
    };
    Ok(Clocked { source, spent: Rc::clone(spent) })
}

/// The engine as a latency source, with its anchors.
pub(crate) fn source<'a>(
    engine: &'a Engine,
    precision: &Precision,
    cache: CacheState,
    cancel: &Cancel,
    seed: u64,
) -> Result<BackendSource<&'a dyn Backend>, Error> {
    let policy = match cache {
        CacheState::Warm => Policy::warm(),
        CacheState::Cold => Policy::cold(),
        _ => Policy::network(),
    };
    let policy = policy.warm_up(2).seed(seed).cancel(cancel.flag());
    let source = BackendSource::new(engine.backend())?.rule(precision.rule()).policy(policy).chunk(CHUNK);
    let anchors = engine.anchors().iter().cloned();
    Ok(anchors.fold(source.repetitions(REPETITIONS), |source, spec| source.anchor(spec, DRIFT)))
}
