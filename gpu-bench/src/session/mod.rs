//! Timing on the device.
//!
//! One [`Session`] is one device with everything that a reading needs: the helper kernels, the events, the flag that
//! holds the stream back. A reading never depends on how fast the host queues work: a spinning kernel keeps the stream
//! until all of it is queued. What is read is pure arithmetic on the numbers that come back, in modules of their own.

mod clock;
mod helpers;
mod slope;
mod timer;

pub(crate) use helpers::Fill;
pub(crate) use timer::{Lane, Timer, Work};

use crate::GpuError;
use crate::cudnn::Handle;
use crate::driver::{Buffer, Context, Event, HostFlag, Stream};
use crate::nvrtc::Nvrtc;
use clock::Ticks;
use helpers::Helpers;
use netspec::{Activation, ConvSpec};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

/// The spinning kernel gives up after this long, so that a host that died leaves no hung device, and one that waits for
/// the device itself is soon freed.
const SPIN_LIMIT: Duration = Duration::from_millis(100);

/// Nothing that is timed here takes longer.
const RUN_LIMIT: Duration = Duration::from_secs(20);

/// Readings in a row during which the host was too slow to release the stream before the spinning kernel gave up.
const LATE_LIMIT: u32 = 20;

/// Waits for a throttled device to cool, where a decision depends on it.
const COOLINGS: u32 = 40;
const COOLING: Duration = Duration::from_millis(5);

/// Values of the flag: the stream is held, released by the host, or gave up waiting.
const HELD: u32 = 0;
const RELEASED: u32 = 1;
const GAVE_UP: u32 = 2;

/// Device time between two events, and the clock meanwhile.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Span {
    pub(crate) ns: f64,
    /// Of the multiprocessors; `None` where the span was too short to tell.
    pub(crate) clock_mhz: Option<f64>,
}

/// A device, ready to time.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) context: Arc<Context>,
    /// Before the stream that it works on.
    pub(crate) handle: Handle,
    pub(crate) stream: Stream,
    /// Held for writing while the stream is held: whatever else might wait for the device then would wait for ever.
    quiet: Arc<RwLock<()>>,
    /// The highest clock seen under load, at most the rated one: clocks may be locked lower.
    reference_mhz: Option<f64>,
    helpers: Helpers,
    events: [Event; 2],
    gate: HostFlag,
    /// Twice the last-level cache, to fill it with something else.
    flush: Buffer,
    /// Where the bracketing kernels note cycles and time.
    ticks: [Buffer; 2],
    /// The number six in f32: cuDNN takes the upper end of ReLU6 as a tensor.
    six: Buffer,
    idle_since: Option<Instant>,
    flushes: u32,
}

impl Session {
    /// Compiles the helpers and allocates what every reading needs.
    pub(crate) fn new(context: Arc<Context>, nvrtc: &Nvrtc, quiet: Arc<RwLock<()>>) -> Result<Session, GpuError> {
        context.bind()?;
        let stream = Stream::new(&context)?;
        let mut handle = Handle::new(&context)?;
        handle.set_stream(&stream)?;
        let attributes = context.attributes().clone();
        let tick_bytes = attributes.multiprocessors as usize * size_of::<[u64; 2]>();
        let mut session = Session {
            handle,
            helpers: Helpers::new(&context, nvrtc)?,
            events: [Event::new(&context)?, Event::new(&context)?],
            gate: HostFlag::new(&context)?,
            flush: Buffer::new(&context, 2 * attributes.l2_bytes)?,
            ticks: [Buffer::new(&context, tick_bytes)?, Buffer::new(&context, tick_bytes)?],
            six: Buffer::new(&context, size_of::<f32>())?,
            idle_since: None,
            flushes: 0,
            quiet,
            reference_mhz: None,
            stream,
            context,
        };
        let Session { six, stream, .. } = &mut session;
        six.write(&6.0_f32.to_le_bytes(), stream)?;
        session.load_helpers()?;
        Ok(session)
    }

