//! `explain` and `lint`.

use crate::place::Place;
use serde_json::Value;

const FASHION: &str = "@models/fashion.onnx";

fn json(place: &Place, line: &str, code: i32) -> Value {
    let ran = place.locp(&format!("{line} --format json -q"));
    assert_eq!(ran.code, code, "{line}: {}", ran.stderr);
    ran.json()
}

#[test]
fn every_group_is_explained_in_words_and_numbers() {
    let place = Place::new();
    let report = json(&place, &format!("explain {FASHION} --engine simulated:t4"), 0);
    assert_eq!((&report["schema"], &report["simulated"]), (&"locp.explain/1".into(), &true.into()));
    let groups = report["groups"].as_array().unwrap();
    assert_eq!(groups.len(), 15);
    for group in groups {
        let channels = group["channels"].as_u64().unwrap();
        assert!(group["latency_ms"].as_f64().unwrap() > 0.0 && !group["members"].as_array().unwrap().is_empty());
        assert!(group["words"].as_str().unwrap().starts_with(&format!("{channels} channels")), "{group:#}");
        if let Some(to) = group["prune_to"]["channels"].as_u64() {
            // No narrower than pruning would ever go, and for more than the noise.
            assert!(to < channels && 4 * to >= channels, "{group:#}");
            assert!(group["prune_to"]["saves"].as_f64().unwrap() > 0.029, "{group:#}");
        }
        assert!(group["grow_to"].as_u64().is_none_or(|to| to > channels), "{group:#}");
    }
    let of_output = groups.last().unwrap();
    assert!(of_output["frozen"].is_string() && of_output["prune_to"].is_null(), "{of_output:#}");
    let one = json(&place, &format!("explain {FASHION} --engine simulated:t4 --layer /block2/conv1/conv/Conv"), 0);
    assert_eq!(one["groups"].as_array().unwrap().len(), 2, "what it reads and what it writes");
}

#[test]
fn growing_is_free_only_if_every_member_agrees() {
    // On this device 48 output channels cost what 64 do. Group 7 has as many, and what reads it would pay.
    let place = Place::new();
    let report = json(&place, &format!("explain {FASHION} --engine simulated:t4"), 0);
    let group = |i: usize| &report["groups"][i];
    assert_eq!((&group(6)["channels"], &group(6)["grow_to"]), (&48.into(), &64.into()), "{:#}", group(6));
    assert_eq!((&group(7)["channels"], &group(7)["grow_to"]), (&48.into(), &Value::Null), "{:#}", group(7));
}

#[test]
fn lint_needs_no_device_and_strict_is_an_answer() {
    let place = Place::new();
    let line = format!("lint {FASHION} --for simulated:t4");
    let report = json(&place, &line, 0);
    assert_eq!(report["schema"], "locp.lint/1");
    let findings = report["findings"].as_array().unwrap();
    assert!(findings.iter().any(|f| f["kind"] == "dominated-width" && f["layer"] == "/branches/a/conv/Conv"));
    assert_eq!(json(&place, &format!("{line} --strict"), 1)["findings"], report["findings"]);
    assert!(place.files().is_empty(), "lint wrote {:?}", place.files());
}

#[test]
fn lint_by_a_table_says_what_it_does_not_hold() {
    let place = Place::new();
    let model = "@onnx-surgery/tests/models/chain_ts.onnx";
    json(&place, &format!("measure {model} --table table.redb"), 0);
    let before = std::fs::read(place.path("table.redb")).unwrap();
    let own = json(&place, &format!("lint {model} --for table.redb"), 0);
    assert_eq!((&own["recorded"], &own["unknown"]), (&true.into(), &0.into()), "{own:#}");
    let other = json(&place, &format!("lint {FASHION} --for table.redb --strict"), 0);
    assert_eq!(other["unknown"], other["groups"], "another model's layers are not in it");
    assert_eq!(std::fs::read(place.path("table.redb")).unwrap(), before, "the table was only read");

    let check = |line: &str, parts: &[&str]| {
        let ran = place.locp(line);
        assert_eq!(ran.code, 2, "{line}: {}", ran.stdout);
        parts.iter().for_each(|part| assert!(ran.stderr.contains(part), "{line} said `{}`", ran.stderr));
    };
    check(&format!("lint {model} --for none.redb"), &["none.redb", "simulated:h100"]);
    check(&format!("lint {model} --for table.redb --machine cuda"), &["0 machines", "(`--machine`)"]);
    check(&format!("lint {model} --for tract"), &["no table tract"]);
    check(&format!("explain {model} --engine simulated:t4 --layer nope"), &["nope", "`inspect` lists"]);
}

#[test]
fn tables_that_come_along_know_the_shipped_network() {
    let place = Place::new();
    for (table, engine) in [("tract-epyc", "tract"), ("onnxruntime-epyc", "onnxruntime")] {
        let report = json(&place, &format!("lint {FASHION} --for @data/tables/{table}.jsonl"), 0);
        assert_eq!((&report["recorded"], &report["unknown"], &report["groups"]), (&true.into(), &0.into(), &15.into()));
        assert!(report["machine"]["library"].as_str().unwrap().starts_with(engine), "{report:#}");
        // Another batch size was never measured there.
        let other = json(&place, &format!("lint {FASHION} --batch 8 --for @data/tables/{table}.jsonl"), 0);
        assert!(other["unknown"].as_u64().unwrap() > 0, "{other:#}");
    }
}
