//! Sampling, comparing and interleaving on scripted readings: what comes out is known in closed form.
#![allow(clippy::unwrap_used)]

use netspec::{CacheState, Provenance, StopReason};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use timing::{
    Policy, Prepared, Reading, Samples, StopRule, TimingError, Verdict, compare, interleave, measure, sample, stop,
};

/// Plays readings in a circle, and writes down who ran.
struct Script {
    readings: Vec<Reading>,
    next: usize,
    name: char,
    log: Arc<Mutex<String>>,
}

fn script(name: char, log: &Arc<Mutex<String>>, readings: Vec<Reading>) -> Script {
    Script { readings, next: 0, name, log: Arc::clone(log) }
}

fn plays(ns: &[f64]) -> Script {
    script('x', &Arc::default(), ns.iter().map(|&ns| Reading::new(ns)).collect())
}

impl Prepared for Script {
    fn run(&mut self, _: CacheState) -> Result<Reading, TimingError> {
        self.log.lock().unwrap().push(self.name);
        let reading = self.readings[self.next % self.readings.len()];
        self.next += 1;
        Ok(reading)
    }
}

fn quick() -> Policy {
    Policy::warm().warm_up(0).rewarm(0).throttle_wait(Duration::ZERO)
}

#[track_caller]
fn check_rule(mut rule: impl StopRule, ns: impl Iterator<Item = f64>, expect: (usize, StopReason)) {
    rule.add(1e12);
    rule.reset();
    for (seen, ns) in ns.enumerate() {
        if let Verdict::Stop(reason) = rule.verdict() {
            assert_eq!((seen, reason), expect);
            return;
        }
        rule.add(ns);
    }
    panic!("the rule went on after the last scripted sample");
}

#[test]
fn relative_stops_when_half_the_interval_is_narrow_enough() {
    let relative = || stop::Relative::new(0.01).min_samples(10).max_samples(200);
    // Equal samples: the interval has no width as soon as it may be looked at.
    check_rule(relative(), std::iter::repeat(100.0), (10, StopReason::Precise));
    // 99, 101 in turns: the interval is [99, 101] and the median 100, so the half-width is exactly 1 %.
    check_rule(relative(), [99.0, 101.0].into_iter().cycle(), (10, StopReason::Precise));
    // One outlier in ten is outside of the ranks 2 to 9 (of 10) as soon as there are ten samples.
    check_rule(relative(), [100.0, 5000.0].into_iter().chain(std::iter::repeat(100.0)), (10, StopReason::Precise));
    // The largest number wins over the smallest.
    check_rule(relative().max_samples(4), std::iter::repeat(100.0), (4, StopReason::SampleLimit));
}

#[test]
fn relative_stops_when_two_doublings_did_not_help() {
    // 98, 102 in turns never narrows below 2 %: noted at 10, 20 and 40 samples, the width is the same twice in a row.
    let rule = stop::Relative::new(0.01).min_samples(10).max_samples(1000);
    check_rule(rule, [98.0, 102.0].into_iter().cycle(), (40, StopReason::NoiseSettled));
    // Noise that averages out does not settle: the interval of evenly spread samples narrows as 1 / sqrt(n).
    let spread = (0..).map(|i: u64| 100.0 + 20.0 * (((i * 618_034) % 1_000_000) as f64 / 1e6 - 0.5));
    let mut rule = stop::Relative::new(0.001).max_samples(1000);
    for ns in spread.take(1000) {
        assert_eq!(rule.verdict(), Verdict::Continue);
        rule.add(ns);
    }
    assert_eq!(rule.verdict(), Verdict::Stop(StopReason::SampleLimit));
}

#[test]
fn relative_limits_the_sum_of_times_without_a_clock() {
    // 0.4 ms each: the limit of 1 ms is passed by the third, long before the smallest number.
    let rule = stop::Relative::new(0.01).min_samples(10).limit_ms(1.0);
    check_rule(rule, std::iter::repeat(4e5), (3, StopReason::TimeLimit));
    check_rule(stop::Count::new(5), std::iter::repeat(1.0), (5, StopReason::SampleLimit));
    check_rule(stop::Count::new(0), std::iter::repeat(1.0), (1, StopReason::SampleLimit));
}

