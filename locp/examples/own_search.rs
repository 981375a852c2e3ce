//! A search for steps of one's own in the whole pipeline: 1, 2, 4, ... and the full width.

use locp::stairstep::{Ask, Config, Probe, Sample, Search, Staircase, StopReason};
use locp::{Budget, MemoryStore, Model, Pipeline, engine};

/// Doubles the width: as few readings as can be, and as much overlooked.
struct Doubling {
    config: Config,
    next: Option<usize>,
    outstanding: usize,
    samples: Vec<Sample>,
}

impl Doubling {
    fn new(config: &Config) -> Doubling {
        Doubling { next: Some(*config.widths().start()), outstanding: 0, samples: Vec::new(), config: config.clone() }
    }
}

impl Search for Doubling {
    fn ask(&mut self) -> Ask {
        match self.next {
            Some(channels) => {
                let most = *self.config.widths().end();
                self.next = (channels < most).then_some((2 * channels).min(most));
                self.outstanding += 1;
                Ask::Probe(Probe { channels, readings: 5 })
            }
            None if self.outstanding > 0 => Ask::Waiting,
            None => Ask::Done(StopReason::Settled),
        }
    }

    fn tell(&mut self, sample: Sample) {
        self.outstanding = self.outstanding.saturating_sub(1);
        self.samples.push(sample);
    }

    fn stairs(&self) -> Staircase {
        Staircase::from_samples(&self.config, self.samples.iter().cloned())
    }
}

#[allow(clippy::print_stdout, reason = "an example shows its result")]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    let model = Model::open(concat!(env!("CARGO_MANIFEST_DIR"), "/../models/fashion.onnx").as_ref(), Some(64))?;
    // Simulated, so that it takes a moment anywhere.
    let mut pipeline = Pipeline::new(engine("simulated:h100", 1, 0)?, MemoryStore::default()).search(Doubling::new);
    let widths: usize = pipeline.steps(&model, None)?.layers.iter().map(|layer| layer.measured).sum();
    let pruned = pipeline.run(&model, Budget::ratio(0.8))?;
    println!("{:.3}x from {widths} widths (simulated)", pruned.ratio());
    Ok(())
}
