//! An engine as a latency source: order, errors, hooks, flags and anchors.
#![allow(clippy::unwrap_used)]

use netspec::{CacheState, ConvSpec, Machine};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use timing::{
    Answer, Backend, BackendSource, LatencySource, Policy, Prepared, Reading, Request, Sampling, TimingError,
    Unavailable, stop,
};

/// Takes one nanosecond per output channel, times a pace that the test may change; cannot do 13 of them.
#[derive(Clone)]
struct Paced {
    pace: Arc<Mutex<Box<dyn FnMut() -> f64 + Send>>>,
    runs: Arc<Mutex<Vec<usize>>>,
}

struct Run(Paced, usize);

impl Paced {
    fn new(pace: impl FnMut() -> f64 + Send + 'static) -> Paced {
        Paced { pace: Arc::new(Mutex::new(Box::new(pace))), runs: Arc::default() }
    }
}

impl Backend for Paced {
    fn check(&self) -> Result<Machine, Unavailable> {
        Ok(Machine { engine: "paced".into(), ..Machine::default() })
    }
    fn prepare(&self, spec: &ConvSpec) -> Result<Box<dyn Prepared + Send>, TimingError> {
        match spec.c_out {
            13 => Err(TimingError::unsupported(spec, "thirteen is bad luck")),
            c_out => Ok(Box::new(Run(self.clone(), c_out))),
        }
    }
}

impl Prepared for Run {
    fn run(&mut self, _: CacheState) -> Result<Reading, TimingError> {
        self.0.runs.lock().unwrap().push(self.1);
        Ok(Reading::new(self.1 as f64 * (self.0.pace.lock().unwrap())()))
    }
}

fn specs(widths: &[usize]) -> Vec<ConvSpec> {
    widths.iter().map(|&c_out| ConvSpec::new(1, c_out, [8, 8], [3, 3])).collect()
}

fn source(engine: &Paced) -> BackendSource<Paced> {
    BackendSource::new(engine.clone()).unwrap()
}

fn policy() -> Policy {
    Policy::warm().warm_up(0).rewarm(0)
}

fn samples(n: u32) -> Sampling {
    Sampling::new(policy(), stop::Count::new(n))
}

#[test]
fn answers_in_the_order_of_the_questions_and_tells_which_failed() {
    let engine = Paced::new(|| 1.0);
    let seen = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&seen);
    let mut source =
        source(&engine).chunk(2).on_samples(move |spec, answer| log.lock().unwrap().push((spec.c_out, answer.is_ok())));
    let answers = source.latencies(&specs(&[64, 13, 32, 96, 8]), &samples(8));
    let medians: Vec<_> = answers.iter().map(|a| a.as_ref().map(|m| m.median_ns).ok()).collect();
    assert_eq!(medians, [Some(64.0), None, Some(32.0), Some(96.0), Some(8.0)]);
    assert!(matches!(&answers[1], Err(TimingError::Unsupported { reason, .. }) if reason == "thirteen is bad luck"));
    assert_eq!(*seen.lock().unwrap(), [(64, true), (13, false), (32, true), (96, true), (8, true)]);
    assert_eq!(source.latencies(&specs(&[40]), &samples(9))[0].as_ref().unwrap().samples, 9);
    assert_eq!(source.machine().engine, "paced");
    // Within a chunk they took turns: 64 alone beside 13, then 32 and 96 in bursts of four.
    assert_eq!(engine.runs.lock().unwrap()[..8], [64; 8]);
    let second = engine.runs.lock().unwrap()[8..24].to_vec();
    assert!(second[..8].contains(&32) && second[..8].contains(&96), "{second:?}");
}

