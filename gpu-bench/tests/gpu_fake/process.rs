//! Running each test in a process of its own that finds the fake libraries.

#[path = "../fake/compile.rs"]
mod compile;

pub(crate) use compile::{Fakes, fakes};

use crate::device::Device;
use std::any::type_name;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

/// Set in the processes that run a test's body.
const INSIDE: &str = "FAKE_INSIDE";

/// A test that takes longer stands still.
const LIMIT: Duration = Duration::from_secs(100);

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
