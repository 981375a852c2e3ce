//! The measuring end of the pipeline: a latency source behind the latency lookup table.

use crate::report::{Covers, Header, Schema};
use crate::{Cancel, Error, engine};
use netspec::{CacheState, ConvSpec, Machine, Measurement, StopReason};
use sharing::{Cached, Store};
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fmt;
use timing::{Answer, Counted, LatencySource, Policy, Request, Rule, Samples, Sampling, StopRule, TimingError, stop};

/// Convolutions that are measured in turns, and that a kill may lose: they take seconds at most.
const CHUNK: usize = 24;

/// For staircases: many widths, each to about 1 %.
pub(crate) fn survey_rule() -> stop::Relative {
    stop::Relative::new(0.01).min_samples(11).max_samples(300).limit_ms(60.0)
}

/// For the cells of a final plan: few, and taken afresh, because chosen readings are optimistic.
pub(crate) fn fresh_rule() -> stop::Relative {
    stop::Relative::new(0.005).min_samples(15).max_samples(600).limit_ms(120.0)
}

type Source<'a> = Counted<Box<dyn LatencySource + 'a>>;

/// Returns latencies from the table, and measures what is not in it.
pub struct Measurer<'a> {
    cached: Cached<Source<'a>, Box<dyn Store + 'a>>,
    /// Raw readings that are not in the table yet.
    open: BTreeMap<ConvSpec, Samples>,
    survey: Rule,
    fresh: Rule,
    /// Measurements that were recorded apart from what the table layer counts.
    recorded: u64,
    /// Requests that the table answered apart from what the table layer counts.
    recalled: u64,
    cancel: Cancel,
    seed: u64,
}