    /// Runs every helper once: a kernel's first launch loads it, which may wait for the device, and must not do so behind
    /// a stream that is held.
    fn load_helpers(&mut self) -> Result<(), GpuError> {
        self.gate.set(RELEASED);
        self.clear_ticks()?;
        self.helpers.spin(&self.stream, &self.gate, SPIN_LIMIT)?;
        self.helpers.busy(&self.stream, 1)?;
        self.helpers.note_clocks(&self.stream, &self.ticks[0])?;
        self.flush_cache()?;
        self.helpers.touch(&self.stream, self.flush.address(), self.flush.bytes())?;
        self.wait()
    }

    fn clear_ticks(&mut self) -> Result<(), GpuError> {
        let Session { ticks, stream, .. } = self;
        ticks.iter_mut().try_for_each(|table| table.set(0, stream))
    }

    /// Runs work once without timing it, for the same reason.
    pub(crate) fn settle(&mut self, work: impl FnOnce(&mut Session) -> Result<(), GpuError>) -> Result<(), GpuError> {
        work(self).map_err(|error| self.or_lost(error))?;
        self.wait()
    }

    /// The error, or that of the device where it is lost: cuDNN has a word of its own for that, which sounds as if only
    /// one convolution had failed.
    fn or_lost(&self, error: GpuError) -> GpuError {
        self.wait().err().filter(GpuError::is_fatal).unwrap_or(error)
    }

