//! Things that should always take the same time, to tell when the machine itself has changed speed.

use crate::backend::{Backend, Prepared};
use crate::policy::Policy;
use crate::sample::measure;
use crate::stop::Count;
use netspec::ConvSpec;

/// Samples of an anchor each time; its median of so many is steadier than any drift worth a repetition.
const SAMPLES: u32 = 15;

/// What the anchors saw.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct DriftReport {
    /// Chunks that were measured, repetitions not counted.
    pub chunks: u32,
    /// Repetitions because an anchor had moved.
    pub repeated: u32,
    /// Chunks during whose last repetition one moved again; their numbers were kept.
    pub unsettled: u32,
    /// The largest relative move of an anchor during one chunk.
    pub worst_move: f64,
    /// Looks at an anchor that failed, so that it told nothing.
    pub failed_looks: u32,
}

/// All anchors of a source.
#[derive(Default)]
pub(crate) struct Anchors {
    all: Vec<Anchor>,
    has_looked: bool,
}

struct Anchor {
    spec: ConvSpec,
    tolerance: f64,
    prepared: Option<Box<dyn Prepared + Send>>,
    last_ns: Option<f64>,
}

impl Anchors {
    pub(crate) fn add(&mut self, spec: ConvSpec, tolerance: f64) {
        self.all.push(Anchor { spec, tolerance, prepared: None, last_ns: None });
    }

    /// A first look, unless there was one before.
    pub(crate) fn begin(&mut self, backend: &impl Backend, policy: &Policy, report: &mut DriftReport) {
        if !self.has_looked {
            self.look(backend, policy, report);
            self.has_looked = true;
        }
    }

    /// Looks again; answers whether none has moved by more than its tolerance since the last look.
    pub(crate) fn are_steady(&mut self, backend: &impl Backend, policy: &Policy, report: &mut DriftReport) -> bool {
        let moves = self.look(backend, policy, report);
        let worst = moves.iter().copied().fold(0.0, f64::max);
        report.worst_move = report.worst_move.max(worst);
        self.all.iter().zip(moves).all(|(anchor, moved)| moved <= anchor.tolerance)
    }

    /// How far each has moved since the last look; one that cannot be timed has not moved as far as anyone knows.
    fn look(&mut self, backend: &impl Backend, policy: &Policy, report: &mut DriftReport) -> Vec<f64> {
        self.all
            .iter_mut()
            .map(|anchor| {
                let before = anchor.last_ns;
                let after = anchor.ns(backend, policy);
                report.failed_looks += u32::from(after.is_none() && !policy.is_cancelled());
                anchor.last_ns = after.or(before);
                before.zip(after).map_or(0.0, |(before, after)| (after / before).max(before / after) - 1.0)
            })
            .collect()
    }
}

impl Anchor {
    fn ns(&mut self, backend: &impl Backend, policy: &Policy) -> Option<f64> {
        if self.prepared.is_none() {
            self.prepared = backend.prepare(&self.spec).ok();
        }
        measure(self.prepared.as_mut()?, &mut Count::new(SAMPLES), policy).ok().map(|m| m.median_ns)
    }
}
