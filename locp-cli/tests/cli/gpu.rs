//! GPUs and what stands in for them: names, data types, labels, single convolutions, and what is said without one.

use crate::place::{Place, Ran};
use serde_json::Value;

const MODEL: &str = "@models/fashion.onnx";
const SPEC: &str = "n8 64>128 28x28 k3 p1 f16 nhwc bias relu";

#[track_caller]
fn bench(place: &Place, engine: &str, specs: &[&str]) -> Ran {
    let flags = ["--format", "json", "--progress", "never", "-q", "bench", "--engine", engine];
    place.run(&[&flags, specs].concat())
}

#[track_caller]
fn refused(line: &[&str], parts: &[&str]) {
    let place = Place::new();
    let ran = place.run(&[&["--progress", "never", "-q"], line].concat());
    assert_eq!(ran.code, 2, "{line:?} ended with {}: {}", ran.code, ran.stderr);
    parts.iter().for_each(|part| assert!(ran.stderr.contains(part), "{line:?} said `{}` without `{part}`", ran.stderr));
    assert_eq!(place.files(), [""; 0]);
}

#[test]
fn one_convolution_that_cannot_run_leaves_the_others() {
    // The T4 has no units for bf16.
    let other = SPEC.replace("f16", "bf16");
    let ran = bench(&Place::new(), "simulated:t4", &[SPEC, &other, "n8 64>64 28x28 k1 f16 nhwc"]);
    assert_eq!(ran.code, 2, "what was asked for is not complete: {}", ran.stderr);
    let report = ran.json();
    assert_eq!((&report["schema"], &report["simulated"]), (&Value::from("locp.bench/1"), &Value::from(true)));
    let rows = report["rows"].as_array().unwrap();
    assert_eq!(rows[0]["spec"], SPEC);
    assert!(rows[0]["ms"].as_f64().unwrap() > 0.0 && rows[0]["tflops"].as_f64().unwrap() > 0.0, "{rows:?}");
    assert!(rows[1]["ms"].is_null() && rows[1]["error"].as_str().unwrap().contains("no units for bf16"), "{rows:?}");
    assert!(rows[2]["error"].is_null(), "{rows:?}");
}

#[test]
fn convolutions_that_all_fail_are_an_error() {
    let ran = bench(&Place::new(), "simulated:t4", &[&SPEC.replace("f16", "bf16")]);
    assert_eq!(ran.code, 2, "{}", ran.stdout);
    assert!(ran.stderr.contains("no units for bf16") || ran.stdout.contains("no units for bf16"), "{}", ran.stderr);
}

#[test]
fn what_is_not_recorded_is_said() {
    let place = Place::new();
    let machine = r#"{"engine":"cuda","device":"A GPU","compute":"sm_90","driver":"1","library":"cuDNN 9","policy":"heuristic","threads":1,"method":1}"#;
    let line = format!(
        r#"{{"spec":"{SPEC}","cache":"network","machine":{machine},"median_ns":1000.0,"interval_ns":[990.0,1010.0],"samples":20,"provenance":"measured","stop":"precise"}}"#
    );
    std::fs::write(place.path("table.jsonl"), line + "\n").unwrap();
    let ran = bench(&place, "recorded:table.jsonl", &[SPEC, "n8 64>120 28x28 k3 p1 f16 nhwc bias relu"]);
    assert_eq!(ran.code, 2, "{}", ran.stderr);
    assert_eq!(bench(&place, "recorded:table.jsonl", &[SPEC]).code, 0);
    let report = ran.json();
    assert_eq!(report["recorded"], true);
    let rows = report["rows"].as_array().unwrap();
    assert_eq!((&rows[0]["ms"], &rows[0]["samples"]), (&Value::from(0.001), &Value::from(20)), "as it was recorded");
    assert!(rows[1]["error"].as_str().unwrap().contains("is not recorded in the table table.jsonl"), "{rows:?}");
}

#[test]
fn batch_and_type_can_be_set_for_all() {
    let place = Place::new();
    let words = ["--format", "json", "-q", "bench", "64>64 56x56 k3 p1", "--engine", "simulated:h100"];
    let ran = place.run(&[&words[..], &["--dtype", "f16", "--batch", "64"]].concat());
    assert_eq!(ran.json()["rows"][0]["spec"], "n64 64>64 56x56 k3 p1 f16 nhwc", "{}", ran.stderr);
}

#[test]
fn the_data_type_reaches_every_command() {
    let place = Place::new();
    let spec = |dtype: &str| {
        let ran = place.locp(&format!("inspect {MODEL} --format json --dtype {dtype} --batch 2"));
        ran.json()["layers"][1]["spec"].as_str().unwrap().to_owned()
    };
    assert!(spec("f16").contains("f16 nhwc"), "{}", spec("f16"));
    assert!(!spec("f32").contains("nhwc"), "{}", spec("f32"));
}

#[test]
fn an_engine_that_runs_the_file_as_it_is_refuses_another_type() {
    let parts = [
        "fashion.onnx",
        "tract runs it as it is stored, in f32, not in f16",
        "data type f32",
        "(`--dtype`, `--engine`)",
    ];
    refused(&["prune", MODEL, "--dtype", "f16", "--latency", "0.6x", "-o", "out.onnx"], &parts);
    refused(&["verify", MODEL, MODEL, "--dtype", "f16"], &parts);
}

