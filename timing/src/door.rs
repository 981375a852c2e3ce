//! The door through which every latency enters: engines, simulators, tables, closures, remote services.

use crate::anchors::DriftReport;
use crate::backend::Prepared;
use crate::error::TimingError;
use crate::model::ModelBackend;
use crate::sample::Samples;
use crate::sampling::Sampling;
use netspec::{ConvSpec, Machine, Measurement};

/// A question about one convolution.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Request {
    /// The convolution.
    pub spec: ConvSpec,
    /// The number of further raw readings, at least 1; `None` asks for as many as the stop rule wants.
    pub further: Option<u32>,
}

impl Request {
    /// Asks for readings until [`Sampling::rule`] stops.
    pub fn settled(spec: ConvSpec) -> Request {
        Request { spec, further: None }
    }

    /// Asks for exactly `readings` further raw readings, at least 1.
    ///
    /// A search asks for the same convolution again and again; a source may keep it ready until
    /// [`LatencySource::forget`] is called.
    pub fn further(spec: ConvSpec, readings: u32) -> Request {
        Request { spec, further: Some(readings.max(1)) }
    }
}

/// What a source knows of one convolution.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Answer {
    /// Raw readings that were taken for this request.
    Readings(Samples),
    /// A settled latency: asking again gives the same.
    Settled(Measurement),
}

impl Answer {
    /// The latency with its interval: of raw readings the median and its 95 % interval.
    pub fn measurement(&self) -> Measurement {
        match self {
            Answer::Readings(samples) => samples.measurement(),
            Answer::Settled(measurement) => measurement.clone(),
        }
    }

    /// The raw readings; `None` for a settled latency.
    pub fn samples(&self) -> Option<&Samples> {
        match self {
            Answer::Readings(samples) => Some(samples),
            Answer::Settled(_) => None,
        }
    }
}

/// Anything that measures or knows latencies.
///
/// # Contract
/// - `read` returns one answer per request, in the order of the requests, whatever order it worked in.
/// - An answer is for exactly the convolution of the request, in the cache state of [`Sampling::policy`], or its
///   provenance says otherwise.
/// - What is not known here is [`TimingError::Missing`]; what cannot run is [`TimingError::Unsupported`]. A latency is
///   never zero and never a guess without a label.
/// - A source without a device answers every request by [`Answer::Settled`]; one that measures answers by
///   [`Answer::Readings`].
/// - Sources that could give different numbers have different [`machine`](Self::machine)s: a table keeps them apart
///   by it.
///
/// `timing::conformance::check(&mut source).assert()` in a test checks all of it (feature `conformance`).
///
/// # A second, silly implementation
/// ```
/// use netspec::{ConvSpec, Machine, Measurement, Provenance};
/// use timing::{Answer, LatencySource, Request, Sampling, TimingError};
///
/// /// Every output channel takes a microsecond.
/// struct OneMicrosecondEach;
/// impl LatencySource for OneMicrosecondEach {
///     fn machine(&self) -> Machine {
///         Machine { engine: "one-microsecond-each".into(), ..Machine::default() }
///     }
///     fn read(&mut self, requests: &[Request], _: &Sampling) -> Vec<Result<Answer, TimingError>> {
///         let ns = |spec: &ConvSpec| 1e3 * spec.c_out as f64;
///         let settled = |ns| Ok(Answer::Settled(Measurement::exact(ns, Provenance::Simulated)));
///         requests.iter().map(|request| settled(ns(&request.spec))).collect()
///     }
/// }
/// let spec = ConvSpec::new(3, 8, [32, 32], [3, 3]);
/// assert_eq!(OneMicrosecondEach.latency(&spec)?.median_ns, 8e3);
/// # Ok::<(), TimingError>(())
/// ```
pub trait LatencySource: Send {
    /// Returns what the latencies are true for.
    fn machine(&self) -> Machine;

    /// Answers `requests`, one answer each, in their order.
    fn read(&mut self, requests: &[Request], how: &Sampling) -> Vec<Result<Answer, TimingError>>;

    /// Releases what is kept ready for further readings.
    fn forget(&mut self) {}

    /// Returns what runs whole ONNX models, for their time and for their outputs; `None` if the source cannot.
    fn models(&self) -> Option<&dyn ModelBackend> {
        None
    }

    /// Prepares the convolutions of a network, in the order in which they run, as one thing to be timed.
    ///
    /// Returns `None` if the source runs nothing; a network's time is then the sum of its convolutions.
    fn chain(&self, _specs: &[ConvSpec]) -> Option<Result<Box<dyn Prepared + Send>, TimingError>> {
        None
    }

    /// Returns what the source saw of changes of the device's speed so far.
    fn drift(&self) -> DriftReport {
        DriftReport::default()
    }

    /// Returns the latency of one convolution, with the default [`Sampling`].
    ///
    /// # Errors
    /// What [`read`](Self::read) answers.
    fn latency(&mut self, spec: &ConvSpec) -> Result<Measurement, TimingError> {
        let answers = self.latencies(std::slice::from_ref(spec), &Sampling::default());
        answers.into_iter().next().unwrap_or_else(|| Err(TimingError::unanswered(spec)))
    }

    /// Returns the settled latencies of `specs`, in their order.
    fn latencies(&mut self, specs: &[ConvSpec], how: &Sampling) -> Vec<Result<Measurement, TimingError>> {
        let requests: Vec<Request> = specs.iter().cloned().map(Request::settled).collect();
        self.read(&requests, how).into_iter().map(|answer| answer.map(|answer| answer.measurement())).collect()
    }
}

macro_rules! forward_latency_source {
    ($($pointer:ty),*) => {$(
        impl<T: LatencySource + ?Sized> LatencySource for $pointer {
            fn machine(&self) -> Machine {
                (**self).machine()
            }
            fn read(&mut self, requests: &[Request], how: &Sampling) -> Vec<Result<Answer, TimingError>> {
                (**self).read(requests, how)
            }
            fn forget(&mut self) {
                (**self).forget();
            }
            fn models(&self) -> Option<&dyn ModelBackend> {
                (**self).models()
            }
            fn chain(&self, specs: &[ConvSpec]) -> Option<Result<Box<dyn Prepared + Send>, TimingError>> {
                (**self).chain(specs)
            }
            fn drift(&self) -> DriftReport {
                (**self).drift()
            }
        }
    )*};
}
forward_latency_source!(&mut T, Box<T>);
