//! A search of one's own: doubles the width, and assembles the staircase from what was read.

use stairstep::{Ask, Config, Probe, Readings, Sample, Search, Staircase, StopReason};

/// Probes 1, 2, 4, ... and the largest width: few readings, and much overlooked.
struct Doubling {
    config: Config,
    next: Option<usize>,
    outstanding: usize,
    told: Vec<Sample>,
}

impl Doubling {
    fn new(config: Config) -> Doubling {
        Doubling { next: Some(*config.widths().start()), config, outstanding: 0, told: Vec::new() }
    }
}

impl Search for Doubling {
    fn ask(&mut self) -> Ask {
        let Some(channels) = self.next else {
            return if self.outstanding > 0 { Ask::Waiting } else { Ask::Done(StopReason::Settled) };
        };
        let max = *self.config.widths().end();
        self.next = (channels < max).then_some((2 * channels).min(max));
        self.outstanding += 1;
        Ask::Probe(Probe { channels, readings: 1 })
    }

    fn tell(&mut self, sample: Sample) {
        self.outstanding = self.outstanding.saturating_sub(1);
        self.told.push(sample);
    }

    fn stairs(&self) -> Staircase {
        Staircase::from_samples(&self.config, self.told.iter().cloned())
    }
}

#[allow(clippy::print_stdout, reason = "an example shows its result")]
fn main() {
    let latency_ns = |channels: usize| 40.0 + 250.0 * channels.div_ceil(32) as f64;
    let mut search = Doubling::new(Config::new(512).exact());
    while let Ask::Probe(Probe { channels, .. }) = search.ask() {
        search.tell(Sample { channels, readings: Readings::Raw(vec![latency_ns(channels)]) });
    }
    for edge in search.stairs().edges() {
        println!("{:4} channels for {:.0} ns", edge.channels, edge.latency_ns);
    }
    println!("{} widths probed", search.stairs().probed().len());
}