#[test]
fn names_that_are_no_engine_and_texts_that_are_no_convolution() {
    for name in ["cuda:fast", "cuda:", "cuda:0:", "gpu"] {
        refused(
            &["steps", MODEL, "--engine", name],
            &[&format!("there is no engine `{name}`"), "cuda[:INDEX][:autotune]"],
        );
    }
    refused(&["bench", "64to64"], &["64to64", "a form like"]);
    refused(&["bench", "64>64 56x56 k3 g3"], &["64"]);
    refused(&["bench"], &["required"]);
}

#[test]
fn without_a_gpu_every_place_that_was_looked_at_is_named() {
    let place = Place::new();
    let ran = place.locp("doctor --format json");
    let report = ran.json();
    let names: Vec<&str> =
        report["libraries"].as_array().unwrap().iter().map(|l| l["library"].as_str().unwrap()).collect();
    assert_eq!(names, ["the CUDA driver", "cuDNN", "NVRTC", "NVML"]);
    for library in report["libraries"].as_array().unwrap() {
        assert!(!library["looked_for"].as_array().unwrap().is_empty(), "{library}");
        assert!(library["path"].is_string() != library["reason"].is_string(), "{library}");
    }
    let engines = report["engines"].as_array().unwrap();
    let cuda = engines.iter().find(|engine| engine["engine"] == "cuda").unwrap();
    if cuda["available"] == true {
        return;
    }
    refused(&["steps", MODEL, "--engine", "cuda"], &["cuda cannot run here", cuda["reason"].as_str().unwrap()]);
}

#[test]
fn a_time_of_convolutions_is_never_called_end_to_end() {
    let place = Place::new();
    let flags = "--engine simulated:h100 --batch 64";
    let pruned = place.locp(&format!("prune {MODEL} {flags} --latency 0.7x -o out.onnx"));
    let verified = place.locp(&format!("verify {MODEL} out.onnx {flags}"));
    for ran in [&pruned, &verified] {
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        let said = format!("{}{}", ran.stdout, ran.stderr);
        assert!(said.contains("SIMULATED") && said.contains("convolutions and fully connected layers only"), "{said}");
        assert!(!said.contains("end to end"), "{said}");
    }
    let report = place.locp(&format!("verify {MODEL} out.onnx {flags} --format json")).json();
    assert_eq!((&report["covers"], &report["simulated"]), (&Value::from("convolutions"), &Value::from(true)));
    // A simulated chain is the sum of its parts, up to the noise of its readings.
    let parts = report["parts_ms"].as_array().unwrap();
    for (part, whole) in parts.iter().zip([&report["dense_ms"], &report["pruned_ms"]]) {
        let ratio = part.as_f64().unwrap() / whole.as_f64().unwrap();
        assert!((ratio - 1.0).abs() < 0.01, "{ratio}");
    }
}

#[test]
fn a_recorded_table_keeps_its_cache_state_and_its_label() {
    let place = Place::new();
    let machine = r#"{"engine":"simulated:h100","device":"H100 (simulated)","compute":"sm_90","driver":"","library":"replay","policy":"","threads":1,"method":1}"#;
    let line = format!(
        r#"{{"spec":"{SPEC}","cache":"network","machine":{machine},"median_ns":1000.0,"samples":1,"provenance":"simulated"}}"#
    );
    std::fs::write(place.path("table.jsonl"), line + "\n").unwrap();
    let report = bench(&place, "recorded:table.jsonl", &[SPEC]).json();
    assert_eq!((&report["recorded"], &report["simulated"]), (&Value::from(true), &Value::from(true)));
    let cold = place.run(&["-q", "bench", "--engine", "recorded:table.jsonl", "--cache", "cold", SPEC]);
    assert_eq!(cold.code, 2, "{}", cold.stdout);
    assert!(cold.stderr.contains("is not recorded in the table table.jsonl with cold caches"), "{}", cold.stderr);
}

#[test]
fn an_answer_that_rests_on_a_model_says_so() {
    let place = Place::new();
    let line = format!("prune {MODEL} --engine simulated:h100 --dtype f16 --batch 64 --latency 0.2x -o out.onnx -q");
    let human = place.locp(&line);
    assert_eq!(human.code, 1, "{}", human.stdout);
    assert!(human.stderr.contains("SIMULATED, not measured on a device"), "{}", human.stderr);
    let json = place.locp(&format!("{line} --format json")).json();
    assert_eq!((&json["schema"], &json["simulated"]), (&Value::from("locp.error/1"), &Value::from(true)));
}

#[test]
fn convolutions_that_no_device_holds_are_refused() {
    for spec in [
        "n1 100000000>100000000 100000x100000 k3",
        "n1 64>64 56x56 k3 p1000000000",
        "n1 64>64 56x56 k9223372036854775807 d4 p1",
        "n4294967296 4294967296>4 4294967296x1 k1",
    ] {
        refused(&["bench", "--engine", "simulated:h100", spec], &["too"]);
    }
}
