//! The seam between whoever needs a latency and whoever knows it.

use crate::{ConvSpec, Measurement};
use std::fmt;

/// Answers how long a convolution takes.
///
/// # Contract
/// - An answer is for exactly the spec that was asked, or its provenance says otherwise.
/// - What cannot be answered is an error, never zero.
/// - `latencies` answers in the order of `specs`, one answer each, whatever order it worked in.
///
/// # A second, silly implementation
/// ```
/// use netspec::{ConvSpec, LatencySource, Measurement, Provenance, SourceError};
///
/// /// Every channel takes a microsecond.
/// struct OneMicrosecondEach;
/// impl LatencySource for OneMicrosecondEach {
///     fn latency(&mut self, spec: &ConvSpec) -> Result<Measurement, SourceError> {
///         Ok(Measurement::exact(1e3 * spec.c_out as f64, Provenance::Simulated))
///     }
/// }
/// let spec = ConvSpec::new(3, 8, [32, 32], [3, 3]);
/// assert_eq!(OneMicrosecondEach.latencies(&[spec])[0].as_ref().unwrap().median_ns, 8e3);
/// ```
pub trait LatencySource {
    /// The latency of one run of `spec`.
    fn latency(&mut self, spec: &ConvSpec) -> Result<Measurement, SourceError>;

    /// The latencies of several specs; engines override it to interleave or reorder.
    fn latencies(&mut self, specs: &[ConvSpec]) -> Vec<Result<Measurement, SourceError>> {
        specs.iter().map(|spec| self.latency(spec)).collect()
    }
}

impl<T: LatencySource + ?Sized> LatencySource for &mut T {
    fn latency(&mut self, spec: &ConvSpec) -> Result<Measurement, SourceError> {
        (**self).latency(spec)
    }
    fn latencies(&mut self, specs: &[ConvSpec]) -> Vec<Result<Measurement, SourceError>> {
        (**self).latencies(specs)
    }
}

impl<T: LatencySource + ?Sized> LatencySource for Box<T> {
    fn latency(&mut self, spec: &ConvSpec) -> Result<Measurement, SourceError> {
        (**self).latency(spec)
    }
    fn latencies(&mut self, specs: &[ConvSpec]) -> Vec<Result<Measurement, SourceError>> {
        (**self).latencies(specs)
    }
}

/// A closure as a latency source, made by [`from_fn`].
#[derive(Clone, Debug)]
pub struct FromFn<F>(F);

/// Makes a latency source of a closure.
pub fn from_fn<F>(f: F) -> FromFn<F>
where
    F: FnMut(&ConvSpec) -> Result<Measurement, SourceError>,
{
    FromFn(f)
}

impl<F> LatencySource for FromFn<F>
where
    F: FnMut(&ConvSpec) -> Result<Measurement, SourceError>,
{
    fn latency(&mut self, spec: &ConvSpec) -> Result<Measurement, SourceError> {
        (self.0)(spec)
    }
}

/// Why a latency could not be told.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum SourceError {
    /// The engine cannot run this convolution.
    Unsupported {
        /// The convolution.
        spec: Box<ConvSpec>,
        /// The engine's reason.
        reason: String,
    },
    /// The source only looks up, and this convolution is not in it.
    Missing {
        /// The convolution.
        spec: Box<ConvSpec>,
        /// Where it was looked for.
        place: String,
    },
    /// Running the convolution failed.
    Failed {
        /// The convolution.
        spec: Box<ConvSpec>,
        /// What went wrong.
        reason: String,
    },
    /// The table could not be read or written.
    Table {
        /// What went wrong, with the file and the remedy.
        reason: String,
    },
    /// Somebody asked to stop; what was measured before is kept.
    Interrupted,
}

impl fmt::Display for SourceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SourceError::Unsupported { spec, reason } => write!(f, "the engine cannot run `{spec}`: {reason}"),
            SourceError::Missing { spec, place } => {
                write!(f, "`{spec}` is not recorded in {place}; record it there, or choose an engine that measures")
            }
            SourceError::Failed { spec, reason } => write!(f, "timing `{spec}` failed: {reason}"),
            SourceError::Table { reason } => f.write_str(reason),
            SourceError::Interrupted => f.write_str("interrupted; what was measured is kept, run again to go on"),
        }
    }
}

impl std::error::Error for SourceError {}
