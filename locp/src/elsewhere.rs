//! What other machines' entries in the table suggest about a line: where its edges may be, and never how long it takes.

use crate::report::{Axis, ExpectedReport};
use crate::sweeps::Line;
use sharing::{Lines, Policy, Relation};

/// The stairs of other machines that may serve as hypotheses here.
pub(crate) struct Elsewhere {
    lines: Lines,
    mine: String,
    policy: Policy,
    tolerance: f64,
}

/// Edges of one other machine along a line, in the line's steps.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Expected {
    machine: String,
    relation: Relation,
    pub(crate) edges: Vec<usize>,
}

impl Elsewhere {
    pub(crate) fn new(lines: Lines, mine: String, policy: Policy, tolerance: f64) -> Elsewhere {
        Elsewhere { lines, mine, policy, tolerance }
    }

    /// The edges that the nearest other machine has on this line, the same device before others; nothing where
    /// none has any.
    pub(crate) fn edges(&self, line: &Line) -> Option<Expected> {
        let axis = match line.axis {
            Axis::CIn => sharing::Axis::CIn,
            Axis::COut => sharing::Axis::COut,
        };
        let (theirs, _) = sharing::Line::of(&line.spec, axis)?;
        self.lines.hypotheses(&theirs, &self.mine, &self.policy).into_iter().find_map(|other| {
            let edges: Vec<usize> = edges(&other.points, line.unit(), self.tolerance)
                .into_iter()
                .filter_map(|channels| line.steps_at(channels))
                .collect();
            (!edges.is_empty()).then_some(Expected { machine: other.machine, relation: other.relation, edges })
        })
    }
}

impl Expected {
    pub(crate) fn report(&self, held: usize) -> ExpectedReport {
        ExpectedReport {
            machine: self.machine.clone(),
            relation: match self.relation {
                Relation::SameDevice => "same-device",
                Relation::OtherDevice => "other-device",
                _ => "other",
            },
            edges: self.edges.len(),
            held,
        }
    }
}

/// How many times the tolerance latency must rise by at an edge that is worth a test elsewhere: where it rises by less,
/// the other machine had a slope, and its readings scattered.
const WORTH: f64 = 1.5;

/// The widths after which latency rises clearly and stays up, the very next width having been read too.
fn edges(points: &[(usize, f64)], unit: usize, tolerance: f64) -> Vec<usize> {
    let latencies: Vec<f64> = points.iter().map(|&(_, ns)| ns).collect();
    let rises = stairstep::risers(&latencies);
    let pairs = points.windows(2).zip(rises);
    pairs
        .filter(|(pair, rise)| pair[1].0 - pair[0].0 <= unit && *rise > WORTH * tolerance && rise.is_finite())
        .map(|(pair, _)| pair[0].0)
        .collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
mod tests {
    use super::*;
    use netspec::{ConvSpec, Machine, Measurement, Provenance};
    use sharing::{Entry, Key, MemoryStore, Store as _, TableKind};

    fn machine(device: &str, library: &str) -> Machine {
        Machine { engine: "tract".into(), device: device.into(), library: library.into(), ..Machine::default() }
    }

    #[test]
    fn the_nearest_machine_with_steps_tells_where_to_look() {
        let spec = ConvSpec::new(64, 128, [14, 14], [3, 3]);
        let mut table = MemoryStore::new(TableKind::Live);
        let mut put = |machine: &Machine, points: &[(usize, f64)]| {
            for &(c_out, ns) in points {
                let entry = Entry::now(Measurement::exact(ns, Provenance::Measured), "test");
                table.put(&Key::new(&spec.with_channels(64, c_out), machine), &entry).unwrap();
            }
        };
        put(&machine("a laptop", "1"), &[(32, 100.0), (33, 120.0), (64, 120.0), (65, 150.0), (128, 150.0)]);
        // The same device has too little to tell an edge; its own figures are no hypotheses.
        put(&machine("a server", "2"), &[(32, 50.0), (128, 50.5)]);
        put(&machine("a server", "1"), &[(16, 10.0), (128, 70.0)]);
        let elsewhere = |policy: Policy| {
            let lines = Lines::read(&table, |_| true).unwrap();
            Elsewhere::new(lines, machine("a server", "1").to_string(), policy, 0.03)
        };
        let line = Line::whole(&spec, Axis::COut);
        let expected = elsewhere(Policy::default()).edges(&line).unwrap();
        assert_eq!(expected.edges, [32, 64]);
        assert_eq!((expected.report(1).relation, expected.report(1).held), ("other-device", 1));
        assert_eq!(elsewhere(Policy::strict()).edges(&line), None);
        assert_eq!(elsewhere(Policy::default()).edges(&Line::whole(&spec, Axis::CIn)), None);
    }
}
