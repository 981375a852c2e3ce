//! Normalizations: per channel, over groups of channels, or over all of them.

use super::conv::shape;
use super::{Cx, Stop};
use crate::infer::{Kind, Value};
use netspec::Role;

/// All norms have their scale as input 1.
fn role(input: usize) -> Role {
    if input == 1 { Role::Scale } else { Role::Parameter }
}

pub(super) fn batch_normalization(cx: &mut Cx<'_>) -> Result<(), Stop> {
    if cx.has_more_outputs() || cx.node().int("training_mode", 0) != 0 {
        return Err(Stop::Freeze("computes statistics, as in training".to_owned()));
    }
    let input = cx.input(0)?.clone();
    let channels = input.dim(1);
    for parameter in 1..5 {
        let dims = cx.weight(parameter)?.dims;
        if dims.len() != 1 || channels.is_some_and(|c| c != dims[0]) {
            return Err(cx.refuse(format!("its parameters {dims:?} do not fit its input {}", shape(&input))));
        }
    }
    if let Some(labels) = cx.line(&input, 1)? {
        (1..5).try_for_each(|i| cx.claim(i, 0, role(i), &labels))?;
    }
    let kind = cx.carried_on(&input, 1)?;
    cx.set(0, Value { dims: input.dims, ints: None, kind });
    Ok(())
}

/// Every channel of every image by itself. Where channels are on further axes (GroupNorm, as torch writes it),
/// those of one position are normalized together, and go together: what remains has the statistics it had.
pub(super) fn instance_normalization(cx: &mut Cx<'_>) -> Result<(), Stop> {
    let input = cx.input(0)?.clone();
    let rank = input.rank().unwrap_or(0);
    for parameter in 1..3 {
        let dims = cx.weight(parameter)?.dims;
        if dims.len() != 1 || input.dim(1).is_some_and(|c| c != dims[0]) {
            return Err(cx.refuse(format!("its parameters {dims:?} do not fit its input {}", shape(&input))));
        }
    }
    let kind = cx.mixed(&input, &(2..rank).collect::<Vec<_>>())?;
    if let Kind::Channels(layout) = &kind {
        if !layout.carries(1) || layout.carries(0) {
            return Err(Stop::Freeze("normalizes another axis than the channels'".to_owned()));
        }
        let labels = layout.line(1);
        (1..3).try_for_each(|i| cx.claim(i, 0, role(i), &labels))?;
    }
    cx.set(0, Value { dims: input.dims, ints: None, kind });
    Ok(())
}

/// Whole groups go: the statistics of the others do not change.
pub(super) fn group_normalization(cx: &mut Cx<'_>) -> Result<(), Stop> {
    let input = cx.input(0)?.clone();
    let channels = input.dim(1).ok_or_else(|| Stop::Freeze("normalizes an unknown number of channels".to_owned()))?;
    let groups = usize::try_from(cx.node().int("num_groups", 0)).ok().filter(|&g| g > 0 && channels.is_multiple_of(g));
    let groups = groups.ok_or_else(|| cx.refuse(format!("`num_groups` does not divide {channels} channels")))?;
    let lengths = [cx.weight(1)?.dims, cx.weight(2)?.dims];
    if lengths.iter().any(|dims| *dims != [channels] && *dims != [groups]) {
        return Err(cx.refuse(format!("its parameters {lengths:?} do not fit its input {}", shape(&input))));
    }
    match cx.line(&input, 1)? {
        Some(_) if groups == 1 => {
            let kind = cx.lose_channels(&input, "normalizes all channels together");
            cx.set(0, Value { dims: input.dims, ints: None, kind });
            return Ok(());
        }
        Some(labels) => {
            let reason = cx.reason("ties channels that may go to some that must stay");
            let tied = cx.deps.tie(&labels, channels / groups, reason);
            for (i, dims) in lengths.iter().enumerate() {
                // Before operator set 21 there was one parameter per group.
                cx.claim(i + 1, 0, role(i + 1), if *dims == [channels] { &labels } else { &tied })?;
            }
            cx.count_attribute("num_groups", None, &tied);
        }
        None => (),
    }
    let kind = cx.carried_on(&input, 1)?;
    cx.set(0, Value { dims: input.dims, ints: None, kind });
    Ok(())
}

/// Normalization over the last axes. Where channels are among them, all statistics depend on all channels.
pub(super) fn layer_normalization(cx: &mut Cx<'_>) -> Result<(), Stop> {
    let input = cx.input(0)?.clone();
    let Some(rank) = input.rank() else {
        return Err(Stop::Freeze("normalizes a tensor of unknown rank".to_owned()));
    };
    if cx.has_more_outputs() {
        return Err(Stop::Freeze("also answers its statistics".to_owned()));
    }
    let first = super::axes::axis_of(cx, -1, rank)?;
    let kind = if (first..rank).any(|axis| input.carries(axis)) {
        cx.lose_channels(&input, "normalizes all channels together")
    } else {
        cx.carried(&input)
    };
    cx.set(0, Value { dims: input.dims, ints: None, kind });
    Ok(())
}

/// Each channel is divided by what its neighbors amount to.
pub(super) fn local_response(cx: &mut Cx<'_>) -> Result<(), Stop> {
    let input = cx.input(0)?.clone();
    let kind = if input.carries(1) {
        cx.lose_channels(&input, "normalizes each channel with its neighbors")
    } else {
        cx.carried(&input)
    };
    cx.set(0, Value { dims: input.dims, ints: None, kind });
    Ok(())
}

/// Normalization over some axes, of which channels may be one.
pub(super) fn over_axes(cx: &mut Cx<'_>) -> Result<(), Stop> {
    let input = cx.input(0)?.clone();
    let rank = input.rank().unwrap_or(0);
    let axes = match cx.node().op.as_str() {
        "LpNormalization" => vec![super::axes::axis_of(cx, -1, rank)?],
        // MeanVarianceNormalization.
        _ => super::axes::normalize(cx, cx.node().ints("axes").unwrap_or(&[0, 2, 3]), rank)?,
    };
    let kind = cx.mixed(&input, &axes)?;
    cx.set(0, Value { dims: input.dims, ints: None, kind });
    Ok(())
}

/// The output has the shape and the channels of the input.
pub(super) fn pass(cx: &mut Cx<'_>, input: Value) {
    let kind: Kind = cx.carried(&input);
    cx.set(0, Value { dims: input.dims, ints: None, kind });
}
