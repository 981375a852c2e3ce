//! One latency, with all that is needed to judge it.

/// Where a latency comes from. Only `Measured` may enter a live table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "kebab-case"))]
#[non_exhaustive]
pub enum Provenance {
    /// Timed on this machine.
    Measured,
    /// Not timed: another width on the same tread was.
    SameTread,
    /// Not timed: estimated from other cells.
    Interpolated,
    /// Read from a recorded table of some other run.
    Recorded,
    /// Computed by an analytic model of a device.
    Simulated,
}

/// What a run finds in the caches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "kebab-case"))]
#[non_exhaustive]
pub enum CacheState {
    /// The last run's data.
    #[default]
    Warm,
    /// Nothing of this convolution's.
    Cold,
    /// Cold weights and warm activations, as inside a network.
    Network,
}

/// Why sampling stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "kebab-case"))]
#[non_exhaustive]
pub enum StopReason {
    /// The interval is as narrow as was asked for.
    Precise,
    /// The interval has settled wider than was asked for.
    NoiseSettled,
    /// The largest number of samples was reached.
    SampleLimit,
    /// The time limit was reached.
    TimeLimit,
    /// The comparison that it was read for was settled: the interval is as wide as that left it.
    Decided,
    /// Nothing was sampled: the value is computed, recorded elsewhere or estimated.
    NotSampled,
}

/// The latency of one run of a convolution or a model.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Measurement {
    /// Median in nanoseconds.
    pub median_ns: f64,
    /// 95 % interval of the median in nanoseconds.
    pub interval_ns: [f64; 2],
    /// Samples that the median rests on.
    pub samples: u32,
    /// Where the figure comes from.
    pub provenance: Provenance,
    /// What the runs found in the caches.
    pub cache: CacheState,
    /// Why sampling stopped.
    pub stop: StopReason,
    /// What the engine ran, in its own words; `None` where it has no choice, or did not say.
    #[cfg_attr(feature = "serde", serde(default, skip_serializing_if = "Option::is_none"))]
    pub algorithm: Option<String>,
}

impl Measurement {
    /// A value that carries no sampling error: computed, or known from elsewhere.
    pub fn exact(ns: f64, provenance: Provenance) -> Measurement {
        Measurement {
            median_ns: ns,
            interval_ns: [ns, ns],
            samples: 0,
            provenance,
            cache: CacheState::Network,
            stop: StopReason::NotSampled,
            algorithm: None,
        }
    }

    /// Half the interval's width relative to the median, 0.01 being 1 %.
    pub fn relative_half_width(&self) -> f64 {
        (self.interval_ns[1] - self.interval_ns[0]) / 2.0 / self.median_ns
    }
}
