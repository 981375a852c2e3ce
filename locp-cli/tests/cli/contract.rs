//! The command line's contract: fields, labels, exit codes, and what one command hands to the next.

use crate::place::{Place, json};
use serde_json::Value;

const MODEL: &str = "@models/fashion.onnx";

#[track_caller]
fn has_fields(report: &Value, fields: &[&str]) {
    for field in fields {
        let found = field.split('.').try_fold(report, |value, name| value.get(name));
        assert!(found.is_some(), "no field `{field}` in {report:#}");
    }
}

#[test]
fn prune_reports_all_of_the_contract_and_labels_simulation() {
    let place = Place::new();
    let line =
        format!("prune {MODEL} --engine simulated:h100 --batch 64 --latency 0.7x -o out.onnx --plan-out plan.json");
    let report = json(&place, &line);
    has_fields(
        &report,
        &[
            "schema",
            "engine",
            "machine.id",
            "simulated",
            "model.sha256",
            "budget.ratio",
            "budget.ms",
            "dense_ms",
            "covers",
            "predicted_ms",
            "planner",
            "value_kind",
            "value",
            "bound",
            "dense_value",
            "gap",
            "groups",
            "modules",
            "modules_unnamed",
            "measured_dense_ms",
            "measured_pruned_ms",
            "ratio",
            "ratio_interval",
            "params_before",
            "params_after",
            "measurements_new",
            "measurements_shared",
        ],
    );
    assert_eq!(report["schema"], "locp.prune/1");
    assert_eq!(report["simulated"], true);
    assert_eq!(report["covers"], "convolutions");
    assert_eq!(report["value_kind"], "magnitude");
    assert!(report["ratio"].as_f64().unwrap() <= 0.7 * 1.02, "{report:#}");
    assert!(report["params_after"].as_u64() < report["params_before"].as_u64());
    let members: Vec<&Value> =
        report["groups"].as_array().unwrap().iter().flat_map(|g| g["members"].as_array().unwrap()).collect();
    assert!(!members.is_empty());
    for member in members {
        has_fields(member, &["tensor", "axis"]);
        assert!(member.get("offset").is_some() && member.get("repeat").is_some() || member.get("positions").is_some());
    }

    // The plan that was written is applied to the same model: the same file, byte for byte.
    let plan = json(&place, &format!("apply {MODEL} --plan plan.json -o again.onnx"));
    assert_eq!(plan["schema"], "locp.apply/1");
    let read = |name: &str| std::fs::read(place.path(name)).unwrap();
    assert_eq!(read("out.onnx"), read("again.onnx"));
    assert_eq!(place.files(), ["again.onnx", "out.onnx", "plan.json"]);

    // What the human form says must carry the label too.
    let human = place.locp(&format!("verify {MODEL} out.onnx --engine simulated:h100 --batch 64 --at-most 0.75"));
    assert_eq!(human.code, 0, "{}{}", human.stdout, human.stderr);
    assert!(human.stdout.contains("SIMULATED"), "{}", human.stdout);
    assert!(human.stdout.contains("convolutions and fully connected layers only"), "{}", human.stdout);
}

#[test]
fn verify_says_no_with_exit_1() {
    let place = Place::new();
    let ran = place.locp(&format!("verify {MODEL} {MODEL} --engine simulated:h100 --at-most 0.9 --format json"));
    assert_eq!(ran.code, 1, "{}", ran.stderr);
    let report = ran.json();
    has_fields(&report, &["dense_ms", "pruned_ms", "ratio", "ratio_interval", "covers", "samples"]);
    assert_eq!(report["passed"], false);
}

#[test]
fn nothing_is_measured_twice() {
    let place = Place::new();
    let line = "measure @onnx-surgery/tests/models/chain_ts.onnx --table table.redb";
    let first = json(&place, line);
    let second = json(&place, line);
    assert!(first["measured"].as_u64().unwrap() > 0, "{first:#}");
    assert_eq!(second["measured"], 0, "the second run measured again");
    assert!(second["shared"].as_u64().unwrap() > 0, "{second:#}");
    assert!(first.get("simulated").is_none() && first["engine"] == "tract", "{first:#}");
}

#[test]
fn simulated_figures_never_enter_the_table() {
    let place = Place::new();
    json(&place, &format!("steps {MODEL} --engine simulated:h100 --table table.redb"));
    assert!(place.files().is_empty(), "a simulated run made a table: {:?}", place.files());
}

#[test]
fn steps_reports_staircases_and_draws_them() {
    let place = Place::new();
    let report = json(&place, &format!("steps {MODEL} --engine simulated:h100 --batch 64 --plot stairs.svg"));
    assert_eq!(report["schema"], "locp.steps/1");
    has_fields(&report, &["measured", "shared", "device_seconds"]);
    for layer in report["layers"].as_array().unwrap() {
        has_fields(layer, &["name", "spec", "axis", "channels", "granularity", "edges", "dominated", "measured"]);
        let edges = layer["edges"].as_array().unwrap();
        let last = edges.last().expect("the full width is always an edge");
        assert_eq!(last["channels"], layer["channels"], "{layer:#}");
        has_fields(last, &["latency_ms", "jump_ms"]);
    }
    let svg = std::fs::read_to_string(place.path("stairs.svg")).unwrap();
    assert!(svg.starts_with("<svg") && svg.contains("SIMULATED") && svg.ends_with("</svg>\n"));
}

