//! Convolutions that stay ready for further readings.

use crate::ahead::{self, Ready};
use crate::backend::{Backend, Prepared};
use crate::chunks::bytes;
use crate::error::TimingError;
use crate::policy::Policy;
use crate::sample::Sampler;
use netspec::ConvSpec;
use std::collections::HashMap;

/// Prepared convolutions, and the memory that they are allowed to take together.
pub(crate) struct Kept {
    prepared: HashMap<ConvSpec, Box<dyn Prepared + Send>>,
    /// Bytes of weights and activations.
    pub(crate) most_bytes: usize,
}

impl Kept {
    pub(crate) fn new(most_bytes: usize) -> Kept {
        Kept { prepared: HashMap::new(), most_bytes }
    }

    /// Takes `specs` as they were left; prepares and warms up those that are not kept.
    ///
    /// Everything kept is released first if the memory does not suffice for what is new.
    pub(crate) fn take(&mut self, backend: &impl Backend, specs: &[&ConvSpec], policy: &Policy) -> Ready {
        let kept: usize = self.prepared.keys().map(bytes).sum();
        let is_new = |spec: &&&ConvSpec| !self.prepared.contains_key(**spec);
        let new: usize = specs.iter().filter(is_new).map(|spec| bytes(spec)).sum();
        if kept + new > self.most_bytes {
            self.clear();
        }
        specs.iter().map(|spec| self.one(backend, spec, policy)).collect()
    }

    fn one(
        &mut self,
        backend: &impl Backend,
        spec: &ConvSpec,
        policy: &Policy,
    ) -> Result<Box<dyn Prepared + Send>, TimingError> {
        if policy.is_cancelled() {
            return Err(TimingError::Interrupted);
        }
        if let Some(kept) = self.prepared.remove(spec) {
            return Ok(kept);
        }
        let mut prepared = ahead::one(backend, spec, policy)?;
        Sampler::new(policy).discard(&mut *prepared, policy.warm_up)?;
        Ok(prepared)
    }

    pub(crate) fn keep(&mut self, spec: &ConvSpec, prepared: Box<dyn Prepared + Send>) {
        self.prepared.insert(spec.clone(), prepared);
    }

    pub(crate) fn clear(&mut self) {
        self.prepared.clear();
    }
}
