//! `table`, and measuring in shards.

use crate::place::{Place, json};

const MODEL: &str = "@onnx-surgery/tests/models/chain_ts.onnx";

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
    std::fs::write(place.path("some.csv"), "a,b\n1,2\n").unwrap();
    let check = |line: &str, parts: &[&str]| {
        let ran = place.locp(line);
        assert_eq!(ran.code, 2, "{line}: {}", ran.stdout);
        parts.iter().for_each(|part| assert!(ran.stderr.contains(part), "{line} said `{}`", ran.stderr));
    };
    check("table info --table none.locp", &["none.locp"]);
    check("table info --table cat.locp", &["cat.locp", "is not a latency table"]);
    check("table import cat.jsonl --table new.locp", &["cat.jsonl, line 1", "`{` was expected"]);
    check("table import some.csv --table new2.locp", &["some.csv, line 2", "`spec` is missing"]);
    check("table merge new3.locp cat.locp", &["cat.locp"]);
    check(&format!("measure {MODEL} --shard 3/2"), &["3/2", "1 <= i <= n"]);
    check(&format!("measure {MODEL} --shard two"), &["two", "2/4"]);
    for name in ["new.locp", "new2.locp", "new3.locp"] {
        assert!(!place.path(name).exists(), "{name} was made");
    }
}

#[test]
fn a_new_table_is_a_store_and_every_form_of_it_comes_back() {
    let place = Place::new();
    json(&place, &format!("measure {MODEL} --table here.redb"));
    let info = json(&place, "table info --table here.redb");
    assert_eq!((&info["form"], &info["kind"]), (&"store".into(), &"live".into()));
    assert_eq!(json(&place, &format!("measure {MODEL} --table here.redb"))["measured"], 0);
    for (to, form) in [("out.csv", ""), ("out.jsonl", ""), ("out.locp", ""), ("out", "--as json-lines")] {
        let out = json(&place, &format!("table export {to} {form} --table here.redb"));
        assert_eq!(out["entries"], info["entries"], "{to}");
    }
    assert_eq!(std::fs::read(place.path("out")).unwrap(), std::fs::read(place.path("out.jsonl")).unwrap());
    // The first one brings all, the others nothing that is not there: they hold the same set.
    for (i, from) in ["out.csv", "out.jsonl", "out.locp", "here.redb"].into_iter().enumerate() {
        let back = json(&place, &format!("table import {from} --table there.redb"));
        let known = if i == 0 { 0.into() } else { info["entries"].clone() };
        assert_eq!((&back["entries"], &back["known"]), (&info["entries"], &known), "{from}");
    }
    assert_eq!(json(&place, &format!("measure {MODEL} --table there.redb"))["measured"], 0);
    let diff = json(&place, "table diff here.redb there.redb");
    assert!(diff["rows"].as_array().unwrap().iter().all(|row| row["moved"] == serde_json::json!([])), "{diff:#}");
}

#[test]
fn tables_below_ones_own_are_read_and_not_written() {
    let place = Place::new();
    json(&place, &format!("measure {MODEL} --table team.locp"));
    let team = std::fs::read(place.path("team.locp")).unwrap();
    let below = |name: &str| {
        let line = format!("measure {MODEL} --table mine.redb --format json -q");
        place.run_with(&line.split(' ').collect::<Vec<_>>(), &[("LOCP_TABLES", &place.path(name))])
    };
    let ran = below("team.locp");
    assert_eq!(ran.json()["measured"], 0, "{}", ran.stderr);
    assert_eq!(json(&place, "table info --table mine.redb")["entries"], 0);
    assert_eq!(std::fs::read(place.path("team.locp")).unwrap(), team);
    let missing = below("nowhere.locp");
    assert_eq!(missing.code, 2);
    assert!(missing.stdout.contains("nowhere.locp"), "{}", missing.stdout);
}

#[test]
fn a_damaged_table_is_set_aside_only_when_it_is_damaged_and_asked_for() {
    let place = Place::new();
    json(&place, &format!("measure {MODEL} --table table.redb"));
    let refused = place.locp("table set-aside --table table.redb --format json");
    assert_eq!((refused.code, &refused.json()["kind"]), (2, &"whole".into()));
    let mut bytes = std::fs::read(place.path("table.redb")).unwrap();
    bytes.iter_mut().skip(600).step_by(64).for_each(|byte| *byte ^= 0x20);
    std::fs::write(place.path("table.redb"), &bytes).unwrap();
    let ran = place.locp(&format!("measure {MODEL} --table table.redb --format json -q"));
    assert_eq!((ran.code, &ran.json()["kind"]), (2, &"table".into()));
    assert_eq!(ran.json()["remedy"], "set it aside and start a new one", "{}", ran.stdout);
    let ran = place.locp(&format!("measure {MODEL} --table table.redb -q"));
    assert!(ran.stderr.ends_with("set it aside and start a new one (`locp table set-aside`)\n"), "{}", ran.stderr);
    assert_eq!(std::fs::read(place.path("table.redb")).unwrap(), bytes, "it was written over");
    let aside = json(&place, "table set-aside --table table.redb");
    assert_eq!(std::fs::read(aside["aside"].as_str().map(|aside| place.path(aside)).unwrap()).unwrap(), bytes);
    assert!(json(&place, &format!("measure {MODEL} --table table.redb"))["measured"].as_u64().unwrap() > 0);
    let missing = place.locp("table set-aside --table none.redb");
    assert_eq!(missing.code, 2, "{}", missing.stdout);
}
