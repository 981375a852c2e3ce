//! A stop rule of one's own in the whole pipeline: readings stop once the median has not moved for a while.

use locp::netspec::StopReason;
use locp::{Budget, MemoryStore, Model, Pipeline, StopRule, Verdict, engine};

/// Stops when the last eight readings moved the median by less than one part in a thousand.
#[derive(Clone, Default)]
struct MedianRests {
    sorted: Vec<f64>,
    medians: Vec<f64>,
}

impl StopRule for MedianRests {
    fn reset(&mut self) {
        *self = MedianRests::default();
    }

    fn add(&mut self, ns: f64) {
        self.sorted.insert(self.sorted.partition_point(|&known| known < ns), ns);
        self.medians.push(self.sorted[self.sorted.len() / 2]);
    }

    fn verdict(&self) -> Verdict {
        let (Some(last), n) = (self.medians.last(), self.medians.len()) else { return Verdict::Continue };
        let recent = &self.medians[n.saturating_sub(8)..];
        match recent.iter().all(|median| (median / last - 1.0).abs() < 1e-3) {
            true if n >= 8 => Verdict::Stop(StopReason::NoiseSettled),
            _ if n >= 200 => Verdict::Stop(StopReason::SampleLimit),
            _ => Verdict::Continue,
        }
    }
}

#[allow(clippy::print_stdout, reason = "an example shows its result")]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    let model = Model::open(concat!(env!("CARGO_MANIFEST_DIR"), "/../models/fashion.onnx").as_ref(), Some(64))?;
    // Simulated, so that it takes a moment anywhere.
    let source = engine("simulated:orin", 1, 0)?;
    let mut pipeline = Pipeline::new(source, MemoryStore::default()).stop_rule(MedianRests::default());
    let pruned = pipeline.run(&model, Budget::ratio(0.7))?;
    println!("{:.3}x after {} measurements (simulated)", pruned.ratio(), pipeline.measurer().measured());
    Ok(())
}
