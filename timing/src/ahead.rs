//! Preparing convolutions, also on other threads while something is timed.

use crate::backend::{Backend, Prepared};
use crate::error::TimingError;
use crate::policy::Policy;
use netspec::ConvSpec;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

/// Threads that prepare the next chunk, where the engine looks ahead.
const THREADS: usize = 4;

/// What was prepared, or why not, in the order of the convolutions.
pub(crate) type Ready = Vec<Result<Box<dyn Prepared + Send>, TimingError>>;

/// Prepares `spec`. An invalid one never reaches the engine, so that no engine divides by a stride of 0.
pub(crate) fn one(
    backend: &(impl Backend + ?Sized),
    spec: &ConvSpec,
    policy: &Policy,
) -> Result<Box<dyn Prepared + Send>, TimingError> {
    if policy.is_cancelled() {
        return Err(TimingError::Interrupted);
    }
    spec.validate().map_err(|error| TimingError::unsupported(spec, error.to_string()))?;
    backend.prepare(spec)
}

/// Prepares `specs` one after the other.
pub(crate) fn prepare_all(backend: &impl Backend, specs: &[ConvSpec], policy: &Policy) -> Ready {
    specs.iter().map(|spec| one(backend, spec, policy)).collect()
}

/// Prepares `specs` on several threads, each taking the next one that is left.
pub(crate) fn prepare_ahead(backend: &(dyn Backend + Sync), specs: &[ConvSpec], policy: &Policy) -> Ready {
    let next = AtomicUsize::new(0);
    let slots: Vec<Mutex<Option<_>>> = specs.iter().map(|_| Mutex::new(None)).collect();
    let work = || {
        while let Some((spec, slot)) = {
            let i = next.fetch_add(1, Ordering::Relaxed);
            specs.get(i).zip(slots.get(i))
        } {
            let prepared = one(backend, spec, policy);
            *slot.lock().unwrap_or_else(PoisonError::into_inner) = Some(prepared);
        }
    };
    std::thread::scope(|scope| (0..THREADS.min(specs.len())).for_each(|_| _ = scope.spawn(work)));
    let taken = |slot: Mutex<Option<_>>| slot.into_inner().unwrap_or_else(PoisonError::into_inner);
    slots.into_iter().map(|slot| taken(slot).unwrap_or(Err(TimingError::Interrupted))).collect()
}
