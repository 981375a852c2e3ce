//! The seam between timing and the engine that runs a convolution.

use crate::chain::Chain;
use crate::error::{TimingError, Unavailable};
use netspec::{CacheState, ConvSpec, Machine, Provenance};

/// An engine that can run single convolutions on this machine.
///
/// # Contract
/// - `check` is cheap, can be called at any time, and says what latencies of this engine are true for.
///   Two engines that could give different numbers answer different machines.
/// - `prepare` does everything that a deployed network does once (choosing algorithms, packing weights), so that
///   [`Prepared::run`] holds only what happens on every run.
/// - What the engine cannot run is [`TimingError::Unsupported`], never a panic and never a time of something else.
///   [`BackendSource`](crate::BackendSource) refuses specs that [`ConvSpec::validate`] rejects itself.
///
/// `timing::conformance::check(&mut BackendSource::new(engine)?).assert()` in a test checks an engine, its whole models
/// included (feature `conformance`).
///
/// # A second, silly implementation
/// ```
/// use netspec::{CacheState, ConvSpec, Machine};
/// use timing::{Backend, Prepared, Reading, TimingError, Unavailable};
///
/// /// An abacus that moves one bead per second, and has beads for a million products.
/// struct Abacus;
/// struct Beads(u64);
/// impl Backend for Abacus {
///     fn check(&self) -> Result<Machine, Unavailable> {
///         Ok(Machine { engine: "abacus".into(), threads: 1, method: 1, ..Machine::default() })
///     }
///     fn prepare(&self, spec: &ConvSpec) -> Result<Box<dyn Prepared + Send>, TimingError> {
///         match spec.macs() {
///             macs @ ..=1_000_000 => Ok(Box::new(Beads(macs))),
///             macs => Err(TimingError::unsupported(spec, format!("{macs} products are more than there are beads"))),
///         }
///     }
/// }
/// impl Prepared for Beads {
///     fn run(&mut self, _: CacheState) -> Result<Reading, TimingError> {
///         Ok(Reading::new(self.0 as f64 * 1e9))
///     }
/// }
///
/// let mut run = Abacus.prepare(&ConvSpec::new(1, 1, [3, 3], [3, 3]))?;
/// assert_eq!(run.run(CacheState::Warm)?.ns, 9e9);
/// assert!(Abacus.prepare(&ConvSpec::new(64, 64, [56, 56], [3, 3])).is_err());
/// # Ok::<(), TimingError>(())
/// ```
pub trait Backend: Send {
    /// What this engine runs on here, or why it cannot run and what to do about it.
    fn check(&self) -> Result<Machine, Unavailable>;

    /// Makes one convolution ready to be run again and again.
    fn prepare(&self, spec: &ConvSpec) -> Result<Box<dyn Prepared + Send>, TimingError>;

    /// Makes the convolutions of a network ready, in the order in which they run, as one thing to be timed.
    ///
    /// An engine that can queue all of them at once does so, and its reading holds what lies between them too;
    /// otherwise a reading is the sum of one run of each.
    fn chain(&self, specs: &[ConvSpec]) -> Result<Box<dyn Prepared + Send>, TimingError> {
        Ok(Box::new(Chain::prepare(specs, |spec| self.prepare(spec))?))
    }

    /// Itself, where convolutions may be prepared on other threads while one is timed: an engine whose `prepare` uses
    /// neither the device nor the cores that timing depends on. What needs the device waits for the first run then.
    fn look_ahead(&self) -> Option<&(dyn Backend + Sync)> {
        None
    }
}

/// Something that can be run once and timed: a convolution, a model, a kernel of one's own.
///
/// # Contract
/// - `run` does the work exactly once and tells the time of the work alone: putting the caches into the state that
///   was asked for, filling inputs and reading clocks are outside of it.
/// - For [`CacheState::Warm`] the caller has just run it; for the other states `run` itself sees to the caches.
/// - `provenance` is [`Provenance::Measured`] only where something ran on this machine.
///
/// See [`Backend`] for an implementation.
pub trait Prepared {
    /// Runs once.
    fn run(&mut self, cache: CacheState) -> Result<Reading, TimingError>;

    /// Where the readings come from; engines without a device override it.
    fn provenance(&self) -> Provenance {
        Provenance::Measured
    }

    /// What runs, in the engine's own words, once it has run; `None` where there is no choice.
    ///
    /// Two latencies of one spec under different algorithms are two things, and a riser where the algorithm changes is
    /// the library's doing rather than the hardware's.
    fn algorithm(&self) -> Option<String> {
        None
    }
}

/// The time of one run.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct Reading {
    /// Nanoseconds.
    pub ns: f64,
    /// Whether the device ran below its usual clock; such a reading is discarded and counted.
    pub throttled: bool,
    /// The device's clock meanwhile in MHz, where it tells.
    pub clock_mhz: Option<f64>,
}

impl Reading {
    /// A reading of a device at its usual clock.
    pub fn new(ns: f64) -> Reading {
        Reading { ns, throttled: false, clock_mhz: None }
    }

    /// A reading of a device that was throttled meanwhile.
    pub fn throttled(ns: f64) -> Reading {
        Reading { ns, throttled: true, clock_mhz: None }
    }

    /// The same with the device's clock in MHz.
    pub fn at_clock(self, clock_mhz: Option<f64>) -> Reading {
        Reading { clock_mhz, ..self }
    }
}

macro_rules! forward_backend {
    ($($pointer:ty: $bound:path),*) => {$(
        impl<T: Backend + $bound + ?Sized> Backend for $pointer {
            fn check(&self) -> Result<Machine, Unavailable> {
                (**self).check()
            }
            fn prepare(&self, spec: &ConvSpec) -> Result<Box<dyn Prepared + Send>, TimingError> {
                (**self).prepare(spec)
            }
            fn chain(&self, specs: &[ConvSpec]) -> Result<Box<dyn Prepared + Send>, TimingError> {
                (**self).chain(specs)
            }
            fn look_ahead(&self) -> Option<&(dyn Backend + Sync)> {
                (**self).look_ahead()
            }
        }
    )*};
}
forward_backend!(&T: Sync, &mut T: Send, Box<T>: Send, std::sync::Arc<T>: Sync);

macro_rules! forward_prepared {
    ($($pointer:ty),*) => {$(
        impl<T: Prepared + ?Sized> Prepared for $pointer {
            fn run(&mut self, cache: CacheState) -> Result<Reading, TimingError> {
                (**self).run(cache)
            }
            fn provenance(&self) -> Provenance {
                (**self).provenance()
            }
            fn algorithm(&self) -> Option<String> {
                (**self).algorithm()
            }
        }
    )*};
}
forward_prepared!(&mut T, Box<T>);
