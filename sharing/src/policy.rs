//! What one machine may use of another's figures, as data.

use crate::TableKind;
use netspec::Machine;

/// What a figure may be used as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Use {
    /// As a latency of this machine.
    Numbers,
    /// As a guess where the steps are, which three points each confirm or refute.
    Hypotheses,
    /// Not at all.
    Nothing,
}

/// Who may share what. Numbers are only ever those of the same machine, whatever the choices here.
///
/// ```
/// use netspec::Machine;
/// use sharing::{SharingPolicy, TableKind, Use};
///
/// let mine = Machine { engine: "tract".into(), device: "A".into(), library: "2".into(), ..Machine::default() };
/// let older = Machine { library: "1".into(), ..mine.clone() };
/// let policy = SharingPolicy::default();
/// assert_eq!(policy.of(&mine, TableKind::Live, &mine.to_string(), TableKind::Live), Use::Numbers);
/// assert_eq!(policy.of(&mine, TableKind::Live, &older.to_string(), TableKind::Live), Use::Hypotheses);
/// assert_eq!(policy.of(&mine, TableKind::Live, &mine.to_string(), TableKind::Simulated), Use::Hypotheses);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SharingPolicy {
    /// Figures of this device and engine with another library, driver, policy, number of threads or timing method.
    pub same_device: Use,
    /// Figures of another device by the same engine.
    pub other_device: Use,
    /// Figures of another engine: its kernels are others, and so are its steps.
    pub other_engine: Use,
    /// Figures of another kind: recorded or simulated ones for a live machine, or the other way round.
    pub other_kind: Use,
}

impl Default for SharingPolicy {
    fn default() -> SharingPolicy {
        SharingPolicy {
            same_device: Use::Hypotheses,
            other_device: Use::Hypotheses,
            other_engine: Use::Nothing,
            other_kind: Use::Hypotheses,
        }
    }
}

impl SharingPolicy {
    /// What `mine` may use of figures that are true for `theirs`, a machine's canonical text.
    pub fn of(&self, mine: &Machine, my_kind: TableKind, theirs: &str, their_kind: TableKind) -> Use {
        let at_most_hypotheses = |choice| if choice == Use::Numbers { Use::Hypotheses } else { choice };
        if my_kind != their_kind {
            return at_most_hypotheses(self.other_kind);
        }
        if mine.to_string() == theirs {
            return Use::Numbers;
        }
        let mut fields = theirs.split('|');
        let (engine, device, compute) = (fields.next(), fields.next(), fields.next());
        at_most_hypotheses(if engine != Some(mine.engine.as_str()) {
            self.other_engine
        } else if (device, compute) == (Some(mine.device.as_str()), Some(mine.compute.as_str())) {
            self.same_device
        } else {
            self.other_device
        })
    }
}
