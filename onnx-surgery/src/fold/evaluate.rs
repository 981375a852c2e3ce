//! What a node computes from constants, as ONNX defines it.

use super::Inputs;
use super::array::{Array, elements};
use crate::graph::Node;

/// Whether a node's operator can be computed here.
pub(super) fn is_known(node: &Node) -> bool {
    matches!(
        node.op.as_str(),
        "Identity"
            | "Transpose"
            | "Squeeze"
            | "Unsqueeze"
            | "Reshape"
            | "Flatten"
            | "Expand"
            | "Cast"
            | "Concat"
            | "Add"
            | "Sub"
            | "Mul"
            | "Div"
            | "Pow"
            | "Max"
            | "Min"
            | "Neg"
            | "Abs"
            | "Sqrt"
            | "Reciprocal"
            | "Exp"
            | "Log"
            | "Tanh"
            | "ReduceL1"
            | "ReduceL2"
            | "ReduceMax"
            | "ReduceMean"
            | "ReduceMin"
            | "ReduceSum"
            | "ReduceSumSquare"
            | "DequantizeLinear"
    )
}

/// Returns what a node computes; `None` if an input is not a constant that is understood, or if the result would have
/// more than `most` elements.
pub(super) fn evaluate(node: &Node, inputs: &Inputs<'_>, most: usize) -> Option<Array> {
    let array = |input| inputs.array(node, input);
    let binary = |f: fn(f32, f32) -> f32| {
        if node.inputs.len() != 2 {
            return None;
        }
        array(0)?.with(&array(1)?, most, f)
    };
    let unary = |f: fn(f32) -> f32| Some(array(0)?.map(f));
    match node.op.as_str() {
        "Identity" => array(0),
        // Only to f32: other types are not folded.
        "Cast" if node.int("to", 0) == super::F32 => array(0).or_else(|| inputs.numbers(node, 0)),
        "Transpose" => {
            let array = array(0)?;
            let reversed: Vec<i64> = (0..array.dims.len() as i64).rev().collect();
            let order = axes(node.ints("perm").unwrap_or(&reversed), array.dims.len())?;
            array.transposed(&order)
        }
        "Reshape" => reshape(node, inputs),
        "Flatten" => {
            let array = array(0)?;
            let rank = array.dims.len() as i64;
            let axis = node.int("axis", 1);
            let axis = usize::try_from(if axis < 0 { axis + rank } else { axis }).ok()?;
            let (left, right) = array.dims.split_at_checked(axis)?;
            let dims = vec![elements(left)?, elements(right)?];
            array.reshaped(dims)
        }
        "Squeeze" => {
            let array = array(0)?;
            let rank = array.dims.len();
            let gone = match inputs.integers(node, 1, "axes")? {
                Some(list) => axes(&list, rank)?,
                None => (0..rank).filter(|&axis| array.dims[axis] == 1).collect(),
            };
            let dims = (0..rank).filter(|axis| !gone.contains(axis)).map(|axis| array.dims[axis]).collect();
            array.reshaped(dims)
        }
        "Unsqueeze" => {
            let array = array(0)?;
            let list = inputs.integers(node, 1, "axes")??;
            let rank = array.dims.len() + list.len();
            let new = axes(&list, rank)?;
            let mut old = array.dims.iter().copied();
            let dims = (0..rank).map(|axis| if new.contains(&axis) { Some(1) } else { old.next() });
            let dims = dims.collect::<Option<Vec<usize>>>()?;
            array.reshaped(dims)
        }
        "Expand" => {
            let shape = inputs.integers(node, 1, "shape")??;
            let shape = shape.into_iter().map(|dim| usize::try_from(dim).ok()).collect::<Option<Vec<usize>>>()?;
            array(0)?.expanded(&shape, most)
        }
        "Concat" => concat(node, inputs, most),
        "Add" => binary(|a, b| a + b),
        "Sub" => binary(|a, b| a - b),
        "Mul" => binary(|a, b| a * b),
        "Div" => binary(|a, b| a / b),
        "Max" => binary(f32::max),
        "Min" => binary(f32::min),
        // As ONNX Runtime does it.
        "Pow" => binary(|a, b| {
            if b == 2.0 {
                a * a
            } else if b == 3.0 {
                a * a * a
            } else {
                a.powf(b)
            }
        }),
        "Neg" => unary(|a| -a),
        "Abs" => unary(f32::abs),
        "Sqrt" => unary(f32::sqrt),
        "Reciprocal" => unary(f32::recip),
        "Exp" => unary(f32::exp),
        "Log" => unary(f32::ln),
        "Tanh" => unary(f32::tanh),
        "ReduceL1" => reduce(node, inputs, |x| x.iter().map(|x| x.abs()).sum()),
        "ReduceL2" => reduce(node, inputs, |x| x.iter().map(|x| x * x).sum::<f64>().sqrt()),
        "ReduceMax" => reduce(node, inputs, |x| x.iter().copied().fold(f64::NEG_INFINITY, f64::max)),
        "ReduceMin" => reduce(node, inputs, |x| x.iter().copied().fold(f64::INFINITY, f64::min)),
        "ReduceMean" => reduce(node, inputs, |x| x.iter().sum::<f64>() / x.len() as f64),
        "ReduceSum" => reduce(node, inputs, |x| x.iter().sum()),
        "ReduceSumSquare" => reduce(node, inputs, |x| x.iter().map(|x| x * x).sum()),
        "DequantizeLinear" => dequantize(node, inputs, most),
        _ => None,
    }
}

