//! What pruning takes away from a layer's outputs, and the weights that restore most of it, without training.
//!
//! A layer that loses inputs can be fitted anew: its remaining inputs are correlated with those that went. All that is
//! needed are the second moments of its inputs over a few hundred images without labels. From them come
//! - [`refit`]: the weights that bring the outputs closest to what they were (a ridge regression toward the old weights),
//! - [`removal`]: an order in which channels are least missed, and how much of the output's energy no weights can restore
//!   after each of them.
//!
//! The crate knows no ONNX and no engine: rows of numbers go in, weights come out. [`Unfold`] makes the rows of a
//! convolution.
//!
//! ```
//! use compensate::{Bias, Moments, refit};
//! // Two inputs, the second always twice the first; the output is their sum. Only the first one stays.
//! let mut moments = Moments::new(1, 1);
//! let (x, y): (Vec<f64>, Vec<f64>) = (0..10).map(|i| (i as f64, 3.0 * i as f64)).unzip();
//! moments.add(&x, &y)?;
//! let fit = refit(&moments, &[1.0], 1e-9, Bias::Free)?;
//! assert!((fit.weights[0] - 3.0).abs() < 1e-6 && fit.shift[0].abs() < 1e-6);
//! assert!(fit.lost_before > 0.4 && fit.lost_after < 1e-12);
//! # Ok::<(), compensate::CompensateError>(())
//! ```
#![deny(missing_debug_implementations, missing_docs)]
#![forbid(unsafe_code)]

mod error;
mod factor;
mod moments;
mod refit;
mod removal;
mod solve;
mod unfold;

pub use error::CompensateError;
pub use moments::Moments;
pub use refit::{Bias, Refit, refit, refit_held_out};
pub use removal::{Reader, Removal, removal};
pub use unfold::Unfold;
