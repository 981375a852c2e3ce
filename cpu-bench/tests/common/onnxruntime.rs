//! ONNX Runtime, if its library is on this machine.
#![allow(clippy::print_stderr, reason = "a skipped test says so")]

use cpu_bench::{OnnxRuntime, Provider};

/// Returns `None` without the library; panics if `LOCP_REQUIRE_ORT` demands it.
pub(crate) fn runtime() -> Option<OnnxRuntime> {
    match OnnxRuntime::find(Provider::Cpu, 1) {
        Ok(runtime) => Some(runtime),
        Err(error) if std::env::var_os("LOCP_REQUIRE_ORT").is_none() => {
            eprintln!("skipped: {error}");
            None
        }
        Err(error) => panic!("{error}"),
    }
}
