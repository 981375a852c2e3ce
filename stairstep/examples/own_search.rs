//! A search of one's own: doubles the width until the budget is spent, and reports through the library's staircase.

use stairstep::{Ask, Config, Probe, Readings, Sample, Search, Staircase, StopReason, Strategy};

/// Probes 1, 2, 4, ... and the largest width: as few readings as can be, and as much overlooked.
struct Doubling {
    next: Option<usize>,
    outstanding: usize,
    max_channels: usize,
    /// The library's reference search assembles what was told.
    assembled: Box<dyn Search>,
}

impl Doubling {
    fn new(config: &Config) -> Doubling {
        let assembled = Strategy::Exhaustive.into_search(config);
        Doubling { next: Some(config.min_channels), outstanding: 0, max_channels: config.max_channels, assembled }
    }
}

impl Search for Doubling {
    fn ask(&mut self) -> Ask {
        match self.next {
            Some(channels) => {
                let is_last = channels >= self.max_channels;
                self.next = (!is_last).then_some((2 * channels).min(self.max_channels));
                self.outstanding += 1;
                Ask::Probe(Probe { channels, readings: 1 })
            }
            None if self.outstanding > 0 => Ask::Waiting,
            None => Ask::Done(StopReason::Settled),
        }
    }

    fn tell(&mut self, sample: Sample) {
        self.outstanding = self.outstanding.saturating_sub(1);
        self.assembled.tell(sample);
    }

    fn stairs(&self) -> Staircase {
        self.assembled.stairs()
    }
}

#[allow(clippy::print_stdout, reason = "an example shows its result")]
fn main() {
    let latency_ns = |channels: usize| 40.0 + 250.0 * channels.div_ceil(32) as f64;
    let mut search = Doubling::new(&Config::new(512).exact());
    while let Ask::Probe(Probe { channels, .. }) = search.ask() {
        search.tell(Sample { channels, readings: Readings::Raw(vec![latency_ns(channels)]) });
    }
    for edge in search.stairs().edges() {
        println!("{:4} channels for {:.0} ns", edge.channels, edge.latency_ns);
    }
    println!("{} widths probed", search.stairs().probed().len());
}
