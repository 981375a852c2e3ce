//! What a table maps to what.

use netspec::{CacheState, ConvSpec, Machine, Measurement, SpecError};
use std::fmt;
use std::time::{SystemTime, UNIX_EPOCH};

/// Everything that a latency is true for: a convolution, a machine, and what the runs find in the caches.
///
/// Plain data with an order and a hash, the same on every machine and in every version.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
pub struct Key {
    /// The conv spec's canonical text (its `Display`).
    pub spec: String,
    /// The machine's canonical text (its `Display`).
    pub machine: String,
    /// What the runs find in the caches.
    pub cache: CacheState,
}

impl Key {
    /// Returns the key of this convolution on this machine in this cache state.
    ///
    /// ```
    /// use netspec::{CacheState, ConvSpec, Machine};
    /// let spec = ConvSpec::new(64, 128, [56, 56], [3, 3]);
    /// let key = sharing::Key::new(&spec, &Machine::default(), CacheState::Network);
    /// assert_eq!(key.spec, "64>128 56x56 k3");
    /// assert_eq!(key.conv_spec(), Ok(spec));
    /// ```
    pub fn new(spec: &ConvSpec, machine: &Machine, cache: CacheState) -> Key {
        Key { spec: spec.to_string(), machine: machine.to_string(), cache }
    }

    /// Parses the convolution's text.
    pub fn conv_spec(&self) -> Result<ConvSpec, SpecError> {
        self.spec.parse()
    }

    /// Parses the machine's text. Returns `None` if the text is not in canonical form, or if a name contains the
    /// separator.
    ///
    /// ```
    /// use netspec::{CacheState, ConvSpec, Machine};
    /// let machine = Machine { engine: "tract".into(), device: "EPYC 9R14".into(), threads: 2, ..Machine::default() };
    /// let key = sharing::Key::new(&ConvSpec::new(3, 8, [8, 8], [3, 3]), &machine, CacheState::Network);
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
        write!(f, "`{}` with {} on {}", self.spec, caches(self.cache), self.machine)
    }
}

/// A cache state in words.
pub(crate) fn caches(cache: CacheState) -> String {
    format!("{cache} caches")
}

/// One measurement, and when and by what it was made.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Entry {
    /// The latency.
    pub measurement: Measurement,
    /// When it was measured, in seconds since 1970 (UTC).
    pub unix_s: u64,
    /// Name and version of the tool that measured it.
    pub tool: String,
}

impl Entry {
    /// Creates an entry with the current time.
    pub fn now(measurement: Measurement, tool: impl Into<String>) -> Entry {
        // A clock before 1970 makes its entries the first ones; nothing else depends on it.
        let unix_s = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        Entry { measurement, unix_s, tool: tool.into() }
    }
}
