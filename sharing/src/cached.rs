//! A latency lookup table in front of a latency source.

use crate::{Entry, Key, Store, StoreError};
use netspec::{CacheState, ConvSpec, Machine, Measurement, Provenance, StopReason};
use std::collections::HashMap;
use timing::{Answer, DriftReport, LatencySource, ModelBackend, Prepared, Request, Sampling, TimingError};

/// The number of latencies that were asked for, and of those that had to be measured.
///
/// `asked` = `new` + `shared` + `failed`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct CachedStats {
    /// Latencies asked for.
    pub asked: u64,
    /// Those answered by the inner source.
    pub new: u64,
    /// Those answered by the table, or by an equal request in the same call.
    pub shared: u64,
    /// Those that ended in an error.
    pub failed: u64,
}

/// A latency source that asks another one only for what its table does not hold, and keeps the settled answers.
///
/// - Equal requests are asked once within a call.
/// - New requests go to the inner source in chunks, and each chunk is in the table before the next is asked for: an
///   interruption loses at most one chunk. After an error that [ends everything](TimingError::ends_everything) nothing
///   more is asked.
/// - An entry that was read only until a comparison was settled ([`StopReason::Decided`]) answers requests for further
///   readings; a settled latency is measured anew.
/// - What the table does not take because it was not measured by this machine (predictions, simulations, recordings)
///   stays in memory. What was inferred from other widths is passed on and not kept. Raw readings of
///   [`Request::further`] are passed on, too: [`Cached::record_all`] keeps them once they are complete.
#[derive(Debug)]
pub struct Cached<S, T> {
    source: S,
    store: T,
    machine: String,
    tool: String,
    chunk: usize,
    /// Answers that the table refuses.
    memory: HashMap<Key, Measurement>,
    stats: CachedStats,
}

impl<S: LatencySource, T: Store> Cached<S, T> {
    /// Puts `store` in front of `source`.
    pub fn new(source: S, store: T) -> Cached<S, T> {
        let machine = source.machine().to_string();
        let tool = crate::TOOL.to_owned();
        Cached { source, store, machine, tool, chunk: 1, memory: HashMap::new(), stats: CachedStats::default() }
    }

    /// Sets how many requests the source is asked at once, 1 by default.
    ///
    /// A source that interleaves its work needs several; an interruption loses what is asked at once.
    pub fn chunk(mut self, requests: usize) -> Cached<S, T> {
        self.chunk = requests.max(1);
        self
    }

    /// Sets the tool's name and version in new entries.
    pub fn tool(mut self, tool: impl Into<String>) -> Cached<S, T> {
        self.tool = tool.into();
        self
    }

    /// Returns what the table holds of a convolution in a cache state, however coarse; `None` if nothing.
    ///
    /// # Errors
    /// What the store answers, as [`TimingError::Table`].
    pub fn known(&self, spec: &ConvSpec, cache: CacheState) -> Result<Option<Measurement>, TimingError> {
        self.look_up(&self.key(spec, cache))
    }

