//! `table`, and measuring in shards.

use crate::place::{Place, json};

const MODEL: &str = "@onnx-surgery/tests/models/chain_ts.onnx";

#[test]
fn shards_measured_apart_are_one_table_and_nothing_is_left_to_measure() {
    let place = Place::new();
    for i in 1..=2 {
        let part = json(&place, &format!("measure {MODEL} --shard {i}/2 --table part-{i}.redb"));
        assert!(part["measured"].as_u64().unwrap() > 0, "{part:#}");
    }
    let merged = json(&place, "table merge all.redb part-1.redb part-2.redb");
    assert_eq!((&merged["schema"], &merged["action"]), (&"locp.table-transfer/1".into(), &"merged".into()));
    assert_eq!(json(&place, &format!("measure {MODEL} --table all.redb"))["measured"], 0);
    // Once more, in the other order: nothing new.
    assert_eq!(json(&place, "table merge all.redb part-2.redb part-1.redb")["inserted"], 0);
    let info = json(&place, "table info --table all.redb");
    assert_eq!((&info["schema"], &info["kind"]), (&"locp.table/2".into(), &"live".into()));
    assert_eq!(info["machines"].as_array().unwrap().len(), 1);
}

#[test]
fn a_table_goes_out_and_comes_back() {
    let place = Place::new();
    json(&place, &format!("steps {MODEL} --table here.redb"));
    let out = json(&place, "table export out.jsonl --table here.redb");
    assert!(out["entries"].as_u64().unwrap() > 10, "{out:#}");
    let text = std::fs::read_to_string(place.path("out.jsonl")).unwrap();
    assert_eq!(text.lines().count() as u64, out["entries"].as_u64().unwrap());
    let line: serde_json::Value = serde_json::from_str(text.lines().next().unwrap()).unwrap();
    assert_eq!((&line["machine"]["engine"], &line["cache"]), (&"tract".into(), &"network".into()));
    // Brought back, it is the same set: to the last digit, and with nothing left to measure.
    assert_eq!(json(&place, "table import out.jsonl --table there.redb")["entries"], out["entries"]);
    assert_eq!(json(&place, "table import here.redb --table there.redb")["known"], out["entries"]);
    json(&place, "table export again.jsonl --table there.redb");
    assert_eq!(std::fs::read_to_string(place.path("again.jsonl")).unwrap(), text);
    assert_eq!(json(&place, &format!("steps {MODEL} --table there.redb"))["measured"], 0);
    let human = place.locp("table diff here.redb there.redb --machine onnxruntime");
    assert!(human.stdout.contains("no line has three widths in both"), "{}", human.stdout);
}

#[test]
fn both_forms_are_read_wherever_a_table_is_read() {
    let place = Place::new();
    json(&place, &format!("measure {MODEL} --table here.redb"));
    // The content tells the form, not the name.
    json(&place, "table export out --table here.redb");
    let [store, text] = ["here.redb", "out"].map(|name| json(&place, &format!("table info --table {name}")));
    assert_eq!(
        (&store["kind"], &store["entries"], &store["machines"]),
        (&"live".into(), &text["entries"], &text["machines"])
    );
    let diff = json(&place, "table diff here.redb out");
    assert_eq!(diff["schema"], "locp.table-diff/1");
    let rows = diff["rows"].as_array().unwrap();
    let is_equal = |row: &serde_json::Value| row["ratio"] == 1.0 && row["worst"] == 0.0 && row["cache"] == "network";
    assert!(!rows.is_empty() && rows.iter().all(is_equal), "{diff:#}");
    assert_eq!(json(&place, "table merge all.redb out here.redb")["known"], store["entries"]);
    let [store, text] = ["here.redb", "out"].map(|name| json(&place, &format!("lint {MODEL} --for {name}")));
    assert_eq!((&store["groups"], &store["unknown"]), (&text["groups"], &0.into()));
    assert_eq!((&text["recorded"], &text["unknown"]), (&true.into(), &0.into()));
    let played = ["here.redb", "out"].map(|name| json(&place, &format!("steps {MODEL} --engine recorded:{name}")));
    assert_eq!(played[0]["recorded"], true);
    assert_eq!(played[0]["layers"], played[1]["layers"]);
    // Except to be written.
    let before = std::fs::read(place.path("out")).unwrap();
    for name in ["out", "new.jsonl"] {
        let ran = place.locp(&format!("measure {MODEL} --table {name} -q"));
        assert_eq!(ran.code, 2, "{}", ran.stdout);
        assert!(ran.stderr.contains(name) && ran.stderr.contains("locp table import"), "{}", ran.stderr);
    }
    assert_eq!(std::fs::read(place.path("out")).unwrap(), before);
    assert!(!place.path("new.jsonl").exists());
}

#[test]
fn what_is_not_a_table_is_named_and_nothing_is_written() {
    let place = Place::new();
    std::fs::write(place.path("cat.redb"), "a picture of a cat").unwrap();
    std::fs::write(place.path("some.jsonl"), "{\"a\":1}\n").unwrap();
    let check = |line: &str, parts: &[&str]| {
        let ran = place.locp(line);
        assert_eq!(ran.code, 2, "{line}: {}", ran.stdout);
        parts.iter().for_each(|part| assert!(ran.stderr.contains(part), "{line} said `{}`", ran.stderr));
    };
    check("table info --table none.redb", &["none.redb"]);
    check("table info --table cat.redb", &["cat.redb", "is not a latency table"]);
    check("table import cat.redb --table new.redb", &["cat.redb", "is not a latency table"]);
    check(
        "table import some.jsonl --table new.redb",
        &["some.jsonl, line 1", "missing field `spec`", "repair or remove"],
    );
    check("table merge new.redb cat.redb", &["cat.redb"]);
    check(&format!("measure {MODEL} --shard 3/2"), &["3/2", "1 <= i <= n"]);
    check(&format!("measure {MODEL} --shard two"), &["two", "2/4"]);
    assert!(!place.path("new.redb").exists(), "new.redb was made");
}

#[test]
fn tables_below_ones_own_are_read_and_not_written() {
    let place = Place::new();
    json(&place, &format!("measure {MODEL} --table team.redb"));
    json(&place, "table export team.jsonl --table team.redb");
    let team = std::fs::read(place.path("team.redb")).unwrap();
    let below = |name: &str| {
        let line = format!("measure {MODEL} --table mine.redb --format json -q");
        place.run_with(&line.split(' ').collect::<Vec<_>>(), &[("LOCP_TABLES", &place.path(name))])
    };
    for name in ["team.redb", "team.jsonl"] {
        let ran = below(name);
        assert_eq!(ran.json()["measured"], 0, "{}", ran.stderr);
        assert_eq!(json(&place, "table info --table mine.redb")["entries"], 0);
    }
    assert_eq!(std::fs::read(place.path("team.redb")).unwrap(), team);
    let missing = below("nowhere.redb");
    assert_eq!(missing.code, 2);
    assert!(missing.stdout.contains("nowhere.redb"), "{}", missing.stdout);
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
