//! Constants, and shapes read at run time.

use super::{Cx, INNER_GRAPHS, Stop};
use crate::constant::{MAX_DIM, element_type};
use crate::dependency::Extent;
use crate::infer::{Follows, Int, Kind, Origin, Stored, Value};

/// A constant with a value in the file is known before the walk; any other one is computed.
pub(super) fn constant(cx: &mut Cx<'_>) -> Result<(), Stop> {
    let is_known = cx.node().outputs.iter().flatten().all(|id| cx.graph.constants.contains_key(id));
    if is_known { Ok(()) } else { Err(Stop::Freeze("holds a value that is no plain tensor".to_owned())) }
}

/// A tensor of one value: its shape is what follows channels.
pub(super) fn constant_of_shape(cx: &mut Cx<'_>) -> Result<(), Stop> {
    let Some(ints) = cx.numbers(0, "shape")? else {
        return Err(Stop::Freeze("has a shape that is computed at run time".to_owned()));
    };
    let value = cx.node().tensor("value");
    let element = element_type(value.map_or(1, |tensor| tensor.data_type));
    let dim = |int: &Int| int.value.and_then(|n| usize::try_from(n).ok()).filter(|&n| n < MAX_DIM);
    let dims: Vec<Option<usize>> = ints.iter().map(dim).collect();
    // Lists of integers made this way take part in arithmetic on shapes.
    let is_whole = matches!(element, Ok(netspec::ElementType::I64 | netspec::ElementType::I32));
    if let (true, [Some(n)]) = (is_whole, &dims[..])
        && *n <= 64
    {
        let fill = value.and_then(|tensor| {
            let home = crate::constant::Home::Node { node: 0, attribute: 0 };
            let constant = crate::constant::Constant::from_tensor(tensor, "value", home).ok()?;
            constant.view()?.to_i64().ok()?.first().copied()
        });
        let fill = if value.is_some() { fill } else { Some(0) };
        cx.keep_numbers(&cx.input(0)?.clone());
        cx.set_ints(dims.clone(), vec![Int::free(fill); *n]);
        return Ok(());
    }
    if dims.contains(&None) {
        cx.keep_numbers(&cx.input(0)?.clone());
        cx.set(0, Value { dims: Some(dims), ints: None, kind: Kind::Fixed(cx.free()) });
        return Ok(());
    }
    let Some(Some(name)) = cx.node().outputs.first().copied() else { return Ok(()) };
    cx.fill(name, ints);
    let axes = (0..dims.len()).map(Some).collect();
    cx.set(
        0,
        Value {
            dims: Some(dims),
            ints: None,
            kind: Kind::Stored(Stored { name, axes, element, via: None, lengths: vec![] }),
        },
    );
    Ok(())
}

pub(super) fn shape(cx: &mut Cx<'_>) -> Result<(), Stop> {
    let input = cx.input(0)?;
    let Some(rank) = input.rank() else {
        return Err(Stop::Freeze("reads the shape of a tensor of unknown rank".to_owned()));
    };
    let ints = (0..rank).map(|axis| {
        let origin = match input.layout() {
            Some(layout) if layout.carries(axis) => Origin::Follows(Follows::exactly(Extent::whole(layout, axis))),
            _ => Origin::Free,
        };
        Int { value: input.dim(axis).map(|d| d as i64), real: None, origin }
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

/// If: a branch is not followed, even if it is always the same one.
pub(super) fn branch(cx: &mut Cx<'_>) -> Result<(), Stop> {
    let condition = cx.input(0)?;
    let is_known = |ints: &Vec<Int>| ints.iter().all(|int| int.value.is_some());
    Err(Stop::Freeze(if condition.is_stored() || condition.ints.as_ref().is_some_and(is_known) {
        "runs the same inner graph every time, and that is not followed: simplify the model, so that it stands in the \
         node's place"
            .to_owned()
    } else {
        INNER_GRAPHS.to_owned()
    }))
}
