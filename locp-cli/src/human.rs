//! Results for people: short tables, one figure with its interval at a time.

mod apply;
mod explain;
mod plan;
mod repair;
mod table;

pub(crate) use apply::apply;
pub(crate) use explain::{explain, lint};
pub(crate) use plan::{align, frontier, plan, prune};
pub(crate) use repair::{damage, repair};
pub(crate) use table::{set_aside, table_diff, table_info, transfer};

use locp::netspec::{Axis, CacheState, GroupId};
use locp::report::*;
use std::fmt::Write;

// Writing to a String cannot fail, so the results of `writeln!` are dropped throughout.

/// Columns aligned on two spaces; `right` says which are numbers.
fn table(right: &[bool], rows: &[Vec<String>]) -> String {
    let widths: Vec<usize> = (0..right.len())
        .map(|c| rows.iter().filter_map(|row| row.get(c)).map(|cell| cell.chars().count()).max().unwrap_or(0))
        .collect();
    let mut out = String::new();
    for row in rows {
        let cells = row.iter().zip(&widths).zip(right).map(|((cell, &width), &is_right)| match is_right {
            true => format!("{cell:>width$}"),
            false => format!("{cell:<width$}"),
        });
        let _ = writeln!(out, "{}", cells.collect::<Vec<_>>().join("  ").trim_end());
    }
    out
}

fn ms(value: f64) -> String {
    // Whole networks take milliseconds; a single layer's microseconds would round away.
    match value {
        v if v >= 100.0 => format!("{v:.1} ms"),
        v if v >= 10.0 => format!("{v:.2} ms"),
        v => format!("{v:.3} ms"),
    }
}

fn interval([low, high]: Interval) -> String {
    format!("[{low:.3}, {high:.3}]")
}

