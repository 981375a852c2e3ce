//! `align`: another pruner's widths, moved to where they pay on this device.

use crate::apply::carried_out;
use crate::counts::Counts;
use crate::measure::Measurer;
use crate::members::{STEPS, latency_ns, members};
use crate::model::Model;
use crate::report::{AlignReport, AlignedWidth};
use crate::whole::{self, Pair, in_ms};
use crate::{Error, Watch, engine, modules};
use benefit::Value;
use netspec::{ChannelGroup, GroupId, GroupPlan, Network, PrunePlan};
use std::collections::BTreeSet;

/// Rounds over all groups at most: a width that moves can make another one's neighbor pay.
const ROUNDS: usize = 3;
/// What fewer channels must save of the time of the layers around a group.
const SAVES: f64 = 0.03;
/// What more channels may cost of it: what measuring cannot tell from nothing.
const FREE: f64 = 0.01;

/// Moves every width of `counts` to one next to it that pays.
///
/// A group's layers are timed at widths around the one that was asked for, all other groups being as they are by then.
/// It is narrowed where at most the share `max_loss` of its channels saves 3 % of that time; else it grows to the
/// widest width, at most the model's, that costs no more. Then both networks are carried out and timed in turns.
///
/// `value` says which channels stay where only a number was given, and which come back. The error is
/// [`Error::NotFaster`] where the aligned network is slower after all.
pub(crate) fn align(
    model: &Model,
    counts: &Counts,
    value: &dyn Value,
    max_loss: f64,
    measurer: &mut Measurer<'_>,
    watch: &Watch<'_>,
) -> Result<AlignReport, Error> {
    engine::check_model(measurer.source(), model)?;
    let network = model.network();
    let asked: Vec<usize> = network.groups.iter().map(|group| counts.width(group.id)).collect();
    let mut widths = asked.clone();
    watch.progress.begin("align", None);
    for _ in 0..ROUNDS {
        let before = widths.clone();
        for group in network.groups.iter().filter(|group| asked[group.id.0] < group.channels) {
            widths[group.id.0] = aligned(network, group, asked[group.id.0], &widths, max_loss, measurer)?;
            watch.progress.advance(1);
        }
        if widths == before {
            break;
        }
    }
    let moved = asked.iter().zip(&widths).filter(|(asked, aligned)| asked != aligned).count();
    watch.progress.end(&format!("{moved} widths moved"));
    let plan_of = |widths: &[usize]| plan(network, counts, widths, value);
    let (asked_plan, plan) = (plan_of(&asked)?, plan_of(&widths)?);
    let [(_first, before), (_second, after)] = [carried_out(model, &asked_plan)?, carried_out(model, &plan)?];
    let pair = whole::compare(measurer.source(), [&before, &after], watch)?;
    check(&pair)?;
    let mut rows = Vec::new();
    for group in network.groups.iter().filter(|group| asked[group.id.0] < group.channels) {
        let members = members(network, group.id);
        let mut at = |widths: &[usize]| latency_ns(&members, |id| widths[id.0], measurer);
        rows.push(AlignedWidth {
            id: group.id,
            name: group.name.clone(),
            channels: group.channels,
            asked: asked[group.id.0],
            aligned: widths[group.id.0],
            asked_ms: at(&asked)?.map(|ns| ns / 1e6),
            aligned_ms: at(&widths)?.map(|ns| ns / 1e6),
        });
    }
    let modules = modules::modules(&plan, network);
    Ok(AlignReport {
        header: measurer.header("locp.align/1"),
        model: model.report(),
        batch: model.batch(),
        dtype: model.dtype(),
        covers: measurer.covers(),
        value_kind: value.kind().to_string(),
        value_name: value.name(),
        value_asked: worth(network, &asked, value)?,
        value_aligned: worth(network, &widths, value)?,
        widths: rows,
        asked_ms: pair.dense_ns / 1e6,
        asked_interval_ms: in_ms(pair.dense_interval_ns),
        aligned_ms: pair.pruned_ns / 1e6,
        aligned_interval_ms: in_ms(pair.pruned_interval_ns),
        ratio: pair.ratio,
        ratio_interval: pair.ratio_interval,
        params_asked: before.network().parameters,
        params_aligned: after.network().parameters,
        measured: measurer.measured(),
        shared: measurer.shared(),
        device_seconds: measurer.device_seconds(),
        groups: plan.groups,
        modules: modules.named,
        modules_unnamed: modules.unnamed,
    })
}

/// Widths that cost no more one by one must not cost more together.
fn check(pair: &Pair) -> Result<(), Error> {
    let [low, high] = pair.ratio_interval;
    if low <= 1.0 + FREE {
        return Ok(());
    }
    Err(Error::NotFaster {
        why: format!(
            "the aligned network takes {:.3}x [{low:.3}, {high:.3}] of what the given widths take",
            pair.ratio
        ),
        remedy: "keep the given widths, or try again on a quieter machine",
    })
}

