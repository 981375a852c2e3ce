//! What belongs to a channel group: layers, names, and the time that they take.

use crate::Error;
use crate::measure::Measurer;
use netspec::{ChannelGroup, ConvSpec, GroupId, Layer, Network, Role, Width};
use timing::TimingError;

/// Steps at whose multiples widths are tried: what engines are known to compute by.
pub(crate) const STEPS: [usize; 5] = [4, 8, 16, 32, 64];

/// The layers that read or write a group, and by which axes.
pub(crate) fn members(network: &Network, group: GroupId) -> Vec<(&Layer, Vec<&'static str>)> {
    let axes = |layer: &Layer| {
        let of = |width: &Width, axis| width.follows(group).then_some(axis);
        [of(&layer.outputs, "c_out"), of(&layer.inputs, "c_in")].into_iter().flatten().collect::<Vec<_>>()
    };
    network.layers.iter().map(|layer| (layer, axes(layer))).filter(|(_, axes)| !axes.is_empty()).collect()
}

/// Returns the latency of a group's members where group g has `channels(g)` channels; `None` if the source does not know
/// one of them.
pub(crate) fn latency_ns(
    members: &[(&Layer, Vec<&'static str>)],
    channels: impl Fn(GroupId) -> usize,
    measurer: &mut Measurer<'_>,
) -> Result<Option<f64>, Error> {
    let specs: Vec<ConvSpec> = members.iter().map(|(layer, _)| layer.spec_at(&channels)).collect();
    match measurer.get(&specs) {
        Ok(measured) => Ok(Some(measured.iter().map(|m| m.median_ns).sum())),
        Err(Error::Timing(TimingError::Missing { .. })) => Ok(None),
        Err(error) => Err(error),
    }
}

/// The names by which people know a group: its own, those of the layers that compute it, of their weights, and of the
/// modules that these belong to.
pub(crate) fn names<'n>(network: &'n Network, group: &'n ChannelGroup) -> impl Iterator<Item = &'n str> {
    let layers = network.layers.iter().filter(|layer| layer.outputs.follows(group.id)).map(|layer| layer.name.as_str());
    let weights = group.members.iter().filter(|member| member.role == Role::Producer);
    let weights = weights.flat_map(|member| [Some(member.tensor.as_str()), member.tensor.strip_suffix(".weight")]);
    std::iter::once(group.name.as_str()).chain(layers).chain(weights.flatten())
}