#[test]
fn a_flag_keeps_what_was_finished() {
    let flag = Arc::new(AtomicBool::new(false));
    let engine = Paced::new(|| 1.0);
    let stop_it = Arc::clone(&flag);
    let how = samples(3).policy(Policy::warm().warm_up(0).cancel(Arc::clone(&flag)));
    let mut source = source(&engine).chunk(1).on_samples(move |spec, _| {
        stop_it.fetch_or(spec.c_out == 2, Ordering::Relaxed);
    });
    let answers = source.latencies(&specs(&[1, 2, 3, 4]), &how);
    assert!(answers[..2].iter().all(Result::is_ok));
    assert!(answers[2..].iter().all(|a| *a == Err(TimingError::Interrupted)));
    assert!(!engine.runs.lock().unwrap().contains(&3));
}

#[test]
fn a_steady_anchor_repeats_nothing() {
    let engine = Paced::new(|| 1.0);
    let mut source = source(&engine).chunk(2).anchor(specs(&[1000]).remove(0), 0.03);
    assert!(source.latencies(&specs(&[8, 16, 24, 32]), &samples(8)).iter().all(Result::is_ok));
    let drift = source.drift();
    assert_eq!((drift.chunks, drift.repeated, drift.unsettled, drift.worst_move), (2, 0, 0, 0.0));
    // The look after the first chunk is also the look before the second: three looks of fifteen.
    assert_eq!(engine.runs.lock().unwrap().iter().filter(|&&width| width == 1000).count(), 45);
}

#[test]
fn a_moved_anchor_repeats_its_chunk_once() {
    // The machine slows down by half after the first look at the anchor (15 runs) and four runs of the chunk.
    let mut runs = 0;
    let engine = Paced::new(move || {
        runs += 1;
        if runs <= 19 { 1.0 } else { 1.5 }
    });
    let mut source = source(&engine).anchor(specs(&[1000]).remove(0), 0.03);
    let answers = source.latencies(&specs(&[8, 16]), &samples(8));
    assert_eq!(answers[0].as_ref().unwrap().median_ns, 12.0, "the repetition's numbers, all at one pace");
    assert_eq!(answers[1].as_ref().unwrap().median_ns, 24.0);
    let drift = source.drift();
    assert_eq!((drift.chunks, drift.repeated, drift.unsettled, drift.worst_move), (1, 1, 0, 0.5));
}

#[test]
fn an_anchor_that_never_rests_is_reported_and_ends() {
    let mut pace = 1.0;
    let engine = Paced::new(move || {
        pace *= 1.01;
        pace
    });
    let mut source = source(&engine).chunk(1).anchor(specs(&[1000]).remove(0), 0.03);
    assert!(source.latencies(&specs(&[8, 16]), &samples(8)).iter().all(Result::is_ok));
    let drift = source.drift();
    assert_eq!((drift.chunks, drift.repeated, drift.unsettled), (2, 2, 2));
}

#[test]
fn an_unavailable_engine_is_no_source() {
    struct Gone;
    impl Backend for Gone {
        fn check(&self) -> Result<Machine, Unavailable> {
            Err(Unavailable {
                engine: "gone".into(),
                reason: "it left".into(),
                looked_for: vec!["/here".into(), "/there".into()],
                remedy: "wait".into(),
            })
        }
        fn prepare(&self, _: &ConvSpec) -> Result<Box<dyn Prepared + Send>, TimingError> {
            Err(self.check().unwrap_err().into())
        }
    }
    let error = BackendSource::new(Gone).err().unwrap();
    assert_eq!(error.to_string(), "gone cannot run here: it left; looked for /here, /there; wait");
}