    /// Keeps measurements that were made outside of [`LatencySource::read`], as history where the key is known already,
    /// and waits for the table once.
    ///
    /// # Errors
    /// The first that the store answers, as [`TimingError::Table`]; the others are kept all the same.
    pub fn record_all<'a>(
        &mut self,
        measured: impl IntoIterator<Item = (&'a ConvSpec, &'a Measurement)>,
    ) -> Result<(), TimingError> {
        let measured = measured.into_iter().map(|(spec, m)| (self.key(spec, m.cache), Ok(Answer::Settled(m.clone()))));
        let (keys, mut answers): (Vec<Key>, Vec<_>) = measured.unzip();
        self.keep(&keys, &mut answers);
        answers.into_iter().find_map(Result::err).map_or(Ok(()), Err)
    }

    /// Returns the counts so far.
    pub fn stats(&self) -> CachedStats {
        self.stats
    }

    /// Returns the table.
    pub fn store(&self) -> &T {
        &self.store
    }

    /// Returns the source behind the table; what it is asked directly is neither looked up nor kept.
    pub fn source(&mut self) -> &mut S {
        &mut self.source
    }

    fn key(&self, spec: &ConvSpec, cache: CacheState) -> Key {
        Key { spec: spec.to_string(), machine: self.machine.clone(), cache }
    }

    fn look_up(&self, key: &Key) -> Result<Option<Measurement>, TimingError> {
        match self.memory.get(key) {
            Some(known) => Ok(Some(known.clone())),
            None => self.store.get(key).map(|entry| entry.map(|entry| entry.measurement)).map_err(table_error),
        }
    }

    /// Keeps the settled ones among the answers; what the table cannot write becomes its error.
    fn keep(&mut self, keys: &[Key], answers: &mut [Result<Answer, TimingError>]) {
        let mut entries = Vec::new();
        let mut places = Vec::new();
        for (place, (key, answer)) in keys.iter().zip(answers.iter_mut()).enumerate() {
            let Ok(Answer::Settled(measurement)) = answer else { continue };
            if !(measurement.median_ns.is_finite() && measurement.median_ns > 0.0) {
                let reason = format!("the source reported {} ns, which is not a latency", measurement.median_ns);
                *answer = Err(TimingError::run(format_args!("`{}`", key.spec), reason));
                continue;
            }
            if !matches!(measurement.provenance, Provenance::SameTread | Provenance::Interpolated) {
                let key = Key { cache: measurement.cache, ..key.clone() };
                entries.push((key, Entry::now(measurement.clone(), self.tool.clone())));
                places.push(place);
            }
        }
        // All at once if the store takes them; else one by one, so that each refusal stands where it belongs.
        if self.store.put_all(&entries).is_ok() {
            return;
        }
        for (place, (key, entry)) in places.into_iter().zip(entries) {
            match self.store.put(&key, &entry) {
                Ok(_) => {}
                Err(StoreError::Refused { .. }) => _ = self.memory.insert(key, entry.measurement),
                Err(error) => answers[place] = Err(table_error(error)),
            }
        }
    }

    /// Asks the inner source for one chunk and keeps what is settled by then.
    fn ask(&mut self, keys: &[Key], requests: &[Request], how: &Sampling) -> Vec<Result<Answer, TimingError>> {
        let mut answers = self.source.read(requests, how);
        // A source that breaks its contract answers too few.
        let unanswered = requests.iter().skip(answers.len()).map(|request| TimingError::unanswered(&request.spec));
        answers.extend(unanswered.map(Err).collect::<Vec<_>>());
        for (answer, request) in answers.iter_mut().zip(requests) {
            if let (Ok(readings @ Answer::Readings(_)), None) = (&answer, request.further) {
                *answer = Ok(Answer::Settled(readings.measurement()));
            }
        }
        self.keep(keys, &mut answers);
        answers
    }
}

impl<S: LatencySource, T: Store> LatencySource for Cached<S, T> {
    fn machine(&self) -> Machine {
        self.source.machine()
    }

    fn read(&mut self, requests: &[Request], how: &Sampling) -> Vec<Result<Answer, TimingError>> {
        let mut answers: HashMap<&Request, Result<Answer, TimingError>> = HashMap::new();
        let mut unknown = Vec::new();
        for request in requests {
            if answers.contains_key(request) {
                continue;
            }
            let answer = match self.look_up(&self.key(&request.spec, how.policy.cache())) {
                Ok(Some(m)) if request.further.is_some() || m.stop != StopReason::Decided => Ok(Answer::Settled(m)),
                Ok(_) => {
                    unknown.push(request.clone());
                    // Replaced below.
                    Err(TimingError::unanswered(&request.spec))
                }
                Err(error) => Err(error),
            };
            answers.insert(request, answer);
        }

        let mut new = 0;
        let mut ended = None;
        for chunk in unknown.chunks(self.chunk) {
            let keys: Vec<Key> = chunk.iter().map(|request| self.key(&request.spec, how.policy.cache())).collect();
            if how.policy.is_cancelled() {
                ended.get_or_insert(TimingError::Interrupted);
            }
            let chunk_answers = match &ended {
                Some(error) => vec![Err(Clone::clone(error)); chunk.len()],
                None => self.ask(&keys, chunk, how),
            };
            for (request, answer) in chunk.iter().zip(chunk_answers) {
                match &answer {
                    Ok(_) => new += 1,
                    Err(error) if error.ends_everything() => ended = Some(error.clone()),
                    Err(_) => {}
                }
                if let Some(slot) = answers.get_mut(request) {
                    *slot = answer;
                }
            }
        }

        let results: Vec<_> = requests.iter().map(|request| answers[request].clone()).collect();
        let failed = results.iter().filter(|result| result.is_err()).count() as u64;
        let asked = requests.len() as u64;
        self.stats.asked += asked;
        self.stats.new += new;
        self.stats.failed += failed;
        self.stats.shared += asked - failed - new;
        results
    }

    fn forget(&mut self) {
        self.source.forget();
    }

    fn models(&self) -> Option<&dyn ModelBackend> {
        self.source.models()
    }

    fn chain(&self, specs: &[ConvSpec]) -> Option<Result<Box<dyn Prepared + Send>, TimingError>> {
        self.source.chain(specs)
    }

    fn drift(&self) -> DriftReport {
        self.source.drift()
    }
}

fn table_error(error: StoreError) -> TimingError {
    TimingError::Table { reason: error.to_string() }
}
