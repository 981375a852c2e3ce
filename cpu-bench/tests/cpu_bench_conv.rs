//! Every output of a prepared convolution against a direct convolution in f64.
#![allow(clippy::unwrap_used)]

use cpu_bench::{Tract, TractConv};
use netspec::{Activation, CacheState, ConvSpec, DType, Layout, Tensor};
use timing::{Backend, ModelRun, Policy, Prepared, Rng, TimingError, measure, stop};

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

#[track_caller]
fn check_conv(spec: &ConvSpec, rng: &mut Rng) {
    let mut conv: TractConv = Tract::new().prepare_conv(spec).unwrap();
    let (x, x_values) = noise(rng, [spec.batch, spec.c_in, spec.height, spec.width]);
    let [out_h, out_w] = spec.out_hw();
    let (skip, skip_values) = noise(rng, [spec.batch, spec.c_out, out_h, out_w]);
    let inputs = if spec.epilogue.residual { vec![x, skip] } else { vec![x] };
    let skip_values = spec.epilogue.residual.then_some(skip_values.as_slice());
    let expect = direct(spec, &x_values, conv.weights(), conv.bias(), skip_values);
    // Twice: what a run leaves behind must not change the next one.
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

#[test]
fn known_families_compute_what_the_definition_says() {
    let mut rng = Rng::new(1);
    for text in [
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
    ] {
        check_conv(&text.parse().unwrap(), &mut rng);
    }
}

#[test]
fn random_specs_compute_what_the_definition_says() {
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
    while specs.len() < 150 {
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
    let mut rng = Rng::new(3);
    specs.iter().for_each(|spec| check_conv(spec, &mut rng));
}

#[test]
fn what_cannot_run_is_a_typed_error() {
    #[track_caller]
    fn check(change: impl Fn(&mut ConvSpec), expect: &str) {
        let mut spec = ConvSpec::new(8, 8, [8, 8], [3, 3]);
        change(&mut spec);
        match Tract::new().prepare(&spec).map(|_| ()) {
            Err(TimingError::Unsupported { reason, .. }) => assert!(reason.contains(expect), "{reason}"),
            other => panic!("expected a refusal that says `{expect}`, got {other:?}"),
        }
    }
    check(|s| s.dtype = DType::F16, "f32 only, not in f16");
    check(|s| s.layout = Layout::Nhwc, "nchw");
    check(|s| s.c_in = 0, "c_in is 0");
    check(|s| s.groups = 3, "multiples of the 3");
    check(|s| s.kernel = [9, 9], "larger than the padded image");
    check(|s| s.height = 1 << 40, "elements");
    check(|s| s.batch = usize::MAX, "elements");
}

#[test]
fn inputs_that_do_not_fit_are_typed_errors() {
    let mut conv = Tract::new().prepare_conv(&"2>3 4x4 k3 add".parse().unwrap()).unwrap();
    let x = Tensor::from_f32(vec![1, 2, 4, 4], &[0.0; 32]).unwrap();
    let short = Tensor::from_f32(vec![1, 3, 2, 1], &[0.0; 6]).unwrap();
    assert!(matches!(conv.infer(std::slice::from_ref(&x)), Err(TimingError::Input { index: 1, .. })));
    let error = conv.infer(&[x, short]).unwrap_err();
    assert_eq!(
        error.to_string(),
        "input 1 does not fit the model: it is F32 of shape [1, 3, 2, 1], the model takes F32 of shape [1, 3, 2, 2]"
    );
}

#[test]
fn every_cache_state_gives_a_time() {
    let mut conv = Tract::new().prepare(&"16>16 14x14 k3 p1 relu".parse().unwrap()).unwrap();
    for policy in [Policy::warm(), Policy::network(), Policy::cold().warm_up(0)] {
        let m = measure(&mut conv, &mut stop::Count::new(3), &policy).unwrap();
        assert!(m.median_ns > 0.0 && m.cache == policy.cache, "{m:?}");
    }
}

#[test]
fn the_machine_says_what_latencies_are_true_for() {
    let machine = Tract::new().check().unwrap();
    assert_eq!((machine.engine.as_str(), machine.threads, machine.method), ("tract", 1, cpu_bench::METHOD));
    assert!(!machine.device.is_empty() && !machine.compute.is_empty());
    let lock = include_str!("../../Cargo.lock");
    let version = machine.library.strip_prefix("tract ").unwrap();
    assert!(
        lock.contains(&format!("name = \"tract-onnx\"\nversion = \"{version}\"")),
        "the machine names tract {version}, which is not what the lock file builds"
    );
    let error = Tract::new().threads(4).check().unwrap_err();
    assert_eq!(
        error.to_string(),
        "tract cannot run here: 4 threads were asked for, and tract is built for one thread here; \
         leave the number of threads at 1, or choose another engine"
    );
    assert!(matches!(
        Tract::new().threads(2).prepare(&ConvSpec::new(1, 1, [1, 1], [1, 1])).map(|_| ()),
        Err(TimingError::Unavailable(_))
    ));
}
