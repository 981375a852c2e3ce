//! A stop rule of one's own: stop when the fastest run has not been beaten for a while.
#![allow(clippy::print_stdout, reason = "an example prints its result")]

use netspec::{CacheState, StopReason};
use timing::{Policy, Prepared, Reading, Rng, StopRule, TimingError, Verdict, measure, stop};

/// Stops after so many samples in a row that were no faster than the fastest.
struct Unbeaten {
    patience: u32,
    fastest: f64,
    since: u32,
}

impl StopRule for Unbeaten {
    fn reset(&mut self) {
        (self.fastest, self.since) = (f64::INFINITY, 0);
    }

    fn add(&mut self, ns: f64) {
        self.since = if ns < self.fastest { 0 } else { self.since + 1 };
        self.fastest = self.fastest.min(ns);
    }

    fn verdict(&self) -> Verdict {
        if self.since >= self.patience { Verdict::Stop(StopReason::NoiseSettled) } else { Verdict::Continue }
    }
}

/// A run of 300 us on a machine that preempts one run in ten.
struct Noisy(Rng);

impl Prepared for Noisy {
    fn run(&mut self, _: CacheState) -> Result<Reading, TimingError> {
        let preempted = if self.0.uniform() < 0.1 { 20.0 } else { 1.0 };
        Ok(Reading::new(3e5 * (0.02 * self.0.normal()).exp() * preempted))
    }
}

fn main() -> Result<(), TimingError> {
    let mut own = Unbeaten { patience: 20, fastest: f64::INFINITY, since: 0 };
    let mut usual = stop::Relative::new(0.005);
    for (name, rule) in [("unbeaten", &mut own as &mut dyn StopRule), ("relative", &mut usual)] {
        let m = measure(&mut Noisy(Rng::new(1)), rule, &Policy::warm())?;
        let [low, high] = m.interval_ns.map(|ns| ns / 1e3);
        println!("{name}: {:.1} us [{low:.1}, {high:.1}], {} samples, {:?}", m.median_ns / 1e3, m.samples, m.stop);
    }
    Ok(())
}
