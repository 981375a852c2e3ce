//! Whole chains of convolutions next to the sum of their parts.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::args::Options;
use crate::engine::Engine;
use crate::folder::{lines, rows, table, write};
use crate::{Result, progress, record};
use gpu_bench::layers;
use netspec::{ConvSpec, DType, Layout, Measurement};
use serde_json::{Value, json};
use timing::{measure, stop};

const FILE: &str = "chains.jsonl";

/// Times each network's convolutions in a chain, where all of its parts are recorded; how many are left to do.
pub(crate) fn chains(options: &Options, engine: &Engine, alarm: &Arc<AtomicBool>) -> Result<usize> {
    let table = table(&options.out)?;
    let path = options.out.join(FILE);
    let known = rows(&path)?;
    let mut file = lines(&path)?;
    let mut left = 0;
    for (name, specs) in layers::networks() {
        for batch in [1, 64] {
            if known.iter().any(|row| row["network"] == name && row["batch"] == batch) {
                continue;
            }
            if alarm.load(Ordering::Relaxed) {
                left += 1;
                continue;
            }
            let specs = layers::at(&specs, batch, DType::F16, Layout::Nhwc);
            let (parts, missing) = sum_ns(&table, &specs);
            if let Some(missing) = missing {
                progress(&format!("{name} batch {batch}: no chain, because `{missing}` has no latency"));
                continue;
            }
            match chain(options, engine, alarm, &specs) {
                Ok(whole) => {
                    let row = row(name, batch, specs.len(), parts, &whole);
                    progress(&format!(
                        "{name} batch {batch}: the chain takes {:.3} of its parts",
                        whole.median_ns / parts
                    ));
                    write(&mut file, &row)?;
                }
                Err(error) => {
                    left += 1;
                    progress(&format!("{name} batch {batch}: {error}"));
                }
            }
        }
    }
    Ok(left)
}

fn chain(options: &Options, engine: &Engine, alarm: &Arc<AtomicBool>, specs: &[ConvSpec]) -> Result<Measurement> {
    let mut chain = engine.backend.chain(specs)?;
    let mut rule = stop::Relative::new(record::TARGET).max_samples(200);
    Ok(measure(&mut *chain, &mut rule, &record::policy(options, alarm))?)
}

/// The sum of the parts, and one that is not known.
fn sum_ns<'a>(table: &BTreeMap<ConvSpec, Measurement>, specs: &'a [ConvSpec]) -> (f64, Option<&'a ConvSpec>) {
    let of = |spec: &ConvSpec| table.get(spec).map(|m| m.median_ns);
    let missing = specs.iter().find(|spec| of(spec).is_none());
    (specs.iter().filter_map(of).sum(), missing)
}

fn row(name: &str, batch: usize, layers: usize, parts_ns: f64, whole: &Measurement) -> Value {
    let us = |ns: f64| (ns / 1e2).round() / 1e1;
    json!({
        "network": name,
        "batch": batch,
        "dtype": "f16",
        "layout": "nhwc",
        "layers": layers,
        "chain_us": us(whole.median_ns),
        "chain_interval_us": whole.interval_ns.map(us),
        "samples": whole.samples,
        "provenance": whole.provenance,
        "parts_us": us(parts_ns),
        "ratio": (1e4 * whole.median_ns / parts_ns).round() / 1e4,
    })
}

/// A table of the chains that a folder holds.
pub(crate) fn summary(folder: &Path) -> Result<String> {
    let mut out =
        "\nAll convolutions and fully connected layers in a row, f16 NHWC, without what lies between them:\n\n\
                   | network | batch | layers | chain | sum of its parts | ratio |\n|---|---|---|---|---|---|\n"
            .to_owned();
    for row in rows(&folder.join(FILE))? {
        let name = row["network"].as_str().unwrap_or_default();
        let us = |key: &str| row[key].as_f64().unwrap_or(f64::NAN);
        let (batch, layers) = (&row["batch"], &row["layers"]);
        let (chain, parts, ratio) = (us("chain_us"), us("parts_us"), us("ratio"));
        writeln!(out, "| {name} | {batch} | {layers} | {chain:.1} us | {parts:.1} us | {ratio:.3} |")?;
    }
    Ok(out)
}
