//! Operators that treat every element alike: channels pass through.

use super::{Cx, Stop};
use crate::infer::{Kind, Value};

pub(super) fn unary(cx: &mut Cx<'_>) -> Result<(), Stop> {
    let input = cx.input(0)?;
    // The elements are other ones now: a constant stays behind.
    let kind = if input.is_constant() { Kind::Fixed(cx.free()) } else { input.kind.clone() };
    let output = Value { dims: input.dims.clone(), ints: None, kind };
    cx.set(0, output);
    Ok(())
}

pub(super) fn clip(cx: &mut Cx<'_>) -> Result<(), Stop> {
    for bound in 1..3 {
        if cx.optional(bound).is_some_and(|value| value.channels().is_some()) {
            return Err(Stop::Freeze("clips to bounds that are computed from images".to_owned()));
        }
    }
    unary(cx)
}

pub(super) fn dropout(cx: &mut Cx<'_>) -> Result<(), Stop> {
    let trains = cx.optional(2).is_some() && cx.constant(2)?.1.data.iter().any(|&byte| byte != 0);
    if trains || cx.has_more_outputs() {
        return Err(Stop::Freeze("drops at random, as in training".to_owned()));
    }
    unary(cx)
}

pub(super) fn identity(cx: &mut Cx<'_>) -> Result<(), Stop> {
    let input = cx.input(0)?.clone();
    cx.set(0, input);
    Ok(())
}

pub(super) fn cast(cx: &mut Cx<'_>) -> Result<(), Stop> {
    let input = cx.input(0)?.clone();
    match input.ints {
        // Shapes pass through casts between integer types; behind one to a fraction they are data.
        Some(ints) if matches!(cx.node().int("to", 0), 6 | 7) => {
            cx.set_ints(input.dims.unwrap_or_default(), ints);
            Ok(())
        }
        Some(ints) => {
            let reason = cx.reason("computes with a number that would have to change");
            ints.iter().for_each(|int| cx.expose(int, reason));
            unary(cx)
        }
        None => unary(cx),
    }
}
