//! The built `locp` as people run it.
#![allow(clippy::unwrap_used, reason = "a test that unwraps in vain fails, as it should")]

mod align;
mod bad_input;
mod calibration;
mod contract;
mod explain;
mod fake_gpu;
mod gpu;
#[path = "../../../onnx-surgery/tests/support/onnx.rs"]
mod onnx;
mod place;
mod plans;
mod sizes;
mod snapshots;
mod stairs;
mod tables;
mod values;
