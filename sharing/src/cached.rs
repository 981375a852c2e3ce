//! A table before a latency source.

use crate::{Entry, Key, Store, StoreError};
use netspec::{ConvSpec, LatencySource, Machine, Measurement, Provenance, SourceError};
use std::collections::{BTreeSet, HashMap};

/// How often was asked, and how much of it had to be measured.
///
/// `asked` = `new` + `shared` + `failed`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct CachedStats {
    /// Latencies asked for.
    pub asked: u64,
    /// Those answered by the inner source.
    pub new: u64,
    /// Those answered by the table, or by an equal spec in the same call.
    pub shared: u64,
    /// Those that ended in an error.
    pub failed: u64,
}

/// A latency source that asks another one only for what its table does not hold, and keeps the answers.
///
/// Equal specs are asked once, also within one call. New specs go to the inner source in chunks, and each chunk is
/// in the table before the next is asked for: an interruption loses at most one chunk.
/// An answer that was not measured, but estimated from other widths, is passed on and not kept.
#[derive(Debug)]
pub struct Cached<S, T> {
    source: S,
    store: T,
    machine: String,
    tool: String,
    chunk: usize,
    /// What was measured anew by this very source; nothing unless it is told to refresh.
    fresh: Option<HashMap<String, Measurement>>,
    stats: CachedStats,
}

impl<S: LatencySource, T: Store> Cached<S, T> {
    /// Puts `store` before `source`, whose answers are true for `machine`.
    pub fn new(source: S, store: T, machine: &Machine) -> Cached<S, T> {
        Cached {
            source,
            store,
            machine: machine.to_string(),
            tool: concat!("locp ", env!("CARGO_PKG_VERSION")).to_owned(),
            chunk: 1,
            fresh: None,
            stats: CachedStats::default(),
        }
    }

    /// Sets how many specs are asked of the source at once, 1 by default.
    ///
    /// A source that interleaves its work needs several; an interruption loses what is asked at once.
    pub fn chunk(mut self, specs: usize) -> Cached<S, T> {
        self.chunk = specs.max(1);
        self
    }

    /// Sets the tool's name and version in new entries.
    pub fn tool(mut self, tool: impl Into<String>) -> Cached<S, T> {
        self.tool = tool.into();
        self
    }

    /// Measures everything anew, once, and answers with that; the table keeps it as history.
    pub fn refresh(mut self) -> Cached<S, T> {
        self.fresh = Some(HashMap::new());
        self
    }

    /// Keeps a measurement that was made elsewhere for the same machine, as history where the key is known already.
    ///
    /// # Errors
    /// What the store answers, as [`SourceError::Table`].
    pub fn record(&mut self, spec: &ConvSpec, measurement: &Measurement) -> Result<(), SourceError> {
        self.record_all([(spec, measurement)])
    }

    /// Keeps several such measurements, and waits for the table once.
    ///
    /// # Errors
    /// The first that the store answers, as [`SourceError::Table`]; the others are kept all the same.
    pub fn record_all<'a>(
        &mut self,
        measured: impl IntoIterator<Item = (&'a ConvSpec, &'a Measurement)>,
    ) -> Result<(), SourceError> {
        let measured = measured.into_iter().map(|(spec, measurement)| (self.key(spec), Ok(measurement.clone())));
        let (keys, mut answers): (Vec<Key>, Vec<_>) = measured.unzip();
        self.keep(&keys, &mut answers);
        answers.into_iter().find_map(Result::err).map_or(Ok(()), Err)
    }

    /// How often was asked so far.
    pub fn stats(&self) -> CachedStats {
        self.stats
    }

    /// The table.
    pub fn store(&self) -> &T {
        &self.store
    }

    /// Source and table.
    pub fn into_parts(self) -> (S, T) {
        (self.source, self.store)
    }

    fn key(&self, spec: &ConvSpec) -> Key {
        Key { spec: spec.to_string(), machine: self.machine.clone() }
    }

    fn look_up(&self, key: &Key) -> Result<Option<Measurement>, SourceError> {
        match &self.fresh {
            Some(fresh) => Ok(fresh.get(&key.spec).cloned()),
            None => self.store.get(key).map(|entry| entry.map(|entry| entry.measurement)).map_err(table_error),
        }
    }

    /// Keeps what was measured among the answers; what the table does not take becomes its error.
    fn keep(&mut self, keys: &[Key], answers: &mut [Result<Measurement, SourceError>]) {
        let mut entries = Vec::new();
        let mut places = Vec::new();
        for (place, (key, answer)) in keys.iter().zip(answers.iter()).enumerate() {
            let Ok(measurement) = answer else { continue };
            if !matches!(measurement.provenance, Provenance::SameTread | Provenance::Interpolated) {
                entries.push((key.clone(), Entry::now(measurement.clone(), self.tool.clone())));
                places.push(place);
            }
        }
        // All at once if the store takes them; else one by one, so that each refusal stands where it belongs.
        if self.store.put_all(&entries).is_err() {
            for (&place, (key, entry)) in places.iter().zip(&entries) {
                if let Err(error) = self.store.put(key, entry) {
                    answers[place] = Err(table_error(error));
                }
            }
        }
        if let Some(fresh) = &mut self.fresh {
            let kept = places.iter().zip(entries).filter(|&(&place, _)| answers[place].is_ok());
            fresh.extend(kept.map(|(_, (key, entry))| (key.spec, entry.measurement)));
        }
    }

    /// Asks the inner source for one chunk and keeps what it answers.
    fn ask(&mut self, keys: &[Key], specs: &[ConvSpec]) -> Vec<Result<Measurement, SourceError>> {
        let mut answers = self.source.latencies(specs);
        // A source that breaks its contract answers too few.
        let missing = specs.iter().skip(answers.len()).map(|spec| SourceError::Failed {
            spec: Box::new(spec.clone()),
            reason: "the source gave no answer".to_owned(),
        });
        answers.extend(missing.map(Err).collect::<Vec<_>>());
        self.keep(keys, &mut answers);
        answers
    }
}