#[test]
fn one_anchor_of_two_that_moves_is_enough() {
    // What is 500 wide slows down by half after its first look of fifteen; the rest never does.
    let fast_until = Arc::new(Mutex::new(15));
    struct Mixed(Arc<Mutex<i32>>);
    struct MixedRun(Arc<Mutex<i32>>, usize);
    impl Backend for Mixed {
        fn check(&self) -> Result<Machine, Unavailable> {
            Ok(Machine::default())
        }
        fn prepare(&self, spec: &ConvSpec) -> Result<Box<dyn Prepared + Send>, TimingError> {
            match spec.c_out {
                13 => Err(TimingError::unsupported(spec, "thirteen is bad luck")),
                c_out => Ok(Box::new(MixedRun(Arc::clone(&self.0), c_out))),
            }
        }
    }
    impl Prepared for MixedRun {
        fn run(&mut self, _: CacheState) -> Result<Reading, TimingError> {
            if self.1 != 500 {
                return Ok(Reading::new(self.1 as f64));
            }
            let mut left = self.0.lock().unwrap();
            *left -= 1;
            Ok(Reading::new(if *left >= 0 { 500.0 } else { 750.0 }))
        }
    }
    let mut source = BackendSource::new(Mixed(fast_until)).unwrap();
    for width in [1000, 500, 13] {
        source = source.anchor(specs(&[width]).remove(0), 0.01);
    }
    assert!(source.latencies(&specs(&[8]), &samples(8)).iter().all(Result::is_ok));
    let drift = source.drift();
    assert_eq!((drift.chunks, drift.repeated, drift.unsettled, drift.worst_move), (1, 1, 0, 0.5));
    // The anchor that cannot be prepared is counted at each of three looks.
    assert_eq!(drift.failed_looks, 3);
}

#[test]
fn a_chunk_may_be_repeated_more_often() {
    let mut pace = 1.0;
    let engine = Paced::new(move || {
        pace *= 1.01;
        pace
    });
    let mut source = source(&engine).repetitions(4).anchor(specs(&[1000]).remove(0), 0.03);
    assert!(source.latencies(&specs(&[8]), &samples(8)).iter().all(Result::is_ok));
    assert_eq!((source.drift().repeated, source.drift().unsettled), (4, 1));
}

/// As [`Paced`], and may be prepared on other threads; notes which threads did.
struct Eager(Paced, Mutex<Vec<(usize, std::thread::ThreadId)>>);

impl Backend for Eager {
    fn check(&self) -> Result<Machine, Unavailable> {
        self.0.check()
    }
    fn prepare(&self, spec: &ConvSpec) -> Result<Box<dyn Prepared + Send>, TimingError> {
        self.1.lock().unwrap().push((spec.c_out, std::thread::current().id()));
        self.0.prepare(spec)
    }
    fn look_ahead(&self) -> Option<&(dyn Backend + Sync)> {
        Some(self)
    }
}

#[test]
fn an_engine_that_looks_ahead_answers_the_same() {
    let engine = Eager(Paced::new(|| 1.0), Mutex::default());
    let mut ahead = BackendSource::new(engine).unwrap().chunk(2);
    let widths = [64, 13, 32, 96, 8, 13, 40];
    let expect = source(&Paced::new(|| 1.0)).chunk(2).latencies(&specs(&widths), &samples(8));
    assert_eq!(ahead.latencies(&specs(&widths), &samples(8)), expect);
    let here = std::thread::current().id();
    let prepared = ahead.backend().1.lock().unwrap();
    let mut seen: Vec<usize> = prepared.iter().map(|(width, _)| *width).collect();
    seen.sort_unstable();
    assert_eq!(seen, [8, 13, 13, 32, 40, 64, 96], "each once");
    // The first chunk is waited for; the rest is prepared elsewhere.
    assert!(prepared.iter().all(|(width, thread)| (*thread == here) == [64, 13].contains(width) || *width == 13));
}

#[test]
fn a_flag_stops_looking_ahead_too() {
    let flag = Arc::new(AtomicBool::new(true));
    let engine = Eager(Paced::new(|| 1.0), Mutex::default());
    let mut source = BackendSource::new(engine).unwrap().chunk(1);
    let answers = source.latencies(&specs(&[1, 2, 3]), &samples(8).policy(Policy::warm().cancel(flag)));
    assert!(answers.iter().all(|a| *a == Err(TimingError::Interrupted)));
    assert!(source.backend().1.lock().unwrap().is_empty());
}

