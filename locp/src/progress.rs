//! How long work tells where it is, without printing.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Listens to long work. Every method may do nothing.
///
/// # A second, silly implementation
/// ```
/// use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
/// #[derive(Debug)]
/// struct Counter(AtomicU64);
/// impl locp::Progress for Counter {
///     fn advance(&self, by: u64) { self.0.fetch_add(by, Relaxed); }
/// }
/// let counter = Counter(AtomicU64::new(0));
/// locp::Progress::advance(&counter, 3);
/// assert_eq!(counter.0.load(Relaxed), 3);
/// ```
pub trait Progress: fmt::Debug + Sync {
    /// A stage begins; `total` units are expected, if that can be known.
    fn begin(&self, stage: &str, total: Option<u64>) {
        let _ = (stage, total);
    }
    /// That many more units of the stage are done.
    fn advance(&self, by: u64) {
        let _ = by;
    }
    /// The stage is over; `summary` says what came of it.
    fn end(&self, summary: &str) {
        let _ = summary;
    }
}

/// Reports nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Silent;

impl Progress for Silent {}

/// What long work reports to, and what can stop it.
#[derive(Clone, Debug)]
pub struct Watch<'a> {
    /// Listens.
    pub progress: &'a dyn Progress,
    /// Stops it.
    pub cancel: Cancel,
}

impl Default for Watch<'_> {
    /// Reports nothing, and cannot be stopped.
    fn default() -> Self {
        Watch { progress: &Silent, cancel: Cancel::new() }
    }
}

/// A flag that asks long work to stop; clones share it.
#[derive(Clone, Debug, Default)]
pub struct Cancel(Arc<AtomicBool>);

impl Cancel {
    /// Returns a flag that is not raised.
    pub fn new() -> Cancel {
        Cancel::default()
    }

    /// Asks to stop.
    pub fn raise(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Returns whether the work was asked to stop.
    pub fn is_raised(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// The flag itself, for engines that watch it between measurements.
    pub fn flag(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.0)
    }
}
