//! The main loop on a scripted device with a virtual clock: every figure is known, and every case takes part of a second.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod budget;
#[cfg(feature = "tract")]
mod calibration;
mod context;
mod failures;
mod order;
mod scripted;
mod table;
