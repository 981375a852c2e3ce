//! Tables for people.

use locp::report::{DiffReport, SetAsideReport, TableReport, TransferReport};
use std::fmt::Write as _;

/// Rows of a difference that are shown; JSON has them all.
const ROWS: usize = 20;

pub(crate) fn table_info(report: &TableReport) -> String {
    let mut out = format!("{}: {} entries, {}\n", report.path, report.entries, report.kind);
    for machine in &report.machines {
        let _ = writeln!(out, "{:8} convolutions, {:8} entries  {}", machine.specs, machine.entries, machine.machine);
    }
    out
}

pub(crate) fn transfer(report: &TransferReport) -> String {
    let TransferReport { action, path, entries, inserted, history, known, .. } = report;
    let news = match *action {
        "exported" => String::new(),
        _ => format!(": {inserted} new, {history} more of what was there, {known} known"),
    };
    format!("{action} {entries} entries to {path}{news}\n")
}

pub(crate) fn set_aside(report: &SetAsideReport) -> String {
    format!("{} is now {}; a new table is made when something is measured\n", report.path, report.aside)
}

pub(crate) fn table_diff(report: &DiffReport) -> String {
    let [first, second] = &report.tables;
    let mut out = format!(
        "{first} and {second}: {} and {} lines of widths, {} compared\n",
        report.lines[0],
        report.lines[1],
        report.rows.len()
    );
    if report.rows.is_empty() {
        out += "no line has three widths in both\n";
        return out;
    }
    let _ = writeln!(out, "\n{:44} {:>6}  {:>7}  {:>16}  risers of one only", "line", "widths", "second", "furthest");
    for row in report.rows.iter().take(ROWS) {
        let moved: Vec<String> = row
            .moved
            .iter()
            .map(|r| format!("{}|{} {:+.0} % and {:+.0} %", r.from, r.to, 100.0 * r.first, 100.0 * r.second))
            .collect();
        let line = match format!("{:?}", row.cache).to_lowercase() {
            cache if cache != "network" => format!("{} ({cache})", row.line),
            _ => row.line.clone(),
        };
        let furthest = format!("{:.1} % at {}", 100.0 * row.worst, row.worst_width);
        let _ = writeln!(
            out,
            "{:44} {:6}  {:6.3}x  {:>16}  {}",
            line,
            row.widths,
            row.ratio,
            furthest,
            if moved.len() > 3 {
                format!("{}, and {} more", moved[..3].join("; "), moved.len() - 3)
            } else {
                moved.join("; ")
            }
        );
    }
    if report.rows.len() > ROWS {
        let _ = writeln!(out, "and {} more, in --format json", report.rows.len() - ROWS);
    }
    out
}
