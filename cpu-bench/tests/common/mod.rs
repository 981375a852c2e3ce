//! What every engine's convolutions are held against.
#![allow(clippy::unwrap_used, reason = "a test")]

use netspec::{Activation, CacheState, ConvSpec, Tensor};
use timing::{ModelRun, Rng};

/// The definition, in f64: sums over the kernel, zero outside of the image.
fn direct(spec: &ConvSpec, x: &[f32], w: &[f32], bias: Option<&[f32]>, skip: Option<&[f32]>) -> Vec<f64> {
    let [out_h, out_w] = spec.out_hw();
    let (per_in, per_out) = (spec.c_in / spec.groups, spec.c_out / spec.groups);
    let mut y = Vec::new();
    for (n, o, row, col) in (0..spec.batch).flat_map(|n| {
        (0..spec.c_out).flat_map(move |o| (0..out_h).flat_map(move |r| (0..out_w).map(move |c| (n, o, r, c))))
    }) {
        let mut sum = bias.map_or(0.0, |b| f64::from(b[o]));
        for i in 0..per_in {
            for dy in 0..spec.kernel[0] {
                for dx in 0..spec.kernel[1] {
                    let at_y = (row * spec.stride[0] + dy * spec.dilation[0]).checked_sub(spec.padding[0]);
                    let at_x = (col * spec.stride[1] + dx * spec.dilation[1]).checked_sub(spec.padding[1]);
                    let (Some(at_y), Some(at_x)) = (at_y, at_x) else { continue };
                    if at_y < spec.height && at_x < spec.width {
                        let channel = o / per_out * per_in + i;
                        let x = x[((n * spec.c_in + channel) * spec.height + at_y) * spec.width + at_x];
                        let w = w[((o * per_in + i) * spec.kernel[0] + dy) * spec.kernel[1] + dx];
                        sum += f64::from(x) * f64::from(w);
                    }
                }
            }
        }
        sum += skip.map_or(0.0, |s| f64::from(s[y.len()]));
        y.push(match spec.epilogue.activation {
            Activation::None => sum,
            Activation::Relu => sum.max(0.0),
            Activation::Relu6 => sum.clamp(0.0, 6.0),
            Activation::Sigmoid => 1.0 / (1.0 + (-sum).exp()),
            Activation::Silu => sum / (1.0 + (-sum).exp()),
            Activation::HardSwish => sum * (sum / 6.0 + 0.5).clamp(0.0, 1.0),
            other => panic!("{other:?} has no definition here"),
        });
    }
    y
}

fn noise(rng: &mut Rng, shape: [usize; 4]) -> (Tensor, Vec<f32>) {
    let values: Vec<f32> = (0..shape.iter().product()).map(|_| rng.normal() as f32).collect();
    (Tensor::from_f32(shape.to_vec(), &values).unwrap(), values)
}

/// Convolutions of every family that engines know.
pub(crate) const FAMILIES: [&str; 15] = [
    "3>16 12x12 k3 p1 bias relu",
    "16>24 7x7 k1 bias add relu",
    "8>8 9x9 k3 p1 g8 bias relu6",
    "32>32 9x9 k3 s2 p1 g32 bias relu6",
    "24>24 14x14 k5 p2 g24 bias silu",
    "12>18 8x8 k3 p1 g3 bias",
    "6>5 11x9 k3x5 s2x1 p1.2.1.2 relu",
    "4>7 10x10 k3 p0.1.1.0 d2 bias hardswish",
    "5>6 9x9 k3 p2 d2 sigmoid",
    "64>10 1x1 k1 bias",
    "n3 8>16 6x6 k3 p1 bias add silu",
    "n2 16>16 5x5 k3 p1 g16 add relu",
    "3>8 32x32 k7 s2 p3 bias relu",
    "17>33 6x6 k3 p1 bias relu",
    "1>1 1x1 k1",
];

/// Holds every output of a convolution against the definition, twice: what a run leaves behind must not change the next.
#[track_caller]
pub(crate) fn check_conv(
    spec: &ConvSpec,
    conv: &mut dyn ModelRun,
    weights: &[f32],
    bias: Option<&[f32]>,
    rng: &mut Rng,
) {
    let (x, x_values) = noise(rng, [spec.batch, spec.c_in, spec.height, spec.width]);
    let [out_h, out_w] = spec.out_hw();
    let (skip, skip_values) = noise(rng, [spec.batch, spec.c_out, out_h, out_w]);
    let inputs = if spec.epilogue.residual { vec![x, skip] } else { vec![x] };
    let skip_values = spec.epilogue.residual.then_some(skip_values.as_slice());
    let expect = direct(spec, &x_values, weights, bias, skip_values);
    for _ in 0..2 {
        conv.run(CacheState::Warm).unwrap();
        let found = conv.infer(&inputs).unwrap().remove(0);
        assert_eq!(found.shape, [spec.batch, spec.c_out, out_h, out_w], "`{spec}`");
        let scale = expect.iter().fold(1.0, |m: f64, y| m.max(y.abs()));
        for (i, (found, expect)) in found.to_f32().unwrap().into_iter().zip(&expect).enumerate() {
            let error = (f64::from(found) - expect).abs() / scale;
            assert!(error < 1e-5, "`{spec}`, output {i}: {found} where the definition says {expect}");
        }
    }
}

/// Random convolutions, small ones, of all kinds.
pub(crate) fn random_specs(n: usize) -> Vec<ConvSpec> {
    let mut rng = Rng::new(2);
    let mut pick = |low: usize, high: usize| low + rng.below(high - low + 1);
    let activations = [
        Activation::None,
        Activation::Relu,
        Activation::Relu6,
        Activation::Silu,
        Activation::Sigmoid,
        Activation::HardSwish,
    ];
    let mut specs = Vec::new();
    while specs.len() < n {
        let groups = [1, 1, 1, 2, 3, 0][pick(0, 5)];
        let (c_in, c_out, groups) = match groups {
            // Depthwise, with a multiplier.
            0 => {
                let channels = pick(2, 24);
                (channels, channels * pick(1, 2), channels)
            }
            groups => (groups * pick(1, 9), groups * pick(1, 20), groups),
        };
        let mut spec = ConvSpec::new(c_in, c_out, [pick(1, 13), pick(1, 13)], [pick(1, 4), pick(1, 4)]);
        spec.batch = pick(1, 3);
        spec.groups = groups;
        spec.stride = [pick(1, 3), pick(1, 3)];
        spec.padding = [pick(0, 2), pick(0, 2), pick(0, 2), pick(0, 2)];
        spec.dilation = [pick(1, 2), pick(1, 2)];
        spec.epilogue.bias = pick(0, 1) == 1;
        spec.epilogue.residual = pick(0, 2) == 0;
        spec.epilogue.activation = activations[pick(0, 5)];
        if spec.validate().is_ok() {
            specs.push(spec);
        }
    }
    specs
}
