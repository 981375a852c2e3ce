//! `environment.json`: what a folder's numbers are true for, and every run that added to it.

use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use crate::Result;
use crate::args::Options;
use crate::engine::Engine;
use crate::record::{TARGET, TOLERANCE};
use netspec::Machine;
use serde_json::{Value, json};
use timing::DriftReport;

const SCHEMA: &str = "locp.recorded-environment/1";
pub(crate) const FILE: &str = "environment.json";

/// The file while a run adds to it.
pub(crate) struct Environment {
    path: PathBuf,
    json: Value,
    /// Runs before this one.
    earlier: Vec<Value>,
}

/// One run of the program.
#[derive(Clone, Debug)]
pub(crate) struct Run {
    started: String,
    ended: Option<String>,
    state_before: Value,
    state_after: Value,
    drift: Value,
    pub(crate) measured: usize,
    pub(crate) unsupported: usize,
    pub(crate) failed: usize,
}

impl Run {
    pub(crate) fn start(engine: &Engine) -> Run {
        Run {
            started: utc(),
            ended: None,
            state_before: engine.state(),
            state_after: Value::Null,
            drift: Value::Null,
            measured: 0,
            unsupported: 0,
            failed: 0,
        }
    }

    pub(crate) fn end(&mut self, engine: &Engine, drift: Option<DriftReport>) {
        self.ended = Some(utc());
        self.state_after = engine.state();
        self.drift = drift.map_or(Value::Null, |drift| {
            json!({
                "chunks": drift.chunks,
                "repeated": drift.repeated,
                "unsettled": drift.unsettled,
                "worst_move": (drift.worst_move * 1e5).round() / 1e5,
                "failed_looks": drift.failed_looks,
            })
        });
    }

    fn json(&self) -> Value {
        json!({
            "command": command(),
            "started": self.started,
            "ended": self.ended,
            "state_before": self.state_before,
            "state_after": self.state_after,
            "drift": self.drift,
            "measured": self.measured,
            "unsupported": self.unsupported,
            "failed": self.failed,
        })
    }
}

impl Environment {
    /// Goes on with the file of a folder, or starts it.
    pub(crate) fn open(options: &Options, machine: &Machine, engine: &Engine) -> Result<Environment> {
        let path = options.out.join(FILE);
        let old = read(&options.out).unwrap_or(Value::Null);
        let earlier = old["runs"].as_array().cloned().unwrap_or_default();
        if old.get("part").is_some_and(|part| *part != options.part) {
            return Err(
                format!("{} holds the part {}; choose another folder", options.out.display(), old["part"]).into()
            );
        }
        let json = json!({
            "schema": SCHEMA,
            "part": options.part,
            "program": format!("gpu_record {}", env!("CARGO_PKG_VERSION")),
            "machine": machine,
            "engine": engine.describe(),
            "method": {
                "cache": "network",
                "fill": {
                    "seed": options.seed,
                    "weights": "normal, deviation sqrt(2 / inputs of an output)",
                    "activations": "normal, deviation 1, the negative half zero",
                },
                "relative_half_width": TARGET,
                "anchors": gpu_bench::anchors().map(|anchor| anchor.to_string()),
                "anchor_tolerance": TOLERANCE,
            },
        });
        Ok(Environment { path, json, earlier })
    }

    /// Writes the file with what this run has come to.
    pub(crate) fn write(&mut self, run: &Run) -> Result<()> {
        let runs = self.earlier.iter().cloned().chain([run.json()]).collect();
        self.json["runs"] = Value::Array(runs);
        replace(&self.path, &format!("{:#}\n", self.json))
    }
}

/// The command line without the folders of this machine.
fn command() -> Vec<String> {
    let words = std::env::args().skip(1).map(|word| match Path::new(&word).file_name() {
        Some(name) if word.contains('/') => name.to_string_lossy().into_owned(),
        _ => word,
    });
    std::iter::once("gpu_record".to_owned()).chain(words).collect()
}

/// The file of a folder.
pub(crate) fn read(folder: &Path) -> Result<Value> {
    let path = folder.join(FILE);
    let text = std::fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
    Ok(serde_json::from_str(&text).map_err(|error| format!("{}: {error}", path.display()))?)
}

/// Writes a file whole, or not at all.
pub(crate) fn replace(path: &Path, text: &str) -> Result<()> {
    let part = path.with_extension("part");
    let written = std::fs::write(&part, text).and_then(|()| std::fs::rename(&part, path));
    written.map_err(|error| format!("{}: {error}", path.display()).into())
}

/// This moment as `2026-11-25T12:00:00Z`.
fn utc() -> String {
    let seconds = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let (days, second) = (seconds / 86_400, seconds % 86_400);
    // Years begin in March, so that the leap day is the last of its year; 400 years have 146097 days.
    let shifted = days + 719_468;
    let (era, day) = (shifted / 146_097, shifted % 146_097);
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day_of_year = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day_of_month = day_of_year - (153 * month + 2) / 5 + 1;
    let (month, carry) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    let year = 400 * era + year + carry;
    let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day_of_month:02}T{hour:02}:{minute:02}:{second:02}Z")
}
