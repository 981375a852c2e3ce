//! Who may use whose latencies, and for what.

use crate::TableKind;
use crate::entry::machine_of;

/// What another machine's latency is worth to mine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Standing {
    /// Nothing.
    Nothing,
    /// Where its steps are may be where mine are: to be confirmed or refuted by readings of my own.
    Hypotheses,
    /// It is my latency.
    Numbers,
}

/// How another machine relates to mine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Relation {
    /// The same canonical text: the same machine in every respect that latency depends on.
    Same,
    /// The same engine on the same device and vector extension or compute capability; library, driver, policy, threads
    /// or timing method differ.
    SameDevice,
    /// The same engine on another device.
    OtherDevice,
    /// Another engine: its kernels are others.
    OtherEngine,
    /// One of the two is a recording.
    Recorded,
    /// One of the two is simulated.
    Simulated,
    /// One of the two texts is no machine's.
    Unknown,
}

impl Relation {
    /// How the machine `theirs` relates to `mine`, both as canonical texts (the `machine` of a [`crate::Key`]).
    ///
    /// Two simulated machines of equal text are the same one; a simulated and a live one never are.
    pub fn between(mine: &str, theirs: &str) -> Relation {
        let kinds = [mine, theirs].map(TableKind::of_machine);
        if mine == theirs {
            Relation::Same
        } else if kinds.contains(&TableKind::Simulated) {
            Relation::Simulated
        } else if kinds.contains(&TableKind::Recorded) {
            Relation::Recorded
        } else {
            match (machine_of(mine), machine_of(theirs)) {
                // What stands behind the colon is which device, or how: no other engine.
                (Some(mine), Some(theirs)) if mine.engine.split(':').next() != theirs.engine.split(':').next() => {
                    Relation::OtherEngine
                }
                (Some(mine), Some(theirs)) => {
                    // Two machines that do not say what device they are have nothing in common that is known.
                    let is_same = !mine.device.is_empty() && mine.device == theirs.device;
                    let is_same = is_same && mine.compute == theirs.compute;
                    if is_same { Relation::SameDevice } else { Relation::OtherDevice }
                }
                _ => Relation::Unknown,
            }
        }
    }
}

/// Whose latencies become hypotheses. Plain data: a choice for each relation but [`Relation::Same`].
///
/// Numbers are never shared between machines that differ, and no choice here can make it so.
///
/// | relation | by default |
/// |---|---|
/// | same machine | numbers |
/// | same engine and device, other library, driver, policy, threads or method | hypotheses |
/// | same engine, other device | hypotheses |
/// | other engine | nothing: its kernels are others, and so are their steps |
/// | recorded | hypotheses: somebody timed them |
/// | simulated | nothing: a model's stairs are where its author put them, and readings are spent on refuting them |
/// | unknown | nothing |
///
/// ```
/// use sharing::{Policy, Standing};
/// let mine = "tract|EPYC 9R14|avx512||tract 0.23.9||1|1";
/// let policy = Policy::default();
/// assert_eq!(policy.standing(mine, mine), Standing::Numbers);
/// assert_eq!(policy.standing(mine, "tract|EPYC 9R14|avx512||tract 0.24.0||1|1"), Standing::Hypotheses);
/// assert_eq!(policy.standing(mine, "simulated:h100|H100|9.0||model||1|1"), Standing::Nothing);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Policy {
    /// Take hypotheses from the same device with another library, driver, policy, threads or method.
    pub same_device: bool,
    /// Take hypotheses from the same engine on other devices.
    pub other_device: bool,
    /// Take hypotheses from other engines.
    pub other_engine: bool,
    /// Take hypotheses from recordings.
    pub recorded: bool,
    /// Take hypotheses from simulations; [`Relation::Simulated`] stays on them.
    pub simulated: bool,
}

impl Default for Policy {
    fn default() -> Policy {
        Policy { same_device: true, other_device: true, other_engine: false, recorded: true, simulated: false }
    }
}

impl Policy {
    /// A policy that shares with nobody but the same machine.
    pub fn strict() -> Policy {
        Policy { same_device: false, other_device: false, other_engine: false, recorded: false, simulated: false }
    }

    /// What the latencies of the machine `theirs` are worth to `mine`, both as canonical texts.
    pub fn standing(&self, mine: &str, theirs: &str) -> Standing {
        let takes = match Relation::between(mine, theirs) {
            Relation::Same => return Standing::Numbers,
            Relation::SameDevice => self.same_device,
            Relation::OtherDevice => self.other_device,
            Relation::OtherEngine => self.other_engine,
            Relation::Recorded => self.recorded,
            Relation::Simulated => self.simulated,
            Relation::Unknown => false,
        };
        if takes { Standing::Hypotheses } else { Standing::Nothing }
    }
}