impl<'a> Measurer<'a> {
    /// Puts `table` in front of `source`. Figures that this machine did not measure never enter the table: they stay in
    /// memory.
    pub fn new(source: impl LatencySource + 'a, table: impl Store + 'a) -> Measurer<'a> {
        let source: Box<dyn LatencySource + 'a> = Box::new(source);
        let table: Box<dyn Store + 'a> = Box::new(table);
        Measurer {
            cached: Cached::new(Counted::new(source), table).chunk(CHUNK),
            open: BTreeMap::new(),
            survey: Rule::new(survey_rule()),
            fresh: Rule::new(fresh_rule()),
            recorded: 0,
            recalled: 0,
            cancel: Cancel::default(),
            seed: 0,
        }
    }

    /// Sets the flag that stops everything.
    pub fn cancel(self, cancel: &Cancel) -> Measurer<'a> {
        Measurer { cancel: cancel.clone(), ..self }
    }

    /// Sets the seed of the random order in which convolutions take turns.
    pub fn seed(self, seed: u64) -> Measurer<'a> {
        Measurer { seed, ..self }
    }

    /// Sets when the readings of one convolution suffice, for staircases and for the cells of a plan alike.
    pub fn stop_rule(self, rule: impl StopRule + Clone + Send + Sync + 'static) -> Measurer<'a> {
        let rule = Rule::new(rule);
        Measurer { survey: rule.clone(), fresh: rule, ..self }
    }

    fn how(&self, rule: &Rule, seed: u64) -> Sampling {
        let policy = Policy::network().warm_up(2).seed(self.seed ^ seed).cancel(self.cancel.flag());
        Sampling::default().policy(policy).rule(rule.clone())
    }

    /// Returns the latencies of `specs`, in their order: those of the table, or measured to the survey's precision now.
    ///
    /// # Errors
    /// The first failure; what was measured before it is kept.
    pub fn get(&mut self, specs: &[ConvSpec]) -> Result<Vec<Measurement>, Error> {
        let how = self.how(&self.survey, 0);
        self.cached.latencies(specs, &how).into_iter().map(|answer| Ok(answer?)).collect()
    }

    /// Returns the latencies of `specs`, measured now whatever the table says; it keeps them as history.
    ///
    /// # Errors
    /// The first failure; what was measured before it is kept.
    pub fn fresh(&mut self, specs: &[ConvSpec]) -> Result<Vec<Measurement>, Error> {
        let mut distinct: Vec<ConvSpec> = specs.to_vec();
        distinct.sort();
        distinct.dedup();
        // Another order than the survey's, so that a reading that was lucky there is not lucky again.
        let how = self.how(&self.fresh, 0x5eed);
        let mut answers = Vec::with_capacity(distinct.len());
        for chunk in distinct.chunks(CHUNK) {
            let read = self.cached.source().latencies(chunk, &how);
            // What was read stays, also where another one failed.
            let measured = chunk.iter().zip(&read).filter_map(|(spec, answer)| Some((spec, answer.as_ref().ok()?)));
            self.cached.record_all(measured)?;
            self.recorded += chunk.len() as u64;
            for answer in read {
                answers.push(answer?);
            }
        }
        let found = |spec| distinct.binary_search(spec).expect("every spec was put among the distinct ones");
        Ok(specs.iter().map(|spec| answers[found(spec)].clone()).collect())
    }

    /// Returns further readings of each of the specs, or what the table has of it; `None` for what the source does not
    /// know or failed to read, and the first failure beside them. Readings are taken in turns; they enter the table by
    /// [`Measurer::close`].
    ///
    /// # Errors
    /// What the table answers.
    pub(crate) fn readings(
        &mut self,
        wanted: &[(ConvSpec, usize)],
    ) -> Result<(Vec<Option<Answer>>, Option<Error>), Error> {
        let mut answers: Vec<Option<Answer>> = vec![None; wanted.len()];
        let mut places = Vec::new();
        let mut requests = Vec::new();
        for (place, (spec, readings)) in wanted.iter().enumerate() {
            let known = if self.open.contains_key(spec) { None } else { self.known(spec)? };
            match known {
                Some(measurement) => {
                    self.recalled += 1;
                    answers[place] = Some(Answer::Settled(measurement));
                }
                None => {
                    places.push(place);
                    requests.push(Request::further(spec.clone(), u32::try_from(*readings).unwrap_or(u32::MAX)));
                }
            }
        }
        let mut how = self.how(&self.survey, 0x0dd);
        // The runs that each turn begins with warm up what was just prepared.
        how.policy = how.policy.warm_up(0);
        let read = self.cached.source().read(&requests, &how);
        // Where a convolution's tensors lie in memory shifts its latency by a percent or so for as long as it is prepared:
        // further readings are taken of another preparation.
        self.cached.forget();
        let mut failure = None;
        for ((place, request), answer) in places.into_iter().zip(requests).zip(read) {
            match &answer {
                Ok(Answer::Readings(samples)) => match self.open.entry(request.spec) {
                    Entry::Occupied(mut known) => known.get_mut().ns.extend(&samples.ns),
                    Entry::Vacant(none) => _ = none.insert(samples.clone()),
                },
                Ok(settled) => {
                    self.cached.record_all([(&request.spec, &settled.measurement())])?;
                    self.recorded += 1;
                }
                Err(TimingError::Missing { .. }) => {}
                // What was read beside it stays.
                Err(error) => failure = failure.or(Some(error.clone())),
            }
            answers[place] = answer.ok();
        }
        Ok((answers, failure.map(Error::from)))
    }

    /// Returns what the table has of a convolution, however coarse, without measuring; `None` if nothing.
    pub(crate) fn known(&self, spec: &ConvSpec) -> Result<Option<Measurement>, Error> {
        Ok(self.cached.known(spec, CacheState::Network)?)
    }

    /// The same, counted as shared.
    pub(crate) fn recalled(&mut self, spec: &ConvSpec) -> Result<Option<Measurement>, Error> {
        let known = self.known(spec)?;
        self.recalled += u64::from(known.is_some());
        Ok(known)
    }

    /// Puts the raw readings of a line into the table, with the latencies and intervals in nanoseconds that its search
    /// gives them. Returns what entered the table.
    pub(crate) fn close(
        &mut self,
        levels: &BTreeMap<ConvSpec, (f64, [f64; 2])>,
    ) -> Result<BTreeMap<ConvSpec, Measurement>, Error> {
        let mut entered = BTreeMap::new();
        for (spec, samples) in std::mem::take(&mut self.open) {
            let mut measurement = samples.measurement();
            measurement.stop = StopReason::Decided;
            if let Some(&(ns, interval_ns)) = levels.get(&spec) {
                (measurement.median_ns, measurement.interval_ns) = (ns, interval_ns);
            }
            entered.insert(spec, measurement);
        }
        // At once: the table waits for its disk once for the whole line.
        self.cached.record_all(&entered)?;
        self.recorded += entered.len() as u64;
        Ok(entered)
    }

    /// Returns the latency source behind the table.
    pub fn source(&mut self) -> &mut (dyn LatencySource + 'a) {
        self.cached.source()
    }

    /// Returns what the latencies are true for.
    pub fn machine(&self) -> Machine {
        self.cached.machine()
    }

    /// Returns what a time of a whole network covers.
    pub(crate) fn covers(&self) -> Covers {
        engine::covers(&self.cached)
    }

    /// Returns the start of every report, labelled by where the figures came from.
    pub(crate) fn header(&mut self, schema: Schema) -> Header {
        let counts = self.cached.source().counts();
        let mut header = engine::header(&self.cached, schema);
        header.simulated |= counts.simulated > 0;
        header.recorded |= counts.recorded > 0;
        header
    }

    /// Returns the number of measurements made so far.
    pub fn measured(&self) -> u64 {
        self.cached.stats().new + self.recorded
    }

    /// Returns the number of requests that the table answered so far.
    pub fn shared(&self) -> u64 {
        self.cached.stats().shared + self.recalled
    }

    /// Returns the time that the source was busy so far, preparing and running, in seconds.
    pub fn device_seconds(&mut self) -> f64 {
        self.cached.source().counts().busy.as_secs_f64()
    }
}

impl fmt::Debug for Measurer<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Measurer")
            .field("machine", &self.machine())
            .field("measured", &self.measured())
            .field("shared", &self.shared())
            .finish_non_exhaustive()
    }
}
