//! What goes out of a search and what comes back.

/// A request: so many further readings of this width.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Probe {
    /// The width, in channels.
    pub channels: usize,
    /// How many readings to take; a table that has a finished summary gives that instead.
    pub readings: usize,
}

/// An answer: what was read at a width.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    /// The width, in channels.
    pub channels: usize,
    /// What was read.
    pub readings: Readings,
}

/// Single readings, or what somebody else made of them.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Readings {
    /// Single readings in nanoseconds, added to those told before.
    ///
    /// What is not a positive, finite number is left out.
    Raw(Vec<f64>),
    /// A finished figure: no further reading of this width is asked for, and it outranks single readings.
    Summary {
        /// The median in nanoseconds.
        median_ns: f64,
        /// The interval of the median in nanoseconds, `[low, high]`.
        interval_ns: [f64; 2],
        /// Readings that the median rests on, 0 where it is computed.
        samples: u32,
    },
}
