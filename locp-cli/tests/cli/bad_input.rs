//! Bad input: a one-line error that names the thing and the remedy, the right exit code, and nothing written.

use crate::place::{Place, repository};

const TINY: &str = "@onnx-surgery/tests/models/chain_ts.onnx";

/// Runs `line` after `prepare`; expects this exit code, one line on stderr that holds all of `parts`, and no
/// file but those that were there before.
#[track_caller]
fn check_after(prepare: impl Fn(&Place), line: &str, code: i32, parts: &[&str]) {
    let place = Place::new();
    prepare(&place);
    let before = place.files();
    let ran = place.locp(&format!("--progress never -q {line}"));
    assert_eq!(ran.code, code, "`{line}` ended with {}: {}", ran.code, ran.stderr);
    for part in parts {
        assert!(ran.stderr.contains(part), "`{line}` said `{}` without `{part}`", ran.stderr);
    }
    assert_eq!(ran.stderr.trim_end().lines().count(), 1, "`{line}` said more than a line:\n{}", ran.stderr);
    assert_eq!(place.files(), before, "`{line}` left files behind");
    assert!(!ran.stderr.contains("panicked"), "{}", ran.stderr);
}

#[track_caller]
fn check(line: &str, code: i32, parts: &[&str]) {
    check_after(|_| (), line, code, parts);
}

fn tiny() -> Vec<u8> {
    std::fs::read(repository().join(TINY.trim_start_matches('@'))).unwrap()
}

#[test]
fn models_that_are_none() {
    check("inspect missing.onnx", 2, &["missing.onnx", "cannot read"]);
    check("inspect @README.md", 2, &["README.md", "not an ONNX model"]);
    let truncated = |place: &Place| std::fs::write(place.path("cut.onnx"), &tiny()[..3000]).unwrap();
    check_after(truncated, "inspect cut.onnx", 2, &["cut.onnx", "truncated", "export it again"]);
    check_after(truncated, "prune cut.onnx --latency 0.6x -o out.onnx", 2, &["cut.onnx", "truncated"]);
    let empty = |place: &Place| std::fs::write(place.path("empty.onnx"), b"").unwrap();
    check_after(empty, "inspect empty.onnx", 2, &["empty.onnx", "not an ONNX model"]);
}

#[test]
fn nothing_to_prune_is_an_answer() {
    let line = "prune @onnx-surgery/tests/models/nothing.onnx --engine simulated:h100 --latency 0.6x -o out.onnx";
    check(line, 1, &["nothing.onnx", "nothing can be pruned"]);
}

#[test]
fn an_unknown_operator_freezes_and_the_rest_is_pruned() {
    let place = Place::new();
    let ran = place.locp("inspect @onnx-surgery/tests/models/unknown_op.onnx --format json");
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let report = ran.json();
    let frozen = report["frozen"].to_string();
    assert!(frozen.contains("Compress"), "{frozen}");
    let groups = report["groups"].as_array().unwrap();
    assert!(groups.iter().any(|g| g["frozen"].is_null()), "nothing is left to prune: {groups:?}");
    assert!(groups.iter().any(|g| g["frozen"].as_str().is_some_and(|r| r.contains("Compress"))), "{groups:?}");
}

#[test]
fn budgets_that_make_no_sense() {
    let prune = |budget: &str| format!("prune {TINY} --engine simulated:t4 --latency {budget} -o out.onnx");
    check(&prune("0x"), 2, &["0x", "above 0x"]);
    check(&prune("1.2x"), 2, &["1.2x", "at most 1x"]);
    check(&prune("-1x"), 2, &["-1x", "above 0x"]);
    check(&prune("abc"), 2, &["`abc`", "0.6x", "12ms"]);
    check(
        &prune("0.01x"),
        1,
        &["no plan takes at most", "best that", "held by", "ask for a higher latency", "(`--latency`, `--min-share`"],
    );
    check(&prune("0.000001ms"), 1, &["no plan takes at most"]);
}

