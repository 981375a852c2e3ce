//! Whether the edges of one axis stay where they are when the other axis moves.

use crate::Error;
use crate::measure::Measurer;
use crate::report::AcrossReport;
use crate::sweeps::{self, Line, SweepOptions, Swept};
use stairstep::Strategy;

/// Edges of a line that are tested at most, those with the largest jumps: two widths each.
const TESTED: usize = 4;

/// Tests the strongest edges of a staircase with the other axis at half its width.
///
/// A plan narrows both axes of most layers, while a staircase is searched at the full width of the other; where an edge
/// does not stay, the plan's cells are what tells, and they are measured before a plan is returned.
pub(crate) fn test(
    line: &Line,
    swept: &Swept,
    measurer: &mut Measurer<'_>,
    options: &SweepOptions,
) -> Result<Option<AcrossReport>, Error> {
    let Some((moved, fixed)) = line.across() else { return Ok(None) };
    let mut edges: Vec<(f64, usize)> = swept
        .stairs
        .edges()
        .iter()
        .filter_map(|edge| Some((edge.jump_ns? / edge.latency_ns, edge.channels)))
        .filter(|(jump, _)| *jump > options.tolerance)
        .collect();
    edges.sort_by(|a, b| b.0.total_cmp(&a.0));
    edges.truncate(TESTED);
    if edges.is_empty() {
        return Ok(None);
    }
    let edges: Vec<usize> = edges.into_iter().map(|(_, channels)| channels).collect();
    let mut search = Strategy::Confirm.into_search(&sweeps::config(&moved, options).expect(&edges));
    let outcome = sweeps::drive(&mut *search, &moved, measurer, false);
    let stairs = search.stairs();
    measurer.close(&[], &sweeps::intervals(&moved, &stairs))?;
    outcome?;
    let of = |held: bool| -> Vec<usize> {
        stairs.hypotheses().iter().filter(|h| h.held == held).map(|h| line.channels(h.channels)).collect()
    };
    Ok(Some(AcrossReport { at: fixed, stay: of(true), move_away: of(false) }))
}
