//! What a table maps to what.

use netspec::{ConvSpec, Machine, Measurement, SpecError};
use std::fmt;
use std::time::{SystemTime, UNIX_EPOCH};

/// What a latency is for: a convolution on a machine, by their canonical texts.
///
/// Plain data with an order and a hash, the same on every machine and in every version.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key {
    /// The conv spec's canonical text (its `Display`).
    pub spec: String,
    /// The machine's canonical text (its `Display`).
    pub machine: String,
}

impl Key {
    /// The key of this convolution on this machine.
    ///
    /// ```
    /// use netspec::{ConvSpec, Machine};
    /// let spec = ConvSpec::new(64, 128, [56, 56], [3, 3]);
    /// let key = sharing::Key::new(&spec, &Machine::default());
    /// assert_eq!(key.spec, "64>128 56x56 k3");
    /// assert_eq!(key.conv_spec(), Ok(spec));
    /// ```
    pub fn new(spec: &ConvSpec, machine: &Machine) -> Key {
        Key { spec: spec.to_string(), machine: machine.to_string() }
    }

    /// The convolution, read back from its text.
    pub fn conv_spec(&self) -> Result<ConvSpec, SpecError> {
        self.spec.parse()
    }

    /// Parses the machine's text. Returns `None` if the text is not in canonical form, or if a name contains the
    /// separator.
    ///
    /// ```
    /// use netspec::{ConvSpec, Machine};
    /// let machine = Machine { engine: "tract".into(), device: "EPYC 9R14".into(), threads: 2, ..Machine::default() };
    /// let key = sharing::Key::new(&ConvSpec::new(3, 8, [8, 8], [3, 3]), &machine);
    /// assert_eq!(key.machine(), Some(machine));
    /// ```
    pub fn machine(&self) -> Option<Machine> {
        let machine: Machine = self.machine.parse().ok()?;
        // Only the canonical form counts: `+1` and `01` are read as numbers too.
        (machine.to_string() == self.machine).then_some(machine)
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` on {}", self.spec, self.machine)
    }
}

/// One measurement, and when and by what it was made.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// The latency.
    pub measurement: Measurement,
    /// When it was measured, in seconds since 1970 (UTC).
    pub unix_s: u64,
    /// Name and version of the tool that measured it.
    pub tool: String,
}

impl Entry {
    /// An entry of the present second.
    pub fn now(measurement: Measurement, tool: impl Into<String>) -> Entry {
        // A clock before 1970 makes its entries the first ones; nothing else depends on it.
        let unix_s = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        Entry { measurement, unix_s, tool: tool.into() }
    }
}
