//! A patch as a table: one line per axis that shrinks, short also where thousands of channels go.

use super::{table, thousands};
use locp::report::{ApplyReport, ChangeReport};
use std::collections::BTreeSet;
use std::fmt::Write;

/// Ranges of positions that a line names; `--format json` has them all.
const RANGES: usize = 8;

pub(crate) fn apply(report: &ApplyReport) -> String {
    let mut out = changes(&report.changes);
    if !report.modules_unnamed.is_empty() {
        let n = report.modules_unnamed.len();
        let _ =
            writeln!(out, "layers without a module name in the file: {n} (docs/interop.md tells how to keep names)");
    }
    let (before, after) = (report.params_before, report.params_after);
    let share = after as f64 / before.max(1) as f64;
    let _ = writeln!(out, "parameters {} -> {} ({share:.3}x)", thousands(before), thousands(after));
    if let Some(repair) = &report.repair {
        let _ = writeln!(out, "fitted {}", super::repair(repair));
    }
    let _ = match &report.output {
        Some(output) => writeln!(out, "wrote {output}"),
        None => writeln!(out, "dry run: nothing was written"),
    };
    out
}

fn changes(changes: &[ChangeReport]) -> String {
    if changes.is_empty() {
        return "nothing changes: the plan keeps every channel\n".to_owned();
    }
    let mut rows = vec![["changes", "where", "before", "after", "without"].map(str::to_owned).to_vec()];
    let (mut tensors, mut axes, mut stated, mut gone, mut others) = (BTreeSet::new(), 0, 0, 0, 0);
    for change in changes {
        let row = |what: &str, place: String, before: String, after: String, without| {
            vec![what.to_owned(), place, before, after, without]
        };
        match change {
            ChangeReport::Shrink { tensor, axis, before, after, removed } => {
                tensors.insert(tensor);
                axes += 1;
                let without = shortened(removed);
                rows.push(row(tensor, format!("axis {axis}"), before.to_string(), after.to_string(), without));
            }
            // They follow from the rest, and a large file states hundreds.
            ChangeReport::Stated { .. } => stated += 1,
            ChangeReport::Copy { tensor, copy } => {
                others += 1;
                rows.push(row(copy, format!("a copy of {tensor}"), String::new(), String::new(), String::new()));
            }
            ChangeReport::Attribute { node, name, element, before, after } => {
                others += 1;
                let place = element.map_or(name.clone(), |i| format!("{name}[{i}]"));
                rows.push(row(node, place, before.to_string(), after.to_string(), String::new()));
            }
            ChangeReport::Number { tensor, index, before, after } => {
                others += 1;
                let place = format!("[{index}]");
                rows.push(row(tensor, place, before.to_string(), after.to_string(), String::new()));
            }
            ChangeReport::Constant { node, tensor, channels } => {
                let place = format!("a constant, {tensor}");
                rows.push(row(node, place, String::new(), channels.to_string(), String::new()));
            }
            // They are what led to that constant.
            ChangeReport::Remove { .. } | ChangeReport::Unread { .. } => gone += 1,
            ChangeReport::Other { what } => {
                others += 1;
                rows.push(vec![what.clone()]);
            }
            _ => others += 1,
        }
    }
    let mut out = table(&[false, false, true, true, false], &rows);
    let _ = write!(out, "\nsmaller tensors: {}, axes: {}", thousands(tensors.len()), thousands(axes));
    for (n, what) in [
        (others, "copies, attributes and numbers that follow"),
        (stated, "stated shapes"),
        (gone, "nodes and tensors that go"),
    ] {
        if n > 0 {
            let _ = write!(out, ", {what}: {}", thousands(n));
        }
    }
    out.push('\n');
    out
}

/// The first ranges, and how many more there are.
fn shortened(ranges: &[[usize; 2]]) -> String {
    let named = ranges.iter().take(RANGES).map(|[first, last]| match first == last {
        true => first.to_string(),
        false => format!("{first}-{last}"),
    });
    let mut out = named.collect::<Vec<_>>().join(", ");
    if let Some(more @ 1..) = ranges.len().checked_sub(RANGES) {
        let _ = write!(out, " and {more} more ranges");
    }
    out
}

#[cfg(test)]
mod tests {
    use super::{changes, shortened};
    use locp::report::ChangeReport;

    #[test]
    fn lines_stay_short_where_thousands_of_channels_go() {
        let scattered: Vec<[usize; 2]> = (0..4096).step_by(2).map(|i| [i, i]).collect();
        assert_eq!(shortened(&scattered), "0, 2, 4, 6, 8, 10, 12, 14 and 2040 more ranges");
        assert_eq!(shortened(&scattered[..8]), "0, 2, 4, 6, 8, 10, 12, 14");
        assert_eq!(shortened(&[[0, 2047]]), "0-2047");
    }

    #[test]
    fn stated_shapes_are_counted_and_the_rest_is_listed() {
        let tensor = || "w".to_owned();
        let shrink = |axis| ChangeReport::Shrink { tensor: tensor(), axis, before: 4, after: 3, removed: vec![[1, 1]] };
        let said = changes(&[
            shrink(0),
            shrink(1),
            ChangeReport::Attribute {
                node: "dw".to_owned(),
                name: "group".to_owned(),
                element: None,
                before: 4,
                after: 3,
            },
            ChangeReport::Number { tensor: "shape".to_owned(), index: 1, before: 4, after: 3 },
            ChangeReport::Stated { tensor: "x".to_owned(), axis: 1, before: 4, after: 3 },
        ]);
        assert!(said.contains("dw       group        4      3\n") && said.contains("shape    [1]"), "{said}");
        assert!(!said.contains("\nx "), "{said}");
        let summary = "smaller tensors: 1, axes: 2, copies, attributes and numbers that follow: 2, stated shapes: 1\n";
        assert!(said.ends_with(summary), "{said}");
        assert!(changes(&[]).starts_with("nothing changes"));
    }
}
