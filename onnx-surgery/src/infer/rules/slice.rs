//! Slice and Split: parts of an axis.

use super::axes::normalize;
use super::{Cx, Stop};
use crate::dependency::{Extent, Layout};
use crate::infer::{CountAt, Int, Kind, Origin, Value};

/// Where a slice along one axis of a known length begins and ends.
struct Cut {
    start: usize,
    end: usize,
    step: i64,
}

impl Cut {
    /// By ONNX's rules: negative bounds count from the end, and all are clamped.
    fn new(n: usize, start: i64, end: i64, step: i64) -> Option<Cut> {
        let n = i64::try_from(n).ok()?;
        if n == 0 {
            return Some(Cut { start: 0, end: 0, step });
        }
        let from_front = |i: i64| if i < 0 { i.saturating_add(n) } else { i };
        let (start, end) = (from_front(start), from_front(end));
        let range =
            if step > 0 { (start.clamp(0, n), end.clamp(0, n)) } else { (start.clamp(0, n - 1), end.clamp(-1, n - 1)) };
        let (start, end) = if step > 0 { range } else { (range.1 + 1, range.0 + 1) };
        Some(Cut { start: start as usize, end: end.max(start) as usize, step })
    }

    /// The positions, in the order in which they come out.
    fn positions(&self) -> Vec<usize> {
        let step = usize::try_from(self.step.unsigned_abs()).unwrap_or(usize::MAX);
        if self.step > 0 {
            (self.start..self.end).step_by(step).collect()
        } else {
            (self.start..self.end).rev().step_by(step).collect()
        }
    }

    fn len(&self) -> usize {
        (self.end - self.start).div_ceil(usize::try_from(self.step.unsigned_abs()).unwrap_or(usize::MAX))
    }
}

pub(super) fn slice(cx: &mut Cx<'_>) -> Result<(), Stop> {
    let input = cx.input(0)?.clone();
    let is_attribute = cx.optional(1).is_none();
    let (Some(starts), Some(ends)) = (cx.numbers(1, "starts")?, cx.numbers(2, "ends")?) else {
        return Err(Stop::Freeze("slices at bounds that are computed at run time".to_owned()));
    };
    let axes = cx.integers(3, "axes")?.unwrap_or_else(|| (0..starts.len() as i64).collect());
    let steps = cx.integers(4, "steps")?.unwrap_or_else(|| vec![1; starts.len()]);
    let Some(mut dims) = input.dims.clone() else {
        return Err(Stop::Freeze("slices a tensor of unknown rank".to_owned()));
    };
    let axes = normalize(cx, &axes, dims.len())?;
    if [ends.len(), axes.len(), steps.len()] != [starts.len(); 3] || steps.contains(&0) {
        return Err(cx.refuse("its starts, ends, axes and steps do not fit each other"));
    }
    let mut layout = input.layout().cloned();
    let mut ints = input.ints.clone();
    let reason = cx.reason("needs a bound as it is");
    for (i, &axis) in axes.iter().enumerate() {
        let bounds = starts[i].value.zip(ends[i].value);
        let cut = bounds.zip(dims[axis]).and_then(|((start, end), n)| Cut::new(n, start, end, steps[i]));
        if let Some(before) = layout.clone().filter(|layout| layout.carries(axis)) {
            let cut = cut.as_ref().ok_or_else(|| Stop::Freeze("slices channels at unknown bounds".to_owned()))?;
            layout = Some(channels(cx, &before, axis, cut, [&starts[i], &ends[i]], is_attribute.then_some(i))?);
        } else {
            cx.expose(&starts[i], reason);
            cx.expose(&ends[i], reason);
        }
        if let (Some(list), Some(cut)) = (&ints, &cut) {
            let inner: usize = dims[axis + 1..].iter().map(|dim| dim.unwrap_or(1)).product();
            let chunk = inner * dims[axis].unwrap_or(1);
            let rows = list.chunks(chunk.max(1));
            let picked = rows.flat_map(|row| {
                cut.positions().into_iter().flat_map(move |p| row[p * inner..(p + 1) * inner].to_vec())
            });
            ints = Some(picked.collect());
        }
        dims[axis] = cut.map(|cut| cut.len());
    }
    if let (Some(ints), true) = (ints, dims.iter().all(Option::is_some)) {
        cx.set_ints(dims, ints);
        return Ok(());
    }
    let kind = layout.map_or_else(|| cx.carried(&input), Kind::Channels);
    cx.keep_numbers(&input);
    cx.set(0, Value { dims: Some(dims), ints: None, kind });
    Ok(())
}

