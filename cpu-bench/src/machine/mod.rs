//! The CPU that the engines run on: its identity and the width of its vectors.

mod arm;
mod identity;
mod installation;

use identity::{Probes, identify};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

/// The identity of this CPU, which no other kind of CPU shares.
///
/// It is determined once per process, because it may take a command, and because an installation that cannot keep its
/// id must not change it between two engines.
pub(crate) fn cpu_name() -> String {
    static NAME: OnceLock<String> = OnceLock::new();
    let file = |path: &str| std::fs::read_to_string(path).ok();
    let installation = || installation::id(installation::cache_folder().as_deref());
    let probes = Probes { file: &file, command: &output, installation: &installation };
    NAME.get_or_init(|| identify(std::env::consts::ARCH, &probes)).clone()
}

/// What a command prints, or `None` if it cannot run or fails.
fn output(program: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).stdin(Stdio::null()).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}

/// The widest vector extension that tract has kernels for.
#[cfg(target_arch = "x86_64")]
pub(crate) fn vector_extension() -> &'static str {
    if std::is_x86_feature_detected!("avx512f") {
        "AVX-512"
    } else if std::is_x86_feature_detected!("fma") && std::is_x86_feature_detected!("avx2") {
        "AVX2+FMA"
    } else if std::is_x86_feature_detected!("avx") {
        "AVX"
    } else {
        "SSE2"
    }
}

/// The widest vector extension that tract has kernels for.
#[cfg(not(target_arch = "x86_64"))]
pub(crate) fn vector_extension() -> &'static str {
    if cfg!(target_arch = "aarch64") { "NEON" } else { std::env::consts::ARCH }
}
