//! Which of the library's algorithms runs.

use crate::planted::{NODE_NS, conv_ns, is_planted, spec};
use crate::process::on_device;
use gpu_bench::{Cuda, Selection};
use netspec::CacheState::{Network, Warm};
use timing::Backend;

const F16: &str = "n1 64>64 56x56 k3 p1 f16 nhwc";
const USUAL: &str = "eng12{k2=3,k24=1}";
const COMPILED: &str = "eng34{k3=7}";

/// The algorithm that runs a convolution, after its first reading.
#[track_caller]
fn chosen(selection: Selection, text: &str) -> String {
    let gpu = Cuda::device(0).unwrap().selection(selection);
    let mut conv = gpu.prepare(&spec(text)).unwrap();
    conv.run(Network).unwrap();
    conv.algorithm().unwrap()
}

#[test]
fn types_and_kinds_decide_which_engines_may_run() {
    on_device(&[], |_| {
        let heuristic = |text: &str| chosen(Selection::Heuristic, text);
        // One is refused when its plan is made, the next wants a GiB, the third sums in half precision.
        assert_eq!(heuristic(F16), USUAL);
        // f32 is not multiplied on tensor cores, so nothing is left but the fallback; TF32 is.
        assert_eq!(heuristic("n1 64>64 56x56 k3 p1"), "eng0");
        assert_eq!(heuristic("n1 64>64 56x56 k3 p1 tf32 nhwc"), USUAL);
        assert_eq!(heuristic("n1 64>64 56x56 k3 p1 bf16 nhwc"), USUAL);
        // What the library recommends for depthwise convolutions is compiled when it is used.
        assert_eq!(heuristic("n1 64>64 56x56 k3 p1 g64 f16 nhwc"), "eng34{k3=7}");
        assert_eq!(heuristic("n1 64>64 56x56 k3 p1 g32 f16 nhwc"), USUAL);
    });
}

#[test]
fn mode_a_may_know_nothing() {
    on_device(&[("FAKE_ENGINES", "fallback")], |_| {
        assert_eq!(chosen(Selection::Heuristic, F16), "eng0");
    });
}

#[test]
fn a_hungry_plan_runs_where_there_is_no_other() {
    on_device(&[("FAKE_ENGINES", "hungry")], |_| {
        let gpu = Cuda::device(0).unwrap();
        let of = spec(F16);
        let mut conv = gpu.prepare(&of).unwrap();
        is_planted(conv.run(Warm).unwrap().ns, NODE_NS + conv_ns(&of, Warm, 0.5), "eng45");
        assert_eq!(conv.algorithm().as_deref(), Some("eng45"));
    });
}

#[test]
fn a_rival_that_is_one_percent_faster_replaces_nothing() {
    on_device(&[("FAKE_RIVAL", "0.99")], |_| assert_eq!(chosen(Selection::Autotune, F16), USUAL));
}

#[test]
fn a_rival_that_is_ten_percent_faster_stays() {
    on_device(&[("FAKE_RIVAL", "0.9")], |_| {
        let gpu = Cuda::device(0).unwrap().selection(Selection::Autotune);
        let of = spec(F16);
        let mut conv = gpu.prepare(&of).unwrap();
        is_planted(conv.run(Warm).unwrap().ns, NODE_NS + conv_ns(&of, Warm, 0.9), "eng34");
        assert_eq!(conv.algorithm().as_deref(), Some(COMPILED));
        // The heuristic never looks at times.
        assert_eq!(chosen(Selection::Heuristic, F16), USUAL);
    });
}

#[test]
fn noise_does_not_flip_the_choice() {
    on_device(&[("FAKE_RIVAL", "1"), ("FAKE_NOISE", "0.05")], |_| {
        for n in 0..12 {
            assert_eq!(chosen(Selection::Autotune, &F16.replace("56x56", &format!("{}x56", 40 + n))), USUAL);
        }
    });
}

#[test]
fn seven_readings_of_each_and_fifteen_fresh_pairs() {
    on_device(&[("FAKE_RIVAL", "0.9")], |device| {
        let gpu = Cuda::device(0).unwrap().selection(Selection::Autotune);
        let mut conv = gpu.prepare(&spec(F16)).unwrap();
        assert_eq!(device.counted("readings"), 0, "nothing is timed while it is prepared");
        conv.run(Warm).unwrap();
        // Three rough ones and seven of each of four plans, then the pairs; three rough ones, two looks at a
        // larger graph and a slope follow.
        let plans = 4;
        assert_eq!(device.counted("readings"), 3 + 7 * plans + 2 * 15 + 3 + 2 + 2);
    });
}