#[test]
fn accuracy_reports_shares() {
    let place = Place::new();
    let line = "accuracy @models/fashion.onnx --images @models/test_images.npy --labels @models/test_labels.npy";
    let report = json(&place, line);
    assert_eq!(report["n"], 2000);
    // What the training script measured with another engine on the same images, to one image.
    let top1 = report["top1"].as_f64().unwrap();
    assert!((top1 - 0.932).abs() <= 0.0005, "{top1}");
    assert!(report["top5"].as_f64().unwrap() > top1);
    let [low, high] = [0, 1].map(|i| report["top1_interval"][i].as_f64().unwrap());
    assert!(low < top1 && top1 < high && high - low < 0.03);
}

#[test]
fn a_model_agrees_with_itself_and_less_with_what_was_pruned() {
    let place = Place::new();
    let model = "@models/fashion.onnx";
    let compared = |pruned: &str, more: &str| {
        json(&place, &format!("accuracy {pruned} --dense {model} --images @models/calib_images.npy --batch 64 {more}"))
    };
    let same = compared(model, "");
    let output = &same["agreement"]["outputs"][0];
    assert_eq!((&same["agreement"]["classes"]["top1"], &output["relative_error"]), (&1.0.into(), &0.0.into()));
    assert!(same.get("top1").is_none(), "{same}");
    place.locp(&format!("plan {model} --engine simulated:h100 --latency 0.8x -o plan.json"));
    place.locp(&format!("apply {model} --plan plan.json -o pruned.onnx"));
    let less = compared("pruned.onnx", "");
    let (top1, output) = (less["agreement"]["classes"]["top1"].as_f64().unwrap(), &less["agreement"]["outputs"][0]);
    assert!(top1 > 0.1 && top1 < 1.0, "{less}");
    let [error, worst] = ["relative_error", "worst_relative_error"].map(|key| output[key].as_f64().unwrap());
    assert!(error > 0.01 && worst > error && output["worst_image"].as_u64().unwrap() < 512, "{less}");
    // With labels both are said, and people read the same.
    let line = format!("accuracy pruned.onnx --dense {model} --batch 50 --images @models/test_images.npy");
    let both = json(&place, &format!("{line} --labels @models/test_labels.npy"));
    has_fields(&both, &["top1", "top5", "agreement"]);
    let shown = place.locp(&line).stdout;
    assert!(shown.contains("same answer") && shown.contains(" off by") && shown.contains(" %, at worst "), "{shown}");
}

#[test]
fn generated_files_come_from_the_same_definition() {
    let place = Place::new();
    let man = place.locp("generate man");
    let bash = place.locp("generate completions bash");
    assert_eq!((man.code, bash.code), (0, 0));
    for command in [
        "doctor", "inspect", "measure", "steps", "plan", "frontier", "prune", "apply", "verify", "accuracy", "damage",
        "table", "explain", "lint",
    ] {
        assert!(man.stdout.contains(command) && bash.stdout.contains(command), "{command} is not generated");
    }
}

#[test]
fn a_broken_pipe_is_no_error() {
    use std::process::{Command, Stdio};
    let mut child = Command::new(env!("CARGO_BIN_EXE_locp"))
        .args(["inspect", "--format", "json"])
        .arg(crate::place::repository().join("models/fashion.onnx"))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
}

#[cfg(unix)]
#[test]
fn ctrl_c_keeps_what_was_measured() {
    use std::process::{Command, Stdio};
    use std::time::{Duration, Instant};
    let place = Place::new();
    let table = place.path("table.redb");
    let model = crate::place::repository().join("onnx-surgery/tests/models/vgg_ts.onnx");
    let child = Command::new(env!("CARGO_BIN_EXE_locp"))
        .args(["measure", "--progress", "never", "-q", "--table"])
        .args([&table, &model])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // Something is in the table, and not yet everything.
    let start = Instant::now();
    let is_written = || table.exists() && json(&place, "table info --table table.redb")["entries"] != 0;
    while !is_written() {
        assert!(start.elapsed() < Duration::from_secs(60), "nothing was written in a minute");
        std::thread::sleep(Duration::from_millis(1));
    }
    assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("interrupted") && said.contains("run again"), "{said}");
    let rest = json(&place, "measure @onnx-surgery/tests/models/vgg_ts.onnx --table table.redb");
    assert!(rest["shared"].as_u64().unwrap() >= 8, "{rest:#}");
    assert!(rest["measured"].as_u64().unwrap() > 0, "the first run had finished before it was stopped");
}
