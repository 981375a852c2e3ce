//! Weights and biases that a file computes from constants are constants once the model is open.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod support;

use cpu_bench::Tract;
use netspec::{Tensor, Weights as _};
use onnx_surgery::Model;
use std::path::Path;
use support::groups::{check, open};
use timing::ModelBackend as _;

const LOGITS: (&str, &str) = ("logits", "5 frozen: >logits.weight@0 .logits.bias@0");

fn outputs(path: &Path) -> Vec<f32> {
    let noise: Vec<f32> = support::noise(2 * 3 * 8 * 8, 5).iter().map(|v| 3.0 * v).collect();
    let image = Tensor::from_f32(vec![2, 3, 8, 8], &noise).unwrap();
    let mut run = Tract::new().load(path, &2.into()).unwrap();
    run.infer(&[image]).unwrap().iter().flat_map(|output| output.to_f32().unwrap()).collect()
}

/// What is written has the folded tensors and none of the nodes that computed them, and computes the same.
fn check_written(name: &str, nodes: &[&str]) {
    let model = open(name);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("written.onnx");
    model.write(&path).unwrap();
    let (found, expected) = (outputs(&path), outputs(model.path().unwrap()));
    let scale = expected.iter().fold(0_f32, |max, v| max.max(v.abs()));
    assert!(scale > 1e-2);
    let error = found.iter().zip(&expected).fold(0_f32, |max, (a, b)| max.max((a - b).abs()));
    assert!(error <= 2e-6 * scale, "{name}: {error} of {scale}");
    let written = Model::open(&path).unwrap();
    let names: Vec<String> = written.nodes().into_iter().map(|node| node.name).collect();
    assert_eq!(names, nodes, "{name}");
    assert_eq!(written.network(), model.network());
}

#[test]
fn computed_weights_are_followed() {
    check(
        "folded",
        &[
            ("a", "6: >a.weight@0 .a.bias@0 b.weight@1>"),
            ("b", "8: >b.weight@0 .b.bias@0 c.weight@1>"),
            ("c", "6: >c.weight@0 .c.bias@0 d.weight@1>"),
            ("d", "8: >d.weight@0 .d.bias@0 logits.weight@1>"),
            LOGITS,
        ],
    );
    check_written("folded", &["a", "a.act", "b", "b.act", "c", "c.act", "d", "d.act", "pooled", "flat", "logits"]);
}

#[test]
fn a_constant_that_something_else_reads_stays() {
    check(
        "folded_old",
        &[
            ("a", "6: >a.weight@0 .a.bias@0 w@1>"),
            ("b", "6: >w@0 scaled@1>"),
            ("c", "6: >scaled@0 logits.weight@1>"),
            LOGITS,
        ],
    );
    check_written("folded_old", &["a", "a.act", "b", "b.act", "c", "c.act", "pooled", "flat", "logits"]);
    let model = open("folded_old");
    let [plain, scaled] = ["w", "scaled"].map(|name| model.get(name).unwrap().to_f32().unwrap());
    assert!(plain.iter().zip(&scaled).all(|(a, b)| b / a >= 0.5 && b / a <= 1.5) && plain != scaled);
}

#[test]
fn what_a_quantized_network_computes_with_stays() {
    // Its weights are integers with a scale, but its activations are quantized, too.
    assert!(open("qdq").nodes().iter().any(|node| node.name == "c.dq"));
}

#[test]
fn the_file_is_what_names_the_model() {
    let model = open("folded");
    let file = std::fs::read(model.path().unwrap()).unwrap();
    assert_eq!(model.contents().collect::<Vec<_>>(), [&file[..]]);
}
