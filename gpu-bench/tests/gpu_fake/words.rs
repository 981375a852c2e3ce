//! What people read, word for word.

use crate::planted::spec;
use crate::process::{on_device, without_device};
use gpu_bench::{Cuda, GpuError, Kernel};
use timing::Backend;

/// What opening a device says, and what `check` says, which must be the same.
#[track_caller]
fn unavailable() -> String {
    let text = Cuda::device(0).unwrap_err().to_string();
    assert_eq!(gpu_bench::check().unwrap_err().to_string(), text);
    text
}

/// The search's words for places that depend on nothing but the file system.
const SYSTEM: &str = "CUDA_HOME (not set), CUDA_PATH (not set), /usr/local/cuda*, /opt/cuda, \
                      /usr/lib/x86_64-linux-gnu, /usr/lib/aarch64-linux-gnu, /usr/lib64, /usr/local/nvidia/lib64, \
                      /usr/lib, CONDA_PREFIX (not set), nvidia/*/lib of python3's packages (no python3 answered)";

#[test]
fn without_a_driver() {
    without_device(&[("LD_LIBRARY_PATH", "/nowhere")], || {
        let text = unavailable();
        if !text.contains("was not found") {
            return eprintln!("skipped: there is a CUDA driver here");
        }
        assert_eq!(
            text,
            "cuda cannot run here: the CUDA driver was not found; looked for libcuda.so or libcuda.so.1 \
             by the loader (LD_LIBRARY_PATH (/nowhere)), the loader's cache /etc/ld.so.cache, /lib and /usr/lib; \
             install NVIDIA's driver, or add its folder to LD_LIBRARY_PATH"
        );
    });
}

#[test]
fn without_cudnn() {
    without_device(&[("LOCP_CUDNN", "/nowhere")], || {
        let text = unavailable();
        let folder = std::env::var("LD_LIBRARY_PATH").unwrap();
        if !text.contains("was not found") {
            return eprintln!("skipped: there is a cuDNN here");
        }
        assert_eq!(
            text,
            format!(
                "cuda cannot run here: cuDNN was not found; looked for LOCP_CUDNN (/nowhere), \
                 libcudnn.so.9 by the loader (LD_LIBRARY_PATH ({folder})), {SYSTEM}; \
                 install it (`pip install nvidia-cudnn-cu13`, `nvidia-cudnn-cu12` for a driver of CUDA 12, or any PyTorch for CUDA), or set LOCP_CUDNN to its folder"
            )
        );
    });
}

#[test]
fn without_a_compiler() {
    without_device(&[("LOCP_NVRTC", "/nowhere")], || {
        let text = unavailable();
        let folder = std::env::var("LD_LIBRARY_PATH").unwrap();
        if !text.contains("was not found") {
            return eprintln!("skipped: there is an NVRTC here");
        }
        assert_eq!(
            text,
            format!(
                "cuda cannot run here: NVRTC was not found; looked for LOCP_NVRTC (/nowhere), \
                 libnvrtc.so.13 or libnvrtc.so.12 or libnvrtc.so.11.2 or libnvrtc.so \
                 by the loader (LD_LIBRARY_PATH ({folder})), {SYSTEM}; \
                 install it (`pip install nvidia-cuda-nvrtc`, `nvidia-cuda-nvrtc-cu12` for a driver of CUDA 12, or the CUDA toolkit), or set LOCP_NVRTC to its folder"
            )
        );
    });
}

#[test]
fn an_old_driver() {
    without_device(&[("FAKE_CUDA", "11080")], || {
        assert_eq!(
            unavailable(),
            "cuda cannot run here: the CUDA driver is too old: CUDA 11.8, and CUDA 12.0 or later is needed; update it"
        );
    });
}

#[test]
fn an_old_cudnn() {
    without_device(&[("FAKE_CUDNN", "8907")], || {
        assert_eq!(
            unavailable(),
            "cuda cannot run here: cuDNN is too old: 8.9.7, and 9.0 or later is needed; update it"
        );
    });
}

#[test]
fn no_device() {
    without_device(&[("FAKE_DEVICES", "0")], || is_no_gpu(&unavailable()));
}

#[test]
fn a_count_of_zero_devices() {
    without_device(&[("FAKE_DEVICES", "0"), ("FAKE_NO_DEVICE_CODE", "0")], || is_no_gpu(&unavailable()));
}

#[track_caller]
fn is_no_gpu(text: &str) {
    assert_eq!(
        text,
        "cuda cannot run here: the CUDA driver sees no GPU; \
         check `nvidia-smi`, and that CUDA_VISIBLE_DEVICES does not hide the GPU"
    );
}

#[test]
fn a_driver_that_does_not_start() {
    without_device(&[("FAKE_INIT", "803")], || {
        assert_eq!(
            unavailable(),
            "cuda cannot run here: `cuInit` failed with CUDA_ERROR_SYSTEM_DRIVER_MISMATCH (803); \
             check that `nvidia-smi` works and that its driver fits the kernel module"
        );
    });
}

#[test]
fn an_index_past_the_only_device() {
    on_device(&[], |_| {
        assert_eq!(
            Cuda::device(1).unwrap_err().to_string(),
            "cuda cannot run here: there is no GPU 1: there is 1 GPU, counted from 0; use the engine cuda:0"
        );
        assert!(Cuda::device(usize::MAX).is_err());
    });
}

