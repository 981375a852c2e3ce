//! The whole way on a GPU that is not there: a driver, cuDNN and compiler of our own, whose device time is virtual.
#![allow(clippy::print_stderr, reason = "a skipped test says so")]

#[path = "../../../gpu-bench/tests/fake/compile.rs"]
mod compile;

use crate::place::{Place, Ran};
use compile::fakes;
use std::path::Path;

const MODEL: &str = "@models/fashion.onnx";

/// Runs `locp` where the fake device is found; `None` where it cannot be made.
fn locp(place: &Place, line: &str, variables: &[(&str, &str)]) -> Option<Ran> {
    let fakes = fakes()?;
    let words: Vec<&str> = ["--progress", "never"].into_iter().chain(line.split_whitespace()).collect();
    let mut all: Vec<(&str, &Path)> = vec![
        ("LD_LIBRARY_PATH", &fakes.driver),
        ("LOCP_CUDNN", &fakes.others),
        ("LOCP_NVRTC", &fakes.others),
        ("FAKE_NOISE", Path::new("0.003")),
    ];
    all.extend(variables.iter().map(|(name, value)| (*name, Path::new(*value))));
    Some(place.run_with(&words, &all))
}

#[test]
fn doctor_finds_it_and_says_where() {
    let place = Place::new();
    let Some(ran) = locp(&place, "doctor --format json", &[]) else { return };
    let report = ran.json();
    let cuda = report["engines"].as_array().unwrap().iter().find(|engine| engine["engine"] == "cuda").unwrap();
    assert_eq!(cuda["machine"]["device"], "Fake GPU 0", "{cuda}");
    for (library, name) in report["libraries"].as_array().unwrap().iter().zip(["CUDA", "9.", "13.", ""]) {
        let is_found = library["version"].as_str().is_some_and(|version| version.starts_with(name));
        assert!(is_found || library["library"] == "NVML", "{library}");
    }
}

#[test]
fn prune_goes_all_the_way_and_verify_confirms_it() {
    let place = Place::new();
    let flags = "--engine cuda --dtype f16 --batch 64 --table table.redb --format json -q";
    let Some(pruned) = locp(&place, &format!("prune {MODEL} --latency 0.6x -o out.onnx {flags}"), &[]) else { return };
    assert_eq!(pruned.code, 0, "{}", pruned.stderr);
    let report = pruned.json();
    assert_eq!(
        (&report["engine"], &report["covers"], &report["dtype"]),
        (&"cuda".into(), &"convolutions".into(), &"f16".into())
    );
    assert!(report["simulated"].is_null() && report["recorded"].is_null(), "a live engine's figures have no label");
    assert!(report["ratio_interval"][1].as_f64().unwrap() <= 0.62, "{}", report["ratio_interval"]);
    // What the planted staircase offers: steps of 32 output channels.
    let steps = locp(&place, &format!("steps {MODEL} --layer /block3/conv1/conv/Conv {flags}"), &[]).unwrap().json();
    let edges: Vec<u64> =
        steps["layers"][0]["edges"].as_array().unwrap().iter().map(|edge| edge["channels"].as_u64().unwrap()).collect();
    assert_eq!(edges, [32, 64, 96, 128], "{:#}", steps["layers"][0]);
    assert_eq!(steps["measured"], 0, "the table has them all");
    let algorithm = steps["layers"][0]["points"][0]["algorithm"].as_str().unwrap();
    assert!(algorithm.starts_with("eng"), "{algorithm}");
    let verified = locp(&place, &format!("verify {MODEL} out.onnx --at-most 0.66 {flags}"), &[]).unwrap();
    assert_eq!(verified.code, 0, "{}", verified.stderr);
    // The parts one by one have cold weights; in a row of them this small network stays in the cache.
    let report = verified.json();
    assert!(report["parts_ms"][0].as_f64().unwrap() > 0.0, "{report}");
}

#[test]
fn figures_of_two_policies_are_kept_apart() {
    let place = Place::new();
    let line =
        |engine: &str| format!("measure {MODEL} --engine {engine} --dtype f16 --table table.redb --format json -q");
    let Some(first) = locp(&place, &line("cuda"), &[]) else { return };
    let measured = first.json()["measured"].as_u64().unwrap();
    assert!(measured > 100, "{measured}");
    assert_eq!(locp(&place, &line("cuda"), &[]).unwrap().json()["measured"], 0);
    let other = locp(&place, &line("cuda:0:autotune"), &[]).unwrap().json();
    assert!(other["measured"].as_u64().unwrap() > 100, "another policy's figures are another machine's");
    assert_eq!(other["machine"]["policy"], "autotune");
}

#[test]
fn what_is_wrong_with_the_device_is_said_with_a_remedy() {
    let place = Place::new();
    let line = format!("steps {MODEL} --engine cuda -q");
    for (variables, parts) in [
        (("FAKE_DEVICES", "0"), ["the CUDA driver sees no GPU", "nvidia-smi"]),
        (("FAKE_CUDA", "11080"), ["too old: CUDA 11.8", "CUDA 12.0 or later"]),
        (("FAKE_MEMORY", "30000000"), ["out of memory", "smaller batch"]),
    ] {
        let Some(ran) = locp(&place, &line, &[variables]) else { return };
        assert_eq!(ran.code, 2, "{variables:?}: {}", ran.stderr);
        parts.iter().for_each(|part| assert!(ran.stderr.contains(part), "{variables:?} said `{}`", ran.stderr));
        assert_eq!(ran.stderr.trim_end().lines().count(), 1, "{}", ran.stderr);
    }
    let ran = locp(&place, &format!("steps {MODEL} --engine cuda:4 -q"), &[]).unwrap();
    assert!(ran.stderr.contains("there is no GPU 4: there is 1 GPU, counted from 0"), "{}", ran.stderr);
}
