//! Many convolutions: chains, and sweeps through the latency source.

use crate::device::Device;
use crate::planted::{GRAPH_NS, NODE_NS, conv_ns, is_planted, node_ns, spec};
use crate::process::on_device;
use gpu_bench::Cuda;
use netspec::CacheState::{Cold, Network, Warm};
use netspec::ConvSpec;
use std::sync::{Arc, Mutex};
use timing::{Backend, BackendSource, LatencySource, Policy, Sampling, stop};

fn layers(n: usize, text: &str) -> Vec<ConvSpec> {
    vec![spec(text); n]
}

#[test]
fn a_chain_is_the_sum_of_its_layers() {
    on_device(&[], |_| {
        let gpu = Cuda::device(0).unwrap();
        let mut specs = layers(3, "n1 64>64 28x28 k3 p1 f16 nhwc");
        specs.push(spec("n1 64>96 28x28 k3 s2 p1 f16 nhwc bias relu"));
        specs.push(spec("n1 96>96 14x14 k1 f16 nhwc bias add"));
        // All of it stays in the cache, whatever state is asked for.
        let expect: f64 = specs.iter().map(|of| node_ns(of, Warm)).sum();
        let mut chain = gpu.chain(&specs).unwrap();
        for cache in [Warm, Network, Cold] {
            is_planted(chain.run(cache).unwrap().ns, expect, "a small network");
        }
        assert_eq!(chain.algorithm(), None);
    });
}

#[test]
fn a_chain_that_the_cache_does_not_hold_has_cold_weights() {
    on_device(&[("FAKE_L2", "300000")], |_| {
        let gpu = Cuda::device(0).unwrap();
        // Six times 74 kB of weights and 100 kB of output: a layer finds its predecessor's output and nothing else.
        let specs = layers(6, "n1 64>64 28x28 k3 p1 f16 nhwc");
        let first = &specs[0];
        let input_ns = conv_ns(first, Cold, 1.0) - conv_ns(first, Network, 1.0);
        let expect = 6.0 * node_ns(first, Network) + input_ns;
        is_planted(gpu.chain(&specs).unwrap().run(Network).unwrap().ns, expect, "a network");
    });
}

#[test]
fn a_long_chain_is_one_graph() {
    on_device(&[("FAKE_UNIT_NS", "0.5")], |_| {
        let gpu = Cuda::device(0).unwrap();
        let specs = layers(8, "n1 64>64 28x28 k3 p1 f16 nhwc");
        let expect: f64 = GRAPH_NS + specs.iter().map(|of| NODE_NS + conv_ns_slow(of)).sum::<f64>();
        is_planted(gpu.chain(&specs).unwrap().run(Warm).unwrap().ns, expect, "a long network");
    });
}

/// Warm, with arithmetic fifty times as slow.
fn conv_ns_slow(of: &ConvSpec) -> f64 {
    let base = crate::planted::BASE_NS;
    base + (conv_ns(of, Warm, 1.0) - base) * 50.0
}

#[test]
fn an_empty_chain_has_no_time() {
    on_device(&[], |_| {
        let gpu = Cuda::device(0).unwrap();
        assert_eq!(
            gpu.chain(&[]).unwrap().run(Warm).unwrap_err().to_string(),
            "running an empty chain failed: a timed run failed: 10 slopes in a row were not positive; is the GPU shared?"
        );
    });
}

fn widths(n: usize) -> Vec<ConvSpec> {
    (1..=n).map(|i| spec(&format!("n1 64>{} 28x28 k3 p1 f16 nhwc", 8 * i))).collect()
}

const ANCHOR: &str = "n1 128>128 28x28 k3 p1 f16 nhwc";

#[test]
fn a_sweep_with_anchors_finds_the_planted_staircase() {
    on_device(&[], |device| {
        let specs = widths(40);
        let mut source = BackendSource::new(Cuda::device(0).unwrap()).unwrap().chunk(8).anchor(spec(ANCHOR), 0.01);
        let answers = source.latencies(&specs, &Sampling::new(Policy::network(), stop::Count::new(3)));
        for (of, answer) in specs.iter().zip(&answers) {
            let answer = answer.as_ref().unwrap();
            is_planted(answer.median_ns, node_ns(of, Network), &of.to_string());
            assert_eq!(answer.algorithm.as_deref(), Some("eng12{k2=3,k24=1}"));
        }
        let report = source.drift();
        assert_eq!((report.chunks, report.repeated, report.failed_looks), (5, 0, 0));
        assert!(report.worst_move < 1e-4, "{report:?}");
        assert!(device.counted("handles") >= 2, "plans are made by a handle that the stream does not use");
    });
}

#[test]
fn a_chunk_during_which_the_device_slowed_down_is_measured_again() {
    on_device(&[], |_| {
        let specs = widths(32);
        let n_answers = Arc::new(Mutex::new(0));
        let counter = Arc::clone(&n_answers);
        let slow_down = move |_: &ConvSpec, _: &Result<_, _>| {
            let mut n = counter.lock().unwrap();
            *n += 1;
            if *n == 8 {
                // Into the next chunk's readings, after the anchor was looked at.
                let device = Device::open();
                let now = device.ran().last().unwrap().start_ns;
                device.set("FAKE_DRIFT_AFTER_NS", &format!("{}", now + 8e6));
                device.set("FAKE_DRIFT", "0.1");
            }
        };
        let mut source = BackendSource::new(Cuda::device(0).unwrap())
            .unwrap()
            .chunk(8)
            .anchor(spec(ANCHOR), 0.01)
            .on_samples(slow_down);
        let answers = source.latencies(&specs, &Sampling::new(Policy::network(), stop::Count::new(5)));
        assert_eq!(*n_answers.lock().unwrap(), 32);
        for (i, (of, answer)) in specs.iter().zip(&answers).enumerate() {
            let conv = conv_ns(of, Network, 1.0) * if i < 8 { 1.0 } else { 1.1 };
            is_planted(answer.as_ref().unwrap().median_ns, NODE_NS + conv, &of.to_string());
        }
        let report = source.drift();
        assert_eq!((report.chunks, report.repeated, report.unsettled), (4, 1, 0));
        assert!((0.08..0.1).contains(&report.worst_move), "{report:?}");
    });
}

#[test]
fn a_sweep_goes_on_past_what_cannot_be_run() {
    on_device(&[("FAKE_UNSUPPORTED", "64>24"), ("FAKE_MEMORY", "300000000")], |_| {
        let mut specs = widths(6);
        specs.insert(4, spec("n512 64>64 56x56 k1 f16 nhwc"));
        let mut source = BackendSource::new(Cuda::device(0).unwrap()).unwrap().chunk(3);
        let answers = source.latencies(&specs, &Sampling::new(Policy::network(), stop::Count::new(3)));
        let texts: Vec<String> = answers.iter().filter_map(|of| of.as_ref().err()).map(ToString::to_string).collect();
        // 512 * 64 * 56 * 56 * 2 bytes.
        assert_eq!(
            texts,
            [
                "the engine cannot run `64>24 28x28 k3 p1 f16 nhwc`: cuDNN has no engine for it: \
                 CUDNN_STATUS_NOT_SUPPORTED_SHAPE: no engine takes 64>24",
                "running `n512 64>64 56x56 k1 f16 nhwc` failed: the GPU is out of memory: \
                 205520896 more bytes do not fit; use a smaller batch, or free the GPU"
            ]
        );
        for (of, answer) in specs.iter().zip(&answers) {
            if let Ok(answer) = answer {
                is_planted(answer.median_ns, node_ns(of, Network), &of.to_string());
            }
        }
        assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 5);
    });
}
