//! What a search is told before it starts.

/// What to search, and how sure to be.
///
/// A search cannot fail, so values that make no sense are moved to the nearest ones that do
/// (a smallest width of 0 becomes 1, a lattice beyond the largest width becomes that width).
///
/// ```
/// let config = stairstep::Config::new(512).lattice(16).tolerance(0.05).readings(7);
/// assert_eq!(config.lattice, Some(16));
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Config {
    /// The largest width, in channels; always part of the result.
    pub max_channels: usize,
    /// The smallest width, in channels; 1 by default.
    pub min_channels: usize,
    /// The multiples on which treads end, where known; by default [`crate::Strategy::ThreePoint`] finds them itself.
    pub lattice: Option<usize>,
    /// The relative difference from which on two latencies are two prices, 0.03 (3 %) by default.
    pub tolerance: f64,
    /// Readings of a width at first, 3 by default; where a decision is close, as many again, and again.
    pub readings: usize,
    /// Readings of one width at most, 24 by default: what may be spent where a decision is close.
    pub max_readings: usize,
    /// Confidence by which two latencies are compared, over all looks at one comparison, 0.9 by default.
    pub confidence: f64,
    /// Lattices that other layers of the same engine and data type have, empty by default; see [`Config::lattices`].
    pub lattices: Vec<usize>,
    /// The narrowest tread, bump or dip, in channels, that must be seen between equal neighbors; 4 by default.
    pub narrowest: usize,
    /// Unprobed widths that are checked at random in the end, 0 by default.
    pub audits: usize,
    /// Seed of the order of probes and of the choice of audits.
    pub seed: u64,
}

impl Config {
    /// The defaults, for widths from 1 to `max_channels`.
    pub fn new(max_channels: usize) -> Config {
        Config {
            max_channels,
            min_channels: 1,
            lattice: None,
            tolerance: 0.03,
            readings: 3,
            max_readings: 24,
            confidence: 0.9,
            lattices: Vec::new(),
            narrowest: 4,
            audits: 0,
            seed: 0,
        }
    }

    /// Sets the smallest width.
    pub fn min_channels(mut self, channels: usize) -> Config {
        self.min_channels = channels;
        self
    }

    /// Sets the lattice; it is believed, and [`Config::audits`] are what could refute it.
    pub fn lattice(mut self, step: usize) -> Config {
        self.lattice = Some(step);
        self
    }

    /// Sets lattices that were found on other layers of the same engine and data type.
    ///
    /// The largest that holds on this layer is taken, by a quarter of the cells that finding one takes; where none does,
    /// the lattice is searched as if nothing were known.
    pub fn lattices(mut self, steps: &[usize]) -> Config {
        self.lattices = steps.to_vec();
        self
    }

    /// Sets the relative difference from which on two latencies are two prices.
    pub fn tolerance(mut self, relative: f64) -> Config {
        self.tolerance = relative;
        self
    }

    /// Sets how many readings a width gets at first.
    pub fn readings(mut self, readings: usize) -> Config {
        self.readings = readings;
        self
    }

    /// Sets how many readings one width gets at most.
    pub fn max_readings(mut self, readings: usize) -> Config {
        self.max_readings = readings;
        self
    }

    /// Sets the confidence by which latencies are compared.
    pub fn confidence(mut self, confidence: f64) -> Config {
        self.confidence = confidence;
        self
    }

    /// Sets the narrowest tread, bump or dip, in channels, that must be seen between equal neighbors.
    ///
    /// Up to a lattice step, every lattice point is probed. With twice that, a point between two equal neighbors is not.
    /// Where there is no lattice, nothing says where a tread would end: points are looked at that are twice as far apart,
    /// and between them where they differ by more than a slope explains. What may be missed so is for audits to tell.
    pub fn narrowest(mut self, channels: usize) -> Config {
        self.narrowest = channels;
        self
    }

    /// Believes a tread whose left, middle and right are equal, however wide it is, and checks `audits` of the
    /// widths that were never probed at random.
    ///
    /// The fewest widths; [`crate::Staircase::missed`] bounds what the belief may have cost.
    pub fn trust_flat_treads(self, audits: usize) -> Config {
        self.narrowest(usize::MAX).audits(audits)
    }

    /// Sets how many unprobed widths are checked at random in the end.
    pub fn audits(mut self, widths: usize) -> Config {
        self.audits = widths;
        self
    }

    /// Sets the seed.
    pub fn seed(mut self, seed: u64) -> Config {
        self.seed = seed;
        self
    }

    /// One reading per width, which is believed: for latencies without noise, or medians taken by somebody else.
    pub fn exact(self) -> Config {
        self.readings(1).max_readings(1)
    }

    /// The same with every value that makes no sense moved to the nearest one that does.
    pub(crate) fn sane(&self) -> Config {
        let max_channels = self.max_channels.max(1);
        let readings = self.readings.max(1);
        Config {
            max_channels,
            min_channels: self.min_channels.clamp(1, max_channels),
            lattice: self.lattice.map(|step| step.clamp(1, max_channels)),
            tolerance: if self.tolerance > 0.0 { self.tolerance.min(1e6) } else { 0.0 },
            readings,
            max_readings: self.max_readings.max(readings),
            confidence: if self.confidence > 0.0 { self.confidence.min(1.0 - 1e-9) } else { 0.0 },
            narrowest: self.narrowest.max(1),
            lattices: self.sane_lattices(max_channels),
            ..self.clone()
        }
    }

    fn sane_lattices(&self, max_channels: usize) -> Vec<usize> {
        let mut steps: Vec<usize> = self.lattices.iter().map(|&step| step.clamp(1, max_channels)).collect();
        steps.sort_unstable_by_key(|&step| std::cmp::Reverse(step));
        steps.dedup();
        steps
    }

    /// The multiples of `step` in range, and the largest width, ascending.
    pub(crate) fn points(&self, step: usize) -> Vec<usize> {
        let first = self.min_channels.div_ceil(step) * step;
        let multiples = (first..=self.max_channels).step_by(step);
        let last = (!self.max_channels.is_multiple_of(step)).then_some(self.max_channels);
        multiples.chain(last).collect()
    }
}
