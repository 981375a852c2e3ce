//! LSTM, GRU and RNN: the input axis of their weights follows what they read. Their states keep their size.

use super::conv::shape;
use super::{Cx, Stop};
use crate::infer::{Kind, Value};
use netspec::Role;

/// The axis of features in `X` and in `W`, whose other axes are directions and gates.
const FEATURES: usize = 2;

pub(super) fn recurrent(cx: &mut Cx<'_>) -> Result<(), Stop> {
    let (input, weight) = (cx.input(0)?.clone(), cx.input(1)?.clone());
    let misfit = |cx: &Cx<'_>| {
        let (input, weight) = (shape(&input), shape(&weight));
        cx.refuse(format!("its input {input} does not fit its weights {weight}"))
    };
    let lengths = input.dim(FEATURES).zip(weight.dim(FEATURES));
    if input.rank().is_some_and(|rank| rank != 3) || lengths.is_some_and(|(a, b)| a != b) {
        return Err(misfit(cx));
    }
    let reason = cx.reason("is recurrent, and starts from this or computes its weights from it");
    for other in (1..cx.node().inputs.len()).filter_map(|i| cx.optional(i).cloned()).collect::<Vec<_>>() {
        cx.freeze(&other, reason);
    }
    if !weight.is_stored() {
        cx.lose_channels(&input, "is recurrent, and computes its weights at run time");
    } else if let Some(labels) = cx.line_if_there(&input, FEATURES)? {
        if weight.dim(FEATURES) != Some(labels.len()) {
            return Err(misfit(cx));
        }
        cx.claim(1, FEATURES, Role::Consumer, &labels)?;
    }
    let stated = usize::try_from(cx.node().int("hidden_size", 0)).ok().filter(|&size| size > 0);
    let hidden = stated.or(cx.optional(2).and_then(|value| value.dim(2)));
    let directions = Some(if cx.node().text("direction") == "bidirectional" { 2 } else { 1 });
    let kind = Kind::Fixed(cx.reason("is recurrent, and the size of its states is not changed"));
    let (outputs, state) = if cx.node().int("layout", 0) == 0 {
        (vec![input.dim(0), directions, input.dim(1), hidden], vec![directions, input.dim(1), hidden])
    } else {
        (vec![input.dim(0), input.dim(1), directions, hidden], vec![input.dim(0), directions, hidden])
    };
    for (output, dims) in [outputs, state.clone(), state].into_iter().enumerate() {
        cx.set(output, Value { dims: Some(dims), ints: None, kind: kind.clone() });
    }
    Ok(())
}
