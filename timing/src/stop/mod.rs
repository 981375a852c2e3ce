//! When to stop sampling.

mod count;
mod relative;

pub use count::Count;
pub use relative::Relative;

use netspec::StopReason;

/// Whether to take another sample.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Take another one.
    Continue,
    /// Enough, for this reason.
    Stop(StopReason),
}

/// Decides after each sample whether another one is worth its time.
///
/// # Contract
/// - After `reset` the rule is as new, whatever it was told before.
/// - `verdict` depends on the samples alone, never on a clock, and says [`Verdict::Stop`] after finitely many.
/// - It is asked after each sample, so it takes microseconds.
///
/// # A second, silly implementation
/// ```
/// use netspec::StopReason;
/// use timing::{StopRule, Verdict};
///
/// /// Stops as soon as it is bored: when two samples in a row are the same.
/// #[derive(Default)]
/// struct Bored { last: f64, count: u32, bored: bool }
/// impl StopRule for Bored {
///     fn reset(&mut self) {
///         *self = Bored::default();
///     }
///     fn add(&mut self, ns: f64) {
///         (self.bored, self.last, self.count) = (ns == self.last, ns, self.count + 1);
///     }
///     fn verdict(&self) -> Verdict {
///         match (self.bored, self.count) {
///             (true, _) => Verdict::Stop(StopReason::Precise),
///             (_, 1000..) => Verdict::Stop(StopReason::SampleLimit),
///             _ => Verdict::Continue,
///         }
///     }
/// }
///
/// let mut rule = Bored::default();
/// let verdicts = [5.0, 6.0, 6.0].map(|ns| { rule.add(ns); rule.verdict() });
/// assert_eq!(verdicts, [Verdict::Continue, Verdict::Continue, Verdict::Stop(StopReason::Precise)]);
/// ```
pub trait StopRule {
    /// Forgets all samples.
    fn reset(&mut self);

    /// Takes note of one sample in nanoseconds.
    fn add(&mut self, ns: f64);

    /// Whether to take another one.
    fn verdict(&self) -> Verdict;
}

macro_rules! forward_stop_rule {
    ($($pointer:ty),*) => {$(
        impl<T: StopRule + ?Sized> StopRule for $pointer {
            fn reset(&mut self) {
                (**self).reset();
            }
            fn add(&mut self, ns: f64) {
                (**self).add(ns);
            }
            fn verdict(&self) -> Verdict {
                (**self).verdict()
            }
        }
    )*};
}
forward_stop_rule!(&mut T, Box<T>);
