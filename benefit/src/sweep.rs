//! One axis of one layer, timed at several widths.

use crate::error::SweepError;
use crate::ticks::MOST_NS;
use netspec::Provenance;

/// A width and what it costs.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Knot {
    /// Channels on the swept axis.
    pub channels: usize,
    /// Latency in nanoseconds.
    pub ns: f64,
    /// Where the latency comes from.
    pub provenance: Provenance,
}

/// A staircase of one axis: the widths that were timed, the other axis at its full width.
///
/// A width between two knots costs what the next larger knot costs: on a staircase the right end of a tread
/// has the price of the whole tread, and drawing a line between two knots would smooth a cliff away.
/// A width that falls off the lattice can cost *more* than that (such a cell is
/// marked `interpolated`, and a plan that uses it is to be measured and solved again). A width below the first knot
/// costs what the first knot costs, never nothing.
///
/// ```
/// use benefit::{Knot, Sweep};
/// use netspec::Provenance::Measured;
/// let knot = |channels, ns| Knot { channels, ns, provenance: Measured };
/// let sweep = Sweep::new(vec![knot(64, 30.0), knot(32, 20.0)])?;
/// assert_eq!([16, 32, 33, 64].map(|width| sweep.price(width)), [20.0, 20.0, 30.0, 30.0]);
/// # Ok::<(), benefit::SweepError>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Sweep {
    knots: Vec<Knot>,
}

impl Sweep {
    /// Sorts the knots; each needs a positive latency and a width of its own.
    pub fn new(mut knots: Vec<Knot>) -> Result<Sweep, SweepError> {
        if knots.is_empty() {
            return Err(SweepError::Empty);
        }
        if let Some(&Knot { channels, ns, .. }) = knots.iter().find(|knot| !(knot.ns > 0.0 && knot.ns <= MOST_NS)) {
            return Err(SweepError::Cost { channels, ns });
        }
        knots.sort_by_key(|knot| knot.channels);
        if let Some(pair) = knots.windows(2).find(|pair| pair[0].channels == pair[1].channels) {
            return Err(SweepError::Twice { channels: pair[0].channels });
        }
        Ok(Sweep { knots })
    }

    /// The knots, ascending.
    pub fn knots(&self) -> &[Knot] {
        &self.knots
    }

    /// The knot of exactly this width.
    pub fn knot(&self, channels: usize) -> Option<&Knot> {
        self.knots.binary_search_by_key(&channels, |knot| knot.channels).ok().map(|i| &self.knots[i])
    }

    /// What a width costs in nanoseconds: the price of the next larger knot, or of the largest one.
    pub fn price(&self, channels: usize) -> f64 {
        let next = self.knots.partition_point(|knot| knot.channels < channels);
        self.knots[next.min(self.knots.len() - 1)].ns
    }

    /// The same staircase over a group's channels, where the axis holds `fixed + repeat * channels`.
    pub(crate) fn over_group(&self, fixed: usize, repeat: usize) -> Option<Sweep> {
        let widths = self.knots.iter().filter_map(|knot| knot.channels.checked_sub(fixed)?.checked_div(repeat));
        let mut widths: Vec<usize> = widths.filter(|&width| width > 0).collect();
        widths.dedup();
        let knot =
            |channels| Knot { channels, ns: self.price(fixed + repeat * channels), provenance: Provenance::SameTread };
        Sweep::new(widths.into_iter().map(knot).collect()).ok()
    }
}
