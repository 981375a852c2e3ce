//! A latency source of one's own: a roofline with two parameters instead of a measurement.

use netspec::{ConvSpec, LatencySource, Measurement, Provenance, SourceError};

/// Work and memory traffic, whichever takes longer.
struct Roofline {
    macs_per_ns: f64,
    bytes_per_ns: f64,
}

impl LatencySource for Roofline {
    fn latency(&mut self, spec: &ConvSpec) -> Result<Measurement, SourceError> {
        if spec.groups > 1 && !spec.is_depthwise() {
            let reason = "this roofline knows dense and depthwise convolutions only".to_owned();
            return Err(SourceError::Unsupported { spec: Box::new(spec.clone()), reason });
        }
        let [height, width] = spec.out_hw();
        let elements = spec.batch * (spec.c_in * spec.height * spec.width + spec.c_out * height * width);
        let weights = spec.c_out * spec.c_in / spec.groups * spec.kernel[0] * spec.kernel[1];
        let bytes = (elements + weights) * spec.dtype.bytes();
        let ns = (spec.macs() as f64 / self.macs_per_ns).max(bytes as f64 / self.bytes_per_ns);
        Ok(Measurement::exact(ns, Provenance::Simulated))
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut source = Roofline { macs_per_ns: 32.0, bytes_per_ns: 20.0 };
    for text in ["64>64 56x56 k3 p1", "64>256 56x56 k1", "64>64 56x56 k3 p1 g64"] {
        let spec: ConvSpec = text.parse()?;
        let latency = source.latency(&spec)?;
        #[allow(clippy::print_stdout, reason = "an example shows its result")]
        {
            println!("{spec}: {:.1} us ({:?})", latency.median_ns / 1e3, latency.provenance);
        }
    }
    Ok(())
}
