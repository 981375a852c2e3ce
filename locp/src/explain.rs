//! `explain` and `lint`: where every group's width stands, what pruning it would save, and what growing it is free.

use crate::line::{Index, Line};
use crate::measure::Measurer;
use crate::members::{STEPS, latency_ns, members};
use crate::model::Model;
use crate::report::{ExplainReport, GroupExplained, MemberReport, StepTo};
use crate::sweeps::{SweepOptions, Sweeps};
use crate::{Error, Progress};
use netspec::{ChannelGroup, GroupId, Layer, Network};
use std::collections::BTreeSet;

/// Widths below its own that a group is tried at, at most: those nearest to it, and the narrowest.
const BELOW: usize = 8;

/// Explains every group of the model, or those of which the layer named is a member.
///
/// A group's latency at a width is that of all layers that read or write it, each measured at that width of the group
/// on both axes, the rest of the network being as it is. Growing is free only if they cost no more together.
/// What the source does not know is reported as unknown.
pub(crate) fn explain(
    model: &Model,
    layer: Option<&str>,
    measurer: &mut Measurer<'_>,
    options: &SweepOptions,
    progress: &dyn Progress,
) -> Result<ExplainReport, Error> {
    let network = model.network();
    if let Some(name) = layer.filter(|name| network.layers.iter().all(|layer| layer.name != *name)) {
        return Err(Error::NoLayer { name: name.to_owned() });
    }
    let sweeps = Sweeps::search(network, layer, measurer, options, progress)?;
    let mut groups = Vec::new();
    progress.begin("explain", Some(network.groups.len() as u64));
    for group in &network.groups {
        let members = members(network, group.id);
        let is_asked = |name: &str| members.iter().any(|(layer, _)| layer.name == name);
        if layer.is_none_or(is_asked) && !members.is_empty() {
            groups.push(group_explained(network, group, &members, &sweeps, measurer, options)?);
        }
        progress.advance(1);
    }
    progress.end(&format!("{} groups", groups.len()));
    Ok(ExplainReport {
        header: measurer.header("locp.explain/1"),
        model: model.report(),
        groups,
        measured: measurer.measured(),
        shared: measurer.shared(),
        device_seconds: measurer.device_seconds(),
    })
}

fn group_explained(
    network: &Network,
    group: &ChannelGroup,
    members: &[(&Layer, Vec<&'static str>)],
    sweeps: &Sweeps,
    measurer: &mut Measurer<'_>,
    options: &SweepOptions,
) -> Result<GroupExplained, Error> {
    let mut at = |width: usize| {
        let channels = |id: GroupId| if id == group.id { width } else { network.groups[id.0].channels };
        latency_ns(members, channels, measurer)
    };
    let full = group.channels;
    let now = at(full)?;
    let mut explained = GroupExplained {
        id: group.id,
        channels: full,
        members: members
            .iter()
            .map(|(layer, axes)| MemberReport { layer: layer.name.clone(), axes: axes.clone() })
            .collect(),
        latency_ms: now.map(|ns| ns / 1e6),
        frozen: group.frozen.clone(),
        prune_to: None,
        grow_to: None,
        gains_nothing_below: None,
        words: String::new(),
    };
    if let Some(now) = now {
        let mut below = Vec::new();
        for width in candidates(network, group, members, sweeps, options) {
            if let Some(ns) = at(width)? {
                below.push((width, ns));
            }
        }
        let step =
            |&(width, ns): &(usize, f64)| StepTo { channels: width, saves_ms: (now - ns) / 1e6, saves: 1.0 - ns / now };
        let saves = |ns: f64| ns * (1.0 + options.tolerance) < now;
        if group.frozen.is_none() {
            explained.prune_to = below.iter().rev().find(|(_, ns)| saves(*ns)).map(step);
            // From the narrowest up: the last width that the narrowest one does not beat.
            let floor = below.first().map(|&(_, ns)| ns);
            explained.gains_nothing_below = floor.and_then(|floor| {
                let is_floor = |ns: f64| floor * (1.0 + options.tolerance) >= ns;
                let flat = below.iter().take_while(|(_, ns)| is_floor(*ns)).last().map(|&(width, _)| width);
                flat.filter(|&width| below.first().is_some_and(|&(narrowest, _)| width > narrowest))
            });
        }
        let wider: BTreeSet<usize> =
            STEPS.iter().map(|step| (full + 1).next_multiple_of(*step)).filter(|&width| width <= 2 * full).collect();
        for width in wider.into_iter().rev() {
            if at(width)?.is_some_and(|ns| ns <= now * (1.0 + options.tolerance / 2.0)) {
                explained.grow_to = Some(width);
                break;
            }
        }
    }
    explained.words = words(&explained);
    Ok(explained)
}

/// Widths of a group at which one of its members has an edge, ascending: the nearest below its own and the narrowest.
fn candidates(
    network: &Network,
    group: &ChannelGroup,
    members: &[(&Layer, Vec<&'static str>)],
    sweeps: &Sweeps,
    options: &SweepOptions,
) -> Vec<usize> {
    let mut widths = BTreeSet::new();
    for line in members.iter().flat_map(|(layer, _)| Line::of(layer, network, options.residual)) {
        let Some(swept) = sweeps.get(&line) else { continue };
        let repeat = members.iter().find_map(|(layer, _)| {
            let parts = layer.outputs.parts.iter().chain(&layer.inputs.parts);
            (layer.spec == line.spec)
                .then(|| parts.filter(|part| part.group == group.id).map(|part| part.repeat).next())?
        });
        let repeat = repeat.unwrap_or(1).max(1);
        for edge in swept.stairs.edges() {
            // What the axis loses, the group loses, its other parts staying as they are.
            let lost = line.full() - line.channels(Index(edge.channels));
            let kept = group.channels.saturating_sub(lost / repeat);
            if lost > 0 && lost.is_multiple_of(repeat) && kept as f64 >= options.min_share * group.channels as f64 {
                widths.insert(kept);
            }
        }
    }
    let all: Vec<usize> = widths.into_iter().collect();
    let near = all.len().saturating_sub(BELOW);
    let narrowest = all.first().copied().filter(|_| near > 0);
    narrowest.into_iter().chain(all[near..].iter().copied()).collect()
}

fn words(group: &GroupExplained) -> String {
    let n = group.channels;
    let Some(ms) = group.latency_ms else { return format!("{n} channels: not all of its layers are in the table") };
    let mut parts = Vec::new();
    if let Some(reason) = &group.frozen {
        parts.push(format!("it keeps its channels: {reason}"));
    } else {
        parts.push(match &group.prune_to {
            Some(to) => format!(
                "prune to {} and save {:.3} ms of {ms:.3} ({:.0} %)",
                to.channels,
                to.saves_ms,
                100.0 * to.saves
            ),
            None => "pruning it gains nothing".to_owned(),
        });
        if let (Some(below), Some(_)) = (group.gains_nothing_below, &group.prune_to) {
            parts.push(format!("below {below} nothing more is gained"));
        }
    }
    match group.grow_to {
        Some(to) => format!("{n} channels cost the same as {to}: {}, or grow to {to} free", parts.join("; ")),
        None => format!("{n} channels: {}", parts.join("; ")),
    }
}
