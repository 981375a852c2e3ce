//! Clocks, temperature and throttling, as the driver's management library reports them.
//!
//! It is a help, not a need: where it is absent or says nothing, every field stays empty.

use nvml_wrapper::Nvml as Library;
use nvml_wrapper::bitmasks::device::ThrottleReasons;
use nvml_wrapper::enum_wrappers::device::{Clock, TemperatureSensor};

/// A device's state at one moment, as far as the driver's management library tells.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct DeviceState {
    /// The multiprocessors' clock in MHz.
    pub clock_mhz: Option<u32>,
    /// The highest clock that they may have in MHz.
    pub max_clock_mhz: Option<u32>,
    /// The memory's clock in MHz.
    pub memory_clock_mhz: Option<u32>,
    /// The chip's temperature in degrees Celsius.
    pub temperature_c: Option<u32>,
    /// Power drawn in watts.
    pub power_w: Option<f64>,
    /// Why the clock is lower than it might be, in the library's words: `SW_POWER_CAP`, `HW_THERMAL_SLOWDOWN`; empty
    /// where nothing holds it back.
    pub throttle_reasons: Vec<String>,
}

/// The management library, and how it knows the device.
#[derive(Debug)]
pub(crate) struct Nvml {
    library: Library,
    pci_bus_id: String,
}

impl Nvml {
    /// The library, where it can be loaded and knows the device on this bus.
    pub(crate) fn find(pci_bus_id: &str) -> Option<Nvml> {
        let library = Library::init().ok()?;
        library.device_by_pci_bus_id(pci_bus_id).ok()?;
        Some(Nvml { library, pci_bus_id: pci_bus_id.to_owned() })
    }

    /// The library's own version, or why it cannot be used.
    pub(crate) fn version() -> Result<String, String> {
        Library::init().and_then(|library| library.sys_nvml_version()).map_err(|error| error.to_string())
    }

    /// The driver's version: `550.54.15`.
    pub(crate) fn driver_version(&self) -> Option<String> {
        self.library.sys_driver_version().ok()
    }

    /// The device's state now.
    pub(crate) fn state(&self) -> DeviceState {
        let Ok(device) = self.library.device_by_pci_bus_id(self.pci_bus_id.as_str()) else {
            return DeviceState::default();
        };
        let reasons = device.current_throttle_reasons().unwrap_or(ThrottleReasons::empty());
        // An idle device is slow because nothing runs, which says nothing about a measurement.
        let reasons = reasons.difference(ThrottleReasons::GPU_IDLE | ThrottleReasons::NONE);
        DeviceState {
            clock_mhz: device.clock_info(Clock::SM).ok(),
            max_clock_mhz: device.max_clock_info(Clock::SM).ok(),
            memory_clock_mhz: device.clock_info(Clock::Memory).ok(),
            temperature_c: device.temperature(TemperatureSensor::Gpu).ok(),
            power_w: device.power_usage().ok().map(|milliwatts| f64::from(milliwatts) / 1e3),
            throttle_reasons: reasons.iter_names().map(|(name, _)| name.to_owned()).collect(),
        }
    }
}