    /// What runs on the stream, and the library's handle on it.
    pub(crate) fn lane(&mut self) -> Lane<'_> {
        Lane { stream: &self.stream, handle: &mut self.handle }
    }

    /// Waits until everything queued has run, and gives up where that takes longer than anything timed may.
    pub(crate) fn wait(&self) -> Result<(), GpuError> {
        let [_, end] = &self.events;
        end.record(&self.stream)?;
        end.wait("queued work", RUN_LIMIT)?;
        self.stream.wait()
    }

    /// Where the number six is, for convolutions that end with ReLU6.
    pub(crate) fn six(&self, spec: &ConvSpec) -> Option<u64> {
        (spec.epilogue.activation == Activation::Relu6).then(|| self.six.address())
    }

    /// Leaves nothing of anybody's in the last-level cache.
    pub(crate) fn flush_cache(&mut self) -> Result<(), GpuError> {
        self.flushes = self.flushes.wrapping_add(1);
        self.helpers.flush(&self.stream, &self.flush, self.flushes)
    }

    /// Leaves this buffer in the last-level cache, as far as it fits: what its producer would.
    pub(crate) fn leave_warm(&mut self, address: u64, bytes: usize) -> Result<(), GpuError> {
        self.helpers.touch(&self.stream, address, bytes)
    }

    /// Fills a buffer with reproducible values.
    pub(crate) fn fill(&mut self, buffer: &Buffer, fill: Fill) -> Result<(), GpuError> {
        self.helpers.fill(&self.stream, buffer, fill)
    }

    /// Times what `work` queues; what was queued before, it finds done.
    ///
    /// The device's clock rises under load only, so after a pause the device is kept busy first.
    pub(crate) fn time(
        &mut self,
        mut before: impl FnMut(&mut Session) -> Result<(), GpuError>,
        mut work: impl FnMut(&mut Session) -> Result<(), GpuError>,
    ) -> Result<Span, GpuError> {
        for _ in 0..LATE_LIMIT {
            self.keep_busy()?;
            self.clear_ticks()?;
            before(self)?;
            let span = self.bracket(&mut work);
            self.idle_since = Some(Instant::now());
            if let Some(span) = span? {
                return Ok(span);
            }
        }
        Err(GpuError::SlowHost { attempts: LATE_LIMIT })
    }

    /// Keeps the device busy after a pause, so that its clock rises; after a long one the clock that it reaches is noted.
    fn keep_busy(&mut self) -> Result<(), GpuError> {
        let busy_ns = clock::busy_ns(self.idle_since.map(|since| since.elapsed()));
        if busy_ns == 0 {
            return Ok(());
        }
        if !clock::tells_reference(busy_ns) {
            return self.helpers.busy(&self.stream, busy_ns);
        }
        // The clock is still rising in the first part.
        self.helpers.busy(&self.stream, busy_ns)?;
        self.clear_ticks()?;
        self.helpers.note_clocks(&self.stream, &self.ticks[0])?;
        self.helpers.busy(&self.stream, clock::REFERENCE_NS)?;
        self.helpers.note_clocks(&self.stream, &self.ticks[1])?;
        self.wait()?;
        let seen = clock::clock_mhz(&self.read_ticks(0)?, &self.read_ticks(1)?);
        self.reference_mhz = clock::reference_mhz(self.reference_mhz, seen, self.context.attributes().clock_mhz);
        Ok(())
    }

    /// As [`Session::time`], taken again while the device is throttled, as long as that is worth waiting for: for what
    /// decisions rest on, where no one else looks at the clock.
    pub(crate) fn time_steady(
        &mut self,
        mut before: impl FnMut(&mut Session) -> Result<(), GpuError>,
        mut work: impl FnMut(&mut Session) -> Result<(), GpuError>,
    ) -> Result<Span, GpuError> {
        let mut span = self.time(&mut before, &mut work)?;
        for _ in 0..COOLINGS {
            if !self.is_throttled(&span) {
                break;
            }
            std::thread::sleep(COOLING);
            span = self.time(&mut before, &mut work)?;
        }
        Ok(span)
    }

    /// One attempt; `None` where the stream gave up waiting for the host, so that the events lie too far apart.
    fn bracket(
        &mut self,
        work: &mut impl FnMut(&mut Session) -> Result<(), GpuError>,
    ) -> Result<Option<Span>, GpuError> {
        let quiet = Arc::clone(&self.quiet);
        let held = quiet.write().unwrap_or_else(PoisonError::into_inner);
        self.gate.set(HELD);
        self.helpers.spin(&self.stream, &self.gate, SPIN_LIMIT)?;
        let queued = self.queue_between(work);
        let is_late = self.gate.get() == GAVE_UP;
        // Released even where queueing failed, or the device would spin until its limit.
        self.gate.set(RELEASED);
        drop(held);
        queued.map_err(|error| self.or_lost(error))?;
        self.events[1].wait("a timed run", RUN_LIMIT)?;
        self.stream.wait()?;
        if is_late {
            return Ok(None);
        }
        let ns = self.events[1].ns_since(&self.events[0])?;
        let [before, after] = [self.read_ticks(0)?, self.read_ticks(1)?];
        Ok(Some(Span { ns, clock_mhz: clock::clock_mhz(&before, &after) }))
    }

    fn queue_between(&mut self, work: &mut impl FnMut(&mut Session) -> Result<(), GpuError>) -> Result<(), GpuError> {
        self.helpers.note_clocks(&self.stream, &self.ticks[0])?;
        self.events[0].record(&self.stream)?;
        work(self)?;
        self.events[1].record(&self.stream)?;
        self.helpers.note_clocks(&self.stream, &self.ticks[1])
    }

    fn read_ticks(&self, which: usize) -> Result<Vec<Ticks>, GpuError> {
        let table = &self.ticks[which];
        let bytes = table.read(self.context.attributes().multiprocessors as usize * size_of::<[u64; 2]>())?;
        let word = |chunk: &[u8]| chunk.iter().rev().fold(0_u64, |word, &byte| word << 8 | u64::from(byte));
        Ok(bytes.chunks_exact(16).map(|pair| Ticks { cycles: word(&pair[..8]), ns: word(&pair[8..]) }).collect())
    }

    /// Whether the device ran so far below the clock that it reaches under load that a reading says nothing.
    pub(crate) fn is_throttled(&self, span: &Span) -> bool {
        clock::is_throttled(span.clock_mhz, self.reference_mhz.unwrap_or(self.context.attributes().clock_mhz))
    }
}
