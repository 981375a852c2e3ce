//! A closure as a latency source.

use crate::door::{Answer, LatencySource, Request};
use crate::error::TimingError;
use crate::sampling::Sampling;
use netspec::{ConvSpec, Machine, Measurement};
use std::fmt;
use std::hash::{BuildHasher, RandomState};

/// A closure as a latency source, made by [`from_fn`].
pub struct FromFn<F> {
    latency: F,
    machine: Machine,
}

/// Makes a latency source of a closure: a predictor, a table of one's own, a remote service.
///
/// The closure returns settled latencies; their [`netspec::Provenance`] says whether they were measured.
/// It is called with valid specs only; an invalid one is [`TimingError::Unsupported`].
/// The source has a machine of its own, equal to no other, so that a table never mixes its latencies with others;
/// [`FromFn::on`] names the machine.
///
/// ```
/// use netspec::{ConvSpec, Measurement, Provenance};
/// use timing::{LatencySource, from_fn};
///
/// let mut predictor =
///     from_fn(|spec: &ConvSpec| Ok(Measurement::exact(spec.macs() as f64 / 50.0, Provenance::Simulated)));
/// assert_eq!(predictor.latency(&ConvSpec::new(1, 1, [10, 10], [1, 1]))?.median_ns, 2.0);
/// # Ok::<(), timing::TimingError>(())
/// ```
pub fn from_fn<F>(latency: F) -> FromFn<F>
where
    F: FnMut(&ConvSpec) -> Result<Measurement, TimingError> + Send,
{
    let anonymous = format!("unnamed {:016x}", RandomState::new().hash_one("machine"));
    let machine = Machine { engine: "closure".to_owned(), device: anonymous, threads: 1, ..Machine::default() };
    FromFn { latency, machine }
}

impl<F> FromFn<F> {
    /// Sets what the latencies are true for.
    pub fn on(self, machine: Machine) -> FromFn<F> {
        FromFn { machine, ..self }
    }
}

impl<F> LatencySource for FromFn<F>
where
    F: FnMut(&ConvSpec) -> Result<Measurement, TimingError> + Send,
{
    fn machine(&self) -> Machine {
        self.machine.clone()
    }

    fn read(&mut self, requests: &[Request], how: &Sampling) -> Vec<Result<Answer, TimingError>> {
        let answer = |Request { spec, .. }: &Request| {
            if how.policy.is_cancelled() {
                return Err(TimingError::Interrupted);
            }
            spec.validate().map_err(|error| TimingError::unsupported(spec, error.to_string()))?;
            (self.latency)(spec).map(Answer::Settled)
        };
        requests.iter().map(answer).collect()
    }
}

impl<F> fmt::Debug for FromFn<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FromFn").field("machine", &self.machine).finish_non_exhaustive()
    }
}