#[test]
fn every_sample_is_shown_and_answered() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&seen);
    let engine = Paced::new(|| 1.0);
    let mut source = source(&engine).on_samples(move |spec, samples| {
        log.lock().unwrap().push((spec.c_out, samples.as_ref().ok().map(|samples| samples.ns.clone())));
    });
    let answers = source.read(&specs(&[64, 13]).into_iter().map(Request::settled).collect::<Vec<_>>(), &samples(8));
    assert_eq!(*seen.lock().unwrap(), [(64, Some(vec![64.0; 8])), (13, None)]);
    assert_eq!(answers[0].as_ref().unwrap().samples().unwrap().ns, [64.0; 8]);
}

#[test]
fn a_chain_sums_its_layers_and_prepares_equal_ones_once() {
    let engine = Eager(Paced::new(|| 2.0), Mutex::default());
    let mut chain = engine.chain(&specs(&[8, 16, 8])).unwrap();
    assert_eq!(chain.run(CacheState::Warm).unwrap().ns, 64.0);
    assert_eq!(engine.1.lock().unwrap().len(), 2);
    assert_eq!(*engine.0.runs.lock().unwrap(), [8, 16, 8]);
    assert!(matches!(engine.chain(&specs(&[8, 13])).err(), Some(TimingError::Unsupported { .. })));
}

#[test]
fn further_samples_are_counted_and_what_was_prepared_stays_ready() {
    /// Counts what it prepares.
    struct Counting(Paced, Arc<Mutex<Vec<usize>>>);
    impl Backend for Counting {
        fn check(&self) -> Result<Machine, Unavailable> {
            self.0.check()
        }
        fn prepare(&self, spec: &ConvSpec) -> Result<Box<dyn Prepared + Send>, TimingError> {
            self.1.lock().unwrap().push(spec.c_out);
            self.0.prepare(spec)
        }
    }
    let (engine, prepared) = (Paced::new(|| 1.0), Arc::default());
    let how = samples(1).policy(Policy::warm().warm_up(3).rewarm(1).burst(2));
    let mut source = BackendSource::new(Counting(engine.clone(), Arc::clone(&prepared))).unwrap();
    let wanted = |counts: &[(usize, u32)]| -> Vec<Request> {
        counts.iter().map(|&(c_out, n)| Request::further(specs(&[c_out]).remove(0), n)).collect()
    };
    let first = source.read(&wanted(&[(8, 3), (13, 3), (16, 2)]), &how);
    let taken = |answers: &[Result<Answer, TimingError>]| -> Vec<Option<Vec<f64>>> {
        answers.iter().map(|answer| Some(answer.as_ref().ok()?.samples()?.ns.clone())).collect()
    };
    assert_eq!(taken(&first), [Some(vec![8.0; 3]), None, Some(vec![16.0; 2])]);
    assert!(matches!(&first[1], Err(TimingError::Unsupported { .. })));
    // Three runs to warm each up, then bursts of two with three that settle before each: 3 + 3 + 2 + 3 + 1, and 3 + 3 + 2.
    let runs = |c_out: usize| engine.runs.lock().unwrap().iter().filter(|&&run| run == c_out).count();
    assert_eq!((runs(8), runs(16)), (12, 8));
    assert_eq!(taken(&source.read(&wanted(&[(16, 4)]), &how)), [Some(vec![16.0; 4])]);
    assert_eq!(*prepared.lock().unwrap(), [8, 13, 16], "prepared once each");
    source.forget();
    source.read(&wanted(&[(8, 1)]), &how);
    assert_eq!(*prepared.lock().unwrap(), [8, 13, 16, 8], "forgotten");
    // Where memory does not suffice for both, what was kept is released first.
    let mut tight = source.memory(specs(&[8])[0].bytes());
    tight.read(&wanted(&[(16, 1)]), &how);
    tight.read(&wanted(&[(8, 1)]), &how);
    assert_eq!(*prepared.lock().unwrap(), [8, 13, 16, 8, 16, 8], "released for want of memory");
    // Both kinds of request in one call are answered in their order.
    let mixed = [Request::further(specs(&[8]).remove(0), 2), Request::settled(specs(&[32]).remove(0))];
    let how = samples(5);
    assert_eq!(taken(&tight.read(&mixed, &how)), [Some(vec![8.0; 2]), Some(vec![32.0; 5])]);
}
