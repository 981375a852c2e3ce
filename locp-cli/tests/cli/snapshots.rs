//! What people see, word for word, where it does not depend on the machine.

use crate::place::Place;

const MODEL: &str = "@models/fashion.onnx";
const TINY: &str = "@onnx-surgery/tests/models/resnet_ts.onnx";

/// Runs a command and keeps exit code, stdout and stderr, without what changes from machine to machine.
fn snapshot(name: &str, lines: &[String]) {
    let place = Place::new();
    let mut seen = String::new();
    for line in lines {
        let ran = place.locp(&format!("--progress never {line}"));
        seen = format!("exit {}\n-- stdout\n{}-- stderr\n{}", ran.code, ran.stdout, ran.stderr);
    }
    let root = regex_of(&crate::place::repository().display().to_string());
    let mut settings = insta::Settings::clone_current();
    settings.add_filter(&root, "REPOSITORY");
    settings.add_filter(r"\d+\.\d s of engine time", "T s of engine time");
    settings.add_filter(r"/tmp/[^/ ]+/", "PLACE/");
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| insta::assert_snapshot!(name, seen));
}

/// The text as a pattern that matches itself.
fn regex_of(text: &str) -> String {
    text.chars().map(|c| if c.is_alphanumeric() || c == '/' { c.to_string() } else { format!("\\{c}") }).collect()
}

#[test]
fn inspect() {
    snapshot("inspect", &[format!("inspect {TINY}")]);
}

#[test]
fn inspect_names_what_it_cannot_prune() {
    snapshot("inspect_frozen", &["inspect @onnx-surgery/tests/models/unknown_op.onnx".into()]);
}

#[test]
fn steps() {
    let line = "steps @onnx-surgery/tests/models/chain_ts.onnx --engine simulated:h100 --batch 64";
    snapshot("steps", &[line.into()]);
}

#[test]
fn plan() {
    let line = format!("plan {MODEL} --engine simulated:h100 --batch 64 --latency 0.7x -o plan.json");
    snapshot("plan", &[line]);
}

#[test]
fn prune() {
    let line = format!("prune {MODEL} --engine simulated:h100 --batch 64 --latency 0.7x -o out.onnx");
    snapshot("prune", &[line]);
}

#[test]
fn verify_on_an_engine_of_convolutions() {
    let prune = format!("prune {MODEL} --engine simulated:h100 --dtype f16 --batch 512 --latency 0.7x -o out.onnx -q");
    let verify = format!("verify {MODEL} out.onnx --engine simulated:h100 --dtype f16 --batch 512");
    snapshot("verify", &[prune, verify]);
}

#[test]
fn apply() {
    let plan = format!("plan {MODEL} --engine simulated:h100 --batch 64 --latency 0.7x -o plan.json");
    snapshot("apply", &[plan, format!("apply {MODEL} --plan plan.json --dry-run")]);
}

#[test]
fn help() {
    snapshot("help", &["--help".into()]);
    snapshot("help_prune", &["prune --help".into()]);
}
