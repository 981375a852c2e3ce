//! The fake libraries, compiled once for all tests that want a device where there is none.
//!
//! Several crates' tests include this file.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// The driver's parts; `cudnn_*.c` and `nvrtc.c` make the other two libraries.
const DRIVER: [&str; 9] =
    ["config.c", "clock.c", "memory.c", "device.c", "stream.c", "event.c", "graph.c", "kernels.c", "kernels_conv.c"];
const CUDNN: [&str; 5] = ["cudnn_descriptor.c", "cudnn_graph.c", "cudnn_engines.c", "cudnn_execute.c", "cudnn_conv.c"];

/// Where the fake libraries are.
#[derive(Debug)]
pub(crate) struct Fakes {
    /// `libcuda.so.1` and its other name.
    pub(crate) driver: PathBuf,
    /// `libcudnn.so.9` and `libnvrtc.so.13`, where only this crate's own variables point.
    pub(crate) others: PathBuf,
}

/// The libraries, or `None` where there is no C compiler.
pub(crate) fn fakes() -> Option<&'static Fakes> {
    static FAKES: OnceLock<Option<Fakes>> = OnceLock::new();
    FAKES.get_or_init(compile).as_ref()
}

fn compile() -> Option<Fakes> {
    let has_cc = Command::new("cc").arg("--version").output().is_ok_and(|output| output.status.success());
    if !has_cc {
        let is_required = std::env::var("LOCP_REQUIRE_CC").is_ok_and(|value| value == "1");
        assert!(!is_required, "LOCP_REQUIRE_CC=1, and there is no `cc`");
        eprintln!("skipped: there is no C compiler `cc` to make the fake device with");
        return None;
    }
    let root = Path::new(env!("CARGO_TARGET_TMPDIR")).join("gpu_fake");
    let fakes = Fakes { driver: root.join("driver"), others: root.join("others") };
    for folder in [&fakes.driver, &fakes.others] {
        std::fs::create_dir_all(folder).unwrap();
    }
    cc(&DRIVER, &fakes.driver, "libcuda.so.1", "-lm");
    cc(&CUDNN, &fakes.others, "libcudnn.so.9", "-lm");
    cc(&["nvrtc.c"], &fakes.others, "libnvrtc.so.13", "-ldl");
    // Distributions install the short name too.
    let short = fakes.driver.join("libcuda.so");
    let _ = std::fs::remove_file(&short);
    std::os::unix::fs::symlink("libcuda.so.1", &short).unwrap();
    Some(fakes)
}

fn cc(sources: &[&str], folder: &Path, name: &str, library: &str) {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../gpu-bench/tests/fake");
    // Under another name first: a run beside this one may be loading the finished file.
    let fresh = folder.join(format!("{name}.{}", std::process::id()));
    let output = Command::new("cc")
        .args(["-std=gnu11", "-O2", "-Wall", "-Wextra", "-fPIC", "-shared", "-fvisibility=hidden", "-o"])
        .arg(&fresh)
        .arg(format!("-Wl,-soname,{name}"))
        .args(sources.iter().map(|file| source.join(file)))
        .args([library, "-ldl", "-lpthread"])
        .output()
        .unwrap();
    assert!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&output.stderr));
    std::fs::rename(fresh, folder.join(name)).unwrap();
}
