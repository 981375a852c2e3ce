//! Everything that this crate does on the host, run for real against a device that is not there.
//!
//! `tests/fake` holds a driver, a cuDNN and a run-time compiler in C. They keep a virtual clock, so what a reading must
//! be is known exactly; they check what they are called with, so that what a real device punishes later or in silence
//! is a failure here; and they count what is alive, so that leaks are found. Each test runs in a process of its own,
//! because libraries that were loaded once stay.
//!
//! With `LOCP_REQUIRE_CC=1` a machine without a C compiler is a failure; otherwise everything here is skipped aloud.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "tests fail by panicking, and a skipped one says so")]

mod choice;
mod conformance;
mod device;
mod failures;
mod hung;
mod kernels;
mod lost;
mod memory;
mod network;
mod outputs;
mod planted;
mod process;
mod readings;
mod strict;
mod symbols;
mod words;