#[test]
fn measure_throws_the_warm_up_away() {
    let mut script = plays(&[900.0, 900.0, 900.0, 5.0, 1.0, 4.0, 2.0, 3.0]);
    let m = measure(&mut script, &mut stop::Count::new(5), &quick().warm_up(2)).unwrap();
    assert_eq!((m.median_ns, m.interval_ns, m.samples), (3.0, [1.0, 5.0], 5));
    assert_eq!((m.provenance, m.cache, m.stop), (Provenance::Measured, CacheState::Warm, StopReason::SampleLimit));
}

#[test]
fn throttled_readings_are_discarded_and_counted() {
    let readings = [10.0, 11.0, 12.0].map(Reading::new);
    let cycle = vec![readings[0], Reading::throttled(99.0), Reading::throttled(98.0), readings[1], readings[2]];
    let mut prepared = script('x', &Arc::default(), cycle);
    let samples: Samples = sample(&mut prepared, &mut stop::Count::new(3), &quick()).unwrap();
    assert_eq!((samples.ns, samples.discarded), (vec![10.0, 11.0, 12.0], 2));

    let mut hot = script('x', &Arc::default(), vec![Reading::throttled(1.0)]);
    let error = measure(&mut hot, &mut stop::Count::new(3), &quick().max_discarded(7)).unwrap_err();
    assert_eq!(error, TimingError::Throttled { discarded: 8 });
}

#[test]
fn impossible_readings_are_errors() {
    for ns in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        let error = measure(&mut plays(&[ns]), &mut stop::Count::new(1), &quick()).unwrap_err();
        assert!(matches!(error, TimingError::Run { .. }), "{ns}: {error}");
    }
}

#[test]
fn a_flag_stops_before_the_next_run() {
    let flag = Arc::new(AtomicBool::new(false));
    let log = Arc::default();
    let mut prepared = script('x', &log, vec![Reading::new(1.0)]);
    let policy = quick().cancel(Arc::clone(&flag));
    assert!(measure(&mut prepared, &mut stop::Count::new(2), &policy).is_ok());
    flag.store(true, Ordering::Relaxed);
    assert_eq!(measure(&mut prepared, &mut stop::Count::new(2), &policy).unwrap_err(), TimingError::Interrupted);
    assert_eq!(log.lock().unwrap().len(), 2, "nothing ran after the flag was set");
}

#[test]
fn compare_is_blind_to_what_slows_both() {
    // Both triple on the way; b always takes 1.5 times as long.
    let a: Vec<f64> = (0..30).map(|i| 100.0 * (1.0 + 2.0 * f64::from(i) / 29.0)).collect();
    let b: Vec<f64> = a.iter().map(|ns| ns * 1.5).collect();
    let result = compare(&mut plays(&a), &mut plays(&b), &mut stop::Count::new(30), &quick().burst(1)).unwrap();
    assert_eq!((result.ratio, result.ratio_interval, result.pairs), (1.5, [1.5, 1.5], 30));
    assert_eq!(result.b.median_ns, 1.5 * result.a.median_ns);
    assert!(result.a.relative_half_width() > 0.1, "each side alone is far less certain");
}

#[test]
fn compare_stops_by_the_precision_of_the_ratio() {
    let a: Vec<f64> = (0..100).map(|i| 100.0 * (1.0 + 2.0 * f64::from(i) / 99.0)).collect();
    let b: Vec<f64> = a.iter().map(|ns| ns * 0.5).collect();
    let mut rule = stop::Relative::new(0.01).min_samples(12);
    let result = compare(&mut plays(&a), &mut plays(&b), &mut rule, &quick()).unwrap();
    assert_eq!((result.pairs, result.stop, result.ratio), (12, StopReason::Precise, 0.5));
    // Its time limit is about the time of both runs: 300 + 600 us per pair, 3 pairs to pass 2 ms. The warm-up
    // tells what a pair takes.
    let mut rule = stop::Relative::new(0.0).limit_ms(2.0);
    let policy = quick().warm_up(1);
    let (mut a, mut b) = (plays(&[3e5]), plays(&[6e5]));
    let result = compare(&mut a, &mut b, &mut rule.clone().min_samples(50), &policy).unwrap();
    assert_eq!((result.pairs, result.stop), (3, StopReason::TimeLimit));
    // Without a warm-up the first pair tells.
    let result = compare(&mut a, &mut b, &mut rule, &quick()).unwrap();
    assert_eq!((result.pairs, result.stop), (3, StopReason::TimeLimit));
}

