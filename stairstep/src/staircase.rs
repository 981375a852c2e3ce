//! What a search found.

use crate::{MissBound, Shape};

/// The steps of one latency curve.
///
/// Every width in range is either an edge or dominated.
#[derive(Clone, Debug, PartialEq)]
pub struct Staircase {
    pub(crate) edges: Vec<Edge>,
    pub(crate) treads: Vec<Tread>,
    pub(crate) dominated: Vec<(usize, usize)>,
    pub(crate) probed: Vec<Probed>,
    pub(crate) lattice: usize,
    pub(crate) missed: MissBound,
    pub(crate) tolerance: f64,
}

/// The most channels for a price: no larger width costs as little, within the tolerance.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Edge {
    /// The width, in channels.
    pub channels: usize,
    /// Its latency (median) in nanoseconds.
    pub latency_ns: f64,
    /// The interval of its latency in nanoseconds, `[low, high]`.
    pub interval_ns: [f64; 2],
    /// What the next edge costs more, in nanoseconds; nothing at the largest width.
    pub jump_ns: Option<f64>,
    /// The probability that the jump is more than half the tolerance, by its readings; nothing at the largest width.
    pub confidence: Option<f64>,
    /// Its neighbor one lattice step below, where that was probed.
    pub below: Option<Point>,
    /// Its neighbor one lattice step above, where that was probed.
    pub above: Option<Point>,
    /// How it looks with its neighbors one lattice step to both sides, where both were probed: a clean edge is
    /// [`Shape::RiserRight`], a single fast width is a [`Shape::Dip`].
    pub shape: Option<Shape>,
}

/// A neighbor of an edge.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct Point {
    /// The width, in channels.
    pub channels: usize,
    /// Median in nanoseconds.
    pub latency_ns: f64,
}

/// A run of widths with one latency.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Tread {
    /// Its first probed width on the lattice.
    pub from: usize,
    /// Its last probed width on the lattice.
    pub to: usize,
    /// The latency at its right end, in nanoseconds.
    pub latency_ns: f64,
}

/// A width with a latency.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Probed {
    /// The width, in channels.
    pub channels: usize,
    /// Median in nanoseconds.
    pub latency_ns: f64,
    /// The interval of the median in nanoseconds, `[low, high]`.
    pub interval_ns: [f64; 2],
    /// Readings that it rests on; 0 for a computed summary.
    pub readings: usize,
}

/// How a width's latency is known.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Known {
    /// It was told.
    Probed {
        /// In nanoseconds.
        latency_ns: f64,
    },
    /// It lies on the lattice between two equal neighbors.
    SameTread {
        /// The right neighbor's latency in nanoseconds.
        latency_ns: f64,
        /// The right neighbor.
        probed: usize,
    },
    /// It lies between two widths that differ, or off the lattice, where even between equals it may be slower.
    Between {
        /// The next smaller probed width and its latency in nanoseconds.
        below: Option<(usize, f64)>,
        /// The next larger probed width and its latency in nanoseconds.
        above: (usize, f64),
    },
}

impl Staircase {
    /// The edges, ascending in channels and in latency.
    pub fn edges(&self) -> &[Edge] {
        &self.edges
    }

    /// The treads, ascending in channels; their latencies need not ascend.
    pub fn treads(&self) -> &[Tread] {
        &self.treads
    }

    /// Inclusive ranges of widths that cost at least as much as the edge that follows them.
    pub fn dominated(&self) -> &[(usize, usize)] {
        &self.dominated
    }

    /// The widths that were told, ascending.
    pub fn probed(&self) -> &[Probed] {
        &self.probed
    }

    /// The multiples on which treads end, in channels; 1 where there is no such regularity.
    pub fn lattice(&self) -> usize {
        self.lattice
    }

    /// What may have been missed.
    pub fn missed(&self) -> &MissBound {
        &self.missed
    }

    /// The smallest edge that is not below `channels`: the most channels for at most its price.
    ///
    /// ```
    /// let stairs = stairstep::find_steps(&stairstep::Config::new(128).exact(), |c| c.div_ceil(32) as f64);
    /// assert_eq!(stairs.edge_above(77).map(|edge| edge.channels), Some(96));
    /// assert_eq!(stairs.edge_above(129), None);
    /// ```
    pub fn edge_above(&self, channels: usize) -> Option<&Edge> {
        self.edges.get(self.edges.partition_point(|edge| edge.channels < channels))
    }

    /// What is known of a width's latency; nothing beyond the largest probed width.
    pub fn latency_at(&self, channels: usize) -> Option<Known> {
        let i = self.probed.partition_point(|p| p.channels < channels);
        let above = self.probed.get(i)?;
        if above.channels == channels {
            return Some(Known::Probed { latency_ns: above.latency_ns });
        }
        let below = i.checked_sub(1).and_then(|i| self.probed.get(i));
        let is_flat = |below: &&Probed| (above.latency_ns / below.latency_ns).ln().abs() <= self.tolerance.ln_1p();
        Some(match below.filter(is_flat) {
            Some(_) if channels.is_multiple_of(self.lattice) => {
                Known::SameTread { latency_ns: above.latency_ns, probed: above.channels }
            }
            _ => Known::Between {
                below: below.map(|p| (p.channels, p.latency_ns)),
                above: (above.channels, above.latency_ns),
            },
        })
    }
}
