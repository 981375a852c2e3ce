//! A latency source of one's own in the whole pipeline: a roofline with two parameters in place of a device.

use locp::netspec::{ConvSpec, Machine, Measurement, Provenance};
use locp::{Answer, Budget, LatencySource, MemoryStore, Model, Pipeline, Request, Sampling, TimingError};

/// Work and memory traffic, whichever takes longer; channels come in blocks of 16.
struct Roofline {
    macs_per_ns: f64,
    bytes_per_ns: f64,
}

impl Roofline {
    fn latency_ns(&self, spec: &ConvSpec) -> Result<f64, TimingError> {
        if spec.groups > 1 && !spec.is_depthwise() {
            return Err(TimingError::unsupported(spec, "this roofline knows dense and depthwise convolutions only"));
        }
        let padded = spec.with_channels(spec.c_in.next_multiple_of(16), spec.c_out.next_multiple_of(16));
        Ok((padded.macs() as f64 / self.macs_per_ns).max(padded.bytes() as f64 / self.bytes_per_ns))
    }
}

impl LatencySource for Roofline {
    fn machine(&self) -> Machine {
        Machine { engine: "roofline".into(), threads: 1, method: 1, ..Machine::default() }
    }

    fn read(&mut self, requests: &[Request], _: &Sampling) -> Vec<Result<Answer, TimingError>> {
        let settled = |ns| Answer::Settled(Measurement::exact(ns, Provenance::Simulated));
        requests.iter().map(|request| self.latency_ns(&request.spec).map(settled)).collect()
    }
}

#[allow(clippy::print_stdout, reason = "an example shows its result")]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    let model = Model::open(concat!(env!("CARGO_MANIFEST_DIR"), "/../models/fashion.onnx").as_ref(), Some(64))?;
    let roofline = Roofline { macs_per_ns: 256.0, bytes_per_ns: 50.0 };
    let pruned = Pipeline::new(roofline, MemoryStore::default()).run(&model, Budget::ratio(0.6))?;
    println!("{:.3}x, as the roofline has it", pruned.ratio());
    for group in &pruned.planned.plan.groups {
        println!("{:24} {:4} -> {:4}", group.name, group.channels, group.keep.len());
    }
    assert!(pruned.ratio() <= 0.6 && pruned.planned.plan.groups.iter().all(|group| group.keep.len() % 16 == 0));
    Ok(())
}
