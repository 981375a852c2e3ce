//! Plans, for people.

use super::{covers, engine_line, interval, ms, percent, spent, table, thousands};
use locp::report::*;
use std::fmt::Write;

pub(crate) fn plan(report: &PlanReport) -> String {
    let mut out = format!("engine      {}\n", engine_line(&report.header));
    let kept: Vec<_> = report.groups.iter().filter(|g| g.keep.len() < g.channels).collect();
    let _ = writeln!(
        out,
        "plan        {}: {} of {} groups narrowed, predicted {} of {} ({:.3}x; {}, in {})",
        report.planner,
        kept.len(),
        report.groups.len(),
        ms(report.predicted_ms),
        ms(report.dense_ms),
        report.predicted_ms / report.dense_ms,
        covers(report.covers, report.not_covered.as_ref()),
        report.dtype
    );
    let _ = writeln!(out, "cells       {}", cells(report));
    let _ = writeln!(out, "value       {}", value(&report.value_kind, &report.value_name));
    if let Some(constraints) = constraints(&report.constraints) {
        let _ = writeln!(out, "constraints {constraints}");
    }
    if let Some(proof) = proof(report) {
        let _ = writeln!(out, "proof       {proof}");
    }
    let mut rows = vec![["group", "channels", "kept", "first producer"].map(str::to_owned).to_vec()];
    for group in &report.groups {
        rows.push(vec![
            format!("g{}", group.id.0),
            group.channels.to_string(),
            group.keep.len().to_string(),
            group.name.clone(),
        ]);
    }
    out.push_str(&table(&[false, true, true, false], &rows));
    out
}

/// What the plan rests on.
fn cells(report: &PlanReport) -> String {
    let rounds = report.plan_rounds;
    let mut text = format!(
        "{} measured in {rounds} rounds, {} of them afresh",
        report.cells_measured + report.cells_afresh,
        report.cells_afresh
    );
    if report.cells_estimated > 0 {
        let _ = write!(text, "; {} of the plan's are estimated, not measured", report.cells_estimated);
        if let Some(error) = report.estimate_error {
            let _ = write!(text, " (standard error {:.1} %)", 100.0 * error);
        }
    }
    text
}

/// What is proven of a plan: only over the levels that were offered and the cells as they are known.
fn proof(report: &PlanReport) -> Option<String> {
    let gap = report.gap?;
    Some(match report.stopped.as_str() {
        "optimal" => "no plan of these levels and cells has a higher value".to_owned(),
        _ => format!("the best plan of these levels and cells loses at most {:.2} % less value", 100.0 * gap),
    })
}

/// What the value is and how far it may be trusted.
fn value(kind: &str, name: &str) -> String {
    let note = match kind {
        "magnitude" => "a proxy from the weights alone: it says little about accuracy",
        "damage" => "predicted damage to the outputs",
        "random" => "drawn by lot: a baseline that says nothing about accuracy",
        _ => "computed elsewhere: it is as good as what it comes from",
    };
    format!("{kind} ({name}: {note})")
}

/// The constraints that differ from what goes without saying, as flags.
fn constraints(report: &ConstraintsReport) -> Option<String> {
    let named = &report.named;
    let mut flags: Vec<String> = named.freeze.iter().map(|pattern| format!("--freeze '{pattern}'")).collect();
    flags.extend(named.only.iter().map(|pattern| format!("--only '{pattern}'")));
    flags.extend(named.at_least.iter().map(|(pattern, least)| format!("--at-least '{pattern}={least}'")));
    flags.extend(named.multiple_of.map(|step| format!("--multiple-of {step}")));
    flags.extend(named.value_floor.map(|floor| format!("--value-floor {floor}")));
    (!flags.is_empty()).then(|| flags.join(" "))
}

pub(crate) fn frontier(report: &FrontierReport) -> String {
    let mut out = format!("engine  {}\n", engine_line(&report.header));
    let _ = writeln!(
        out,
        "dense   {} ({}, in {})\nplans   {}, value: {}\n",
        ms(report.dense_ms),
        covers(report.covers, None),
        report.dtype,
        report.planner,
        value(&report.value_kind, &report.value_name)
    );
    let mut rows = vec![["asked", "predicted", "", "value", "avoidable at most"].map(str::to_owned).to_vec()];
    for plan in &report.plans {
        let gap = plan.gap.map_or("not proven".to_owned(), |gap| format!("{:.3} %", 100.0 * gap));
        let (asked, ratio) = (format!("{:.3}x", plan.asked), format!("{:.3}x", plan.ratio));
        rows.push(vec![asked, ms(plan.predicted_ms), ratio, format!("{:.4}", plan.value), gap]);
    }
    out.push_str(&table(&[true; 5], &rows));
    if let Some(why) = &report.ends {
        let _ = writeln!(out, "\nno further: {why}");
    }
    let _ = writeln!(out, "\n{}", spent(report.measured, report.shared, report.device_seconds));
    out
}