fn thousands(n: usize) -> String {
    let digits = n.to_string();
    let mut out = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// A share to one decimal.
fn percentage(share: f64) -> String {
    format!("{:.1} %", 100.0 * share)
}

fn percent(accuracy: Option<&Accuracy>) -> String {
    accuracy.map_or_else(
        || "not asked for".to_owned(),
        |a| format!("{:.2} % [{:.2}, {:.2}]", 100.0 * a.top1, 100.0 * a.top1_interval[0], 100.0 * a.top1_interval[1]),
    )
}

/// What the times are true for, with the words that no reader may miss.
pub(crate) fn engine_line(header: &Header) -> String {
    let machine = &header.machine.machine;
    let threads = match machine.threads {
        _ if header.simulated || header.recorded => String::new(),
        // On a GPU it is the choice of algorithms that makes numbers differ, not the host's threads.
        _ if header.engine == "cuda" => format!(", {}", machine.policy),
        1 => ", 1 thread".to_owned(),
        n => format!(", {n} threads"),
    };
    let compute = if machine.compute.is_empty() { String::new() } else { format!(" ({})", machine.compute) };
    let label = match (header.simulated, header.recorded) {
        (true, true) => "  SIMULATED when it was recorded, not measured on a device",
        (true, _) => "  SIMULATED, not measured on a device",
        (_, true) => "  RECORDED elsewhere, not measured here",
        _ => "",
    };
    format!("{} on {}{compute}{threads}{label}", machine.library, machine.device)
}

fn covers(covers: Covers, not_covered: Option<&NotCovered>) -> String {
    let what = match covers {
        Covers::WholeModel => "whole model, end to end",
        Covers::Convolutions => "convolutions and fully connected layers only",
    };
    let Some(NotCovered { layers, macs_share, .. }) = not_covered else { return what.to_owned() };
    let share = macs_share.map_or("an unknown share".to_owned(), |share| format!("{:.0} %", 100.0 * share));
    let plural = if *layers == 1 { "layer" } else { "layers" };
    format!("{what}, without {layers} {plural} that cannot be timed alone ({share} of the MACs)")
}

/// Where an engine's libraries were looked for stands with the libraries.
pub(crate) fn doctor(report: &DoctorReport) -> String {
    let mut out = String::new();
    for engine in &report.engines {
        let _ = match &engine.machine {
            Some(machine) => {
                let m = &machine.machine;
                writeln!(out, "{:16} ready: {} on {} ({})", engine.engine, m.library, m.device, m.compute)
            }
            None => writeln!(out, "{:16} not here: {}", engine.engine, engine.reason.as_deref().unwrap_or("unknown")),
        };
        if let Some(remedy) = &engine.remedy {
            let _ = writeln!(out, "{:16}   {remedy}", "");
        }
        // Where CUDA's libraries were looked for follows by library.
        for place in engine.looked_for.iter().filter(|_| engine.engine != "cuda") {
            let _ = writeln!(out, "{:16}   looked at {place}", "");
        }
    }
    for library in &report.libraries {
        let _ = match (&library.path, &library.version) {
            (Some(path), Some(version)) => writeln!(out, "{:16} {version}: {path}", library.library),
            _ => writeln!(out, "{:16} not here: {}", library.library, library.reason.as_deref().unwrap_or("unknown")),
        };
        for place in &library.looked_for {
            let _ = writeln!(out, "{:16}   looked at {place}", "");
        }
    }
    let _ = writeln!(out, "{:16} {}", "latency table", report.table);
    out
}

pub(crate) fn inspect(report: &InspectReport) -> String {
    let mut out = format!(
        "{}: {} layers ({} distinct), {} parameters, {:.1} M multiply-accumulates at batch {}\n\
         prunable: {:.0} % of the layers' output channels; layers with such channels have {:.0} % of the multiply-accumulates\n",
        report.model.path,
        report.layers.len(),
        report.distinct_specs,
        thousands(report.parameters),
        report.macs as f64 / 1e6,
        report.batch,
        100.0 * report.prunable.channels,
        100.0 * report.prunable.macs
    );
    for (reason, channels) in &report.prunable.reasons {
        let _ = writeln!(out, "  {channels} channels stay: {reason}");
    }
    out.push('\n');
    let mut rows = vec![["layer", "convolution", "reads", "makes"].map(str::to_owned).to_vec()];
    let ids = |ids: &[GroupId]| ids.iter().map(|g| format!("g{}", g.0)).collect::<Vec<_>>().join("+");
    for layer in &report.layers {
        rows.push(vec![layer.name.clone(), layer.spec.clone(), ids(&layer.inputs), ids(&layer.outputs)]);
    }
    out.push_str(&table(&[false; 4], &rows));
    let mut rows = vec![["group", "channels", "axes", "kind", "first producer"].map(str::to_owned).to_vec()];
    for group in &report.groups {
        let kind = match (&group.frozen, group.residual) {
            (Some(reason), _) => format!("frozen: {reason}"),
            (None, true) => "residual stream".to_owned(),
            (None, false) => "inner".to_owned(),
        };
        let constraints: String = group.constraints.iter().map(|constraint| format!(", keeps {constraint}")).collect();
        rows.push(vec![
            format!("g{}", group.id.0),
            group.channels.to_string(),
            group.members.len().to_string(),
            kind + &constraints,
            group.name.clone(),
        ]);
    }
    out.push('\n');
    out.push_str(&table(&[false, true, true, false, false], &rows));
    for input in &report.inputs {
        let Some(likely) = &input.likely else { continue };
        let dims: Vec<String> =
            input.shape.iter().map(|dim| dim.map_or("?".to_owned(), |dim| dim.to_string())).collect();
        let shape = if dims.is_empty() { "of unknown shape".to_owned() } else { dims.join("x") };
        let flag = crate::flags::stated(likely);
        let _ = writeln!(out, "\nthe input `{}` is {shape}: to plan, state its size, for example {flag}", input.name);
    }
    if !report.untimed.is_empty() {
        out.push_str("\nnot counted above, since they cannot be timed alone:\n");
        for layer in &report.untimed {
            let _ = writeln!(out, "  {} ({}): {}", layer.node, layer.op, layer.reason);
        }
    }
    if !report.frozen.is_empty() {
        out.push_str("\ncannot be pruned:\n");
        for frozen in &report.frozen {
            let _ = writeln!(out, "  {} ({}): {}", frozen.node, frozen.op, frozen.reason);
        }
    }
    out
}

/// "New" rather than "measured", since a simulator's answers are counted in the same way.
fn spent(new: u64, shared: u64, seconds: f64) -> String {
    format!("{new} new, {shared} shared, {seconds:.1} s of engine time")
}

pub(crate) fn measure(report: &StepsReport) -> String {
    let widths: usize = report.layers.iter().map(|s| s.points.len()).sum();
    format!(
        "engine      {}\nstaircases  {} with {widths} widths\nreadings    {}\n",
        engine_line(&report.header),
        report.layers.len(),
        spent(report.measured, report.shared, report.device_seconds)
    )
}

pub(crate) fn steps(report: &StepsReport) -> String {
    let mut out = format!("engine  {}\n", engine_line(&report.header));
    for stair in &report.layers {
        let axis = match stair.axis {
            Axis::CIn => "input channels",
            Axis::COut => "output channels",
        };
        let _ = writeln!(
            out,
            "\n{}  {}\n  {axis} up to {}, granularity {}{}, {} widths",
            stair.name,
            stair.spec,
            stair.channels,
            stair.granularity,
            if stair.offset > 0 { format!(" (from {})", stair.offset) } else { String::new() },
            stair.measured
        );
        let mut rows = vec![["  edge", "latency", "to the next"].map(str::to_owned).to_vec()];
        for edge in &stair.edges {
            let gradual = if edge.is_step { "" } else { ", gradually" };
            let jump = edge.jump_ms.map_or(String::new(), |jump| format!("{jump:+.4} ms{gradual}"));
            let change = edge.algorithm_change.as_ref();
            let change = change.map_or(String::new(), |[from, to]| format!("{from} becomes {to}"));
            rows.push(vec![format!("{:6}", edge.channels), format!("{:.4} ms", edge.latency_ms), jump, change]);
        }
        out.push_str(&table(&[true, true, true, false], &rows));
        let audit = &stair.audit;
        if audit.audits > 0 {
            let _ = writeln!(
                out,
                "  {} of {} other widths checked, {} cheaper than claimed: at most {} are (95 %)",
                audit.audits, audit.unseen, audit.exceptions, audit.at_most
            );
        }
    }
    let _ = writeln!(out, "\n{}", spent(report.measured, report.shared, report.device_seconds));
    out
}

pub(crate) fn verify(report: &VerifyReport) -> String {
    let parts = report.parts_ms.map_or(String::new(), |[dense, pruned]| {
        format!("parts   one by one and summed: dense {}, pruned {}\n", ms(dense), ms(pruned))
    });
    format!(
        "engine  {}\ndense   {} {}\npruned  {} {}\n{parts}ratio   {:.3}x {} from {} pairs of turns ({}, in {})\n{}\n",
        engine_line(&report.header),
        ms(report.dense_ms),
        interval(report.dense_interval_ms),
        ms(report.pruned_ms),
        interval(report.pruned_interval_ms),
        report.ratio,
        interval(report.ratio_interval),
        report.samples,
        covers(report.covers, report.not_covered.as_ref()),
        report.dtype,
        match report.passed {
            true => format!("yes: the interval ends below {}x", report.at_most),
            false => format!("no: the interval reaches {}x or more", report.at_most),
        }
    )
}

pub(crate) fn accuracy(report: &AccuracyReport) -> String {
    let mut rows: Vec<[String; 2]> = Vec::new();
    if let Some(a) = &report.accuracy {
        rows.push(["top-1".to_owned(), percent(Some(a))]);
        rows.push(["top-5".to_owned(), format!("{:.2} %", 100.0 * a.top5)]);
    }
    rows.extend(report.agreement.iter().flat_map(agreement).map(|(what, how_far)| [what, how_far]));
    let n = report.accuracy.map_or_else(|| report.agreement.as_ref().map_or(0, |agreement| agreement.n), |a| a.n);
    let rows: Vec<Vec<String>> = rows.into_iter().map(Vec::from).collect();
    format!("{}{} images\n", table(&[false, false], &rows), thousands(n))
}

/// How far a model does what the dense one does: what is compared, and the outcome.
pub(crate) fn agreement(agreement: &Agreement) -> Vec<(String, String)> {
    let answers = agreement.classes.as_ref().map(|classes| ("same answer".to_owned(), percent(Some(classes))));
    let errors = agreement.outputs.iter().map(|output| {
        let worst = match (output.worst_image, output.worst_relative_error) {
            (Some(image), Some(error)) => format!(", at worst {} (image {image})", relative(error)),
            _ => String::new(),
        };
        (format!("`{}` off by", output.name), format!("{}{worst}", relative(output.relative_error)))
    });
    answers.into_iter().chain(errors).collect()
}

/// A relative error, which may be anything from rounding to ruin.
fn relative(error: f64) -> String {
    if error.is_finite() && error < 1e-3 && error > 0.0 {
        format!("{error:.1e}")
    } else {
        format!("{:.2} %", 100.0 * error)
    }
}

pub(crate) fn bench(report: &BenchReport) -> String {
    let mut rows =
        vec![["convolution", "median", "95 %", "samples", "Tflop/s", "clock", "ran"].map(str::to_owned).to_vec()];
    let mut failures = String::new();
    for row in &report.rows {
        let Some(latency) = row.latency else {
            let _ = writeln!(failures, "not timed: {}", row.error.as_deref().unwrap_or("for an unknown reason"));
            continue;
        };
        let us = |ms: f64| format!("{:.2}", 1e3 * ms);
        let [low, high] = latency.interval_ms;
        let discarded = row.discarded.filter(|&n| n > 0).map_or(String::new(), |n| format!(" ({n} throttled)"));
        rows.push(vec![
            row.spec.clone(),
            format!("{} us", us(latency.ms)),
            format!("[{}, {}]", us(low), us(high)),
            format!("{}{discarded}", row.samples.unwrap_or(0)),
            row.tflops.map_or(String::new(), |of| format!("{of:.2}")),
            row.clock_mhz.map_or(String::new(), |mhz| format!("{mhz:.0} MHz")),
            row.algorithm.clone().unwrap_or_default(),
        ]);
    }
    let drift = match report.drift {
        Drift { unsettled: 0, repeated: 0, .. } => String::new(),
        Drift { unsettled, repeated, worst_move, .. } => format!(
            "\nthe device changed speed by up to {:.1} %: {repeated} times measured again, {unsettled} times in vain\n",
            100.0 * worst_move
        ),
    };
    let cache = match report.cache {
        Some(CacheState::Warm) => "warm: each run finds the last one's data",
        Some(CacheState::Cold) => "cold: each run finds nothing of its own",
        Some(_) => "network: each run finds its input and not its weights",
        None => "none in the model of this device",
    };
    let table = table(&[false, true, false, true, true, true, false], &rows);
    format!("engine  {}\ncaches  {cache}\n\n{table}{failures}{drift}", engine_line(&report.header))
}

#[cfg(test)]
mod tests {
    use super::inspect;
    use locp::netspec::{ChannelGroup, Constraint, GroupId};

    #[test]
    fn inspect_tells_constraints_that_are_not_the_default() {
        let mut group = ChannelGroup::new(GroupId(0), "conv1", 64);
        group.constraints = vec![Constraint::MultipleOf(8), Constraint::AtLeast(16)];
        let shipped = concat!(env!("CARGO_MANIFEST_DIR"), "/../models/fashion.onnx");
        let mut report = locp::inspect(&locp::Model::open(shipped.as_ref(), None).expect("the shipped model"));
        report.groups = vec![group, ChannelGroup::new(GroupId(1), "conv2", 8)];
        let said = inspect(&report);
        assert!(said.contains("inner, keeps a multiple of 8, keeps at least 16  conv1"), "{said}");
        assert!(said.contains("8     0  inner  "), "{said}");
    }
}
