//! What a plan says, to whom, and what applying it shows.

use crate::place::{Place, json};
use serde_json::Value;

const MODEL: &str = "@models/fashion.onnx";
const QUICK: &str = "--engine simulated:h100 --batch 64 --latency 0.7x";

#[track_caller]
fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

/// Channels and kept channels of every group.
fn widths(plan: &Value) -> Vec<(u64, u64)> {
    let width = |group: &Value| (group["channels"].as_u64().unwrap(), list(&group["keep"]).len() as u64);
    list(&plan["groups"]).iter().map(width).collect()
}

#[test]
fn a_multiple_that_is_asked_for_reaches_the_plan() {
    let place = Place::new();
    let is_allowed = |(channels, kept): &(u64, u64)| kept == channels || kept % 24 == 0;
    let free = widths(&json(&place, &format!("plan {MODEL} {QUICK} -o free.json")));
    assert!(!free.iter().all(is_allowed), "the plan holds the constraint by chance: {free:?}");
    for planner in ["exact", "global", "uniform"] {
        let line = format!("plan {MODEL} {QUICK} --multiple-of 24 --planner {planner} -o plan.json");
        let bound = widths(&json(&place, &line));
        assert!(bound.iter().all(is_allowed), "{planner}: {bound:?}");
        assert!(bound.iter().any(|(channels, kept)| kept < channels), "{planner}: nothing was narrowed");
    }
    let pruned = widths(&json(&place, &format!("prune {MODEL} {QUICK} --multiple-of 24 -o out.onnx")));
    assert!(pruned.iter().all(is_allowed) && pruned.iter().any(|(channels, kept)| kept < channels), "{pruned:?}");

    let none = place.locp(&format!("plan {MODEL} {QUICK} --multiple-of 0 -o plan.json"));
    assert_eq!(none.code, 2, "{}", none.stderr);
    // No multiple fits below any full width: the dense network is the only plan.
    let line = format!("plan {MODEL} {QUICK} --multiple-of 4096 -o plan.json");
    let never = place.locp(&line);
    assert_eq!(never.code, 1, "{}", never.stderr);
    assert!(never.stderr.contains("--multiple-of"), "{}", never.stderr);
}

#[test]
fn a_plan_is_proven_best_unless_another_planner_is_named() {
    let place = Place::new();
    // The baseline that knows one axis only cannot go lower.
    let at = QUICK.replace("0.7x", "0.8x");
    let report = |planner: &str| json(&place, &format!("plan {MODEL} {at} --planner {planner} -o plan.json"));
    let exact = json(&place, &format!("plan {MODEL} {at} -o plan.json"));
    let (knapsack, global, uniform) = (report("knapsack"), report("global"), report("uniform"));
    let value = |report: &Value| report["value"].as_f64().unwrap();
    assert_eq!(
        (&exact["planner"], &exact["stopped"], &exact["gap"]),
        (&"exact".into(), &"optimal".into(), &0.0.into())
    );
    assert!(value(&exact) > value(&uniform), "{exact:#}");
    assert!(value(&exact) >= value(&knapsack).max(value(&global)), "{knapsack:#}");
    assert!(uniform["gap"].is_null());
    let shown = place.locp(&format!("plan {MODEL} {QUICK} -o plan.json")).stdout;
    assert!(shown.contains("no plan of these levels and cells has a higher value"), "{shown}");
}

#[test]
fn a_problem_is_written_with_all_it_rests_on() {
    let place = Place::new();
    let plan = json(&place, &format!("plan {MODEL} {QUICK} -o plan.json --problem-out problem.json"));
    let problem: Value = serde_json::from_slice(&std::fs::read(place.path("problem.json")).unwrap()).unwrap();
    assert_eq!(list(&problem["layers"]).len(), 21);
    let groups = list(&problem["groups"]).iter().filter(|group| list(&group["levels"]).len() > 1).count();
    assert!(groups > 8 && list(&problem["layers"]).iter().all(|layer| !list(&layer["by_out"]).is_empty()));
    let given: usize = list(&problem["layers"]).iter().map(|layer| list(&layer["cells"]).len()).sum();
    let afresh = plan["cells_afresh"].as_u64().unwrap();
    assert!(given as u64 >= afresh && afresh > 0, "{given}, {afresh} afresh");
    assert!(plan["plan_rounds"].as_u64() >= Some(1));
    let same = place.locp(&format!("plan {MODEL} {QUICK} -o plan.json --problem-out plan.json"));
    assert_eq!(same.code, 2, "{}", same.stderr);
}

