//! Criterion's benchmarks on the GPU's own clock.
//!
//! ```no_run
//! use criterion::Criterion;
//! use gpu_bench::{Cuda, criterion::EventTime, layers};
//!
//! let gpu = Cuda::device(0)?;
//! let mut c: Criterion<EventTime> = Criterion::default().with_measurement(EventTime::new(&gpu));
//! for (name, spec) in layers::bench() {
//!     c.bench_function(name, |b| gpu.bench(b, &spec));
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use crate::cuda::Cuda;
use crate::driver::Event;
use crate::kernel::Bound;
use criterion::Bencher;
use criterion::measurement::{Measurement, ValueFormatter, WallTime};
use netspec::{CacheState, ConvSpec};
use timing::{Backend, Prepared};

/// Throttled readings in a row after which a benchmark is given up.
const THROTTLED: u32 = 1000;

/// Device time between two events, in nanoseconds.
///
/// [`Cuda::bench`] and [`Bound::bench`] take readings as everything else of this crate does. What criterion's own loops
/// (`Bencher::iter`) see is the time that passes on the GPU's stream from the first thing queued to the last, launches
/// included: use them for what [`Bound::queue`] queues, and for long work only.
#[derive(Clone, Debug)]
pub struct EventTime {
    cuda: Cuda,
}

impl EventTime {
    /// The clock of this GPU.
    pub fn new(cuda: &Cuda) -> EventTime {
        EventTime { cuda: cuda.clone() }
    }

    /// An event at the end of the stream.
    ///
    /// # Panics
    /// Where the device fails: criterion's trait has no way to pass an error on.
    fn event(&self) -> Event {
        self.cuda.mark().unwrap_or_else(|error| panic!("{error}"))
    }
}

impl Measurement for EventTime {
    type Intermediate = Mark;
    type Value = f64;

    fn start(&self) -> Mark {
        Mark(self.event())
    }

    fn end(&self, Mark(start): Mark) -> f64 {
        self.cuda.ns_between(&start, &self.event()).unwrap_or_else(|error| panic!("{error}"))
    }

    fn add(&self, a: &f64, b: &f64) -> f64 {
        a + b
    }

    fn zero(&self) -> f64 {
        0.0
    }

    fn to_f64(&self, ns: &f64) -> f64 {
        *ns
    }

    /// Wall time's own: both are nanoseconds.
    fn formatter(&self) -> &dyn ValueFormatter {
        WallTime.formatter()
    }
}

/// Where a benchmark's loop began on the stream.
#[derive(Debug)]
pub struct Mark(Event);

impl Cuda {
    /// Benchmarks cuDNN's convolution, its weights cold and its input warm as inside of a network.
    ///
    /// # Panics
    /// Where it cannot be prepared or run: criterion has no way to pass an error on.
    pub fn bench(&self, bencher: &mut Bencher<'_, EventTime>, spec: &ConvSpec) {
        let mut prepared = self.prepare(spec).unwrap_or_else(|error| panic!("{error}"));
        readings(bencher, &mut prepared);
    }
}

impl Bound {
    /// Benchmarks the kernel, its weights cold and its input warm as inside of a network.
    ///
    /// # Panics
    /// Where it cannot be run: criterion has no way to pass an error on.
    pub fn bench(&mut self, bencher: &mut Bencher<'_, EventTime>) {
        readings(bencher, self);
    }
}

/// So many readings as criterion asks for; throttled ones do not count.
fn readings(bencher: &mut Bencher<'_, EventTime>, prepared: &mut dyn Prepared) {
    bencher.iter_custom(|runs| {
        let (mut sum, mut taken, mut throttled) = (0.0, 0, 0);
        while taken < runs {
            let reading = prepared.run(CacheState::Network).unwrap_or_else(|error| panic!("{error}"));
            if reading.throttled {
                throttled += 1;
                assert!(throttled < THROTTLED, "the GPU was throttled in {throttled} readings; let it cool");
                continue;
            }
            sum += reading.ns;
            taken += 1;
        }
        sum
    });
}
