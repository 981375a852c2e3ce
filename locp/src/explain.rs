//! `explain` and `lint`: where every group's width stands, what pruning it would save, and what growing it is free.

use crate::line::{Index, Line};
use crate::measure::Measurer;
use crate::members::{STEPS, latency_ns, members};
use crate::model::Model;
use crate::report::{ExplainReport, GroupExplained, MemberReport, StepTo};
use crate::sweeps::{SweepOptions, Sweeps};
use crate::{Error, Progress};
use netspec::{Axis, ChannelGroup, GroupId, Layer, Network};
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
        // Two opinions, of which one alone may be noise: the group's layers measured at that width, and their staircases.
        let saves = |&&(width, ns): &&(usize, f64)| {
            let by_stairs = saved_ns(network, group, members, sweeps, options, width);
            ns * (1.0 + options.tolerance) < now && by_stairs > options.tolerance / 2.0 * now
        };
        if group.frozen.is_none() {
            explained.prune_to = below.iter().rev().find(saves).map(step);
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

/// Nanoseconds that the staircases of a group's members, one axis at a time, save at a width of the group.
fn saved_ns(
    network: &Network,
    group: &ChannelGroup,
    members: &[(&Layer, Vec<&'static str>)],
    sweeps: &Sweeps,
    options: &SweepOptions,
    width: usize,
) -> f64 {
    let saved = |(line, repeat): (Line, usize)| {
        let knots = &sweeps.get(&line)?.knots;
        let lost = repeat * (group.channels - width);
        let at = |channels: usize| knots.iter().find(|knot| knot.channels >= channels).map(|knot| knot.ns);
        Some(at(line.full())? - at(line.full().saturating_sub(lost))?)
    };
    lines(network, group, members, options).filter_map(saved).sum()
}

/// The lines of a group's members, and how many channels of each the group's channels stand for.
fn lines<'a>(
    network: &'a Network,
    group: &'a ChannelGroup,
    members: &'a [(&Layer, Vec<&'static str>)],
    options: &SweepOptions,
) -> impl Iterator<Item = (Line, usize)> + 'a {
    let residual = options.residual;
    members.iter().flat_map(move |(layer, _)| {
        Line::of(layer, network, residual).into_iter().filter_map(move |line| {
            let width = if line.axis == Axis::CIn { &layer.inputs } else { &layer.outputs };
            let part = width.parts.iter().find(|part| part.group == group.id)?;
            Some((line, part.repeat.max(1)))
        })
    })
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
    for (line, repeat) in lines(network, group, members, options) {
        let Some(swept) = sweeps.get(&line) else { continue };
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