#[test]
fn outputs_that_cannot_be() {
    let copy = |place: &Place| std::fs::write(place.path("model.onnx"), tiny()).unwrap();
    let line = "prune model.onnx --latency 0.6x -o model.onnx";
    check_after(copy, line, 2, &["model.onnx", "already an input", "choose another path"]);
    check_after(
        copy,
        "prune model.onnx --latency 0.6x -o no/such/out.onnx",
        2,
        &["no/such/out.onnx", "does not exist"],
    );
    check_after(copy, "prune model.onnx --latency 0.6x -o out.onnx --plan-out ./model.onnx", 2, &["already an input"]);
    let place = Place::new();
    copy(&place);
    assert_eq!(place.locp("prune model.onnx --latency 0.6x -o model.onnx").code, 2);
    assert_eq!(std::fs::read(place.path("model.onnx")).unwrap(), tiny(), "the input was touched");
}

#[test]
fn tables_that_are_broken_or_newer() {
    let steps = format!("steps {TINY} --table table.redb");
    let foreign = |place: &Place| std::fs::write(place.path("table.redb"), b"these are not the numbers").unwrap();
    check_after(foreign, &steps, 2, &["table.redb"]);
    // A store that was made by the program itself, with pages changed; and a portable table with a wrong line.
    let place = Place::new();
    let ran = place.locp(&format!("{steps} --search grid"));
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let mut damaged = std::fs::read(place.path("table.redb")).unwrap();
    damaged.iter_mut().skip(600).step_by(64).for_each(|byte| *byte ^= 0x20);
    let damage = |place: &Place| std::fs::write(place.path("table.redb"), &damaged).unwrap();
    check_after(damage, &steps, 2, &["table.redb", "locp table set-aside"]);
    let wrong = |place: &Place| std::fs::write(place.path("table.jsonl"), "{\"spec\":5}\n").unwrap();
    check_after(wrong, "table info --table table.jsonl", 2, &["table.jsonl, line 1", "repair or remove"]);
    let broken = Place::new();
    damage(&broken);
    broken.locp(&steps);
    assert_eq!(std::fs::read(broken.path("table.redb")).unwrap(), damaged, "a broken table was overwritten");
}

#[test]
fn images_and_labels_that_do_not_fit() {
    let accuracy =
        |images: &str, labels: &str| format!("accuracy @models/fashion.onnx --images {images} --labels {labels}");
    let (images, labels) = ("@models/test_images.npy", "@models/test_labels.npy");
    check(&accuracy(labels, labels), 2, &["test_labels.npy", "expected N x channels"]);
    check(&accuracy(images, images), 2, &["test_images.npy", "one label per image"]);
    check(&accuracy(images, "missing.npy"), 2, &["missing.npy"]);
    check(&accuracy("@README.md", labels), 2, &["README.md", "not a .npy array"]);
    check(&accuracy("@models/calib_images.npy", labels), 2, &["512 images", "2000 labels"]);
    let line = format!("accuracy {TINY} --images {images} --labels {labels}");
    check(&line, 2, &["test_images.npy", "[1, 28, 28]", "[3, 32, 32]"]);
    let prune = format!("prune @models/fashion.onnx --latency 0.6x -o out.onnx --labels {labels}");
    let count = format!("accuracy @models/fashion.onnx --images {images}");
    for (line, missing) in [(prune, "--images"), (count, "--labels")] {
        let ran = Place::new().locp(&line);
        assert_eq!(ran.code, 2);
        assert!(ran.stderr.contains(missing), "{}", ran.stderr);
    }
    let line = format!("accuracy @models/fashion.onnx --images {images} --dense {TINY}");
    check(&line, 2, &["test_images.npy", "[1, 28, 28]", "[3, 32, 32]"]);
}