#[test]
fn what_holds_a_network_is_named() {
    let place = Place::new();
    let says = |flags: &str, parts: &[&str]| {
        let ran = place.locp(&format!("-q plan --engine simulated:h100 -o plan.json {flags}"));
        assert_eq!(ran.code, 1, "{}", ran.stderr);
        for part in parts {
            assert!(ran.stderr.contains(part), "`{flags}` said `{}` without `{part}`", ran.stderr);
        }
    };
    // One small image is a row of launches for such a device.
    let tiny = "@onnx-surgery/tests/models/chain_ts.onnx --latency 0.3x";
    says(tiny, &["held by `/", "ms, launch floor)"]);
    says(&format!("{MODEL} --latency 0.2x"), &["already on its edge", "% at its narrowest"]);
    says(&format!("{MODEL} --latency 0.2x --batch 256 --freeze block?.conv?*"), &["ms, frozen)"]);
}

#[test]
fn modules_keep_what_their_groups_keep() {
    let place = Place::new();
    let plan = json(&place, &format!("plan {MODEL} {QUICK} -o plan.json"));
    let written: Value = serde_json::from_slice(&std::fs::read(place.path("plan.json")).unwrap()).unwrap();
    assert_eq!(plan["modules"], written["modules"]);
    let producers = |group: &Value| -> Vec<String> {
        let members = list(&group["members"]).iter().filter(|member| member["role"] == "producer");
        members.map(|member| member["tensor"].as_str().unwrap().trim_end_matches(".weight").to_owned()).collect()
    };
    let mut checked = 0;
    for group in list(&plan["groups"]) {
        // Every producer of this network computes one group from position 0 on.
        for name in producers(group) {
            let module = &plan["modules"][&name];
            assert_eq!((&module["channels"], &module["indices"]), (&group["channels"], &group["keep"]), "{name}");
            let (channels, keep) = (group["channels"].as_f64().unwrap(), list(&group["keep"]).len());
            assert_eq!(module["keep"].as_u64(), Some(keep as u64), "{name}");
            assert_eq!((channels * (1.0 - module["ratio"].as_f64().unwrap())) as usize, keep, "{name}");
            checked += 1;
        }
    }
    assert_eq!(Some(checked), plan["modules"].as_object().map(serde_json::Map::len));
    assert!(checked > 10 && list(&plan["modules_unnamed"]).is_empty(), "{checked}");

    // The exporter folded normalization into these and gave them new names.
    let model = "@onnx-surgery/tests/models/resnet_ts.onnx";
    let nameless = json(&place, &format!("plan {model} --engine simulated:h100 --latency 0.95x -o other.json"));
    assert_eq!(nameless["modules"], serde_json::json!({}));
    assert!(list(&nameless["modules_unnamed"]).iter().all(|name| name.as_str().unwrap().starts_with("onnx::Conv_")));
    assert!(!list(&nameless["modules_unnamed"]).is_empty());
}

#[test]
fn a_dry_run_writes_nothing_and_lists_every_change() {
    let place = Place::new();
    json(&place, &format!("plan {MODEL} {QUICK} -o plan.json"));
    let dry = json(&place, &format!("apply {MODEL} --plan plan.json --dry-run -o never.onnx"));
    assert_eq!(place.files(), ["plan.json"]);
    assert_eq!(dry["output"], Value::Null);
    assert_eq!(list(&dry["changes"]).len(), dry["diff"].as_str().unwrap().lines().count());
    for change in list(&dry["changes"]) {
        let lost = change["before"].as_u64().unwrap() - change["after"].as_u64().unwrap();
        if change["change"] == "shrink" {
            let ends = list(&change["removed"]).iter().map(|r| r[1].as_u64().unwrap() - r[0].as_u64().unwrap() + 1);
            assert_eq!(ends.sum::<u64>(), lost, "{change}");
        }
    }
    // The real run changes the same.
    let wet = json(&place, &format!("apply {MODEL} --plan plan.json -o out.onnx"));
    assert_eq!((&dry["changes"], &dry["params_after"]), (&wet["changes"], &wet["params_after"]));
    assert_eq!(place.files(), ["out.onnx", "plan.json"]);
    let human = place.locp(&format!("apply {MODEL} --plan plan.json --dry-run"));
    assert_eq!(human.code, 0, "{}", human.stderr);
    assert!(human.stdout.ends_with("dry run: nothing was written\n"), "{}", human.stdout);
    let widest = human.stdout.lines().map(str::len).max();
    assert!(widest < Some(140), "a line of {widest:?} characters");
}