#[test]
fn compare_takes_turns_in_random_order_and_rewarms() {
    let log = Arc::default();
    let (mut a, mut b) = (script('a', &log, vec![Reading::new(1.0)]), script('b', &log, vec![Reading::new(2.0)]));
    compare(&mut a, &mut b, &mut stop::Count::new(200), &quick().rewarm(1).burst(2)).unwrap();
    let log = log.lock().unwrap();
    let pairs: Vec<&str> = (0..200).map(|i| &log[10 * i..10 * i + 10]).collect();
    let a_first = pairs.iter().filter(|&&pair| pair == "aaaaabbbbb").count();
    let is_pair = |&pair: &&str| pair == "aaaaabbbbb" || pair == "bbbbbaaaaa";
    assert!(pairs.iter().all(is_pair), "each turn is three runs that settle and two samples");
    assert!((60..140).contains(&a_first), "a came first in {a_first} of 200 pairs");
}

#[test]
fn compare_discards_a_pair_of_which_one_was_throttled() {
    let mut a = script('a', &Arc::default(), vec![Reading::new(1.0), Reading::throttled(9.0), Reading::new(1.0)]);
    let mut b = plays(&[2.0, 50.0, 2.0]);
    let result = compare(&mut a, &mut b, &mut stop::Count::new(2), &quick().burst(1)).unwrap();
    assert_eq!((result.ratio_interval, result.discarded), ([2.0, 2.0], 1));
}

/// Takes `ns`, and after another one's turn at first more by the factors of `transient`; `last` is who ran last, how often.
struct Cached {
    name: char,
    ns: f64,
    transient: &'static [f64],
    last: Arc<Mutex<(char, usize)>>,
}

impl Prepared for Cached {
    fn run(&mut self, _: CacheState) -> Result<Reading, TimingError> {
        let mut last = self.last.lock().unwrap();
        if last.0 != self.name {
            *last = (self.name, 0);
        }
        let factor = self.transient.get(last.1).copied().unwrap_or(1.0);
        last.1 += 1;
        Ok(Reading::new(self.ns * factor))
    }
}

#[test]
fn what_others_left_in_the_caches_is_in_no_reading() {
    // As a network of 18 layers takes that was pruned, and its dense one, of which less stays in the last cache.
    let pruned = &[1.40, 1.29, 1.25, 1.15, 1.09, 1.08, 1.04, 1.03];
    let dense = &[1.18, 1.10, 1.06, 1.05, 1.02];
    let last = Arc::default();
    let cached = |name, ns, transient| Cached { name, ns, transient, last: Arc::clone(&last) };
    let (mut a, mut b) = (cached('a', 200.0, &dense[..]), cached('b', 100.0, &pruned[..]));
    let policy = Policy::warm().burst(2);
    let result = compare(&mut a, &mut b, &mut stop::Count::new(20), &policy).unwrap();
    assert_eq!((result.ratio, result.a.median_ns, result.b.median_ns), (0.5, 200.0, 100.0));
    let mut both: Vec<Box<dyn Prepared + Send>> = vec![Box::new(a), Box::new(b)];
    for samples in interleave(&mut both, &stop::Count::new(20), &policy) {
        let samples = samples.unwrap().ns;
        assert!(samples.iter().all(|&ns| ns == samples[0]), "{samples:?}");
    }
}

#[test]
fn what_never_settles_is_timed_as_it_is() {
    let falling: Vec<f64> = (0..100).map(|run| 100.0 * 0.9_f64.powi(run)).collect();
    let log = Arc::default();
    let mut falls = script('f', &log, falling.iter().map(|&ns| Reading::new(ns)).collect());
    measure(&mut falls, &mut stop::Count::new(1), &quick().warm_up(1)).unwrap();
    assert_eq!(log.lock().unwrap().len(), 12 + 1);
}

