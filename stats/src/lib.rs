//! Medians, order-statistic intervals and paired ratios for noisy timings.
//!
//! Everything rests on order statistics: on a shared machine a preempted run takes twenty times as long as
//! its neighbors, which ruins means and standard deviations and leaves medians untouched.
//! The price is efficiency: where noise happens to be normal, a median needs about 1.6 times the samples of a mean.
//! No function here reads a clock, allocates a thread or keeps global state; randomness is a [`Rng`] passed in.
//!
//! ```
//! use stats::{median, median_interval, ratio_interval};
//!
//! let mut fast = vec![100.0, 101.0, 99.0, 100.5, 2000.0, 99.5, 100.2, 100.1, 99.8, 100.3];
//! let slow: Vec<f64> = fast.iter().map(|ns| ns * 1.25).collect();
//! assert_eq!(ratio_interval(&fast, &slow, 0.95).map(|ratio| ratio.interval), Some([1.25, 1.25]));
//!
//! fast.sort_by(f64::total_cmp);
//! assert_eq!(median(&fast), Some(100.15));
//! // The preempted run of 2000 is outside of the interval of the median.
//! assert_eq!(median_interval(&fast, 0.95), Some([99.5, 101.0]));
//! ```
#![deny(missing_docs)]
#![forbid(unsafe_code)]

mod normal;
mod order;
mod ratio;
mod rng;
mod sorted;

pub use normal::{normal_cdf, normal_quantile};
pub use order::{attained_confidence, median, median_interval, median_ranks, min_samples, quantile};
pub use ratio::{Ratio, ratio_interval};
pub use rng::Rng;
pub use sorted::SortedSamples;
