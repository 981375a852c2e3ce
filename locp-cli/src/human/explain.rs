//! Explanations for people.

use super::engine_line;
use locp::report::{ExplainReport, LintReport};
use std::fmt::Write as _;

pub(crate) fn explain(report: &ExplainReport) -> String {
    let mut out = format!("engine  {}\n\n", engine_line(&report.header));
    for group in &report.groups {
        let members: Vec<String> =
            group.members.iter().map(|member| format!("{} ({})", member.layer, member.axes.join(", "))).collect();
        let _ = writeln!(out, "{:5} {}", format!("g{}", group.id.0), group.words);
        let _ = writeln!(out, "      {}", shortened(&members));
    }
    let _ = writeln!(
        out,
        "\n{} new, {} shared, {:.1} s of engine time",
        report.measured, report.shared, report.device_seconds
    );
    out
}

fn shortened(members: &[String]) -> String {
    match members {
        [first, second, third, rest @ ..] if rest.len() > 1 => {
            format!("{first}, {second}, {third} and {} more", rest.len())
        }
        all => all.join(", "),
    }
}

pub(crate) fn lint(report: &LintReport) -> String {
    let mut out = String::new();
    for finding in &report.findings {
        let _ = writeln!(out, "{}: {}: {}: {}", report.model.path, finding.layer, finding.kind, finding.message);
    }
    let dominated = report.findings.len() - report.unknown;
    let _ = writeln!(
        out,
        "{} groups for {}: {dominated} of dominated width, {} unknown",
        report.groups,
        engine_line(&report.header),
        report.unknown
    );
    out
}
