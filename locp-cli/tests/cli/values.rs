//! What channels are worth, and what plans may not do.

use crate::place::{Place, json};
use serde_json::{Value, json};

const MODEL: &str = "@models/fashion.onnx";
const QUICK: &str = "--engine simulated:h100 --batch 64 --latency 0.7x -o plan.json";
/// With norms that are no part of a convolution.
const NORMED: &str = "@onnx-surgery/tests/models/resnet_bn_ts.onnx";

fn plan(place: &Place, flags: &str) -> Value {
    json(place, &format!("plan {MODEL} {QUICK} {flags}"))
}

/// The channels that the group whose first producer this is keeps.
fn keep(plan: &Value, name: &str) -> Vec<u64> {
    let groups = plan["groups"].as_array().unwrap();
    let group =
        groups.iter().find(|group| group["name"] == name).unwrap_or_else(|| panic!("{name} is not in the plan"));
    group["keep"].as_array().unwrap().iter().map(|channel| channel.as_u64().unwrap()).collect()
}

#[test]
fn each_value_has_its_own_plan_and_says_what_it_is() {
    let place = Place::new();
    let mut plans = Vec::new();
    for value in ["l1", "l2", "fpgm", "lamp", "random"] {
        for scope in ["raw", "per-layer"] {
            let plan = plan(&place, &format!("--value {value} --scope {scope}"));
            assert_eq!(plan["value_name"], format!("{value}, {}", scope.replace('-', " ")));
            assert_eq!(plan["value_kind"], if value == "random" { "random" } else { "magnitude" });
            let groups = plan["groups"].to_string();
            assert!(!plans.contains(&groups), "{value}, {scope} is a plan that another value has, too");
            plans.push(groups);
        }
    }
    let again = [3, 3, 4].map(|seed| plan(&place, &format!("--value random --seed {seed}"))["groups"].to_string());
    assert!(again[0] == again[1] && again[0] != again[2]);
    let shown = place.locp(&format!("plan {MODEL} {QUICK} --value lamp")).stdout;
    assert!(shown.contains("magnitude (lamp, per layer: a proxy"), "{shown}");
}

#[test]
fn norm_scales_need_norms() {
    let place = Place::new();
    let line = "--engine simulated:h100 --latency 0.9x -o plan.json --value bn-scale";
    let normed = json(&place, &format!("plan {NORMED} {line}"));
    assert_eq!(normed["value_name"], "bn-scale, per layer");
    let folded = place.locp(&format!("plan {MODEL} {line}"));
    assert_eq!(folded.code, 2, "{}", folded.stderr);
    assert!(folded.stderr.contains("has no norm whose scale"), "{}", folded.stderr);
}

#[test]
fn scores_from_a_file_decide_which_channels_stay() {
    let place = Place::new();
    let dense = json(&place, &format!("inspect {MODEL}"));
    let mut scores = serde_json::Map::new();
    for group in dense["groups"].as_array().unwrap() {
        let producer = group["members"].as_array().unwrap().iter().find(|member| member["role"] == "producer");
        let n = group["channels"].as_u64().unwrap();
        // The first channels are worth least: magnitudes know nothing of that.
        let ascending: Vec<f64> = (0..n).map(|channel| (channel + 1) as f64 / n as f64).collect();
        scores.insert(producer.unwrap()["tensor"].as_str().unwrap().to_owned(), ascending.into());
    }
    let write = |name: &str, json: &Value| std::fs::write(place.path(name), json.to_string()).unwrap();
    write("all.json", &json!({ "scores": scores }));
    let planned = plan(&place, "--scores all.json");
    assert_eq!((&planned["value_kind"], &planned["value_name"]), (&"file".into(), &"scores, raw".into()));
    let mut narrowed = 0;
    for group in planned["groups"].as_array().unwrap() {
        let (n, keep) = (group["channels"].as_u64().unwrap(), group["keep"].as_array().unwrap());
        let last: Vec<Value> = (n - keep.len() as u64..n).map(Value::from).collect();
        assert_eq!(*keep, last, "{}", group["name"]);
        narrowed += usize::from(keep.len() < n as usize);
    }
    assert!(narrowed > 3, "{narrowed}");

    // A curve in place of one group's scores, which says that its first channels are the dear ones.
    let name = "/block2/conv1/conv/Conv";
    scores.remove("block2.conv1.conv.weight").expect("the exporter keeps the names of weights");
    let curve = json!({ "order": (0..128).rev().collect::<Vec<u32>>(), "loss": (0..=128).map(|n| -f64::from(n) / 1e6).collect::<Vec<f64>>() });
    write("curve.json", &json!({ "scores": scores, "curves": { name: curve }, "kind": "damage" }));
    let curved = plan(&place, "--scores curve.json");
    assert_eq!(curved["value_kind"], "damage");
    let kept = keep(&curved, name);
    assert!(kept.len() < 128 && kept.iter().copied().eq(0..kept.len() as u64), "{kept:?}");

    scores.remove("block1.conv1.conv.weight");
    write("part.json", &json!({ "scores": scores, "curves": { name: curve } }));
    let part = place.locp(&format!("plan {MODEL} {QUICK} --scores part.json"));
    assert_eq!(part.code, 2, "{}", part.stderr);
    assert!(part.stderr.contains("has no scores; give some for `block1.conv1.conv.weight`"), "{}", part.stderr);
    // Frozen, it needs none.
    plan(&place, "--scores part.json --freeze block1.conv1*");
}

