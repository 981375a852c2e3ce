//! Timing on the device.
