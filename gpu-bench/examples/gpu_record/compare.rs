//! How far two processes agree on the same convolutions.

use std::collections::BTreeMap;
use std::path::Path;

use crate::Result;
use crate::folder::TABLE;
use netspec::ConvSpec;
use sharing::Recorded;

/// Shorter runs may differ by [`SHORT`], longer ones by [`LONG`].
const BORDER_NS: f64 = 20_000.0;
const SHORT: f64 = 0.02;
const LONG: f64 = 0.01;

/// Compares what both folders hold.
pub(crate) fn compare([a, b]: &[impl AsRef<Path>; 2]) -> Result<String> {
    let (first, second) =
        (Recorded::open(a.as_ref().join(TABLE), None)?, Recorded::open(b.as_ref().join(TABLE), None)?);
    if first.origin() != second.origin() {
        return Err(format!("not the same machine: {} and {}", first.origin(), second.origin()).into());
    }
    let other: BTreeMap<&ConvSpec, f64> = second.entries().map(|(spec, m)| (spec, m.median_ns)).collect();
    // Convolution, nanoseconds, how far the second one differs, and whether that is within the limit.
    let mut pairs: Vec<(&ConvSpec, f64, f64, bool)> = first
        .entries()
        .filter_map(|(spec, m)| {
            let ns = m.median_ns;
            let differs = other.get(spec)? / ns - 1.0;
            Some((spec, ns, differs, differs.abs() <= if ns < BORDER_NS { SHORT } else { LONG }))
        })
        .collect();
    if pairs.is_empty() {
        return Err("the folders have no convolution in common".into());
    }
    pairs.sort_by(|x, y| y.2.abs().total_cmp(&x.2.abs()));
    let mut out = String::new();
    let groups = [("below 20 us", SHORT, true), ("from 20 us on", LONG, false)];
    for (name, limit, short) in groups {
        let group: Vec<_> = pairs.iter().filter(|pair| (pair.1 < BORDER_NS) == short).collect();
        let within = group.iter().filter(|pair| pair.3).count();
        out += &format!("{name}: {within} of {} within {} %\n", group.len(), 100.0 * limit);
    }
    let within = pairs.iter().filter(|pair| pair.3).count();
    out += &format!("in all: {within} of {}, {:.1} %\n", pairs.len(), 100.0 * within as f64 / pairs.len() as f64);
    let mut signed: Vec<f64> = pairs.iter().map(|pair| pair.2).collect();
    signed.sort_by(f64::total_cmp);
    let median = signed[signed.len() / 2];
    out += &format!("the second against the first: median {:+.2} %; the largest differences:\n", 100.0 * median);
    for (spec, ns, differs, _) in pairs.iter().take(5) {
        out += &format!("{:+7.2} %  {:10.2} us  {spec}\n", 100.0 * differs, ns / 1e3);
    }
    Ok(out)
}
