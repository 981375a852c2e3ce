//! The options of a search.

use crate::Granularity;
use std::ops::RangeInclusive;

/// What to search, and how certain the result must be.
///
/// A search cannot fail, so a value out of range is moved to the nearest valid one
/// (a smallest width of 0 becomes 1, a granularity beyond the largest width becomes that width).
///
/// ```
/// let config = stairstep::Config::new(512).min_channels(0).granularity(16).tolerance(0.05);
/// assert_eq!(config.widths(), 1..=512);
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    pub(crate) max_channels: usize,
    pub(crate) min_channels: usize,
    pub(crate) granularity: Option<usize>,
    pub(crate) tolerance: f64,
    pub(crate) readings: usize,
    pub(crate) max_readings: usize,
    pub(crate) confidence: f64,
    pub(crate) granularities: Vec<Granularity>,
    pub(crate) narrowest: usize,
    pub(crate) audits: usize,
    pub(crate) seed: u64,
}

impl Config {
    /// The defaults, for widths from 1 to `max_channels`; the largest width is always part of the result.
    pub fn new(max_channels: usize) -> Config {
        Config {
            max_channels,
            min_channels: 1,
            granularity: None,
            tolerance: 0.03,
            readings: 3,
            max_readings: 24,
            confidence: 0.9,
            granularities: Vec::new(),
            narrowest: 4,
            audits: 0,
            seed: 0,
        }
    }

    /// Sets the smallest width, in channels; 1 by default.
    pub fn min_channels(mut self, channels: usize) -> Config {
        self.min_channels = channels;
        self
    }

    /// Sets the multiples after which latency steps, as known for certain; by default [`crate::Strategy::ThreePoint`]
    /// finds them itself.
    ///
    /// Only multiples are read then. [`Config::audits`] may refute it.
    pub fn granularity(mut self, step: usize) -> Config {
        self.granularity = Some(step);
        self
    }

    /// Sets what was found on other lines of the same engine and data type, one for each line; none by default.
    ///
    /// The search expects steps there, in proportion to how often a granularity was found, and looks there first.
    pub fn granularities(mut self, found: &[Granularity]) -> Config {
        self.granularities = found.to_vec();
        self
    }

    /// Sets the relative difference above which two latencies count as different; 0.03 (3 %) by default.
    pub fn tolerance(mut self, relative: f64) -> Config {
        self.tolerance = relative;
        self
    }

    /// Sets the number of readings that a width gets at first; 3 by default. If a decision is close, the number is
    /// doubled, repeatedly.
    pub fn readings(mut self, readings: usize) -> Config {
        self.readings = readings;
        self
    }

    /// Sets the largest number of readings of one width; 24 by default.
    pub fn max_readings(mut self, readings: usize) -> Config {
        self.max_readings = readings;
        self
    }

    /// Sets the confidence of a comparison of two latencies, over all looks at it; 0.9 by default.
    pub fn confidence(mut self, confidence: f64) -> Config {
        self.confidence = confidence;
        self
    }

    /// Sets the narrowest tread, bump or dip, in channels, that must be seen between equal neighbors; 4 by default.
    ///
    /// Up to a granularity step, every width on the granularity is read. With twice that, one between two equal
    /// neighbors is not. Without a granularity, the first widths are twice as far apart. [`Config::audits`] bound what
    /// may be missed.
    pub fn narrowest(mut self, channels: usize) -> Config {
        self.narrowest = channels;
        self
    }

    /// Sets the number of unprobed widths that are checked at random in the end; 0 by default.
    pub fn audits(mut self, widths: usize) -> Config {
        self.audits = widths;
        self
    }

    /// Sets the seed of the order of probes and of the choice of audits; 0 by default.
    pub fn seed(mut self, seed: u64) -> Config {
        self.seed = seed;
        self
    }

    /// Takes one reading per width and trusts it: for latencies without noise, or for medians.
    pub fn exact(self) -> Config {
        self.readings(1).max_readings(1)
    }

    /// The widths to search, in channels.
    pub fn widths(&self) -> RangeInclusive<usize> {
        let sane = self.sane();
        sane.min_channels..=sane.max_channels
    }

    /// Returns the options with every value out of range moved to the nearest valid one.
    pub(crate) fn sane(&self) -> Config {
        let max_channels = self.max_channels.max(1);
        let readings = self.readings.max(1);
        Config {
            max_channels,
            min_channels: self.min_channels.clamp(1, max_channels),
            granularity: self.granularity.map(|step| step.clamp(1, max_channels)),
            tolerance: if self.tolerance > 0.0 { self.tolerance.min(1e6) } else { 0.0 },
            readings,
            max_readings: self.max_readings.max(readings),
            confidence: if self.confidence > 0.0 { self.confidence.min(1.0 - 1e-9) } else { 0.0 },
            narrowest: self.narrowest.max(1),
            ..self.clone()
        }
    }

    /// The multiples of `step` in range, and the largest width, ascending.
    pub(crate) fn points(&self, step: usize) -> Vec<usize> {
        let first = self.min_channels.div_ceil(step) * step;
        let multiples = (first..=self.max_channels).step_by(step);
        let last = (!self.max_channels.is_multiple_of(step)).then_some(self.max_channels);
        multiples.chain(last).collect()
    }
}
