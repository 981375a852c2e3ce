//! Pad: the image grows, or new channels of one value join the others.

use super::axes::normalize;
use super::{Cx, Stop};
use crate::dependency::{Extent, Labels, Layout};
use crate::infer::{Kind, Value};

pub(super) fn pad(cx: &mut Cx<'_>) -> Result<(), Stop> {
    let input = cx.input(0)?.clone();
    let Some(before) = input.dims.clone() else {
        return Err(Stop::Freeze("pads a tensor of unknown rank".to_owned()));
    };
    let axes = match cx.optional(3) {
        Some(_) => cx.integers(3, "axes")?.unwrap_or_default(),
        None => (0..before.len() as i64).collect(),
    };
    let axes = normalize(cx, &axes, before.len())?;
    let is_attribute = cx.optional(1).is_none();
    let Some(pads) = cx.numbers(1, "pads")?.filter(|pads| pads.len() == 2 * axes.len()) else {
        return Err(Stop::Freeze("pads by amounts that do not fit its input".to_owned()));
    };
    let reason = cx.reason("needs an amount of padding as it is");
    let (mut dims, mut kind) = (before.clone(), cx.carried(&input));
    for (i, &axis) in axes.iter().enumerate() {
        let sides = [&pads[i], &pads[axes.len() + i]];
        let [Some(first), Some(last)] = sides.map(|int| int.value) else {
            if input.carries(axis) {
                return Err(Stop::Freeze("pads the channels by amounts that are computed at run time".to_owned()));
            }
            dims[axis] = None;
            continue;
        };
        let grown = before[axis].and_then(|dim| i64::try_from(dim).ok()?.checked_add(first)?.checked_add(last));
        dims[axis] = grown.map(|n| usize::try_from(n).map_err(|_| cx.refuse("pads less than nothing"))).transpose()?;
        if !input.carries(axis) || (first, last) == (0, 0) {
            sides.iter().for_each(|int| cx.expose(int, reason));
            continue;
        }
        let mode = cx.node().text("mode");
        let (Ok(first), Ok(last), true) =
            (usize::try_from(first), usize::try_from(last), matches!(mode, "" | "constant"))
        else {
            return Err(Stop::Freeze("pads the channels with copies of others, or cuts some off".to_owned()));
        };
        let Some(labels) = cx.line(&input, axis)? else { continue };
        // Padding may shrink with whatever it is added to.
        let new = cx.produce(first.saturating_add(last))?;
        let (head, tail) = (new.select(0..first), new.select(first..first + last));
        for (labels, place) in [(&head, i), (&tail, axes.len() + i)] {
            if is_attribute {
                cx.count_attribute("pads", Some(place), labels);
            } else if !labels.is_empty() {
                let layout = Layout::on_axis(labels.clone(), 1, 0);
                cx.follow(&pads[place], Extent::whole(&layout, 0))?;
            }
        }
        let labels = Labels::concat(&[head, labels, tail]);
        kind = Kind::Channels(Layout::on_axis(labels, before.len(), axis));
    }
    cx.keep_numbers(&input);
    cx.set(0, Value { dims: Some(dims), ints: None, kind });
    Ok(())
}
