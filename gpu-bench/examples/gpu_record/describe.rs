//! `README.md` and `summary.md`: the folder for people, from nothing but what is in it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::path::Path;

use crate::environment::{read, replace};
use crate::folder::{TABLE, failures, table};
use crate::{Result, network, parts, truth};
use netspec::{ConvSpec, Epilogue, Measurement, StopReason};
use serde_json::Value;

/// Writes both files again.
pub(crate) fn describe(folder: &Path) -> Result<()> {
    let environment = read(folder)?;
    let summary = summary(folder, &environment)?;
    replace(&folder.join("README.md"), &readme(folder, &environment)?)?;
    replace(&folder.join("summary.md"), &format!("{}{summary}", title(&environment)))
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_default()
}

/// Simulated figures say so before anything else.
fn title(environment: &Value) -> String {
    let (machine, part) = (&environment["machine"], text(environment, "part"));
    let label = if environment["engine"]["simulated"] == true { "SIMULATED, nothing here was measured: " } else { "" };
    format!("# {label}{}: {part}\n\n", text(machine, "device"))
}

fn readme(folder: &Path, environment: &Value) -> Result<String> {
    let (machine, method, engine) = (&environment["machine"], &environment["method"], &environment["engine"]);
    let runs = environment["runs"].as_array().map_or(&[][..], Vec::as_slice);
    let mut out = title(environment);
    let of = |key| text(machine, key);
    writeln!(out, "| | |\n|---|---|")?;
    writeln!(out, "| device | {} ({}) |", of("device"), of("compute"))?;
    writeln!(out, "| driver | {} |", of("driver"))?;
    match text(environment, "part") {
        "truth" => writeln!(out, "| kernel | this crate's own, compiled by NVRTC {} |", text(engine, "nvrtc"))?,
        _ => writeln!(out, "| library | {}, {} |", of("library"), of("policy"))?,
    }
    for (i, run) in runs.iter().enumerate() {
        let clock =
            |when: &str| run[when]["clock_mhz"].as_u64().map_or("unknown".to_owned(), |mhz| format!("{mhz} MHz"));
        let ended = run["ended"].as_str().unwrap_or("killed");
        let (before, after) = (clock("state_before"), clock("state_after"));
        writeln!(
            out,
            "| run {} | {} to {ended}, clock {before} before and {after} after |",
            i + 1,
            text(run, "started")
        )?;
        let words: Vec<&str> = run["command"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        writeln!(out, "| | `{}` |", words.join(" "))?;
    }
    if let Some(mhz) = engine["rated_clock_mhz"].as_f64() {
        writeln!(out, "| rated clock | {mhz:.0} MHz |")?;
    }
    out += "\nWhat a convolution meets inside of a network: its weights are not in the caches, its input may be.\n";
    let half_width = method["relative_half_width"].as_f64().unwrap_or_default() * 100.0;
    writeln!(
        out,
        "Convolutions take turns in random order, until the 95 % interval of the median is within {half_width} % or no \
         longer gets narrower."
    )?;
    let is_truth = text(environment, "part") == "truth";
    if !is_truth {
        let anchors = method["anchors"].as_array().into_iter().flatten().filter_map(Value::as_str).collect::<Vec<_>>();
        let tolerance = method["anchor_tolerance"].as_f64().unwrap_or_default() * 100.0;
        writeln!(
            out,
            "Before and after each 16 two anchors are timed ({}); where one moved by more than {tolerance} %, the 16 were \
             timed again, and nothing is ever rescaled.",
            anchors.join("; ")
        )?;
    }
    out += "\n| file | holds |\n|---|---|\n";
    if is_truth {
        let name = truth::FILE;
        writeln!(out, "| `{name}` | a layer a line: widths, medians, intervals, edges predicted and found |")?;
    } else {
        writeln!(out, "| `{TABLE}` | medians and intervals; the engine `recorded:{TABLE}` answers from it |")?;
        out += "| `samples.jsonl`, perhaps with `.gz` | every sample in nanoseconds, the clock in MHz, the algorithm |\n\
                | `failed.jsonl` | what could not be timed, and why |\n";
    }
    out += "| `environment.json` | device, versions, clocks, temperatures, drift of the anchors |\n\
            | `summary.md` | what is seen in it |\n";
    let [unsupported, failed] = failures(folder)?;
    writeln!(out, "\n{unsupported} convolutions are not supported by the library, and {failed} attempts failed.")?;
    writeln!(out, "License: MIT OR Apache-2.0, as the repository.")?;
    Ok(out)
}

fn summary(folder: &Path, environment: &Value) -> Result<String> {
    let part = text(environment, "part");
    if part == "truth" {
        return truth::summary(folder);
    }
    let table = table(folder)?;
    let stages = parts::stages(part)?;
    let all: BTreeSet<&ConvSpec> = stages.iter().flatten().collect();
    let mut out = format!("{} of {} convolutions are recorded.\n", table.len(), all.len());
    let entries: Vec<(&ConvSpec, &Measurement)> = table.iter().collect();
    let share = |n: usize, of: usize| 100.0 * n as f64 / of.max(1) as f64;
    let settled = entries.iter().filter(|(_, m)| m.stop == StopReason::NoiseSettled).count();
    let precise = entries.iter().filter(|(_, m)| m.stop == StopReason::Precise).count();
    let algorithms: BTreeSet<_> = entries.iter().filter_map(|(_, m)| m.algorithm.as_ref()).collect();
    writeln!(
        out,
        "{:.1} % are as precise as was asked for, {:.1} % stopped where noise had settled; algorithms: {}.",
        share(precise, entries.len()),
        share(settled, entries.len()),
        algorithms.len()
    )?;
    if part == "network" {
        return Ok(out + &network::summary(folder)?);
    }
    let curves = series(&entries);
    if curves.is_empty() {
        return Ok(out);
    }
    writeln!(out, "\n| axis | type | batch | curves | widths | slower than a wider one |\n|---|---|---|---|---|---|")?;
    for (kind, series) in curves {
        let widths: usize = series.iter().map(Vec::len).sum();
        let slower: usize = series.iter().map(dominated).sum();
        writeln!(out, "| {kind} | {} | {widths} | {:.1} % |", series.len(), share(slower, widths))?;
    }
    writeln!(
        out,
        "\nA width counts as slower where its whole interval lies above that of some wider one on its curve."
    )?;
    Ok(out)
}

/// The widths of a layer, ascending, with their intervals.
type Widths = Vec<(usize, [f64; 2])>;

/// Layers along each axis, at least six widths each, by axis, type and batch.
fn series(entries: &[(&ConvSpec, &Measurement)]) -> BTreeMap<String, Vec<Widths>> {
    let mut layers: BTreeMap<(String, ConvSpec), Widths> = BTreeMap::new();
    for (spec, measurement) in entries {
        let mut axes = vec![("c_out", spec.c_out, ConvSpec { c_out: 0, ..(*spec).clone() })];
        if spec.is_depthwise() {
            axes = vec![("both", spec.c_out, ConvSpec { c_in: 0, c_out: 0, groups: 0, ..(*spec).clone() })];
        } else {
            axes.push(("c_in", spec.c_in, ConvSpec { c_in: 0, ..(*spec).clone() }));
        }
        for (axis, width, layer) in axes {
            let kind = format!("{axis} | {} | {}", spec.dtype, spec.batch);
            let layer = ConvSpec { epilogue: Epilogue::default(), ..layer };
            layers.entry((kind, layer)).or_default().push((width, measurement.interval_ns));
        }
    }
    let mut kinds: BTreeMap<String, Vec<Widths>> = BTreeMap::new();
    for ((kind, _), mut widths) in layers {
        widths.sort_by_key(|&(width, _)| width);
        if widths.len() >= 6 {
            kinds.entry(kind).or_default().push(widths);
        }
    }
    kinds
}

/// Widths whose interval lies above that of some wider one.
fn dominated(widths: &Widths) -> usize {
    let mut fastest_wider = f64::INFINITY;
    let mut count = 0;
    for &(_, [low, high]) in widths.iter().rev() {
        count += usize::from(low > fastest_wider);
        fastest_wider = fastest_wider.min(high);
    }
    count
}
