//! What the fake device's convolutions take, computed once more from the spec.

use netspec::{CacheState, ConvSpec};

/// What every convolution begins with, by any engine.
pub(crate) const BASE_NS: f64 = 1500.0;

/// What launching a graph, a node of it, and a launch outside of one add.
pub(crate) const GRAPH_NS: f64 = 7000.0;
pub(crate) const NODE_NS: f64 = 500.0;
pub(crate) const LAUNCH_NS: f64 = 2000.0;

/// Bytes that memory moves in a nanosecond.
const BANDWIDTH: f64 = 1000.0;

/// One run by an engine of this factor, without launch.
pub(crate) fn conv_ns(spec: &ConvSpec, cache: CacheState, factor: f64) -> f64 {
    let (n_in, n_out) = (spec.c_in / spec.groups, spec.c_out / spec.groups);
    let [out_h, out_w] = spec.out_hw();
    let tiles = spec.groups * n_out.div_ceil(32) * n_in.div_ceil(8);
    let places = spec.kernel[0] * spec.kernel[1] * spec.batch * out_h * out_w;
    let bytes = |elements: usize| (elements * spec.dtype.bytes()) as f64;
    let weights = bytes(spec.c_out * n_in * spec.kernel[0] * spec.kernel[1]);
    let input = bytes(spec.batch * spec.c_in * spec.height * spec.width);
    let moved = match cache {
        CacheState::Warm => 0.0,
        CacheState::Network => weights,
        _ => weights + input,
    };
    (BASE_NS + (tiles * places) as f64 * 0.01 + moved / BANDWIDTH) * factor
}

/// One run in the middle of a graph.
pub(crate) fn node_ns(spec: &ConvSpec, cache: CacheState) -> f64 {
    NODE_NS + conv_ns(spec, cache, 1.0)
}

/// A convolution by its text.
pub(crate) fn spec(text: &str) -> ConvSpec {
    text.parse().unwrap()
}

/// Equal but for the 24 bits in which the driver tells a time.
#[track_caller]
pub(crate) fn is_planted(ns: f64, expect: f64, what: &str) {
    assert!((ns / expect - 1.0).abs() < 2e-5, "{what}: {ns} ns, and {expect} ns were planted");
}