#[test]
fn pictures_that_cannot_be_used() {
    let line = |more: &str| format!("accuracy {TINY} --dense {TINY} --images pictures {more}");
    let folder = |place: &Place| {
        std::fs::create_dir(place.path("pictures")).unwrap();
        std::fs::write(place.path("pictures/broken.png"), b"\x89PNG and no more").unwrap();
    };
    check_after(folder, &line(""), 2, &["pictures", "preprocessing `imagenet` (`--preprocess`)"]);
    check_after(folder, &line("--preprocess imagenet"), 2, &["broken.png", "take it out"]);
    let empty = |place: &Place| std::fs::create_dir(place.path("pictures")).unwrap();
    check_after(empty, &line("--preprocess unit"), 2, &["pictures", "no .png"]);
    let array = "plan @models/fashion.onnx --latency 0.6x -o p.json --calib @models/calib_images.npy --preprocess unit";
    check(array, 2, &["--preprocess", "an array is taken as it is"]);
    let ran = Place::new().locp(&line("--preprocess imagnet"));
    assert!(ran.code == 2 && ran.stderr.contains("`imagnet` is no setting"), "{}", ran.stderr);
}

#[test]
fn a_truncated_array_is_refused_before_it_is_allocated() {
    let cut = |place: &Place| {
        let all = std::fs::read(repository().join("models/test_images.npy")).unwrap();
        std::fs::write(place.path("cut.npy"), &all[..4096]).unwrap();
    };
    let line = "accuracy @models/fashion.onnx --images cut.npy --labels @models/test_labels.npy";
    check_after(cut, line, 2, &["cut.npy", "truncated", "2000"]);
}

#[test]
fn plans_that_do_not_fit() {
    let text = |text: &'static str| move |place: &Place| std::fs::write(place.path("plan.json"), text).unwrap();
    let line = format!("apply {TINY} --plan plan.json -o out.onnx");
    check(&line, 2, &["plan.json", "cannot read"]);
    check_after(text("{"), &line, 2, &["plan.json", "not a plan", "make one with `plan`"]);
    let other = r#"{"schema": "locp.plan/1", "model": {"path": "x", "sha256": "00"}, "groups": []}"#;
    check_after(text(other), &line, 2, &["plan.json", "made for a model with SHA-256 00"]);
    let newer = r#"{"schema": "locp.plan/2", "model": {"path": "x", "sha256": "00"}, "groups": []}"#;
    check_after(text(newer), &line, 2, &["locp.plan/2", "locp.plan/1"]);
}

#[test]
fn engines_that_are_not() {
    check(&format!("steps {TINY} --engine warp"), 2, &["no engine `warp`", "tract"]);
    check(&format!("steps {TINY} --engine simulated:abacus"), 2, &["simulated:abacus"]);
    check(&format!("steps {TINY} --engine recorded:missing.jsonl"), 2, &["missing.jsonl"]);
    check(&format!("steps {TINY} --threads 4"), 2, &["threads"]);
    check(
        "accuracy @models/fashion.onnx --engine simulated:t4 --images @models/test_images.npy --labels @models/test_labels.npy",
        2,
        &["simulated:t4", "accuracy", "use the engine tract (`--engine`)"],
    );
}

#[test]
fn names_that_are_not_there() {
    check(&format!("steps {TINY} --engine simulated:t4 --layer nope"), 2, &["`nope`", "`inspect` lists the layers"]);
}

#[test]
fn errors_are_json_where_json_is_asked_for() {
    let ran = Place::new().locp("inspect @README.md --format json");
    assert_eq!(ran.code, 2);
    let error = ran.json();
    assert_eq!(error["schema"], "locp.error/1");
    assert_eq!(error["kind"], "model");
    assert!(error["message"].as_str().unwrap().contains("README.md"), "{error}");
    assert_eq!(error["remedy"], "expected a file as `torch.onnx.export` writes it", "{error}");
}

#[test]
fn a_wrong_flag_is_bad_usage() {
    for line in ["prune", "frobnicate", "inspect a.onnx --batch 0", "verify a b --at-most -1", "plan m --latency 0.6x"]
    {
        let ran = Place::new().locp(line);
        assert_eq!(ran.code, 2, "{line}: {}", ran.stderr);
        assert!(ran.stdout.is_empty(), "{line} wrote to stdout");
    }
}

