//! Add, Sub, Mul and Div with broadcasting.

use super::conv::shape;
use super::{Cx, Stop};
use crate::dependency::Labels;
use crate::graph::Dims;
use crate::infer::{Int, Kind, Origin, Value};
use netspec::Role;

pub(super) fn binary(cx: &mut Cx<'_>) -> Result<(), Stop> {
    let (a, b) = (cx.input(0)?.clone(), cx.input(1)?.clone());
    if let (Some(left), Some(right)) = (&a.ints, &b.ints) {
        return fold(cx, &a, left, right);
    }
    let (Some(a_dims), Some(b_dims)) = (&a.dims, &b.dims) else {
        return Err(Stop::Freeze("meets a tensor of unknown shape".to_owned()));
    };
    let dims = broadcast(a_dims, b_dims)
        .ok_or_else(|| cx.refuse(format!("its inputs {} and {} do not fit each other", shape(&a), shape(&b))))?;
    let rank = dims.len();
    let aligned =
        |v: &Value| v.channels().map(|(axis, labels)| (axis + rank - v.rank().unwrap_or(rank), labels.clone()));
    let kind = match (aligned(&a), aligned(&b)) {
        (Some((i, left)), Some((k, right))) if i == k => Kind::Channels { axis: i, labels: unite(cx, left, right)? },
        (Some(_), Some(_)) => return Err(Stop::Freeze("combines channels with another axis".to_owned())),
        (Some((axis, labels)), None) => with_other(cx, axis, labels, 1, &b, rank)?,
        (None, Some((axis, labels))) => with_other(cx, axis, labels, 0, &a, rank)?,
        (None, None) => match (a.kind, b.kind) {
            (Kind::Fixed(reason), _) | (_, Kind::Fixed(reason)) => Kind::Fixed(reason),
            _ => Kind::Fixed(cx.free()),
        },
    };
    cx.set(0, Value { dims: Some(dims), ints: None, kind });
    Ok(())
}

/// Both operands carry channels on the same axis.
fn unite(cx: &mut Cx<'_>, left: Labels, right: Labels) -> Result<Labels, Stop> {
    let reason = cx.reason("combines these channels with some that must stay");
    // A single channel that meets many is broadcast: it must not vanish.
    match (left.len(), right.len()) {
        (1, n) if n > 1 => {
            cx.deps.freeze(&left, reason);
            return Ok(right);
        }
        (n, 1) if n > 1 => {
            cx.deps.freeze(&right, reason);
            return Ok(left);
        }
        _ => (),
    }
    let is_sum = matches!(cx.node().op.as_str(), "Add" | "Sub");
    let result = if is_sum { cx.deps.add(&left, &right, reason) } else { cx.deps.unite(&left, &right, reason) };
    result.map_err(|mismatch| cx.mismatch(mismatch))?;
    Ok(left)
}

/// One operand carries channels, the other one is a constant or cannot change.
fn with_other(
    cx: &mut Cx<'_>,
    axis: usize,
    labels: Labels,
    place: usize,
    other: &Value,
    rank: usize,
) -> Result<Kind, Stop> {
    let shift = rank - other.rank().unwrap_or(rank);
    let met = axis.checked_sub(shift).map(|own| (own, other.dim(own)));
    match met {
        // The other operand has no such axis, or a single element on it.
        None | Some((_, Some(1))) => (),
        Some((own, Some(n))) if n == labels.len() && other.is_constant() => {
            cx.claim(place, own, Role::Parameter, &labels)?;
        }
        Some(_) => {
            let reason = match other.kind {
                Kind::Fixed(reason) if reason != cx.free() => reason,
                _ => cx.reason("combines these channels with some that must stay"),
            };
            cx.deps.freeze(&labels, reason);
            if labels.len() == 1 {
                // The single channel is spread over the other operand's.
                return Ok(Kind::Fixed(reason));
            }
        }
    }
    Ok(Kind::Channels { axis, labels })
}

/// Dims by ONNX's broadcasting rule, or nothing where they do not fit.
fn broadcast(a: &Dims, b: &Dims) -> Option<Dims> {
    let rank = a.len().max(b.len());
    let at = |dims: &Dims, i: usize| (i + dims.len()).checked_sub(rank).map_or(Some(1), |i| dims[i]);
    (0..rank)
        .map(|i| match (at(a, i), at(b, i)) {
            (Some(1), d) | (d, Some(1)) => Some(d),
            (Some(n), Some(m)) => (n == m).then_some(Some(n)),
            (Some(n), None) | (None, Some(n)) => Some(Some(n)),
            (None, None) => Some(None),
        })
        .collect()
}

/// Arithmetic on shapes. What it reads is exposed behind the rule, so its results never change.
fn fold(cx: &mut Cx<'_>, a: &Value, left: &[Int], right: &[Int]) -> Result<(), Stop> {
    let n = left.len().max(right.len());
    let at =
        |list: &[Int], i: usize| if list.len() == 1 { list[0].value } else { list.get(i).and_then(|int| int.value) };
    let op = cx.node().op.as_str();
    let ints = (0..n).map(|i| {
        let value = at(left, i).zip(at(right, i)).and_then(|(x, y)| match op {
            "Add" => x.checked_add(y),
            "Sub" => x.checked_sub(y),
            "Mul" => x.checked_mul(y),
            _ => x.checked_div(y),
        });
        Int { value, origin: Origin::Free }
    });
    let ints: Vec<Int> = ints.collect();
    let dims = if n == 1 { a.dims.clone().unwrap_or_default() } else { vec![Some(n)] };
    cx.set_ints(dims, ints);
    Ok(())
}
