//! Samples kept sorted while they arrive.

use crate::order::{median_interval, median_of_sorted, quantile};

/// Samples that are sorted at any moment, so that a stop rule can look after each one.
///
/// Adding moves the larger samples up by one place, which for the few thousand samples of a timing is cheaper
/// than any tree.
///
/// ```
/// let mut samples = stats::SortedSamples::new();
/// for ns in [5.0, 3.0, 4.0] {
///     samples.add(ns);
/// }
/// assert_eq!((samples.len(), samples.median()), (3, Some(4.0)));
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SortedSamples(Vec<f64>);

impl SortedSamples {
    /// No sample yet.
    pub fn new() -> SortedSamples {
        SortedSamples::default()
    }

    /// Adds one sample. NaN sorts last.
    pub fn add(&mut self, sample: f64) {
        let place = self.0.partition_point(|x| x.total_cmp(&sample).is_le());
        self.0.insert(place, sample);
    }

    /// Forgets all samples and keeps the memory.
    pub fn clear(&mut self) {
        self.0.clear();
    }

    /// Number of samples.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is no sample.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The samples, smallest first.
    pub fn as_slice(&self) -> &[f64] {
        &self.0
    }

    /// The median, as [`crate::median`].
    pub fn median(&self) -> Option<f64> {
        median_of_sorted(&self.0)
    }

    /// The quantile, as [`crate::quantile`].
    pub fn quantile(&self, q: f64) -> Option<f64> {
        quantile(&self.0, q)
    }

    /// The interval of the median, as [`crate::median_interval`].
    pub fn median_interval(&self, confidence: f64) -> Option<[f64; 2]> {
        median_interval(&self.0, confidence)
    }
}

impl From<Vec<f64>> for SortedSamples {
    fn from(mut samples: Vec<f64>) -> SortedSamples {
        samples.sort_unstable_by(f64::total_cmp);
        SortedSamples(samples)
    }
}

impl FromIterator<f64> for SortedSamples {
    fn from_iter<I: IntoIterator<Item = f64>>(samples: I) -> SortedSamples {
        samples.into_iter().collect::<Vec<f64>>().into()
    }
}
