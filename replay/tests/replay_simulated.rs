//! The simulator against its own formulas, worked out by hand, and against the laws that stairs obey.
#![allow(clippy::unwrap_used)]

use netspec::{ConvSpec, Provenance};
use proptest::prelude::*;
use replay::Simulated;
use replay::simulated::{Gpu, Tile};
use timing::{Backend, BackendSource, LatencySource, Policy, Sampling, TimingError, stop};

/// Four multiprocessors, one tile of 64 x 64, 4 Tflop/s in f16, 100 GB/s, launches of 1 us.
fn small() -> Gpu {
    let mut gpu = Gpu::t4();
    gpu.name = "small".to_owned();
    gpu.multiprocessors = 4;
    gpu.f16_flops = 4e12;
    gpu.bytes_per_s = 100e9;
    gpu.launch_ns = 1e3;
    gpu.tiles = vec![Tile { pixels: 64, channels: 64, efficiency: 0.5 }];
    gpu
}

fn spec(text: &str) -> ConvSpec {
    text.parse().unwrap()
}

#[track_caller]
fn check(text: &str, expect_ns: f64) {
    let found = Simulated::new(small()).latency_ns(&spec(text)).unwrap();
    assert!((found / expect_ns - 1.0).abs() < 1e-12, "{text}: {found} ns, by hand {expect_ns} ns");
}

/// One wave with a sum of 576: 2 * 64 * 64 * 576 operations at 1e12 * 0.5 per second.
const WAVE_NS: f64 = 2.0 * 64.0 * 64.0 * 576.0 / (1e12 * 0.5) * 1e9;

#[test]
fn waves_by_hand() {
    // 8x8 pixels are one tile of pixels, 64 channels one of channels: one block, one wave.
    check("64>64 8x8 k3 p1 f16", 1e3 + WAVE_NS);
    // Four blocks are one wave as well; a fifth block opens the second.
    check("64>256 8x8 k3 p1 f16", 1e3 + WAVE_NS);
    check("64>264 8x8 k3 p1 f16", 1e3 + 2.0 * WAVE_NS);
    check("n4 64>64 8x8 k3 p1 f16", 1e3 + WAVE_NS);
    check("n5 64>64 8x8 k3 p1 f16", 1e3 + 2.0 * WAVE_NS);
}

#[test]
fn unaligned_channels_pay_a_pass_of_their_own() {
    // 57 and 64 output channels compute the same; the output of 57 * 64 * 2 bytes is read and written once more.
    check("64>57 8x8 k3 p1 f16", 1e3 + WAVE_NS + 2.0 * (57.0 * 64.0 * 2.0) / 100e9 * 1e9);
    // The same for 57 inputs, whose sum of 64 * 9 = 576 is that of 64.
    check("57>64 8x8 k3 p1 f16", 1e3 + WAVE_NS + 2.0 * (57.0 * 64.0 * 2.0) / 100e9 * 1e9);
}

#[test]
fn memory_is_a_floor() {
    // 1x1 on 64 * 10^4 pixels at f16: 8 inputs, 8 outputs, the residual as well, and 64 weights. There are 10^4
    // blocks in 2500 waves of 2 * 64 * 64 * 32 operations, which take longer; on fast units they do not.
    let compute: f64 = 2500.0 * 2.0 * 64.0 * 64.0 * 32.0 / 0.5e12 * 1e9;
    check("n64 8>8 100x100 k1 f16 add", 1e3 + compute);
    let mut fast = small();
    fast.f16_flops *= 1000.0;
    let bytes = 2.0 * (3.0 * 8.0 * 640_000.0 + 64.0);
    let found = Simulated::new(fast).latency_ns(&spec("n64 8>8 100x100 k1 f16 add")).unwrap();
    let expect = 1e3 + bytes / 100e9 * 1e9;
    assert!((found / expect - 1.0).abs() < 1e-12, "{found} ns, by hand {expect} ns");
    // Depthwise never goes through product kernels: 9 products per output at a quarter of 8.1 Tflop/s, or memory.
    let bytes = 2.0 * (2.0 * 32.0 * 3136.0 + 32.0 * 9.0);
    check("32>32 56x56 k3 p1 g32 f16", 1e3 + bytes / 100e9 * 1e9);
}

#[test]
fn edges_lie_where_waves_begin() {
    let gpu = Simulated::new(small());
    let ns = |c_out: usize| gpu.latency_ns(&ConvSpec { c_out, ..spec("n2 64>8 8x8 k3 p1 f16") }).unwrap();
    let edges: Vec<usize> = (1..128).map(|i| 8 * i).filter(|&c| ns(c + 8) > 1.001 * ns(c)).collect();
    // Two tiles of pixels, so two columns of 64 channels fill the four multiprocessors.
    assert_eq!(edges, [128, 256, 384, 512, 640, 768, 896]);
}

