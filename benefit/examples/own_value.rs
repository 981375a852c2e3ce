//! A value of one's own: scores computed elsewhere, here a list per group, plugged into a network's problem.
#![allow(clippy::print_stdout, reason = "an example shows its result")]

use benefit::{
    Budget, Exact, Knot, LevelRule, Limits, Planner, ProblemBuilder, Value, ValueCurve, ValueError, ValueKind,
};
use netspec::{Axis, ChannelGroup, ConvSpec, GroupId, IndexMap, Layer, Member, Network, Provenance, Role, Width};

/// One score per channel and group, say from a Taylor expansion of the loss.
struct Scores(Vec<Vec<f64>>);

impl Value for Scores {
    fn curve(&self, group: GroupId) -> Result<ValueCurve, ValueError> {
        let groups = self.0.len();
        ValueCurve::from_scores(self.0.get(group.0).ok_or(ValueError::UnknownGroup { group: group.0, groups })?)
    }
    fn kind(&self) -> ValueKind {
        ValueKind::File
    }
}

/// 3 > 64 > 10, 3x3 convolutions on 32x32.
fn network() -> Network {
    let member = |tensor: &str, axis, role| Member {
        tensor: tensor.to_owned(),
        axis,
        role,
        map: IndexMap::Affine { offset: 0, repeat: 1 },
    };
    let hidden = Width::from(GroupId(0));
    let layer = |name: &str, c_in, c_out, inputs, outputs| {
        let spec = ConvSpec::new(c_in, c_out, [32, 32], [3, 3]);
        Layer::new(name, &format!("{name}.weight"), spec, inputs, outputs)
    };
    let mut group = ChannelGroup::new(GroupId(0), "conv1", 64);
    group.members = vec![member("conv1.weight", 0, Role::Producer), member("conv2.weight", 1, Role::Consumer)];
    let mut network = Network::default();
    network.layers = vec![layer("conv1", 3, 64, 3.into(), hidden.clone()), layer("conv2", 64, 10, hidden, 10.into())];
    network.groups.push(group);
    network
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let network = network();
    let scores = Scores(vec![(0..64_i32).map(|channel| f64::from((channel * 37) % 64)).collect()]);

    let mut builder = ProblemBuilder::from_network(&network, &Limits::default(), &scores)?;
    // A latency source would measure these; here stairs of 16 channels stand in, labelled as what they are.
    let stairs = |scale: f64| -> Vec<Knot> {
        let knot = |channels: usize| Knot {
            channels,
            ns: scale * (1 + channels.div_ceil(16)) as f64,
            provenance: Provenance::Simulated,
        };
        (8..=64).step_by(8).map(knot).collect()
    };
    builder.sweep(0, Axis::COut, stairs(100.0)).sweep(1, Axis::CIn, stairs(250.0));
    builder.levels_from_sweeps(&LevelRule::default());
    let problem = builder.build()?;
    println!("levels {:?}: the widths between them cost as much as the next one", problem.groups()[0].levels);

    let solution = Exact::default().plan(&problem, Budget::ratio(0.7))?;
    let plan = solution.to_plan(&network, &scores)?;
    println!("{:.2}x, {} ({})", solution.ratio(), solution.value, solution.value_kind);
    println!("keeps {:?}", plan.groups[0].keep);
    Ok(())
}
