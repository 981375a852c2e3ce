//! Arithmetic on shapes: lists of integers that are known although they are computed at run time.

use super::{Cx, Stop};
use crate::infer::{Follows, Int, Origin, Value};

/// Folds the node if all its inputs are known numbers, of which some come from shapes. Answers whether they are.
pub(super) fn fold(cx: &mut Cx<'_>, values: &[Value]) -> Result<bool, Stop> {
    if values.iter().all(|value| value.ints.is_none()) {
        return Ok(false);
    }
    let lists = values.iter().enumerate().map(|(i, value)| value.ints.clone().or_else(|| fractions(cx, i)));
    let Some(lists) = lists.collect::<Option<Vec<_>>>() else { return Ok(false) };
    let n = lists.iter().map(Vec::len).max().unwrap_or(0);
    if lists.iter().any(|list| list.len() != n && list.len() != 1) {
        return Ok(false);
    }
    let ints: Vec<Int> = (0..n)
        .map(|i| {
            let operands: Vec<&Int> =
                lists.iter().map(|list| if list.len() == 1 { &list[0] } else { &list[i] }).collect();
            one(cx, &operands)
        })
        .collect();
    let longest = values.iter().zip(&lists).filter(|(_, list)| list.len() == n).max_by_key(|(value, _)| value.rank());
    let dims = longest.and_then(|(value, _)| value.dims.clone()).unwrap_or_else(|| vec![Some(n)]);
    cx.set_ints(dims, ints);
    Ok(true)
}

/// A few fractions that stand in the file.
fn fractions(cx: &Cx<'_>, input: usize) -> Option<Vec<Int>> {
    let constant = cx.constant(input).ok().filter(|constant| constant.elements() <= 8)?;
    Some(constant.view()?.to_f32().ok()?.into_iter().map(Int::fraction).collect())
}

/// An operator on one list of numbers from shapes.
pub(super) fn fold_unary(cx: &mut Cx<'_>, input: &Value) -> bool {
    let op = cx.node().op.as_str();
    let Some(ints) = &input.ints else { return false };
    let bound = |cx: &Cx<'_>, i: usize, name: &str, default: f32| match cx.optional(i) {
        Some(_) => fractions(cx, i).and_then(|list| list.first()?.to_real()),
        None => Some(cx.node().float(name, default)),
    };
    let real = |x: f32| -> Option<f32> {
        Some(match op {
            "Ceil" => x.ceil(),
            "Floor" => x.floor(),
            "Round" => x.round_ties_even(),
            "Neg" => -x,
            "Abs" => x.abs(),
            "Clip" => x.max(bound(cx, 1, "min", f32::MIN)?).min(bound(cx, 2, "max", f32::MAX)?),
            _ => return None,
        })
    };
    let folded: Vec<Int> = ints
        .iter()
        .map(|int| match (int.value, int.real.and_then(real)) {
            (_, Some(real)) => Int::fraction(real),
            (Some(value), None) => Int::free(real(value as f32).map(|value| value as i64)),
            _ => Int::free(None),
        })
        .collect();
    if folded.iter().all(|int| int.value.is_none() && int.real.is_none()) {
        return false;
    }
    cx.keep_numbers(input);
    cx.set_ints(input.dims.clone().unwrap_or_default(), folded);
    true
}