impl<S: LatencySource, T: Store> LatencySource for Cached<S, T> {
    fn latency(&mut self, spec: &ConvSpec) -> Result<Measurement, SourceError> {
        let only = self.latencies(std::slice::from_ref(spec)).pop();
        only.unwrap_or_else(|| {
            Err(SourceError::Failed { spec: Box::new(spec.clone()), reason: "no answer".to_owned() })
        })
    }

    fn latencies(&mut self, specs: &[ConvSpec]) -> Vec<Result<Measurement, SourceError>> {
        let keys: Vec<Key> = specs.iter().map(|spec| self.key(spec)).collect();
        let mut answers: HashMap<&str, Result<Measurement, SourceError>> = HashMap::new();
        // The places in `specs` of what has to be asked for, each spec once.
        let mut places = Vec::new();
        let mut queued = BTreeSet::new();
        for (place, key) in keys.iter().enumerate() {
            if !queued.insert(key.spec.as_str()) {
                continue;
            }
            match self.look_up(key) {
                Ok(None) => places.push(place),
                Ok(Some(measurement)) => _ = answers.insert(&key.spec, Ok(measurement)),
                Err(error) => _ = answers.insert(&key.spec, Err(error)),
            }
        }

        let mut new = 0;
        let mut stopped = None;
        for chunk in places.chunks(self.chunk) {
            let chunk_keys: Vec<Key> = chunk.iter().map(|&place| keys[place].clone()).collect();
            let chunk_specs: Vec<ConvSpec> = chunk.iter().map(|&place| specs[place].clone()).collect();
            let chunk_answers = match &stopped {
                Some(error) => vec![Err(Clone::clone(error)); chunk.len()],
                None => self.ask(&chunk_keys, &chunk_specs),
            };
            for (&place, answer) in chunk.iter().zip(chunk_answers) {
                match &answer {
                    Ok(_) => new += 1,
                    // Whoever interrupts, or fills the disk, does not want the next measurement either.
                    Err(error @ (SourceError::Interrupted | SourceError::Table { .. })) => {
                        stopped = Some(error.clone())
                    }
                    Err(_) => {}
                }
                answers.insert(&keys[place].spec, answer);
            }
        }

        let no_answer = |key: &Key| Err(SourceError::Table { reason: format!("no answer for {key}") });
        let results: Vec<_> =
            keys.iter().map(|key| answers.get(key.spec.as_str()).cloned().unwrap_or_else(|| no_answer(key))).collect();
        let failed = results.iter().filter(|result| result.is_err()).count() as u64;
        let asked = specs.len() as u64;
        self.stats.asked += asked;
        self.stats.new += new;
        self.stats.failed += failed;
        self.stats.shared += asked - failed - new;
        results
    }
}

fn table_error(error: StoreError) -> SourceError {
    SourceError::Table { reason: error.to_string() }
}
