//! What goes out of a search and what comes back.

/// A request for further readings of a width.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Probe {
    /// The width, in channels.
    pub channels: usize,
    /// The number of readings to take; a table that has a finished summary gives that instead.
    pub readings: usize,
}

/// An answer: what was read at a width.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Sample {
    /// The width, in channels.
    pub channels: usize,
    /// What was read.
    pub readings: Readings,
}

/// Single readings, or a summary of them.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum Readings {
    /// Single readings in nanoseconds, added to those told before.
    ///
    /// Values that are not positive and finite are left out.
    Raw(Vec<f64>),
    /// A finished figure: no further reading of this width is asked for, and it outranks single readings.
    Summary {
        /// The median in nanoseconds.
        median_ns: f64,
        /// The interval of the median in nanoseconds, `[low, high]`.
        interval_ns: [f64; 2],
        /// The number of readings behind the median, 0 if it is computed.
        samples: u32,
    },
}