pub(crate) fn align(report: &AlignReport) -> String {
    let mut out = format!("engine   {}\n", engine_line(&report.header));
    let moved = report.widths.iter().filter(|row| row.asked != row.aligned).count();
    let _ = writeln!(out, "value    {}", value(&report.value_kind, &report.value_name));
    let _ = writeln!(
        out,
        "before   {} {}, {} parameters, value {:.3}\nafter    {} {}, {} parameters, value {:.3}\n         {:.3}x {} ({}, in {})",
        ms(report.asked_ms),
        interval(report.asked_interval_ms),
        thousands(report.params_asked),
        report.value_asked,
        ms(report.aligned_ms),
        interval(report.aligned_interval_ms),
        thousands(report.params_aligned),
        report.value_aligned,
        report.ratio,
        interval(report.ratio_interval),
        covers(report.covers, None),
        report.dtype
    );
    let _ = writeln!(out, "widths   {moved} of {} moved\n", report.widths.len());
    let head = ["group", "channels", "given", "aligned", "layers before", "after", "first producer"];
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    for row in &report.widths {
        let ms = |time: Option<f64>| time.map_or("unknown".to_owned(), ms);
        rows.push(vec![
            format!("g{}", row.id.0),
            row.channels.to_string(),
            row.asked.to_string(),
            row.aligned.to_string(),
            ms(row.asked_ms),
            ms(row.aligned_ms),
            row.name.clone(),
        ]);
    }
    out.push_str(&table(&[false, true, true, true, true, true, false], &rows));
    let _ = writeln!(out, "\n{}", spent(report.measured, report.shared, report.device_seconds));
    out
}

pub(crate) fn prune(report: &PruneReport) -> String {
    let plan = &report.plan;
    let ratio = format!("{:.3}x {}", report.ratio, interval(report.ratio_interval));
    let latency = |value: f64, range| format!("{} {}", ms(value), interval(range));
    let change = |before: usize, after: usize| format!("{:.3}x", after as f64 / before.max(1) as f64);
    let row = |cells: [&str; 4]| cells.map(str::to_owned).to_vec();
    let top1 = |a: Option<&Accuracy>| percent(a);
    let points = match (&report.accuracy_before, &report.accuracy_after) {
        (Some(before), Some(after)) => format!("{:+.2} points", 100.0 * (after.top1 - before.top1)),
        _ => String::new(),
    };
    let mut rows = vec![
        row(["", "dense", "pruned", "ratio"]),
        row([
            "latency",
            &latency(report.measured_dense_ms, report.measured_dense_interval_ms),
            &latency(report.measured_pruned_ms, report.measured_pruned_interval_ms),
            &ratio,
        ]),
        row(["predicted", "", &ms(plan.predicted_ms), &format!("{:.3}x", plan.predicted_ms / plan.dense_ms)]),
        row([
            "channels",
            &thousands(report.channels_before),
            &thousands(report.channels_after),
            &change(report.channels_before, report.channels_after),
        ]),
        row([
            "parameters",
            &thousands(report.params_before),
            &thousands(report.params_after),
            &change(report.params_before, report.params_after),
        ]),
        row(["top-1", &top1(report.accuracy_before.as_ref()), &top1(report.accuracy_after.as_ref()), &points]),
    ];
    for (what, how_far) in report.agreement.iter().flat_map(super::agreement) {
        rows.push(row([&what, "", &how_far, ""]));
    }
    let mut out = format!("engine        {}\n", engine_line(&plan.header));
    let narrowed = plan.groups.iter().filter(|g| g.keep.len() < g.channels).count();
    let _ = writeln!(
        out,
        "plan          {}, {narrowed} of {} groups narrowed, budget {}, value: {}",
        plan.planner,
        plan.groups.len(),
        ms(plan.budget.ms),
        value(&plan.value_kind, &plan.value_name)
    );
    if let Some(why) = &report.below_budget {
        let _ = writeln!(out, "budget        {why}");
    }
    if let Some(constraints) = constraints(&plan.constraints) {
        let _ = writeln!(out, "constraints   {constraints}");
    }
    let _ = writeln!(out, "cells         {}", cells(plan));
    if let Some(proof) = proof(plan) {
        let _ = writeln!(out, "proof         {proof}");
    }
    let fitted = match &report.repair {
        Some(repair) => super::repair(repair),
        None => {
            "as they were; --calib FILE, images without labels, fits what remains and costs less accuracy".to_owned()
        }
    };
    let _ = writeln!(out, "weights       {fitted}");
    let _ = writeln!(out, "covers        {}, in {}", covers(plan.covers, plan.not_covered.as_ref()), plan.dtype);
    let asked = report.measurements_new + report.measurements_shared;
    let _ = writeln!(
        out,
        "measurements  {asked} asked: {}\n",
        spent(report.measurements_new, report.measurements_shared, report.device_seconds)
    );
    out.push_str(&table(&[false; 4], &rows));
    let _ = writeln!(out, "\nwrote         {}", report.output);
    out
}
