//! The result of a search.

use crate::ledger::Ledger;
use crate::{Config, Granularity, MissBound, Sample, Shape, assemble};

/// The steps of one latency curve.
///
/// Every width in range is an edge, or dominated by one, or lies on a slope between two widths that were read, where
/// nothing is claimed of it.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Staircase {
    pub(crate) edges: Vec<Edge>,
    pub(crate) dominated: Vec<(usize, usize)>,
    pub(crate) probed: Vec<Probed>,
    pub(crate) granularity: Granularity,
    pub(crate) missed: MissBound,
}

/// The most channels for a price: no larger width costs as little, within the tolerance.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Edge {
    /// The width, in channels.
    pub channels: usize,
    /// Its latency in nanoseconds.
    pub latency_ns: f64,
    /// The interval of its latency in nanoseconds, `[low, high]`.
    pub interval_ns: [f64; 2],
    /// What the next edge costs more, in nanoseconds; `None` at the largest width.
    pub jump_ns: Option<f64>,
    /// Whether latency steps right after this width, by measurements of it and of the next width; `false` on a slope,
    /// where latency rises over several widths, and at the largest width.
    pub is_step: bool,
    /// The probability that the jump is more than half the tolerance, by its readings; `None` at the largest width.
    pub confidence: Option<f64>,
    /// Its neighbor the next width below that was measured, at most a granularity step away; `None` if there is none.
    pub below: Option<Point>,
    /// Its neighbor the next width above that was measured, at most a granularity step away; `None` if there is none.
    pub above: Option<Point>,
    /// The shape of the edge and its two neighbors, `None` unless both were probed: a clean edge is
    /// [`Shape::RiserRight`], a single fast width is a [`Shape::Dip`].
    pub shape: Option<Shape>,
}

/// A neighbor of an edge.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Point {
    /// The width, in channels.
    pub channels: usize,
    /// Latency in nanoseconds.
    pub latency_ns: f64,
}

/// A width with a latency.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Probed {
    /// The width, in channels.
    pub channels: usize,
    /// Latency in nanoseconds.
    pub latency_ns: f64,
    /// The interval of the latency in nanoseconds, `[low, high]`.
    pub interval_ns: [f64; 2],
    /// The number of readings behind it; 0 for a computed summary.
    pub readings: usize,
}

impl Staircase {
    /// Assembles a staircase from all that was measured of one latency curve.
    ///
    /// Of `config`, [`Config::widths`], [`Config::granularity`] (1 if it is not set), [`Config::tolerance`],
    /// [`Config::confidence`] and [`Config::max_readings`] are used. Samples out of range are ignored. Samples of one
    /// width add up, and all of them count as read together, so that their order changes nothing but the pairs of
    /// readings from which the scatter is estimated.
    ///
    /// ```
    /// use stairstep::{Config, Readings, Sample, Staircase};
    /// let sample = |channels, ns| Sample { channels, readings: Readings::Raw(vec![ns]) };
    /// let samples = [sample(32, 100.0), sample(64, 180.0), sample(96, 180.0)];
    /// let stairs = Staircase::from_samples(&Config::new(96).granularity(32).exact(), samples);
    /// let edges: Vec<usize> = stairs.edges().iter().map(|edge| edge.channels).collect();
    /// assert_eq!(edges, [32, 96]);
    /// assert_eq!(stairs.dominated(), [(1, 31), (33, 95)]);
    /// ```
    pub fn from_samples(config: &Config, samples: impl IntoIterator<Item = Sample>) -> Staircase {
        let config = config.sane();
        let mut ledger = Ledger::new(&config);
        samples.into_iter().for_each(|sample| ledger.tell(sample));
        assemble::staircase(&ledger, &config, Granularity::multiples(config.granularity.unwrap_or(1)), None)
    }

    /// The edges, ascending in channels and in latency.
    pub fn edges(&self) -> &[Edge] {
        &self.edges
    }

    /// Inclusive ranges of widths that cost at least as much as the edge that follows them.
    pub fn dominated(&self) -> &[(usize, usize)] {
        &self.dominated
    }

    /// The widths that were measured, ascending.
    pub fn probed(&self) -> &[Probed] {
        &self.probed
    }

    /// Where steps lie; [`Granularity::NONE`] if there is no such regularity.
    pub fn granularity(&self) -> Granularity {
        self.granularity
    }

    /// A bound on what the search may have missed.
    pub fn missed(&self) -> &MissBound {
        &self.missed
    }
}
