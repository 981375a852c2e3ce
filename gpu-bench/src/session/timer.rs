//! Anything that can be queued, as something that can be timed.

use super::slope;
use super::{Session, Span};
use crate::GpuError;
use crate::cudnn::Handle;
use crate::driver::{Graph, Stream};
use netspec::CacheState;
use std::sync::{Arc, Mutex, PoisonError};
use timing::{Prepared, Reading, TimingError};

/// Readings from which a first guess of the run's length is made.
const ROUGH: usize = 3;

/// Slopes in a row that noise may swallow.
const SWALLOWED: usize = 10;

/// Where work is queued.
pub(crate) struct Lane<'a> {
    pub(crate) stream: &'a Stream,
    pub(crate) handle: &'a mut Handle,
}

/// Something that can be queued again and again.
pub(crate) trait Work: Send {
    /// What runs, in the engine's own words.
    fn algorithm(&self) -> Option<String>;

    /// Allocates what so many runs in a row need to find what `cache` says, and answers whether any address changed.
    /// Nothing has to be done where it was done before.
    fn ready(&mut self, session: &mut Session, cache: CacheState, runs: usize) -> Result<bool, GpuError>;

    /// Queues one run, the `copy`-th in a row; nothing is allocated, so this may be captured.
    fn queue(&self, lane: &mut Lane<'_>, copy: usize, cache: CacheState) -> Result<(), GpuError>;

    /// Queues what leaves the caches as `cache` says, before the first run in a row.
    fn set_cache(&self, session: &mut Session, cache: CacheState) -> Result<(), GpuError>;

    /// Whether one run is many launches, which a deployment would launch as one graph.
    fn is_many(&self) -> bool {
        false
    }

    /// What an error about it is reported as.
    fn error(&self, error: GpuError) -> TimingError;
}

/// How one cache state is timed.
enum How {
    /// One run between two events, launched as it is.
    Single,
    /// The same as one graph.
    Whole(Graph),
    /// By the difference of two graphs.
    Slope { runs: usize, small: Graph, large: Graph },
}

/// Work with the graphs that time it.
///
/// Nothing is allocated on the device until the first run, so that one may be prepared on another thread while
/// something else is timed.
pub(crate) struct Timer<W> {
    session: Arc<Mutex<Session>>,
    /// Before the work, whose memory the graphs use.
    ready: Vec<(CacheState, How)>,
    work: W,
}

impl<W: Work> Timer<W> {
    pub(crate) fn new(session: &Arc<Mutex<Session>>, work: W) -> Timer<W> {
        Timer { session: Arc::clone(session), ready: Vec::new(), work }
    }

    /// What is timed.
    pub(crate) fn work_mut(&mut self) -> &mut W {
        &mut self.work
    }

    fn reading(&mut self, session: &mut Session, cache: CacheState) -> Result<Reading, GpuError> {
        session.context.bind()?;
        let place = match self.ready.iter().position(|(of, _)| *of == cache) {
            Some(place) => place,
            None => {
                let how = self.decide(session, cache)?;
                self.ready.push((cache, how));
                self.ready.len() - 1
            }
        };
        let work = &self.work;
        match &self.ready[place].1 {
            How::Single => {
                let span = single(work, session, cache)?;
                Ok(reading(session, span.ns, &[&span]))
            }
            How::Whole(graph) => {
                let span = launched(work, session, cache, graph)?;
                Ok(reading(session, span.ns, &[&span]))
            }
            How::Slope { runs, small, large } => {
                for _ in 0..SWALLOWED {
                    let first = launched(work, session, cache, small)?;
                    let second = launched(work, session, cache, large)?;
                    if let Some(ns) = slope::slope_ns(first.ns, second.ns, *runs) {
                        return Ok(reading(session, ns, &[&first, &second]));
                    }
                }
                let reason = format!("{SWALLOWED} slopes in a row were not positive; is the GPU shared?");
                Err(GpuError::Failed { step: "a timed run", reason })
            }
        }
    }

