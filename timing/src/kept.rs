//! What was prepared and may be wanted again.

use crate::backend::{Backend, Prepared};
use crate::error::TimingError;
use crate::policy::Policy;
use crate::sample::Sampler;
use netspec::ConvSpec;
use std::collections::HashMap;

#[derive(Default)]
pub(crate) struct Kept(HashMap<ConvSpec, Box<dyn Prepared + Send>>);

impl Kept {
    /// The convolution as it was left, or prepared and warmed up now.
    pub(crate) fn take(
        &mut self,
        backend: &impl Backend,
        spec: &ConvSpec,
        policy: &Policy,
    ) -> Result<Box<dyn Prepared + Send>, TimingError> {
        if policy.is_cancelled() {
            return Err(TimingError::Interrupted);
        }
        if let Some(kept) = self.0.remove(spec) {
            return Ok(kept);
        }
        let mut prepared = backend.prepare(spec)?;
        Sampler::new(policy).discard(&mut *prepared, policy.warm_up)?;
        Ok(prepared)
    }

    pub(crate) fn keep(&mut self, spec: &ConvSpec, prepared: Box<dyn Prepared + Send>) {
        self.0.insert(spec.clone(), prepared);
    }

    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }
}
