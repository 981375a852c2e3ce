//! How far a simulated GPU is from what was recorded on the real one: `replay_compare [TABLE [GPU]]`.
//!
//! Without arguments it plays both parts itself: a simulated T4 is recorded and compared with a simulated H100.
#![allow(clippy::print_stdout, reason = "an example prints its result")]

use netspec::{CacheState, ConvSpec, DType, Measurement, Provenance};
use replay::Simulated;
use sharing::{Recorded, Recorder};
use std::collections::BTreeMap;
use std::error::Error;
use std::path::{Path, PathBuf};

fn main() -> Result<(), Box<dyn Error>> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let gpu = words.get(1).map_or("h100", String::as_str);
    match words.first() {
        Some(table) => compare(Path::new(table), gpu),
        None => {
            let folder = std::env::temp_dir().join(format!("replay-compare-{}", std::process::id()));
            std::fs::create_dir_all(&folder)?;
            let compared = demonstration(&folder).and_then(|table| compare(&table, gpu));
            std::fs::remove_dir_all(&folder)?;
            compared
        }
    }
}

fn demonstration(folder: &Path) -> Result<PathBuf, Box<dyn Error>> {
    let table = folder.join("table.jsonl");
    let t4 = Simulated::named("t4")?;
    let mut recorder = Recorder::append(&table, t4.machine())?;
    for c_out in (32..=256).step_by(32) {
        let spec: ConvSpec = format!("n8 64>{c_out} 28x28 k3 p1 f16 nhwc").parse()?;
        let ns = t4.latency_ns(&spec)?;
        recorder.record(&spec, &Measurement::exact(ns, Provenance::Simulated))?;
    }
    Ok(table)
}

/// Prints the ratio of simulated to recorded latencies, by data type and batch: where its median is far from one the
/// scale is wrong, where its spread is wide the shape is.
fn compare(table: &Path, gpu: &str) -> Result<(), Box<dyn Error>> {
    let (recorded, simulated) = (Recorded::open(table, None)?, Simulated::named(gpu)?);
    println!("simulated {} against {} in {}", simulated.gpu().device, recorded.origin().device, table.display());
    let mut ratios: BTreeMap<(DType, usize), Vec<f64>> = BTreeMap::new();
    let (mut unsupported, mut simulated_before) = (0, 0);
    for (spec, measurement) in recorded.entries() {
        simulated_before += usize::from(measurement.provenance == Provenance::Simulated);
        match simulated.latency_ns(spec) {
            Ok(ns) if measurement.cache != CacheState::Cold => {
                ratios.entry((spec.dtype, spec.batch)).or_default().push(ns / measurement.median_ns);
            }
            _ => unsupported += 1,
        }
    }
    println!("type  batch  widths  simulated/recorded: 10 %, median, 90 %");
    for ((dtype, batch), ratios) in &mut ratios {
        ratios.sort_by(f64::total_cmp);
        let at = |share: f64| ratios[((ratios.len() - 1) as f64 * share).round() as usize];
        let [low, median, high] = [0.1, 0.5, 0.9].map(at);
        println!("{dtype:4}  {batch:5}  {:6}  {low:.3}, {median:.3}, {high:.3}", ratios.len());
    }
    if unsupported > 0 {
        println!("{unsupported} entries were left out: no units for their type, or measured with cold inputs");
    }
    if simulated_before > 0 {
        println!(
            "{simulated_before} entries of the table were themselves simulated, so this says nothing about a device"
        );
    }
    Ok(())
}
