//! Operators that treat every element alike: channels pass through.

use super::norm::pass;
use super::{Cx, Stop};
use crate::constant::element_type;
use crate::dependency::Layout;
use crate::infer::{Int, Kind, Reader, Stored, Value};
use netspec::Role;

pub(super) fn unary(cx: &mut Cx<'_>) -> Result<(), Stop> {
    let input = cx.input(0)?.clone();
    if super::arithmetic::fold_unary(cx, &input) {
        return Ok(());
    }
    pass(cx, input);
    Ok(())
}

pub(super) fn clip(cx: &mut Cx<'_>) -> Result<(), Stop> {
    for bound in 1..3 {
        if cx.optional(bound).is_some_and(|value| value.layout().is_some()) {
            return Err(Stop::Freeze("clips to bounds that are computed from images".to_owned()));
        }
    }
    unary(cx)
}

/// A slope per channel, or one for all; it is broadcast to the input, never the other way.
pub(super) fn prelu(cx: &mut Cx<'_>) -> Result<(), Stop> {
    let input = cx.input(0)?.clone();
    let (Some(rank), slope) = (input.rank(), cx.weight(1)?.dims) else {
        return Err(Stop::Freeze("meets a tensor of unknown shape".to_owned()));
    };
    let mut kind = cx.carried(&input);
    for axis in input.layout().map(Layout::axes).unwrap_or_default() {
        if let Some(own) = (axis + slope.len()).checked_sub(rank).filter(|&own| slope[own] != 1)
            && let Some(labels) = cx.line(&input, axis)?
        {
            cx.claim(1, own, Role::Parameter, &labels)?;
            kind = cx.carried_on(&input, axis)?;
        }
    }
    cx.set(0, Value { dims: input.dims, ints: None, kind });
    Ok(())
}

pub(super) fn dropout(cx: &mut Cx<'_>) -> Result<(), Stop> {
    let trains = cx.optional(2).is_some() && cx.constant(2)?.data.iter().any(|&byte| byte != 0);
    if trains {
        return Err(Stop::Freeze("drops at random, as in training".to_owned()));
    }
    let input = cx.input(0)?.clone();
    let kind = cx.carried(&input);
    // The mask has the shape of the result, and drops nothing.
    for output in 0..cx.node().outputs.len() {
        cx.set(output, Value { dims: input.dims.clone(), ints: None, kind: kind.clone() });
    }
    Ok(())
}

/// A constant behind it is read by another name, and may become another tensor.
pub(super) fn identity(cx: &mut Cx<'_>) -> Result<(), Stop> {
    let mut input = cx.input(0)?.clone();
    if let (Kind::Stored(stored), Some(Some(output))) = (&mut input.kind, cx.node().outputs.first().copied())
        && stored.via.is_none()
        && cx.constant_named(stored.name).is_some()
    {
        cx.alias(stored.name, output);
        stored.name = output;
        input.ints = cx.renamed(input.ints, output);
    }
    cx.set(0, input);
    Ok(())
}

pub(super) fn cast(cx: &mut Cx<'_>) -> Result<(), Stop> {
    let input = cx.input(0)?.clone();
    let to = i32::try_from(cx.node().int("to", 0)).unwrap_or(0);
    if let Some(ints) = &input.ints {
        // Shapes pass through casts between integer types; computed with as fractions they are exposed.
        let is_whole = matches!(to, 6 | 7 | 9);
        let is_fraction = matches!(to, 1 | 10 | 11 | 16);
        let is_given = ints.iter().all(|int| int.value.is_some() || int.real.is_some());
        if is_whole || is_fraction && is_given && !input.is_stored() {
            let cast = |int: &Int| match (is_whole, int.real) {
                (true, None) => int.clone(),
                (true, Some(real)) => Int::free(Some(real as i64)),
                (false, _) => int.to_real().map_or(Int::free(None), Int::fraction),
            };
            let cast: Vec<Int> = ints.iter().map(cast).collect();
            if is_fraction {
                cx.keep_numbers(&input);
            }
            cx.set_ints(input.dims.unwrap_or_default(), cast);
            return Ok(());
        }
        cx.keep_numbers(&input);
    }
    match input.kind {
        Kind::Stored(stored) => {
            let via = stored.via.or(Some(Reader { node: cx.node_index(), input: 0 }));
            let kind = Kind::Stored(Stored { element: element_type(to), via, ..stored });
            cx.set(0, Value { dims: input.dims, ints: None, kind });
            Ok(())
        }
        _ => unary(cx),
    }
}