#[test]
fn an_index_past_two_devices() {
    on_device(&[("FAKE_DEVICES", "2")], |_| {
        assert_eq!(
            Cuda::device(2).unwrap_err().to_string(),
            "cuda cannot run here: there is no GPU 2: there are 2 GPUs, counted from 0; \
             use a lower index, as in the engine cuda:0"
        );
        let [first, second] = [0, 1].map(|index| Cuda::device(index).unwrap());
        assert_eq!([first.machine().device, second.machine().device], ["Fake GPU 0", "Fake GPU 1"]);
        // Each is timed on its own, in turns.
        for gpu in [&first, &second, &first] {
            gpu.prepare(&spec("8>8 9x9 k3 p1")).unwrap().run(netspec::CacheState::Warm).unwrap();
        }
    });
}

#[test]
fn what_no_engine_runs() {
    on_device(&[], |device| {
        let gpu = Cuda::device(0).unwrap();
        let of = spec("8>16 9x9 k3 p1 f16 nhwc");
        let said = |engines: &str| {
            device.set("FAKE_ENGINES", engines);
            gpu.prepare(&of).err().unwrap().to_string()
        };
        let cannot = "the engine cannot run `8>16 9x9 k3 p1 f16 nhwc`: ";
        assert_eq!(
            said("refuse"),
            format!(
                "{cannot}none of cuDNN's engine configurations for it can be made ready: \
                 CUDNN_STATUS_NOT_SUPPORTED_SHAPE: engine 1 does not take this shape"
            )
        );
        assert_eq!(
            said("broken"),
            "running `8>16 9x9 k3 p1 f16 nhwc` failed: `cudnnBackendFinalize` failed with \
             CUDNN_STATUS_INTERNAL_ERROR: the heuristics broke (4000)"
        );
        device.set("FAKE_ENGINES", "");
        device.set("FAKE_UNSUPPORTED", "8>16");
        assert_eq!(
            gpu.prepare(&of).err().unwrap().to_string(),
            format!("{cannot}cuDNN has no engine for it: CUDNN_STATUS_NOT_SUPPORTED_SHAPE: no engine takes 8>16")
        );
    });
}

#[test]
fn a_kernel_that_does_not_compile() {
    on_device(&[], |device| {
        let gpu = Cuda::device(0).unwrap();
        let error = Kernel::compile(&gpu, "#error too small\n", "mine").unwrap_err();
        assert_eq!(
            error.to_string(),
            "`mine` does not compile: kernel.cu(1): error: #error directive: too small\n\n\
             1 error detected in the compilation of \"kernel.cu\"."
        );
        let missing = Kernel::compile(&gpu, "extern \"C\" __global__ void other() {}", "mine").unwrap_err();
        assert!(matches!(missing, GpuError::Compile { .. }), "{missing:?}");
        let zero = Kernel::compile(&gpu, "a\0b", "mine").unwrap_err();
        assert!(matches!(zero, GpuError::Compile { .. }), "{zero:?}");
        let kernel = Kernel::compile(&gpu, "template <int N> __global__ void mine(float* x) {}", "mine<4>").unwrap();
        let resources = kernel.resources().unwrap();
        assert_eq!((resources.entry.as_str(), resources.registers), ("_Z4mine_4_", 32));
        assert_eq!(device.counted("live programs"), 0);
    });
}

#[test]
fn what_the_machine_is() {
    on_device(&[], |_| {
        let gpu = Cuda::device(0).unwrap();
        assert_eq!(gpu_bench::check().unwrap(), gpu.machine());
        let environment = gpu.environment();
        assert_eq!(environment.multiprocessors, 132);
        assert_eq!(environment.l2_bytes, 8 << 20);
        assert_eq!((environment.clock_mhz, environment.nvrtc.as_str()), (1980.0, "13.1"));
        assert_eq!(environment.cudnn_device.unwrap(), "{\"version\": 1, \"deviceVer\": 900, \"name\": \"Fake GPU\"}");
        let machine = gpu.machine();
        assert_eq!((machine.compute.as_str(), machine.driver.as_str()), ("sm_90", "CUDA 13.0"));
        assert_eq!((machine.library.as_str(), machine.policy.as_str()), ("cuDNN 9.14.0", "heuristic"));
    });
}

#[test]
fn what_the_libraries_are() {
    on_device(&[], |_| {
        let folder = std::env::var("LOCP_CUDNN").unwrap();
        let found: Vec<(&str, String)> = gpu_bench::libraries()
            .into_iter()
            .filter_map(|library| Some((library.name, library.found.ok()?)))
            .map(|(name, found)| (name, format!("{} {}", found.path.display(), found.version)))
            .collect();
        let others = [("cuDNN", "libcudnn.so.9 9.14.0"), ("NVRTC", "libnvrtc.so.13 13.1")];
        for (name, text) in others.map(|(name, text)| (name, format!("{folder}/{text}"))) {
            assert!(found.contains(&(name, text)), "{found:?}");
        }
        assert!(
            found.iter().any(|(name, text)| *name == "the CUDA driver" && text.ends_with("CUDA 13.0")),
            "{found:?}"
        );
    });
}

#[test]
fn a_library_that_is_there_and_cannot_be_loaded() {
    let file = std::env::temp_dir().join(format!("gpu_fake_{}", std::process::id())).join("libcudnn.so.9");
    std::fs::create_dir_all(file.parent().unwrap()).unwrap();
    std::fs::write(&file, "no library").unwrap();
    without_device(&[("LOCP_CUDNN", file.to_str().unwrap())], || {
        let text = unavailable();
        let file = std::env::var("LOCP_CUDNN").unwrap();
        if !text.contains("was not found") {
            return eprintln!("skipped: there is a cuDNN here");
        }
        assert!(text.contains(&format!("{file} (there, but it cannot be loaded: ")), "{text}");
    });
    std::fs::remove_dir_all(file.parent().unwrap()).unwrap();
}