#[test]
fn names_freeze_and_open_groups() {
    let place = Place::new();
    let free = plan(&place, "");
    let name = "/block2/conv1/conv/Conv";
    assert!(keep(&free, name).len() < 128, "the constraint would change nothing");
    let listed = |plan: &Value, name: &str| plan["groups"].as_array().unwrap().iter().any(|g| g["name"] == name);
    for pattern in [name, "block2.conv1*", "*lock2.conv?.conv.weight"] {
        let frozen = plan(&place, &format!("--freeze {pattern}"));
        assert!(!listed(&frozen, name) && listed(&frozen, "/block3/conv1/conv/Conv"), "{pattern}");
        assert_eq!(frozen["constraints"]["freeze"], json!([pattern]));
    }
    let line = "--engine simulated:h100 --batch 64 --latency 0.95x -o plan.json --only block2* --only block4*";
    let only = json(&place, &format!("plan {MODEL} {line}"));
    let names: Vec<&Value> = only["groups"].as_array().unwrap().iter().map(|group| &group["name"]).collect();
    let residual = ["/block2/skip/conv/Conv", "/block4/skip/conv/Conv"];
    assert_eq!(names, [residual[0], name, residual[1], "/block4/conv1/conv/Conv"]);
    let least = plan(&place, "--at-least block2.conv1*=120 --at-least block3.conv1*=0.8x");
    assert!(keep(&least, name).len() >= 120 && keep(&least, "/block3/conv1/conv/Conv").len() >= 103);
    assert_eq!(least["constraints"]["at_least"][1], json!(["block3.conv1*", { "share": 0.8 }]));
    let shown = place.locp(&format!("plan {MODEL} {QUICK} --freeze block2* --multiple-of 8")).stdout;
    assert!(shown.contains("constraints --freeze 'block2*' --multiple-of 8\n"), "{shown}");
}

#[track_caller]
fn refused(flags: &str, code: i32, parts: &[&str]) {
    let place = Place::new();
    let ran = place.locp(&format!("-q plan {MODEL} {QUICK} {flags}"));
    assert_eq!(ran.code, code, "`{flags}`: {}", ran.stderr);
    for part in parts {
        assert!(ran.stderr.contains(part), "`{flags}` said `{}` without `{part}`", ran.stderr);
    }
    assert!(place.files().is_empty());
}

#[test]
fn constraints_that_cannot_hold_are_named() {
    refused(
        "--freeze nowhere*",
        2,
        &["`nowhere*` in `freeze` fits no channel group", "`inspect` lists", "(`--freeze`)"],
    );
    refused("--at-least block9*=4", 2, &["`block9*` in `at_least`", "(`--at-least`)"]);
    refused("--at-least block2*", 2, &["PATTERN=LEAST"]);
    refused("--at-least block2*=1.5x", 2, &["neither a number of channels"]);
    refused(
        "--only block2.conv1* --freeze *conv1*",
        2,
        &["`only` 'block2.conv1*'", "`freeze` '*conv1*'", "exclude each", "(`--only`, `--freeze`)"],
    );
    refused("--only stem*", 2, &["`only` 'stem*'", "residual stream", "(`--only`, `--prune-residual`)"]);
    refused("--only fc*", 2, &["`only` 'fc*' and the model exclude each other"]);
    refused("--freeze *", 1, &["nothing can be pruned", "`freeze` '*'"]);
    refused("--value-floor 1", 2, &["at most 0"]);
    refused(
        "--value-floor -0.000001",
        1,
        &["contradict each other", "none exceeds", "allow more time", "(`--latency`, `--value-floor`)"],
    );
    refused("--value l1 --scores x.json", 2, &["cannot be used with"]);
    // A floor that the plan reaches changes nothing.
    let place = Place::new();
    assert_eq!(plan(&place, "--value-floor -1000")["groups"], plan(&place, "")["groups"]);
}

#[track_caller]
fn scores_refused(name: &str, bytes: &[u8], parts: &[&str]) {
    let place = Place::new();
    std::fs::write(place.path(name), bytes).unwrap();
    let ran = place.locp(&format!("-q plan {MODEL} {QUICK} --scores {name}"));
    assert_eq!(ran.code, 2, "{}", ran.stderr);
    for part in parts.iter().chain([&name]) {
        assert!(ran.stderr.contains(part), "`{}` is without `{part}`", ran.stderr);
    }
    assert_eq!(place.files(), [name]);
}

#[test]
fn scores_that_are_none_are_refused() {
    scores_refused("a.json", b"{}", &["neither scores nor curves"]);
    scores_refused("a.json", b"[1, 2]", &["it holds no scores"]);
    scores_refused("a.json", br#"{"score": {"x": [1]}}"#, &["unknown field `score`"]);
    scores_refused("a.json", br#"{"schema": "locp.plan/1", "scores": {"x": [1]}}"#, &["locp.scores/1"]);
    scores_refused("a.json", br#"{"scores": {"x.weight": [1]}}"#, &["`x.weight`, which is not a weight"]);
    let short = br#"{"scores": {"block1.conv1.conv.weight": [1, 2]}}"#;
    scores_refused("a.json", short, &["`block1.conv1.conv.weight` have the shape [2]; expected [64, 32, 3, 3]"]);
    let rising = br#"{"curves": {"/block1/conv1/conv/Conv": {"order": [0, 1], "loss": [0, -1, -0.5]}}}"#;
    scores_refused("a.json", rising, &["never rise"]);
    scores_refused("a.npz", b"PK no archive", &["not a whole .npz archive"]);
    scores_refused("a.npy", b"no array", &["not a .npy array"]);
    scores_refused("a.txt", b"1 2 3", &["save them as one of these"]);
    let mut negative = vec![1.0; 64];
    negative[7] = -1.0;
    let json = json!({ "scores": { "block1.conv1.conv.weight": negative } }).to_string();
    scores_refused("a.json", json.as_bytes(), &["score 7 for `block1.conv1.conv.weight` is -1"]);
}
