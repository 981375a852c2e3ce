//! Constants, shapes read at run time, and the lists of integers made of them.

use super::axes::normalize;
use super::{Cx, Stop};
use crate::infer::{Int, Origin, Value};

/// A constant with a value in the file is known before the walk; any other one is computed.
pub(super) fn constant(cx: &mut Cx<'_>) -> Result<(), Stop> {
    let is_known = cx.node().outputs.iter().flatten().all(|id| cx.graph.constants.contains_key(id));
    if is_known { Ok(()) } else { Err(Stop::Freeze("holds a value that is no plain tensor".to_owned())) }
}

pub(super) fn shape(cx: &mut Cx<'_>) -> Result<(), Stop> {
    let input = cx.input(0)?;
    let Some(rank) = input.rank() else {
        return Err(Stop::Freeze("reads the shape of a tensor of unknown rank".to_owned()));
    };
    let ints = (0..rank).map(|axis| {
        let origin = match input.channels() {
            Some((channels, labels)) if channels == axis => Origin::Follows(labels.clone()),
            _ => Origin::Free,
        };
        Int { value: input.dim(axis).map(|d| d as i64), origin }
    });
    let ints: Vec<Int> = ints.collect();
    let clamp = |name: &str, default: i64| {
        let i = cx.node().int(name, default);
        (if i < 0 { i.saturating_add(rank as i64) } else { i }).clamp(0, rank as i64) as usize
    };
    let (start, end) = (clamp("start", 0), clamp("end", rank as i64));
    let ints = ints.get(start..end.max(start)).unwrap_or_default().to_vec();
    cx.set_ints(vec![Some(ints.len())], ints);
    Ok(())
}

pub(super) fn gather(cx: &mut Cx<'_>) -> Result<(), Stop> {
    let (ints, indices) = (list(cx.input(0)?)?, cx.input(1)?.dims.clone().unwrap_or_default());
    let wanted = cx.integers(1, "indices")?.unwrap_or_default();
    let picked: Option<Vec<Int>> = wanted
        .iter()
        .map(|&i| {
            let i = if i < 0 { i.checked_add(ints.len() as i64)? } else { i };
            ints.get(usize::try_from(i).ok()?).cloned()
        })
        .collect();
    let picked = picked.ok_or_else(|| cx.refuse(format!("indices {wanted:?} are out of range")))?;
    cx.set_ints(indices, picked);
    Ok(())
}

pub(super) fn slice(cx: &mut Cx<'_>) -> Result<(), Stop> {
    let ints = list(cx.input(0)?)?;
    let n = ints.len() as i64;
    let one = |list: Option<Vec<i64>>, default: i64| list.and_then(|l| l.first().copied()).unwrap_or(default);
    let (start, end) = (one(cx.integers(1, "starts")?, 0), one(cx.integers(2, "ends")?, n));
    let axis = one(cx.integers(3, "axes")?, 0);
    normalize(cx, &[axis], 1)?;
    if one(cx.integers(4, "steps")?, 1) != 1 {
        return Err(Stop::Freeze("slices a shape in steps".to_owned()));
    }
    let clamp = |i: i64| (if i < 0 { i.saturating_add(n) } else { i }).clamp(0, n) as usize;
    let (start, end) = (clamp(start), clamp(end));
    let picked = ints.get(start..end.max(start)).unwrap_or_default().to_vec();
    cx.set_ints(vec![Some(picked.len())], picked);
    Ok(())
}

/// The input as a list of integers; these rules cover nothing else yet.
fn list(value: &Value) -> Result<Vec<Int>, Stop> {
    value.ints.clone().ok_or_else(|| Stop::Freeze("picks from a tensor, which has no rule here".to_owned()))
}
