//! `frontier`: a plan for each of many budgets, from one set of staircases.

use crate::measure::Measurer;
use crate::planned::Planned;
use crate::report::{FrontierPlan, FrontierReport, Header};

/// The report of plans for descending budgets; `ends` says why there are no more.
pub(crate) fn report(
    header: Header,
    plans: &[(f64, Planned)],
    ends: Option<String>,
    measurer: &mut Measurer<'_>,
) -> Option<FrontierReport> {
    let (_, first) = plans.first()?;
    let of = |(asked, planned): &(f64, Planned)| {
        let report = &planned.report;
        let narrowed = report.groups.iter().filter(|group| group.keep.len() < group.channels);
        FrontierPlan {
            asked: *asked,
            ratio: report.predicted_ms / report.dense_ms,
            predicted_ms: report.predicted_ms,
            value: report.value,
            bound: report.bound,
            gap: report.gap,
            stopped: report.stopped.clone(),
            cells_estimated: report.cells_estimated,
            keep: narrowed.map(|group| (group.name.clone(), group.keep.len())).collect(),
        }
    };
    Some(FrontierReport {
        header,
        model: first.report.model.clone(),
        batch: first.report.batch,
        dtype: first.report.dtype,
        dense_ms: first.report.dense_ms,
        covers: first.report.covers,
        planner: first.report.planner.clone(),
        value_kind: first.report.value_kind.clone(),
        value_name: first.report.value_name.clone(),
        plans: plans.iter().map(of).collect(),
        ends,
        measured: measurer.measured(),
        shared: measurer.shared(),
        device_seconds: measurer.device_seconds(),
    })
}
