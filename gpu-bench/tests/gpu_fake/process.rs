//! Compiling the fake libraries once, and running each test in a process that finds them.

use crate::device::Device;
use std::any::type_name;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

/// Set in the processes that run a test's body.
const INSIDE: &str = "FAKE_INSIDE";

/// A test that takes longer stands still.
const LIMIT: Duration = Duration::from_secs(100);

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
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fake");
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

/// Runs `body` in a process with these variables that finds the fake libraries; afterwards nothing may be alive and
/// nothing may have been done that a real device punishes.
pub(crate) fn on_device<F: FnOnce(&Device)>(variables: &[(&str, &str)], body: F) {
    inside::<F>(variables, || {
        let device = Device::open();
        body(&device);
        device.is_clean();
    });
}

/// As [`on_device`], where the device is lost on the way, so that nothing can be freed any more.
pub(crate) fn on_lost_device<F: FnOnce(&Device)>(variables: &[(&str, &str)], body: F) {
    inside::<F>(variables, || body(&Device::open()));
}

/// Runs `body` in a process with these variables; `variables` come last and may point away from the fake libraries.
pub(crate) fn without_device<F: FnOnce()>(variables: &[(&str, &str)], body: F) {
    inside::<F>(variables, body);
}

/// Runs `body` in one process after the other, each with its variables.
pub(crate) fn each<F: FnOnce()>(variants: impl Iterator<Item = Vec<(String, String)>>, body: F) {
    if std::env::var_os(INSIDE).is_some() {
        return body();
    }
    for variables in variants {
        let variables: Vec<(&str, &str)> =
            variables.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        outside::<F>(&variables);
    }
}

fn inside<F>(variables: &[(&str, &str)], body: impl FnOnce()) {
    if std::env::var_os(INSIDE).is_some() {
        return body();
    }
    outside::<F>(variables);
}

/// The closure's type names the test it stands in, which is what the test's own binary is asked to run again.
fn outside<F>(variables: &[(&str, &str)]) {
    let Some(fakes) = fakes() else { return };
    let (_, path) = type_name::<F>().split_once("::").unwrap();
    let name = path.split("::{{closure}}").next().unwrap();
    let output = run(name, fakes, variables);
    let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && text.contains("1 passed"), "{name}: {}\n{text}", output.status);
}

fn run(name: &str, fakes: &Fakes, variables: &[(&str, &str)]) -> Output {
    let log = fakes.others.join(format!("{name}.{}.log", std::process::id()));
    let file = std::fs::File::create(&log).unwrap();
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args([name, "--exact", "--nocapture", "--test-threads=1"])
        .env_clear()
        .env(INSIDE, "1")
        // No Python to ask, which takes a while each time.
        .env("PATH", "")
        .env("LD_LIBRARY_PATH", &fakes.driver)
        .env("LOCP_CUDNN", &fakes.others)
        .env("LOCP_NVRTC", &fakes.others)
        .envs(variables.iter().copied())
        .stdout(Stdio::from(file.try_clone().unwrap()))
        .stderr(Stdio::from(file))
        .spawn()
        .unwrap();
    let start = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        if start.elapsed() > LIMIT {
            let _ = child.kill();
            let _ = child.wait();
            panic!("{name} stands still:\n{}", std::fs::read_to_string(&log).unwrap());
        }
        std::thread::sleep(Duration::from_millis(5));
    };
    let stdout = std::fs::read(&log).unwrap();
    let _ = std::fs::remove_file(&log);
    Output { status, stdout, stderr: Vec::new() }
}
