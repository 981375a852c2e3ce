//! Every call fails once, in turn: what comes of it is an error, nothing is lost, and the next attempt is right.

use crate::device::Device;
use crate::planted::{is_planted, node_ns, spec};
use crate::process::on_device;
use gpu_bench::{Cuda, Selection};
use netspec::CacheState::{Cold, Network, Warm};
use netspec::ConvSpec;
use timing::Backend;

const SPEC: &str = "n1 128>128 56x56 k3 p1 f16 nhwc bias relu";

/// Calls at the beginning that fail one by one; later ones are alike, so every so many of them does.
const EACH: usize = 250;
const STEP: usize = 11;

/// The numbers of the calls that fail, of so many.
fn turns(calls: i64) -> impl Iterator<Item = usize> {
    let calls = usize::try_from(calls).unwrap();
    (1..=calls.min(EACH)).chain((EACH..=calls).step_by(STEP))
}

/// Lets `body` run once to count its calls, then once for each call that is to fail.
fn each_call_fails(device: &Device, mut body: impl FnMut() -> Result<(), String>) {
    let before = device.counted("calls");
    body().unwrap();
    let calls = device.counted("calls") - before;
    assert!(calls > 20, "{calls}");
    let mut errors = 0;
    for turn in turns(calls) {
        device.set("FAKE_FAIL_AFTER", &turn.to_string());
        if let Err(error) = body() {
            let is_ours = error.contains("CUDA_ERROR_UNKNOWN") || error.contains("on purpose");
            assert!(is_ours, "call {turn} of {calls}: {error}");
            errors += 1;
        }
        device.set("FAKE_FAIL_AFTER", "0");
        assert_eq!(device.violation(), None, "call {turn} of {calls}");
        assert_eq!(device.alive(), "", "call {turn} of {calls}");
    }
    assert!(errors > 20, "{errors} of {calls} calls made a difference");
}

#[test]
fn while_a_device_is_opened() {
    on_device(&[], |device| {
        each_call_fails(device, || Cuda::device(0).map(drop).map_err(|error| error.to_string()));
    });
}

/// One reading of each kind; where one fails, all are taken again.
fn read(gpu: &Cuda, of: &ConvSpec) -> Result<(), String> {
    let mut conv = gpu.prepare(of).map_err(|error| error.to_string())?;
    let mut first = Ok(());
    for cache in [Warm, Network, Cold] {
        if let Err(error) = conv.run(cache) {
            first = first.and(Err(error.to_string()));
        }
    }
    for cache in [Warm, Network, Cold] {
        is_planted(conv.run(cache).map_err(|error| error.to_string())?.ns, node_ns(of, cache), &format!("{cache:?}"));
    }
    first
}

#[test]
fn while_a_convolution_is_timed() {
    // Where one plan cannot be made the next one is, which takes as long here.
    on_device(&[("FAKE_RIVAL", "1")], |device| {
        let of = spec(SPEC);
        each_call_fails(device, || {
            // The device was opened before the count begins to matter: only what `read` calls fails.
            let turn = device.setting("FAKE_FAIL_AFTER");
            device.set("FAKE_FAIL_AFTER", "0");
            let gpu = Cuda::device(0).map_err(|error| error.to_string())?;
            device.set("FAKE_FAIL_AFTER", &turn);
            read(&gpu, &of)
        });
    });
}

#[test]
fn while_plans_compete() {
    on_device(&[("FAKE_RIVAL", "0.9")], |device| {
        let of = spec(SPEC);
        let mut chosen = Vec::new();
        each_call_fails(device, || {
            let turn = device.setting("FAKE_FAIL_AFTER");
            device.set("FAKE_FAIL_AFTER", "0");
            let gpu = Cuda::device(0).map_err(|error| error.to_string())?.selection(Selection::Autotune);
            device.set("FAKE_FAIL_AFTER", &turn);
            let mut conv = gpu.prepare(&of).map_err(|error| error.to_string())?;
            let first = conv.run(Warm);
            conv.run(Warm).map_err(|error| error.to_string())?;
            // One of the two could not be made, or could not run, in a few of the turns.
            let algorithm = conv.algorithm().unwrap();
            chosen.push(algorithm == "eng34{k3=7}");
            assert!(["eng34{k3=7}", "eng12{k2=3,k24=1}"].contains(&algorithm.as_str()), "{algorithm}");
            first.map(drop).map_err(|error| error.to_string())
        });
        let rivals = chosen.iter().filter(|&&is_rival| is_rival).count();
        assert!(rivals * 10 > chosen.len() * 9, "the faster one stayed in {rivals} of {} turns", chosen.len());
    });
}

#[test]
fn while_a_chain_is_timed() {
    on_device(&[("FAKE_RIVAL", "1")], |device| {
        let specs =
            vec![spec(SPEC), spec("n1 128>64 56x56 k1 f16 nhwc"), spec("n1 64>64 56x56 k3 p1 f16 nhwc bias add")];
        let expect: f64 = specs.iter().map(|of| node_ns(of, Warm)).sum();
        each_call_fails(device, || {
            let turn = device.setting("FAKE_FAIL_AFTER");
            device.set("FAKE_FAIL_AFTER", "0");
            let gpu = Cuda::device(0).map_err(|error| error.to_string())?;
            device.set("FAKE_FAIL_AFTER", &turn);
            let mut chain = gpu.chain(&specs).map_err(|error| error.to_string())?;
            let first = chain.run(Warm);
            // One that is half made says why again, and never the time of half of it.
            match (chain.run(Warm), &first) {
                (Ok(reading), _) => is_planted(reading.ns, expect, "the second attempt"),
                (Err(error), Err(first)) => assert_eq!(&error, first),
                (Err(error), Ok(_)) => return Err(error.to_string()),
            }
            first.map(drop).map_err(|error| error.to_string())
        });
    });
}
