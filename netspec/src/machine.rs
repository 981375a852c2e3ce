//! What a latency is true for.

use std::fmt;

/// Everything that a latency depends on besides the conv spec.
///
/// Two machines with equal fields may share numbers; any difference forbids it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Machine {
    /// The engine's name: `tract`, `cuda`, `simulated:h100`.
    pub engine: String,
    /// The CPU's or GPU's product name.
    pub device: String,
    /// Compute capability, or the CPU's widest vector extension.
    #[cfg_attr(feature = "serde", serde(default))]
    pub compute: String,
    /// Driver version, empty on a CPU.
    #[cfg_attr(feature = "serde", serde(default))]
    pub driver: String,
    /// Library and version that runs the convolutions.
    #[cfg_attr(feature = "serde", serde(default))]
    pub library: String,
    /// How the library selects an algorithm, empty where there is no choice.
    #[cfg_attr(feature = "serde", serde(default))]
    pub policy: String,
    /// Threads that one run uses.
    #[cfg_attr(feature = "serde", serde(default))]
    pub threads: usize,
    /// Version of the timing method; a change makes older numbers another machine's.
    #[cfg_attr(feature = "serde", serde(default))]
    pub method: u32,
}

impl Machine {
    /// A short name for files and reports: engine and a 64-bit FNV-1a hash of all fields, in hexadecimal.
    pub fn id(&self) -> String {
        let hash = self
            .to_string()
            .bytes()
            .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3));
        format!("{}-{hash:016x}", self.engine.replace(':', "-"))
    }
}

/// Reads the canonical form back; nothing where it is none.
impl std::str::FromStr for Machine {
    type Err = String;

    fn from_str(text: &str) -> Result<Machine, String> {
        let wrong = || format!("`{text}` is no machine: eight fields between bars are expected");
        let fields: [&str; 8] = text.split('|').collect::<Vec<_>>().try_into().map_err(|_| wrong())?;
        let [engine, device, compute, driver, library, policy, threads, method] = fields;
        Ok(Machine {
            engine: engine.to_owned(),
            device: device.to_owned(),
            compute: compute.to_owned(),
            driver: driver.to_owned(),
            library: library.to_owned(),
            policy: policy.to_owned(),
            threads: threads.parse().map_err(|_| wrong())?,
            method: method.parse().map_err(|_| wrong())?,
        })
    }
}

/// All fields in order, separated by `|`: the canonical form that keys use.
impl fmt::Display for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Machine { engine, device, compute, driver, library, policy, threads, method } = self;
        write!(f, "{engine}|{device}|{compute}|{driver}|{library}|{policy}|{threads}|{method}")
    }
}