/// Axes of a tensor of this rank, none of them twice.
fn axes(list: &[i64], rank: usize) -> Option<Vec<usize>> {
    let rank = i64::try_from(rank).ok()?;
    let axis = |axis: &i64| {
        let axis = if *axis < 0 { axis + rank } else { *axis };
        if (0..rank).contains(&axis) { usize::try_from(axis).ok() } else { None }
    };
    let all = list.iter().map(axis).collect::<Option<Vec<usize>>>()?;
    (1..all.len()).all(|i| !all[..i].contains(&all[i])).then_some(all)
}

fn reshape(node: &Node, inputs: &Inputs<'_>) -> Option<Array> {
    let array = inputs.array(node, 0)?;
    let shape = inputs.integers(node, 1, "shape")??;
    let copies_zeros = node.int("allowzero", 0) == 0;
    let mut dims = Vec::with_capacity(shape.len());
    let mut open = None;
    for (axis, &dim) in shape.iter().enumerate() {
        dims.push(match dim {
            -1 if open.is_none() => {
                open = Some(axis);
                1
            }
            0 if copies_zeros => *array.dims.get(axis)?,
            dim => usize::try_from(dim).ok()?,
        });
    }
    if let Some(axis) = open {
        dims[axis] = array.data.len().checked_div(elements(&dims)?)?;
    }
    array.reshaped(dims)
}

fn concat(node: &Node, inputs: &Inputs<'_>, most: usize) -> Option<Array> {
    let parts = (0..node.inputs.len()).map(|input| inputs.array(node, input)).collect::<Option<Vec<Array>>>()?;
    let first = parts.first()?;
    let axis = *axes(&[node.int("axis", 0)], first.dims.len())?.first()?;
    let fits = |part: &Array| {
        part.dims.len() == first.dims.len()
            && part.dims.iter().zip(&first.dims).enumerate().all(|(i, (a, b))| i == axis || a == b)
    };
    if !parts.iter().all(fits) || parts.iter().map(|part| part.data.len()).sum::<usize>() > most {
        return None;
    }
    let mut dims = first.dims.clone();
    dims[axis] = parts.iter().map(|part| part.dims[axis]).sum();
    let outer = elements(&dims[..axis])?;
    let mut data = Vec::new();
    for row in 0..outer {
        for part in &parts {
            let length = part.data.len() / outer;
            data.extend_from_slice(&part.data[row * length..(row + 1) * length]);
        }
    }
    Some(Array { dims, data })
}

/// Sums are taken in double precision: the runtime's order of summation is not known.
fn reduce(node: &Node, inputs: &Inputs<'_>, f: impl Fn(&[f64]) -> f64) -> Option<Array> {
    let array = inputs.array(node, 0)?;
    let rank = array.dims.len();
    let list = inputs.integers(node, 1, "axes")?.filter(|list| !list.is_empty());
    let axes = match list {
        Some(list) => axes(&list, rank)?,
        None if node.int("noop_with_empty_axes", 0) == 1 => return Some(array),
        None => (0..rank).collect(),
    };
    Some(array.reduced(&axes, node.int("keepdims", 1) == 1, f))
}

/// `(x - zero point) * scale`, each scale for the whole tensor or a position of one axis.
fn dequantize(node: &Node, inputs: &Inputs<'_>, most: usize) -> Option<Array> {
    if node.int("block_size", 0) != 0 {
        return None;
    }
    let (x, scale) = (inputs.numbers(node, 0)?, inputs.array(node, 1)?);
    let axis = axes(&[node.int("axis", 1)], x.dims.len().max(2))?.first().copied()?;
    let along = |array: Array| -> Option<Array> {
        if array.data.len() == 1 {
            return array.reshaped(vec![1; x.dims.len()]);
        }
        let mut dims = vec![1; x.dims.len()];
        *dims.get_mut(axis)? = array.data.len();
        array.reshaped(dims)
    };
    let scale = along(scale)?;
    let x = match node.inputs.get(2).copied().flatten() {
        Some(_) => x.with(&along(inputs.numbers(node, 2)?)?, most, |x, zero| x - zero)?,
        None => x.clone(),
    };
    x.with(&scale, most, |x, scale| x * scale)
}
