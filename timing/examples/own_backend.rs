//! An engine of one's own behind the pipeline's traits: a naive convolution in Rust, timed as all others are.
#![allow(clippy::print_stdout, reason = "an example prints its result")]

use netspec::{CacheState, ConvSpec, Machine};
use std::hint::black_box;
use std::time::Instant;
use timing::{
    Backend, BackendSource, LatencySource, Policy, Prepared, Reading, Sampling, TimingError, Unavailable, compare, stop,
};

/// Convolves by seven loops; dense, unit stride, no padding.
struct SevenLoops;

struct Ready {
    spec: ConvSpec,
    x: Vec<f32>,
    w: Vec<f32>,
    y: Vec<f32>,
}

impl Backend for SevenLoops {
    fn check(&self) -> Result<Machine, Unavailable> {
        Ok(Machine { engine: "seven-loops".to_owned(), threads: 1, method: 1, ..Machine::default() })
    }

    fn prepare(&self, spec: &ConvSpec) -> Result<Box<dyn Prepared + Send>, TimingError> {
        spec.validate().map_err(|error| TimingError::unsupported(spec, error.to_string()))?;
        if (spec.stride, spec.padding, spec.dilation, spec.groups) != ([1, 1], [0; 4], [1, 1], 1) {
            return Err(TimingError::unsupported(spec, "only dense, unit stride, no padding"));
        }
        let [h, w] = spec.out_hw();
        Ok(Box::new(Ready {
            x: vec![0.5; spec.batch * spec.c_in * spec.height * spec.width],
            w: vec![0.25; spec.c_out * spec.c_in * spec.kernel[0] * spec.kernel[1]],
            y: vec![0.0; spec.batch * spec.c_out * h * w],
            spec: spec.clone(),
        }))
    }
}

impl Prepared for Ready {
    fn run(&mut self, _: CacheState) -> Result<Reading, TimingError> {
        let start = Instant::now();
        self.convolve();
        black_box(&mut self.y);
        Ok(Reading::new(start.elapsed().as_nanos() as f64))
    }
}

impl Ready {
    fn convolve(&mut self) {
        let ConvSpec { batch, c_in, c_out, height, width, kernel: [kh, kw], .. } = self.spec;
        let [out_h, out_w] = self.spec.out_hw();
        for (i, y) in self.y.iter_mut().enumerate() {
            let (col, row) = (i % out_w, i / out_w % out_h);
            let (channel, image) = (i / (out_w * out_h) % c_out, i / (out_w * out_h * c_out) % batch);
            *y = 0.0;
            for c in 0..c_in {
                for dy in 0..kh {
                    let x = ((image * c_in + c) * height + row + dy) * width + col;
                    let w = ((channel * c_in + c) * kh + dy) * kw;
                    *y += self.x[x..x + kw].iter().zip(&self.w[w..w + kw]).map(|(x, w)| x * w).sum::<f32>();
                }
            }
        }
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let rule = stop::Relative::new(0.02).max_samples(60);
    let mut source = BackendSource::new(SevenLoops)?;
    let how = Sampling::new(Policy::warm().seed(1), rule.clone());
    let specs = [8, 16, 24].map(|c_out| ConvSpec::new(8, c_out, [16, 16], [3, 3]));
    for (spec, answer) in specs.iter().zip(source.latencies(&specs, &how)) {
        let m = answer?;
        println!("{spec}: {:.1} us, {} samples, {:?}", m.median_ns / 1e3, m.samples, m.stop);
    }
    let (mut narrow, mut wide) = (SevenLoops.prepare(&specs[0])?, SevenLoops.prepare(&specs[1])?);
    let both = compare(&mut *narrow, &mut *wide, &mut rule.clone(), &Policy::warm())?;
    println!("twice the channels: {:.2}x {:.2?}", both.ratio, both.ratio_interval);
    Ok(())
}