#[test]
fn types_without_units_are_refused() {
    let mut t4 = Simulated::named("t4").unwrap();
    for dtype in ["tf32", "bf16"] {
        let error = t4.latency(&spec(&format!("64>64 8x8 k3 p1 {dtype}"))).unwrap_err();
        let TimingError::Unsupported { reason, .. } = error else { panic!("{error}") };
        assert_eq!(reason, format!("Tesla T4 has no units for {dtype}"));
        assert!(matches!(
            t4.prepare(&spec(&format!("64>64 8x8 k3 p1 {dtype}"))).map(|_| ()),
            Err(TimingError::Unsupported { .. })
        ));
        assert!(Simulated::named("orin").unwrap().latency(&spec(&format!("64>64 8x8 k3 p1 {dtype}"))).is_ok());
    }
    let error = t4.latency(&ConvSpec::new(0, 1, [1, 1], [1, 1])).unwrap_err();
    assert!(error.to_string().contains("c_in is 0"), "{error}");
}

#[test]
fn names_and_labels() {
    let error = Simulated::named("abacus").unwrap_err();
    assert_eq!(
        error.to_string(),
        "simulated:abacus cannot run here: no GPU of that name is described; choose one of h100, t4, orin"
    );
    for name in ["h100", "t4", "orin"] {
        let mut gpu = Simulated::named(name).unwrap();
        assert_eq!(gpu.machine().engine, format!("simulated:{name}"));
        assert!(gpu.machine().device.ends_with("(simulated)"));
        assert_eq!(gpu.check().as_ref(), Ok(gpu.machine()));
        let m = gpu.latency(&spec("n32 256>256 14x14 k3 p1 f16")).unwrap();
        assert_eq!(m.provenance, Provenance::Simulated);
    }
    // The three differ as their data sheets do.
    let order = ["h100", "t4", "orin"]
        .map(|name| Simulated::named(name).unwrap().latency_ns(&spec("n32 256>256 14x14 k3 p1 f16")).unwrap());
    assert!(order.is_sorted(), "{order:?}");
}

#[test]
fn a_network_is_the_sum_of_its_convolutions() {
    let gpu = Simulated::named("h100").unwrap();
    let specs = [spec("3>64 224x224 k7 s2 p3 f16"), spec("64>64 56x56 k3 p1 f16")];
    let sum: f64 = specs.iter().map(|s| gpu.latency_ns(s).unwrap()).sum();
    assert_eq!(gpu.network_ns(&specs), Ok(sum));
    assert!(sum > 2.0 * gpu.gpu().launch_ns);
    assert!(gpu.network_ns(&[ConvSpec::new(1, 0, [1, 1], [1, 1])]).is_err());
}

#[test]
fn readings_scatter_around_the_model_and_keep_their_label() {
    let gpu = Simulated::named("t4").unwrap().noise(0.02).seed(3);
    let spec = spec("n8 64>128 28x28 k3 p1 f16");
    let exact = gpu.latency_ns(&spec).unwrap();
    let mut source = BackendSource::new(gpu).unwrap();
    let answers = source.latencies(&[spec], &Sampling::new(Policy::warm(), stop::Count::new(400)));
    let m = answers[0].clone().unwrap();
    assert_eq!((m.provenance, m.samples), (Provenance::Simulated, 400));
    // The standard error of the median is 1.25 * 2 % / 20 = 0.125 %.
    assert!((m.median_ns / exact - 1.0).abs() < 0.006, "{} against {exact}", m.median_ns);
    let [low, high] = m.interval_ns;
    assert!(high / low > 1.002 && high / low < 1.012, "the noise is there: {:?}", m.interval_ns);
}

proptest! {
    #[test]
    fn aligned_widths_never_get_cheaper_with_more_channels(
        c_in in 1..40_usize, c_out in 1..60_usize, size in 1..40_usize, batch in 1..20_usize, name in 0..3_usize,
    ) {
        let gpu = Simulated::new(Gpu::known().swap_remove(name));
        let mut spec = ConvSpec::new(8 * c_in, 8 * c_out, [size, size], [3, 3]);
        (spec.batch, spec.padding, spec.dtype) = (batch, [1; 4], netspec::DType::F16);
        let here = gpu.latency_ns(&spec).unwrap();
        let wider = gpu.latency_ns(&spec.with_channels(8 * c_in, 8 * c_out + 8)).unwrap();
        let deeper = gpu.latency_ns(&spec.with_channels(8 * c_in + 8, 8 * c_out)).unwrap();
        prop_assert!(here <= wider && here <= deeper);
        prop_assert!(here > gpu.gpu().launch_ns);
        // Up to the alignment fewer channels only cost more.
        for fewer in 1..8 {
            let narrower = gpu.latency_ns(&spec.with_channels(8 * c_in, 8 * c_out - fewer)).unwrap();
            let memory_saved = 2.0 * (fewer * batch * size * size + fewer * 9 * 8 * c_in) as f64 / gpu.gpu().bytes_per_s * 1e9;
            prop_assert!(narrower >= here - memory_saved * 1.001);
        }
    }
}
