//! Another pruner's widths, moved to where they pay.

use crate::place::{Place, json};
use serde_json::{Value, json};

const MODEL: &str = "@models/fashion.onnx";
const QUICK: &str = "--keep counts.json --engine simulated:h100 --batch 64 --dtype f16 -o plan.json";

fn give(place: &Place, counts: &Value) {
    std::fs::write(place.path("counts.json"), counts.to_string()).unwrap();
}

fn row<'r>(report: &'r Value, name: &str) -> &'r Value {
    let rows = report["widths"].as_array().unwrap();
    rows.iter().find(|row| row["name"] == name).unwrap_or_else(|| panic!("{name} is not in {report:#}"))
}

#[test]
fn widths_move_to_edges_and_never_beyond_the_model() {
    let place = Place::new();
    let kept: Vec<u32> = (0..37).map(|i| 5 * i).collect();
    give(
        &place,
        &json!({
            "block2.conv1.conv": 71, "/block3/conv1/conv/Conv": 65, "inverted.expand.conv.weight": kept,
            "branches.c1.conv": 15, "block4.conv1.conv": 224
        }),
    );
    let report = json(&place, &format!("align {MODEL} {QUICK}"));
    let rows = report["widths"].as_array().unwrap();
    assert_eq!(rows.len(), 4, "a group at full width is not asked to lose anything: {rows:#?}");
    for row in rows {
        let number = |name: &str| row[name].as_f64().unwrap();
        assert!(number("aligned") <= number("channels"), "{row}");
        assert!(number("aligned") >= 0.95 * number("asked"), "{row}");
        assert!(number("aligned_ms") <= 1.02 * number("asked_ms"), "{row}");
    }
    // In half precision widths that are no multiple of 8 run slower: growing to one is more than free.
    assert_eq!(row(&report, "/block2/conv1/conv/Conv")["aligned"].as_u64().unwrap() % 8, 0, "{report:#}");
    assert_eq!(row(&report, "/branches/c1/conv/Conv")["aligned"], 16);
    assert!(report["ratio"].as_f64() < Some(1.0), "{report:#}");

    let value = |name: &str| report[name].as_f64().unwrap();
    assert!(
        value("value_asked") < 0.0 && value("value_aligned") > value("value_asked"),
        "channels came back: {report:#}"
    );

    // Where channels were listed, they stay when the group grows.
    let groups = report["groups"].as_array().unwrap();
    let grown = groups.iter().find(|group| group["name"] == "/inverted/expand/conv/Conv").unwrap();
    let stay: Vec<u64> = grown["keep"].as_array().unwrap().iter().map(|c| c.as_u64().unwrap()).collect();
    assert!(stay.len() > kept.len() && kept.iter().all(|channel| stay.contains(&u64::from(*channel))), "{stay:?}");
    let written: Value = serde_json::from_slice(&std::fs::read(place.path("plan.json")).unwrap()).unwrap();
    assert_eq!((&written["groups"], &written["schema"]), (&report["groups"], &"locp.align/1".into()));
    let applied = json(&place, &format!("apply {MODEL} --plan plan.json -o out.onnx"));
    assert_eq!(applied["params_after"], report["params_aligned"]);

    // What is aligned is at its edges: its own plan does not move, but for what noise makes cost a percent or less.
    std::fs::copy(place.path("plan.json"), place.path("counts.json")).unwrap();
    let again = json(&place, &format!("align {MODEL} {}", QUICK.replace("plan.json", "again.json")));
    let moved: Vec<&Value> =
        again["widths"].as_array().unwrap().iter().filter(|row| row["asked"] != row["aligned"]).collect();
    let ns = |row: &Value, name: &str| row[name].as_f64().unwrap();
    assert!(moved.iter().all(|row| ns(row, "aligned_ms") <= 1.011 * ns(row, "asked_ms")), "{again:#}");
    assert!(moved.len() <= 1, "{again:#}");
    let shown = place.locp(&format!("align {MODEL} {}", QUICK.replace("plan.json", "again.json"))).stdout;
    assert!(
        shown.contains("before ")
            && shown.contains("after ")
            && shown.contains(&format!("widths   {} of", moved.len())),
        "{shown}"
    );
}

#[test]
fn a_larger_loss_is_taken_only_where_it_is_allowed() {
    let place = Place::new();
    give(&place, &json!({ "block4.conv1.conv": 140 }));
    let width = |flags: &str| {
        let report = json(&place, &format!("align {MODEL} {QUICK} {flags}"));
        row(&report, "/block4/conv1/conv/Conv")["aligned"].as_u64().unwrap()
    };
    assert!(width("--max-loss 0") >= 140);
    assert!(width("") >= 133);
    assert_eq!(width("--max-loss 0.1"), 128);
}

#[track_caller]
fn refused(counts: &str, flags: &str, parts: &[&str]) {
    let place = Place::new();
    std::fs::write(place.path("counts.json"), counts).unwrap();
    let ran = place.locp(&format!("-q align {MODEL} {QUICK} {flags}"));
    assert_eq!(ran.code, 2, "{}", ran.stderr);
    for part in parts {
        assert!(ran.stderr.contains(part), "`{counts}` said `{}` without `{part}`", ran.stderr);
    }
    assert_eq!(place.files(), ["counts.json"]);
}

#[test]
fn counts_that_cannot_be_are_named() {
    refused("[1, 2]", "", &["counts.json", "it holds no counts", "or a plan"]);
    refused("{", "", &["counts.json", "not JSON"]);
    refused(r#"{"nobody": 3}"#, "", &["counts.json", "`nobody`, which computes no channel group", "`inspect` lists"]);
    refused(r#"{"block1.conv1.conv": 0}"#, "", &["`block1.conv1.conv` cannot keep 0 of 64", "from 1 to 64"]);
    refused(r#"{"block1.conv1.conv": 65}"#, "", &["cannot keep 65 of 64"]);
    refused(r#"{"block1.conv1.conv": -1}"#, "", &["it holds no counts"]);
    refused(r#"{"block1.conv1.conv": [3, 2]}"#, "", &["must ascend and be below 64"]);
    refused(r#"{"block1.conv1.conv": [3, 64]}"#, "", &["must ascend and be below 64"]);
    refused(r#"{"fc": 9}"#, "", &["`fc` cannot keep 9 of 10", "cannot be pruned"]);
    let both = r#"{"block2.skip.conv": 40, "block2.conv2.conv": 48}"#;
    refused(both, "", &["`block2.conv2.conv` keeps 48", "`block2.skip.conv` 40", "of one group"]);
    refused(r#"{"block1.conv1.conv": 3}"#, "--max-loss 1", &["a share from 0 to below 1"]);
    refused(r#"{"schema": "locp.plan/1"}"#, "", &["it is not a plan"]);
}
