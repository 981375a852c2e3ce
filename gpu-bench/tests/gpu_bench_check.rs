//! What `check` says, with a GPU and without.
//!
//! With `LOCP_REQUIRE_GPU=1` a machine without a GPU is a failure; otherwise the part that needs one is skipped aloud.
#![allow(clippy::print_stderr, reason = "a skipped test says so")]

#[test]
fn a_gpu_is_described_or_its_absence_explained() {
    let is_required = std::env::var("LOCP_REQUIRE_GPU").is_ok_and(|value| value == "1");
    match gpu_bench::check() {
        Ok(machine) => {
            assert_eq!((machine.engine.as_str(), machine.policy.as_str()), ("cuda", "heuristic"));
            assert!(!machine.device.is_empty(), "the device has a name");
            assert!(machine.compute.starts_with("sm_"), "{}", machine.compute);
            assert!(machine.driver.contains('.'), "{}", machine.driver);
            assert!(machine.library.starts_with("cuDNN 9."), "{}", machine.library);
        }
        Err(unavailable) => {
            assert!(!is_required, "LOCP_REQUIRE_GPU=1, and {unavailable}");
            eprintln!("skipped: {unavailable}");
            assert_eq!(unavailable.engine, "cuda");
            assert!(!unavailable.looked_for.is_empty() && !unavailable.remedy.is_empty());
        }
    }
}

#[test]
#[cfg(target_os = "linux")]
fn without_a_driver_the_message_names_the_places() {
    let Err(unavailable) = gpu_bench::check() else {
        eprintln!("skipped: there is a CUDA driver here");
        return;
    };
    if unavailable.reason != "the CUDA driver was not found" {
        eprintln!("skipped: there is a CUDA driver here, and {unavailable}");
        return;
    }
    let folders: Vec<String> = std::env::var("LD_LIBRARY_PATH")
        .unwrap_or_default()
        .split(':')
        .filter(|folder| !folder.is_empty())
        .map(str::to_owned)
        .collect();
    let folders = if folders.is_empty() { "empty".to_owned() } else { folders.join(" ") };
    assert_eq!(
        unavailable.to_string(),
        format!(
            "cuda cannot run here: the CUDA driver was not found; \
             looked for libcuda.so or libcuda.so.1 by the loader (LD_LIBRARY_PATH ({folders})), \
             the loader's cache /etc/ld.so.cache, /lib and /usr/lib; \
             install NVIDIA's driver, or add its folder to LD_LIBRARY_PATH"
        )
    );
}

#[test]
fn every_library_is_listed_with_its_places() {
    let libraries = gpu_bench::libraries();
    let names: Vec<&str> = libraries.iter().map(|library| library.name).collect();
    assert_eq!(names, ["the CUDA driver", "cuDNN", "NVRTC", "NVML"]);
    for library in libraries {
        assert!(!library.looked_for.is_empty(), "{library:?}");
        match library.found {
            Ok(found) => assert!(!found.version.is_empty(), "{found:?}"),
            Err(reason) => assert!(!reason.is_empty()),
        }
    }
}