/// The width of one group that pays best near the one that was asked for.
fn aligned(
    network: &Network,
    group: &ChannelGroup,
    asked: usize,
    widths: &[usize],
    max_loss: f64,
    measurer: &mut Measurer<'_>,
) -> Result<usize, Error> {
    let members = members(network, group.id);
    let mut at = |width: usize| {
        let channels = |id: GroupId| if id == group.id { width } else { widths[id.0] };
        Ok::<_, Error>(latency_ns(&members, channels, measurer)?.map(|ns| (width, ns)))
    };
    let (Some((_, asked_ns)), false) = (at(asked)?, members.is_empty()) else { return Ok(asked) };
    let (mut narrower, mut wider) = (Vec::new(), vec![(asked, asked_ns)]);
    for width in neighbors(group, asked, max_loss) {
        let side = if width < asked { &mut narrower } else { &mut wider };
        side.extend(at(width)?);
    }
    Ok(choose(asked_ns, &narrower, &wider))
}

/// Of widths and their latencies the one to take; `wider` begins with the width that was asked for.
fn choose(asked_ns: f64, narrower: &[(usize, f64)], wider: &[(usize, f64)]) -> usize {
    let least = |widths: &[(usize, f64)]| widths.iter().map(|&(_, ns)| ns).fold(f64::INFINITY, f64::min);
    let (side, limit_ns) = if least(narrower) < least(wider) * (1.0 - SAVES) {
        (narrower, least(narrower) * (1.0 + FREE))
    } else {
        (wider, asked_ns * (1.0 + FREE))
    };
    let fitting = side.iter().filter(|(_, ns)| *ns <= limit_ns).map(|&(width, _)| width);
    fitting.max().expect("the width with the least latency is within the limit, and the asked one is among the wider")
}

/// Widths around one: the next two multiples of what engines compute by, on either side, as far as they may go.
fn neighbors(group: &ChannelGroup, asked: usize, max_loss: f64) -> BTreeSet<usize> {
    let least = (asked as f64 * (1.0 - max_loss)).ceil() as usize;
    let around = |step: usize| {
        let (below, above) = ((asked - 1) / step * step, (asked + 1).next_multiple_of(step));
        [below.saturating_sub(step), below, above, above + step]
    };
    let all = STEPS.iter().flat_map(|&step| around(step)).chain([group.channels]);
    let is_near = |width: &usize| *width >= least && *width <= 2 * asked && *width != asked;
    all.filter(|width| is_near(width) && group.allows(*width).is_ok()).collect()
}

/// What a network with these widths is worth.
fn worth(network: &Network, widths: &[usize], value: &dyn Value) -> Result<f64, Error> {
    let narrowed = network.groups.iter().filter(|group| widths[group.id.0] < group.channels);
    let values = narrowed.map(|group| Ok::<f64, Error>(value.curve(group.id)?.value(widths[group.id.0])));
    // An empty sum is -0 unless it starts at 0.
    values.sum::<Result<f64, _>>().map(|sum| 0.0 + sum)
}

/// The plan with these widths: first those channels stay that were asked to, then those that are worth most.
fn plan(network: &Network, counts: &Counts, widths: &[usize], value: &dyn Value) -> Result<PrunePlan, Error> {
    let mut groups = Vec::new();
    for group in network.groups.iter().filter(|group| widths[group.id.0] < group.channels) {
        let curve = value.curve(group.id)?;
        let mut order: Vec<usize> = curve.order().to_vec();
        if let Some(kept) = counts.kept(group.id) {
            // Stable: among those that were to stay, and among the others, the value decides.
            order.sort_by_key(|channel| kept.binary_search(channel).is_ok());
        }
        let mut keep = order.split_off(group.channels - widths[group.id.0]);
        keep.sort_unstable();
        groups.push(GroupPlan::new(group, keep));
    }
    Ok(PrunePlan { groups })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
mod tests {
    use super::*;

    #[test]
    fn a_width_grows_where_it_is_free_and_shrinks_where_it_pays() {
        // 37 channels on stairs of 16: 48 cost the same.
        assert_eq!(choose(3.0, &[(36, 3.0)], &[(37, 3.0), (40, 3.0), (48, 3.0), (64, 4.0)]), 48);
        // 33 channels: one channel buys a step, and that is worth more than 15 for nothing.
        assert_eq!(choose(3.0, &[(28, 2.0), (32, 2.0)], &[(33, 3.0), (48, 3.0)]), 32);
        // Nothing moves on a slope.
        assert_eq!(choose(3.7, &[(36, 3.6)], &[(37, 3.7), (40, 4.0)]), 37);
        // An odd width is slower than the even ones on both sides: the wider one wins.
        assert_eq!(choose(5.0, &[(36, 4.0)], &[(37, 5.0), (40, 4.0), (48, 4.5), (64, 6.0)]), 48);
        // What measuring cannot tell apart is free.
        assert_eq!(choose(3.0, &[], &[(37, 3.0), (40, 3.02), (48, 3.1)]), 40);
    }

    #[test]
    fn neighbors_stay_within_the_loss_and_the_model() {
        let group = ChannelGroup::new(GroupId(0), "conv1", 56);
        let around: Vec<usize> = neighbors(&group, 37, 0.05).into_iter().collect();
        assert_eq!(around, [36, 40, 44, 48, 56]);
        assert!(neighbors(&group, 37, 0.2).contains(&32));
        assert!(neighbors(&group, 1, 0.5).iter().all(|&width| width > 1));
    }
}