#[test]
fn outputs_that_would_replace_each_other_or_the_table() {
    let line = format!("{TINY} --engine simulated:t4 --batch 64 --latency 0.9x --table table.redb");
    check(&format!("prune {line} -o same.onnx --plan-out same.onnx"), 2, &["same.onnx", "another output"]);
    check(&format!("prune {line} -o same.onnx --plan-out ./same.onnx"), 2, &["same.onnx", "another output"]);
    let table = |place: &Place| std::fs::write(place.path("table.redb"), b"kept").unwrap();
    check_after(table, &format!("plan {line} -o table.redb"), 2, &["table.redb", "already an input"]);
    check(&format!("plan {line} -o ."), 2, &["not a regular file"]);
    check(&format!("prune {line} -o /dev/null"), 2, &["/dev/null", "not a regular file"]);
}

#[test]
fn a_budget_that_holds_already_is_an_answer() {
    let line = "prune @models/fashion.onnx --engine simulated:h100 --batch 64 --latency 1000ms -o out.onnx";
    check(line, 1, &["not written", "holds the budget as it is", "lower latency"]);
}

#[test]
fn labels_past_the_classes_are_found_before_the_work() {
    let labels = |place: &Place| {
        // A .npy of 2,000 bytes, each of them 10, where the model has classes 0 to 9.
        let mut bytes = std::fs::read(repository().join("models/test_labels.npy")).unwrap();
        let data = bytes.len() - 2000;
        bytes[data..].fill(10);
        std::fs::write(place.path("labels.npy"), bytes).unwrap();
    };
    let line =
        "prune @models/fashion.onnx --latency 0.6x -o out.onnx --images @models/test_images.npy --labels labels.npy";
    check_after(labels, line, 2, &["label 0 is 10", "from 0 to 9"]);
}

#[test]
fn an_edited_plan_is_checked_as_a_whole() {
    let edited = |place: &Place| {
        let ran =
            place.locp("plan @models/fashion.onnx --engine simulated:h100 --batch 64 --latency 0.8x -o plan.json");
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        let mut plan: serde_json::Value =
            serde_json::from_slice(&std::fs::read(place.path("plan.json")).unwrap()).unwrap();
        // As long as the group is wide, and no list of its channels.
        let group = &mut plan["groups"][0];
        let channels = group["channels"].as_u64().unwrap() as usize;
        group["keep"] = vec![0; channels].into();
        std::fs::write(place.path("plan.json"), plan.to_string()).unwrap();
    };
    check_after(edited, "apply @models/fashion.onnx --plan plan.json -o out.onnx", 2, &["plan.json", "ascending"]);
}

#[test]
fn a_sum_that_leaves_layers_out_says_so() {
    let place = Place::new();
    let unknown = "@onnx-surgery/tests/models/unknown_op.onnx";
    let left_out = "without 2 layers that cannot be timed alone (an unknown share of the MACs)";
    let plan = place.locp(&format!("plan {unknown} --engine simulated:h100 --latency 0.9x -o p.json"));
    assert!(plan.stdout.contains(left_out), "{}", plan.stdout);
    let verify = place.locp(&format!("verify {unknown} {unknown} --engine simulated:h100"));
    assert!(verify.stdout.contains(left_out), "{}", verify.stdout);
}

#[test]
fn unrelated_models_are_not_compared() {
    check(&format!("verify @models/fashion.onnx {TINY}"), 2, &["not a version of", "inputs differ"]);
}

#[test]
fn usage_errors_are_json_too() {
    let ran = Place::new().locp("prune --format json");
    assert_eq!((ran.code, ran.json()["kind"].as_str()), (2, Some("usage")), "{}", ran.stdout);
}

#[cfg(unix)]
#[test]
fn a_pipe_is_no_model() {
    let place = Place::new();
    assert!(std::process::Command::new("mkfifo").arg(place.path("pipe")).status().unwrap().success());
    let ran = place.locp("inspect pipe");
    assert_eq!(ran.code, 2);
    assert!(ran.stderr.contains("no regular file"), "{}", ran.stderr);
}
