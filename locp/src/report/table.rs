//! What `table` reports.

use netspec::CacheState;
use serde::Serialize;
use sharing::Merged;
use std::path::Path;

/// Result of `table info`.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct TableReport {
    /// Name and version of this form.
    pub schema: &'static str,
    /// The table.
    pub path: String,
    /// `live`, `recorded` or `simulated`.
    pub kind: String,
    /// Measurements, history included.
    pub entries: usize,
    /// What it holds of each machine.
    pub machines: Vec<MachineCount>,
}

/// What a table holds of a machine.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct MachineCount {
    /// The machine's canonical text.
    pub machine: String,
    /// Distinct convolutions.
    pub specs: usize,
    /// Measurements, history included.
    pub entries: usize,
}

/// Result of `table export`, `import` and `merge`.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct TransferReport {
    /// Name and version of this form.
    pub schema: &'static str,
    /// `exported`, `imported` or `merged`.
    pub action: &'static str,
    /// What was written.
    pub path: String,
    /// Measurements that were looked at.
    pub entries: usize,
    /// Convolutions that are new there.
    pub inserted: usize,
    /// Further measurements of convolutions that were there.
    pub history: usize,
    /// Measurements that were there already.
    pub known: usize,
}

impl TransferReport {
    pub(crate) fn new(action: &'static str, path: &Path, merged: Merged, entries: usize) -> TransferReport {
        let Merged { inserted, history, known, .. } = merged;
        let path = path.display().to_string();
        TransferReport { schema: "locp.table-transfer/1", action, path, entries, inserted, history, known }
    }
}

/// Result of `table set-aside`.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct SetAsideReport {
    /// Name and version of this form.
    pub schema: &'static str,
    /// Where the damaged table was.
    pub path: String,
    /// Where it is now.
    pub aside: String,
}

/// Result of `table diff`.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct DiffReport {
    /// Name and version of this form.
    pub schema: &'static str,
    /// The two tables.
    pub tables: [String; 2],
    /// Lines in each: convolutions in one cache state with one axis left open.
    pub lines: [usize; 2],
    /// Lines of which both have three widths or more, those that differ most first.
    pub rows: Vec<DiffRow>,
}

/// How one line differs.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct DiffRow {
    /// The convolution, `*` standing for the width.
    pub line: String,
    /// The cache state of both.
    pub cache: CacheState,
    /// The machine of each table, as its canonical text.
    pub machines: [String; 2],
    /// Widths that both have.
    pub widths: usize,
    /// Median of second / first.
    pub ratio: f64,
    /// The width that is furthest from that.
    pub worst_width: usize,
    /// By how much, 0.1 being 10 %.
    pub worst: f64,
    /// Rises that one has and the other has not.
    pub moved: Vec<RiserReport>,
}

/// A rise between neighboring widths of both tables.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct RiserReport {
    /// The width below it.
    pub from: usize,
    /// The width above it.
    pub to: usize,
    /// The rise in the first table, 0.05 being 5 %.
    pub first: f64,
    /// The rise in the second table.
    pub second: f64,
}
