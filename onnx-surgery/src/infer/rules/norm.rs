//! BatchNormalization: four parameters per channel.

use super::conv::shape;
use super::{Cx, Stop};
use netspec::Role;

pub(super) fn batch_normalization(cx: &mut Cx<'_>) -> Result<(), Stop> {
    if cx.has_more_outputs() || cx.node().int("training_mode", 0) != 0 {
        return Err(Stop::Freeze("computes statistics, as in training".to_owned()));
    }
    let input = cx.input(0)?.clone();
    let channels = input.dim(1);
    for parameter in 1..5 {
        let dims = &cx.constant(parameter)?.1.dims;
        if dims.len() != 1 || channels.is_some_and(|c| c != dims[0]) {
            return Err(cx.refuse(format!("its parameters {dims:?} do not fit its input {}", shape(&input))));
        }
    }
    match input.channels() {
        Some((1, labels)) => (1..5).try_for_each(|i| cx.claim(i, 0, Role::Parameter, labels))?,
        Some(_) => return Err(Stop::Freeze("normalizes another axis than the channels'".to_owned())),
        None => (),
    }
    let dims = input.dims.clone();
    cx.set(0, input.with_dims(dims));
    Ok(())
}