#[test]
fn a_dry_run_of_a_plan_that_does_not_fit_fails_as_the_real_run_does() {
    let place = Place::new();
    let mut plan = json(&place, &format!("plan {MODEL} {QUICK} -o plan.json"));
    let other = place.locp("apply @onnx-surgery/tests/models/chain_ts.onnx --plan plan.json --dry-run");
    assert_eq!(other.code, 2, "{}", other.stderr);
    plan["groups"][0]["keep"] = serde_json::json!([]);
    std::fs::write(place.path("plan.json"), plan.to_string()).unwrap();
    let empty = place.locp(&format!("apply {MODEL} --plan plan.json --dry-run --format json"));
    assert_eq!((empty.code, &empty.json()["kind"]), (2, &Value::from("plan")), "{}", empty.stderr);
    assert_eq!(place.files(), ["plan.json"]);
    // A plan that keeps everything is fine and changes nothing.
    plan["groups"] = serde_json::json!([]);
    std::fs::write(place.path("plan.json"), plan.to_string()).unwrap();
    let none = place.locp(&format!("apply {MODEL} --plan plan.json --dry-run"));
    assert_eq!(none.code, 0, "{}", none.stderr);
    assert!(none.stdout.starts_with("nothing changes"), "{}", none.stdout);
}

#[test]
fn the_log_counts_staircases_as_the_result_does() {
    let place = Place::new();
    let ran = place.locp(&format!("measure {MODEL} --engine simulated:h100 --format json --progress never"));
    let report = ran.json();
    let layers = list(&report["layers"]);
    let distinct: std::collections::BTreeSet<String> = layers
        .iter()
        .map(|layer| format!("{} {} {}", layer["spec"], layer["axis"], layer["points"][0]["channels"]))
        .collect();
    let said = format!(" {} staircases, {} distinct:", layers.len(), distinct.len());
    assert!(distinct.len() < layers.len(), "nothing is shared, so that this test shows nothing");
    assert!(ran.stderr.contains(&said), "`{}` does not say `{said}`", ran.stderr);
}

#[test]
fn a_frontier_has_a_proven_plan_for_every_latency_that_can_be_reached() {
    let place = Place::new();
    let line = format!("frontier {MODEL} --engine simulated:h100 --batch 64");
    let report = json(&place, &format!("{line} --from 0.9x --to 0.5 --points 5 --plot frontier.svg"));
    assert_eq!(report["schema"], "locp.frontier/1");
    let plans = list(&report["plans"]);
    assert!(plans.len() >= 3, "{report:#}");
    let number = |plan: &Value, field: &str| plan[field].as_f64().unwrap();
    for pair in plans.windows(2) {
        assert!(number(&pair[1], "asked") < number(&pair[0], "asked"));
        assert!(number(&pair[1], "value") <= number(&pair[0], "value"), "less latency is worth more: {report:#}");
    }
    for plan in plans {
        assert!(number(plan, "ratio") <= number(plan, "asked") + 1e-9, "{plan:#}");
        // Cells measured afresh move a little; what they would gain is not chased below half a percent.
        assert!(number(plan, "gap") <= 0.005, "{plan:#}");
        assert!(plan["stopped"] != "optimal" || number(plan, "gap") == 0.0, "{plan:#}");
        assert!(!plan["keep"].as_object().unwrap().is_empty());
    }
    let svg = std::fs::read_to_string(place.path("frontier.svg")).unwrap();
    assert!(svg.contains("SIMULATED") && svg.matches("<circle").count() == plans.len() && svg.ends_with("</svg>\n"));

    // What lies beyond the floor is said, not an error, as long as there is one plan.
    let deep = json(&place, &format!("{line} --from 0.9 --to 0.001 --points 4"));
    assert!(deep["ends"].as_str().unwrap().contains("no plan takes at most"), "{deep:#}");
    let none = place.locp(&format!("{line} --from 0.002 --to 0.001 --points 2"));
    assert_eq!(none.code, 1, "{}", none.stderr);
    for bad in ["--from 0 --to 0.5", "--from 9ms", "--from nan --to 0.5", "--points 1"] {
        assert_eq!(place.locp(&format!("{line} {bad}")).code, 2, "{bad}");
    }
}

#[test]
fn layers_that_cannot_be_timed_alone_do_not_refuse_a_plan() {
    let place = Place::new();
    // An engine that runs whole models prices them by runs of those; nothing of this model can be timed alone.
    let plan =
        json(&place, "plan @onnx-surgery/tests/models/shapes/conv3d.onnx --engine tract --latency 0.9x -o p.json");
    assert!(widths(&plan).iter().any(|(channels, kept)| kept < channels), "{plan:#}");
    assert_eq!(plan["not_covered"], Value::Null);
    // Others leave them out and say so.
    let line =
        "plan @onnx-surgery/tests/models/shapes/conv_transpose.onnx --engine simulated:orin --latency 0.98x -o p.json";
    let plan = json(&place, line);
    assert_eq!(plan["not_covered"]["layers"], 3, "{plan:#}");
    let share = plan["not_covered"]["macs_share"].as_f64().unwrap();
    assert!((0.05..0.95).contains(&share), "{share}");
}