#[test]
fn interleave_cancels_what_one_after_the_other_would_call_a_step() {
    // A clock that slows down with every run, whoever runs: 0.1 % per run.
    struct Slowing(Arc<Mutex<f64>>, f64);
    impl Prepared for Slowing {
        fn run(&mut self, _: CacheState) -> Result<Reading, TimingError> {
            let mut pace = self.0.lock().unwrap();
            *pace *= 1.001;
            Ok(Reading::new(self.1 * *pace))
        }
    }
    let make = || {
        let pace = Arc::new(Mutex::new(1.0));
        (0..8).map(|_| Box::new(Slowing(Arc::clone(&pace), 100.0)) as Box<dyn Prepared + Send>).collect::<Vec<_>>()
    };
    let spread = |medians: Vec<f64>| medians.iter().fold(0.0, |m: f64, &x| m.max(x)) / medians[0].min(medians[7]);
    let rule = stop::Count::new(40);
    let turns = interleave(&mut make(), &rule, &quick());
    let turns = spread(turns.into_iter().map(|s| s.unwrap().measurement().median_ns).collect());
    let sequence = make().iter_mut().map(|p| measure(p, &mut rule.clone(), &quick()).unwrap().median_ns).collect();
    let sequence = spread(sequence);
    assert!(turns < 1.05, "in turns equal things differ by {turns}");
    assert!(sequence > 1.25, "one after the other they differ by {sequence}");
}

#[test]
fn interleave_keeps_each_ones_result_apart() {
    struct Fails;
    impl Prepared for Fails {
        fn run(&mut self, _: CacheState) -> Result<Reading, TimingError> {
            Err(TimingError::run("it", "it always does"))
        }
    }
    let mut prepared: Vec<Box<dyn Prepared + Send>> =
        vec![Box::new(plays(&[1.0])), Box::new(Fails), Box::new(plays(&[2.0, 4.0]))];
    let results = interleave(&mut prepared, &stop::Count::new(9), &quick().burst(2));
    let medians: Vec<_> = results.iter().map(|r| r.as_ref().map(|s| s.measurement().median_ns).ok()).collect();
    assert_eq!(medians, [Some(1.0), None, Some(2.0)]);
    assert!(interleave(&mut [], &stop::Count::new(9), &quick()).is_empty());
}

#[test]
fn interleave_visits_in_bursts_of_random_order() {
    let log = Arc::default();
    let names = ['a', 'b', 'c'];
    let mut prepared: Vec<Box<dyn Prepared + Send>> =
        names.iter().map(|&name| Box::new(script(name, &log, vec![Reading::new(1.0)])) as Box<_>).collect();
    interleave(&mut prepared, &stop::Count::new(200), &quick().rewarm(1).warm_up(1).burst(4));
    let log = log.lock().unwrap();
    // Each visit: three runs that settle, four samples; three visits a round, fifty rounds.
    assert_eq!(log.len(), 3 * 7 * 50);
    let rounds: std::collections::BTreeSet<&str> = (0..50).map(|i| &log[21 * i..21 * i + 21]).collect();
    assert_eq!(rounds.len(), 6, "all six orders occur, in whole visits");
}

#[test]
fn readings_carry_their_provenance() {
    struct Made;
    impl Prepared for Made {
        fn run(&mut self, _: CacheState) -> Result<Reading, TimingError> {
            Ok(Reading::new(5.0))
        }
        fn provenance(&self) -> Provenance {
            Provenance::Simulated
        }
    }
    let mut boxed: Vec<Box<dyn Prepared + Send>> = vec![Box::new(Made)];
    let one = measure(&mut boxed[0], &mut stop::Count::new(1), &quick()).unwrap();
    let many = interleave(&mut boxed, &stop::Count::new(1), &quick()).remove(0).unwrap();
    let pair = compare(&mut Made, &mut plays(&[1.0]), &mut stop::Count::new(1), &quick()).unwrap();
    let found = [one.provenance, many.measurement().provenance, pair.a.provenance, pair.b.provenance];
    assert_eq!(found, [Provenance::Simulated, Provenance::Simulated, Provenance::Simulated, Provenance::Measured]);
}

#[test]
fn what_ran_and_at_which_clock_stays_with_the_samples() {
    struct Named(u32);
    impl Prepared for Named {
        fn run(&mut self, _: CacheState) -> Result<Reading, TimingError> {
            self.0 += 1;
            Ok(Reading::new(10.0).at_clock((self.0 > 1).then_some(f64::from(self.0) * 100.0)))
        }
        fn algorithm(&self) -> Option<String> {
            Some(format!("chosen on run {}", self.0.min(1)))
        }
    }
    let policy = Policy::warm().warm_up(0);
    let taken = sample(&mut Box::new(Named(0)), &mut stop::Count::new(3), &policy).unwrap();
    assert_eq!(taken.algorithm.as_deref(), Some("chosen on run 1"));
    assert_eq!(taken.clock_mhz, [200.0, 300.0], "one reading told no clock");
    assert_eq!(taken.measurement().algorithm, taken.algorithm);
}
