//! `table`, and measuring in shards.

use crate::place::Place;

const MODEL: &str = "@onnx-surgery/tests/models/chain_ts.onnx";

fn json(place: &Place, line: &str) -> serde_json::Value {
    let ran = place.locp(&format!("{line} --format json -q"));
    assert_eq!(ran.code, 0, "{line}: {}", ran.stderr);
    ran.json()
}

#[test]
fn shards_measured_apart_are_one_table_and_nothing_is_left_to_measure() {
    let place = Place::new();
    for i in 1..=2 {
        let part = json(&place, &format!("measure {MODEL} --shard {i}/2 --table part-{i}.locp"));
        assert!(part["measured"].as_u64().unwrap() > 0, "{part:#}");
    }
    let merged = json(&place, "table merge all.locp part-1.locp part-2.locp");
    assert_eq!((&merged["schema"], &merged["action"]), (&"locp.table-transfer/1".into(), &"merged".into()));
    assert_eq!(json(&place, &format!("measure {MODEL} --table all.locp"))["measured"], 0);
    // Once more, in the other order: nothing new.
    assert_eq!(json(&place, "table merge all.locp part-2.locp part-1.locp")["inserted"], 0);
    let info = json(&place, "table info --table all.locp");
    assert_eq!((&info["schema"], &info["kind"]), (&"locp.table/1".into(), &"live".into()));
    assert_eq!(info["machines"].as_array().unwrap().len(), 1);
}

#[test]
fn a_table_goes_out_and_comes_back() {
    let place = Place::new();
    json(&place, &format!("steps {MODEL} --table here.locp"));
    let out = json(&place, "table export out.jsonl --table here.locp");
    assert!(out["entries"].as_u64().unwrap() > 10, "{out:#}");
    json(&place, "table export out.csv --table here.locp");
    json(&place, "table export copy.locp --table here.locp");
    let back = json(&place, "table import out.jsonl --table there.locp");
    assert_eq!(back["entries"], out["entries"]);
    assert_eq!(json(&place, "table import copy.locp --table there.locp")["known"], out["entries"]);
    let csv = std::fs::read_to_string(place.path("out.csv")).unwrap();
    assert_eq!(csv.lines().count() as u64, 1 + out["entries"].as_u64().unwrap());
    let diff = json(&place, "table diff here.locp there.locp");
    assert_eq!(diff["schema"], "locp.table-diff/1");
    let rows = diff["rows"].as_array().unwrap();
    assert!(!rows.is_empty() && rows.iter().all(|row| row["ratio"] == 1.0 && row["worst"] == 0.0), "{diff:#}");
    let human = place.locp("table diff here.locp there.locp --machine onnxruntime");
    assert!(human.stdout.contains("no line has three widths in both"), "{}", human.stdout);
}

#[test]
fn what_is_no_table_is_named_and_nothing_is_written() {
    let place = Place::new();
    std::fs::write(place.path("cat.jsonl"), "a picture of a cat\n").unwrap();
    std::fs::write(place.path("cat.locp"), "a picture of a cat").unwrap();
    std::fs::write(place.path("some.csv"), "a,b\n").unwrap();
    let check = |line: &str, parts: &[&str]| {
        let ran = place.locp(line);
        assert_eq!(ran.code, 2, "{line}: {}", ran.stdout);
        parts.iter().for_each(|part| assert!(ran.stderr.contains(part), "{line} said `{}`", ran.stderr));
    };
    check("table info --table none.locp", &["none.locp"]);
    check("table info --table cat.locp", &["cat.locp", "is not a latency table"]);
    check("table import cat.jsonl --table new.locp", &["line 1", "not the header of a table"]);
    check("table import some.csv --table new2.locp", &["some.csv", "export JSON Lines"]);
    check("table merge new3.locp cat.locp", &["cat.locp"]);
    check(&format!("measure {MODEL} --shard 3/2"), &["3/2", "1 <= i <= n"]);
    check(&format!("measure {MODEL} --shard two"), &["two", "2/4"]);
    for name in ["new2.locp", "new3.locp"] {
        assert!(!place.path(name).exists(), "{name} was made");
    }
}