    /// Lets the work allocate. Where any address changed, and where that is unknown because it failed, graphs that were
    /// captured before are dropped: they hold addresses.
    fn make_ready(&mut self, session: &mut Session, cache: CacheState, runs: usize) -> Result<(), GpuError> {
        let has_moved = self.work.ready(session, cache, runs);
        if !matches!(has_moved, Ok(false)) {
            self.ready.clear();
        }
        has_moved.map(|_| ())
    }

    /// Runs it a few times and settles how it is timed.
    fn decide(&mut self, session: &mut Session, cache: CacheState) -> Result<How, GpuError> {
        self.make_ready(session, cache, 1)?;
        let work = &self.work;
        session.settle(|session| queue_one(work, session, cache))?;
        // Many launches may be more than a queue behind a held stream takes.
        let whole = if work.is_many() { Some(capture(work, session, cache, 1)?) } else { None };
        let mut rough_ns = f64::INFINITY;
        for _ in 0..ROUGH {
            let span = session.time_steady(
                |session| work.set_cache(session, cache),
                |session| match &whole {
                    Some(graph) => graph.launch(&session.stream),
                    None => queue_one(work, session, cache),
                },
            )?;
            rough_ns = rough_ns.min(span.ns);
        }
        let Some(mut runs) = slope::runs(rough_ns) else { return Ok(whole.map_or(How::Single, How::Whole)) };
        loop {
            self.make_ready(session, cache, 2 * runs)?;
            let large = capture(&self.work, session, cache, 2 * runs)?;
            let large_ns = launched(&self.work, session, cache, &large)?.ns;
            // A rough time holds a launch, which short runs are shorter than.
            match slope::more_runs(runs, large_ns) {
                Some(more) => runs = more,
                None => return Ok(How::Slope { runs, small: capture(&self.work, session, cache, runs)?, large }),
            }
        }
    }
}

/// One run, launched as it is.
fn single(work: &impl Work, session: &mut Session, cache: CacheState) -> Result<Span, GpuError> {
    session.time(|session| work.set_cache(session, cache), |session| queue_one(work, session, cache))
}

fn queue_one(work: &impl Work, session: &mut Session, cache: CacheState) -> Result<(), GpuError> {
    work.queue(&mut session.lane(), 0, cache)
}

/// All runs of a graph.
fn launched(work: &impl Work, session: &mut Session, cache: CacheState, graph: &Graph) -> Result<Span, GpuError> {
    session.time(|session| work.set_cache(session, cache), |session| graph.launch(&session.stream))
}

/// So many runs in a row as a graph, ready to be launched.
fn capture(work: &impl Work, session: &mut Session, cache: CacheState, runs: usize) -> Result<Graph, GpuError> {
    let Session { stream, handle, .. } = &mut *session;
    let graph = stream.capture(|stream| {
        let mut lane = Lane { stream, handle };
        (0..runs).try_for_each(|copy| work.queue(&mut lane, copy, cache))
    })?;
    // A graph's first launch uploads it.
    graph.launch(stream)?;
    stream.wait()?;
    Ok(graph)
}

/// So many nanoseconds, which rest on these spans; the last one is the longest and tells the clock best.
fn reading(session: &Session, ns: f64, spans: &[&Span]) -> Reading {
    let is_throttled = spans.iter().any(|span| session.is_throttled(span));
    let reading = if is_throttled { Reading::throttled(ns) } else { Reading::new(ns) };
    reading.at_clock(spans.last().and_then(|span| span.clock_mhz))
}

impl<W: Work> Prepared for Timer<W> {
    fn run(&mut self, cache: CacheState) -> Result<Reading, TimingError> {
        let session = Arc::clone(&self.session);
        // A panic of another thread leaves no half-done state that a reading depends on.
        let mut session = session.lock().unwrap_or_else(PoisonError::into_inner);
        self.reading(&mut session, cache).map_err(|error| self.work.error(error))
    }

    fn algorithm(&self) -> Option<String> {
        self.work.algorithm()
    }
}
