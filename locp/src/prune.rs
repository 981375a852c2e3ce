//! `prune`: the pipeline's result with everything that a user wants to know about it.

use crate::held_out::Comparison;
use crate::measure::Measurer;
use crate::report::PruneReport;
use crate::run::Pruned;
use crate::whole::in_ms;
use netspec::GroupPlan;
use std::path::Path;

/// The report of a pruned model; `compared` is what held-out images say of it and the dense one.
pub fn report(
    pruned: &Pruned,
    measurer: &mut Measurer<'_>,
    output: &Path,
    compared: Option<Comparison>,
) -> PruneReport {
    let mut plan = pruned.planned.report.clone();
    plan.header.schema = "locp.prune/1";
    let [params_before, params_after] = pruned.parameters();
    let accuracy = compared.as_ref().and_then(|compared| compared.accuracy);
    let sum = |pick: fn(&GroupPlan) -> usize| plan.groups.iter().map(pick).sum();
    PruneReport {
        output: output.display().to_string(),
        measured_dense_ms: pruned.pair.dense_ns / 1e6,
        measured_dense_interval_ms: in_ms(pruned.pair.dense_interval_ns),
        measured_pruned_ms: pruned.pair.pruned_ns / 1e6,
        measured_pruned_interval_ms: in_ms(pruned.pair.pruned_interval_ns),
        ratio: pruned.pair.ratio,
        ratio_interval: pruned.pair.ratio_interval,
        params_before,
        params_after,
        channels_before: sum(|g| g.channels),
        channels_after: sum(|g| g.keep.len()),
        rounds: pruned.rounds,
        timed: pruned.timed.clone(),
        below_budget: pruned.below_budget.clone(),
        latency_fit: pruned.latency_fit,
        repair: pruned.repair.clone(),
        measurements_new: measurer.measured(),
        measurements_shared: measurer.shared(),
        device_seconds: measurer.device_seconds(),
        accuracy_before: accuracy.map(|[before, _]| before),
        accuracy_after: accuracy.map(|[_, after]| after),
        agreement: compared.map(|compared| compared.agreement),
        plan,
    }
}