/// A slice of channels. Its bounds count those before them, or behind them if they are negative.
fn channels(
    cx: &mut Cx<'_>,
    layout: &Layout,
    axis: usize,
    cut: &Cut,
    bounds: [&Int; 2],
    attribute: Option<usize>,
) -> Result<Layout, Stop> {
    let n = layout.len(axis);
    if (cut.start, cut.end, cut.step) == (0, n, 1) {
        // All channels, whatever their number: the bounds are 0, and the number or more.
        let reason = cx.reason("needs a bound as it is");
        for (int, extent) in bounds.into_iter().zip([0..0, 0..n]) {
            if int.value == Some(n as i64) && attribute.is_none() {
                cx.follow(int, Extent { layout: layout.clone(), axis, range: extent })?;
            } else {
                cx.expose(int, reason);
            }
        }
        return Ok(layout.clone());
    }
    if layout.only_axis().is_none() {
        // Only other axes may shrink then.
        let reason = cx.reason("takes a part of channels that are spread over several axes");
        if !cx.deps.mix(layout, &[axis], reason) {
            return Err(Stop::Freeze("takes a part of the channels".to_owned()));
        }
        cx.spell_out(layout, layout.labels().len())?;
        return Ok(layout.select(axis, &cut.positions()));
    }
    if cut.step != 1 {
        return Err(Stop::Freeze("takes channels in steps".to_owned()));
    }
    cx.spell_out(layout, n)?;
    keep_shares(cx, layout, axis, &bounds)?;
    for ((int, name), at) in bounds.into_iter().zip(["starts", "ends"]).zip([cut.start, cut.end]) {
        let value = int.value.unwrap_or(0);
        let is_far = value >= n as i64 || value < -(n as i64);
        // The whole number of channels, computed from it, goes on being just that.
        let is_whole = value == n as i64 && matches!(int.origin, Origin::Follows(_));
        if (value == 0 || is_far) && at % n == 0 && !is_whole {
            let reason = cx.reason("needs a bound as it is");
            cx.expose(int, reason);
            continue;
        }
        let is_negative = value < 0;
        let range = if is_negative { at..n } else { 0..at };
        let extent = Extent { layout: layout.clone(), axis, range };
        match attribute {
            Some(i) if !is_negative => {
                let at = CountAt::Attribute { node: cx.node_index(), name, element: Some(i) };
                cx.count(at, extent);
            }
            Some(_) => return Err(Stop::Freeze("takes channels by a bound that counts from the end".to_owned())),
            None => cx.follow_signed(int, extent, is_negative)?,
        }
    }
    let part = layout.select(axis, &cut.positions());
    cx.deps.part(part.labels());
    Ok(part)
}

/// Bounds and sizes that are computed as shares of the whole axis make equal parts, whatever its length.
fn keep_shares(cx: &mut Cx<'_>, layout: &Layout, axis: usize, bounds: &[&Int]) -> Result<(), Stop> {
    let shares = bounds.iter().filter_map(|int| match &int.origin {
        Origin::Follows(follows) if follows.extent == Extent::whole(layout, axis) => Some(follows.by),
        _ => None,
    });
    let (shares, n) = (shares.max().unwrap_or(1), layout.len(axis));
    if shares > 1 && n.is_multiple_of(shares) {
        keep_equal(cx, layout, axis, &vec![n / shares; shares])
    } else {
        Ok(())
    }
}

