//! Models whose inputs have free dimensions, from the command line.

use crate::onnx::{F32, Onnx, value};
use crate::place::{Place, json};

const QUICK: &str = "--engine simulated:h100 --latency 0.8x";

/// Convolutions on images of any size, and what the file says of them.
fn any_size(metadata: &[(&str, &str)]) -> Vec<u8> {
    let model = Onnx::default().input(value("images", F32, &["N", "3", "H", "W"]));
    let model = model.conv("a", "images", 3, 64).relu("a.act", "a");
    model.conv("b", "a.act", 64, 48).relu("b.act", "b").head("b.act", 48).bytes_with(metadata)
}

fn place(metadata: &[(&str, &str)]) -> Place {
    let place = Place::new();
    std::fs::write(place.path("m.onnx"), any_size(metadata)).unwrap();
    place
}

#[test]
fn the_error_ends_in_the_flag_that_helps() {
    let place = place(&[("stride", "32"), ("imgsz", "[96, 64]")]);
    let commands =
        ["plan m.onnx -o p.json", "prune m.onnx -o o.onnx", "frontier m.onnx", "steps m.onnx", "measure m.onnx"];
    let more = ["explain m.onnx", "lint m.onnx --for simulated:h100", "verify m.onnx m.onnx --engine tract"];
    for command in commands.iter().chain(&more) {
        let needs_latency = ["plan", "prune"].iter().any(|name| command.starts_with(name));
        let engine =
            if command.contains("--engine") || command.contains("--for") { "" } else { "--engine simulated:h100" };
        let latency = if needs_latency { "--latency 0.8x" } else { "" };
        let ran = place.locp(&format!("{command} {engine} {latency} -q"));
        assert_eq!((ran.code, ran.stderr.lines().count()), (2, 1), "{command}: {}", ran.stderr);
        let end = "for example images=1x3x96x64 (96x64 is what the file's metadata says) (`--input images=1x3x96x64`)";
        assert!(ran.stderr.contains("`images` has free dimensions (height, width)"), "{command}: {}", ran.stderr);
        assert!(ran.stderr.trim_end().ends_with(end), "{command}: {}", ran.stderr);
    }
    let said = place.locp(&format!("plan m.onnx {QUICK} -o p.json")).stderr;
    let flag = said.trim_end().rsplit('`').nth(1).unwrap();
    assert_eq!(json(&place, &format!("plan m.onnx {QUICK} -o p.json {flag}"))["schema"], "locp.plan/1", "{said}");
    let shown = place.locp("inspect m.onnx").stdout;
    assert!(shown.contains("is 1x3x?x?: to plan, state its size, for example --input images=1x3x96x64"), "{shown}");
    let inputs = &json(&place, "inspect m.onnx")["inputs"];
    assert_eq!((&inputs[0]["shape"][2], inputs[0]["likely"].as_str()), (&().into(), Some("images=1x3x96x64")));
}

#[test]
fn a_stated_size_plans_prunes_and_keeps_the_file_dynamic() {
    let place = place(&[]);
    let flags = format!("{QUICK} --input 2x3x40x56");
    let plan = json(&place, &format!("plan m.onnx {flags} -o p.json"));
    assert_eq!(plan["batch"], 2);
    let pruned = json(&place, &format!("prune m.onnx {flags} -o o.onnx"));
    assert!(pruned["ratio"].as_f64().unwrap() < 1.0, "{pruned}");
    // The plan is applied without sizes, and both files take any.
    json(&place, "apply m.onnx --plan p.json -o applied.onnx");
    let inputs = &json(&place, "inspect applied.onnx")["inputs"];
    assert_eq!(inputs[0]["shape"].to_string(), "[1,3,null,null]");
    let size =
        |flag: &str| json(&place, &format!("inspect o.onnx {flag}"))["layers"][0]["spec"].as_str().unwrap().to_owned();
    assert!(size("--input 1x3x8x24").contains(" 8x24 "), "{}", size("--input 1x3x8x24"));
    let both = json(&place, "verify m.onnx o.onnx --engine tract --input 1x3x16x16 --at-most 9");
    assert_eq!((&both["covers"], &both["passed"]), (&"whole-model".into(), &true.into()));
}

#[test]
fn sizes_that_do_not_fit_name_the_flags() {
    let place = place(&[]);
    let refused = |flags: &str, parts: &[&str]| {
        let ran = place.locp(&format!("inspect m.onnx {flags}"));
        assert_eq!(ran.code, 2, "{flags}: {}", ran.stderr);
        parts.iter().for_each(|part| assert!(ran.stderr.contains(part), "{flags}: {}", ran.stderr));
    };
    refused("--input 1x4x8x8", &["axis 1", "`images`", "fixed size 3", "not 4", "(`--input`)"]);
    refused("--input x=1x3x8x8", &["no input `x`", "`images`", "(`--input`)"]);
    refused("--input 2x3x8x8 --batch 3", &["stated as 3", "states 2", "(`--batch`, `--input`)"]);
    refused("--input 1x3x8xW", &["`1x3x8xW`", "NAME=1x3x640x640"]);
    refused("--input 1x3x0x8", &["NAME=1x3x640x640"]);
}