fn one(cx: &mut Cx<'_>, operands: &[&Int]) -> Int {
    let op = cx.node().op.as_str();
    let values: Option<Vec<i64>> = operands.iter().map(|int| int.value).collect();
    let value = values.and_then(|values| evaluate(op, &values));
    let is_zero = |int: &&Int| int.value == Some(0) && !matches!(int.origin, Origin::Follows(_));
    if op == "Mul" && operands.iter().any(is_zero) {
        return Int::free(Some(0));
    }
    if let Some(follows) = scaled(op, operands) {
        if op == "Div" {
            // What is computed from it is right as long as nothing is rounded.
            let reason = cx.reason("divides the number of channels");
            cx.equalities.push((follows.clone(), None, reason));
        }
        return Int { value, real: None, origin: Origin::Follows(follows) };
    }
    if operands.iter().any(|int| int.real.is_some()) && op != "Where" {
        let reason = cx.reason("computes with a number that would have to change");
        operands.iter().for_each(|int| cx.expose(int, reason));
        let reals: Option<Vec<f32>> = operands.iter().map(|int| int.to_real()).collect();
        return reals.and_then(|reals| evaluate_real(op, &reals)).map_or(Int::free(None), Int::fraction);
    }
    if let ("Where", [condition, yes, no]) = (op, operands) {
        // Which one is taken may depend on the batch.
        let reason = cx.reason("computes with a number that would have to change");
        [condition, yes, no].into_iter().for_each(|int| cx.expose(int, reason));
        return match condition.value {
            Some(0) => (*no).clone(),
            Some(_) => (*yes).clone(),
            None => Int::free(None),
        };
    }
    let reason = cx.reason("computes with a number that would have to change");
    operands.iter().for_each(|int| cx.expose(int, reason));
    Int::free(value)
}

/// A length times or by a number that is the same for all widths.
fn scaled(op: &str, operands: &[&Int]) -> Option<Follows> {
    let [a, b] = operands else { return None };
    if let ("Sub", Origin::Follows(left), Origin::Follows(right)) = (op, &a.origin, &b.origin) {
        return difference(left, right);
    }
    let constant = |int: &Int| {
        let is_fixed = !matches!(int.origin, Origin::Follows(_));
        int.value.filter(|_| is_fixed).and_then(|n| usize::try_from(n).ok()).filter(|&n| n > 0)
    };
    // A number in the file that scales a length stays what it is.
    let (follows, n) = match (&a.origin, &b.origin) {
        (Origin::Follows(follows), _) => (follows, constant(b)?),
        (_, Origin::Follows(follows)) if matches!(op, "Mul" | "Add") => (follows, constant(a)?),
        _ => return None,
    };
    let Follows { extent, times, plus, by } = follows.clone();
    Some(match op {
        "Mul" if plus == 0 || by > 1 => Follows { extent, times: times.checked_mul(n)?, plus, by },
        "Div" if by == 1 && plus < n => Follows { extent, times, plus, by: n },
        "Div" if plus == 0 => Follows { extent, times, plus, by: by.checked_mul(n)? },
        // Only to be divided later: a length plus something is no length.
        "Add" if by == 1 => Follows { extent, times, plus: plus.checked_add(n)?, by },
        _ => return None,
    })
}

/// A share of a length minus another one, such as what the first parts of an axis leave to the last.
fn difference(left: &Follows, right: &Follows) -> Option<Follows> {
    // Nothing is rounded: each division was recorded as one that must come out even.
    let is_exact = |follows: &Follows| follows.plus == 0 || follows.by > 1;
    let by = left.by.checked_mul(right.by)?;
    let times = left.times.checked_mul(right.by)?.checked_sub(right.times.checked_mul(left.by)?)?;
    let fits = left.extent == right.extent && is_exact(left) && is_exact(right) && times > 0;
    fits.then(|| {
        let common = gcd(times, by);
        Follows { extent: left.extent.clone(), times: times / common, plus: 0, by: by / common }
    })
}

fn gcd(a: usize, b: usize) -> usize {
    if b == 0 { a } else { gcd(b, a % b) }
}

fn evaluate_real(op: &str, values: &[f32]) -> Option<f32> {
    let &[x, y] = values else { return None };
    Some(match op {
        "Add" => x + y,
        "Sub" => x - y,
        "Mul" => x * y,
        "Div" => x / y,
        "Min" => x.min(y),
        "Max" => x.max(y),
        _ => return None,
    })
}

fn evaluate(op: &str, values: &[i64]) -> Option<i64> {
    let &[x, y] = values else { return None };
    match op {
        "Add" => x.checked_add(y),
        "Sub" => x.checked_sub(y),
        "Mul" => x.checked_mul(y),
        "Div" => x.checked_div(y),
        "Mod" => x.checked_rem_euclid(y),
        "Min" => Some(x.min(y)),
        "Max" => Some(x.max(y)),
        "Equal" => Some(i64::from(x == y)),
        "Less" => Some(i64::from(x < y)),
        "Greater" => Some(i64::from(x > y)),
        _ => None,
    }
}