pub(super) fn split(cx: &mut Cx<'_>) -> Result<(), Stop> {
    let input = cx.input(0)?.clone();
    let Some(dims) = input.dims.clone() else {
        return Err(Stop::Freeze("splits a tensor of unknown rank".to_owned()));
    };
    let axis = super::axes::axis_of(cx, 0, dims.len())?;
    let is_attribute = cx.optional(1).is_none();
    let sizes = cx.numbers(1, "split")?;
    let outputs = cx.node().outputs.len();
    let Some(n) = dims[axis] else {
        return Err(Stop::Freeze("splits an axis of unknown length".to_owned()));
    };
    // Without sizes all parts are as long as the first, but for the last.
    let equal = n.div_ceil(outputs.max(1));
    let lengths: Option<Vec<usize>> = match &sizes {
        Some(sizes) => sizes.iter().map(|int| usize::try_from(int.value?).ok()).collect(),
        None => Some((0..outputs).map(|i| equal.min(n.saturating_sub(i * equal))).collect()),
    };
    let lengths = lengths.ok_or_else(|| Stop::Freeze("splits into parts that are computed at run time".to_owned()))?;
    if lengths.len() != outputs || lengths.iter().try_fold(0usize, |sum, &l| sum.checked_add(l)) != Some(n) {
        return Err(cx.refuse(format!("splits {n} into {lengths:?}")));
    }
    if let (Some(ints), 1) = (&input.ints, dims.len()) {
        let kept = cx.reason("needs the size of a part as it is");
        sizes.iter().flatten().for_each(|int| cx.expose(int, kept));
        let mut start = 0;
        for (i, &length) in lengths.iter().enumerate() {
            let part = ints.get(start..start + length).unwrap_or_default().to_vec();
            cx.set_ints_at(i, vec![Some(length)], part);
            start += length;
        }
        return Ok(());
    }
    cx.keep_numbers(&input);
    let layout = input.layout().filter(|layout| layout.carries(axis)).cloned();
    if let Some(layout) = &layout {
        if layout.only_axis().is_none() {
            let reason = cx.reason("takes parts of channels that are spread over several axes");
            if !cx.deps.mix(layout, &[axis], reason) {
                return Err(Stop::Freeze("takes parts of the channels".to_owned()));
            }
        }
        cx.spell_out(layout, n)?;
        if layout.only_axis().is_some() {
            keep_shares(cx, layout, axis, &sizes.iter().flatten().collect::<Vec<_>>())?;
        }
    }
    let mut start = 0;
    let reason = cx.reason("needs the size of a part as it is");
    for (i, &length) in lengths.iter().enumerate() {
        let range = start..start + length;
        let kind = match &layout {
            Some(layout) => Kind::Channels(layout.select(axis, &range.clone().collect::<Vec<_>>())),
            None => cx.carried(&input),
        };
        match (&layout, &sizes) {
            (Some(layout), Some(sizes)) if layout.only_axis().is_some() => {
                let extent = Extent { layout: layout.clone(), axis, range: range.clone() };
                if is_attribute {
                    let at = CountAt::Attribute { node: cx.node_index(), name: "split", element: Some(i) };
                    cx.count(at, extent);
                } else {
                    cx.follow(&sizes[i], extent)?;
                }
            }
            (_, Some(sizes)) => cx.expose(&sizes[i], reason),
            _ => (),
        }
        if let Kind::Channels(part) = &kind {
            cx.deps.part(part.labels());
        }
        let mut dims = dims.clone();
        dims[axis] = Some(length);
        cx.set(i, Value { dims: Some(dims), ints: None, kind });
        start += length;
    }
    match (layout, sizes) {
        (Some(layout), None) if layout.only_axis().is_some() => keep_equal(cx, &layout, axis, &lengths),
        _ => Ok(()),
    }
}

/// A Split that states no sizes makes equal parts: position by position, they go together.
fn keep_equal(cx: &mut Cx<'_>, layout: &Layout, axis: usize, lengths: &[usize]) -> Result<(), Stop> {
    let n = lengths.first().copied().unwrap_or(0);
    if lengths.iter().any(|&length| length != n) {
        return Err(Stop::Freeze("splits the channels into parts that are not equal".to_owned()));
    }
    let reason = cx.reason("ties channels that may go to some that must stay");
    let line = layout.line(axis);
    for i in 1..lengths.len() {
        let (first, other) = (line.select(0..n), line.select(i * n..(i + 1) * n));
        cx.deps.unite(&first, &other, reason).map_err(|mismatch| cx.mismatch(mismatch))?;
    }
    Ok(())
}
