//! Why something on the GPU did not work.

use std::fmt;
use timing::{TimingError, Unavailable};

/// Why something on the GPU did not work, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum GpuError {
    /// A library is not there.
    NoLibrary {
        /// `the CUDA driver`, `cuDNN`, `NVRTC`.
        library: &'static str,
        /// Every place that was looked at, in order, and what was wrong with it.
        looked_for: Vec<String>,
    },
    /// A library lacks a function.
    NoSymbol {
        /// `the CUDA driver`, `cuDNN`, `NVRTC`.
        library: &'static str,
        /// The function's name.
        symbol: String,
    },
    /// A library is older than what this crate needs.
    TooOld {
        /// `the CUDA driver`, `cuDNN`, `NVRTC`.
        library: &'static str,
        /// Its version; for the driver, the newest CUDA version that it supports.
        found: String,
        /// The oldest one that will do.
        needed: &'static str,
    },
    /// The driver sees no device.
    NoDevice,
    /// There are fewer devices.
    NoSuchDevice {
        /// The index that was asked for.
        index: usize,
        /// Devices that there are.
        count: usize,
    },
    /// The device's memory does not suffice.
    OutOfMemory {
        /// Bytes that were asked for.
        bytes: usize,
    },
    /// A kernel broke the process's context: every later call fails too.
    Sticky {
        /// The call that reported it, which need not be the one that caused it.
        call: &'static str,
        /// The driver's name for it.
        code: String,
    },
    /// The device did not finish in time.
    Timeout {
        /// What was waited for.
        what: &'static str,
        /// The limit in milliseconds.
        ms: u64,
    },
    /// The host was too slow to queue a timed run without gaps.
    SlowHost {
        /// Attempts in a row.
        attempts: u32,
    },
    /// A kernel did not compile.
    Compile {
        /// Its name.
        entry: String,
        /// The compiler's words.
        log: String,
    },
    /// No kernel or library engine does this.
    Unsupported {
        /// What is missing.
        reason: String,
    },
    /// A step of this crate failed, and no call of a library with it.
    Failed {
        /// The step.
        step: &'static str,
        /// What went wrong.
        reason: String,
    },
    /// A call failed in another way.
    Call {
        /// Its name.
        call: &'static str,
        /// The library's number for it.
        code: u32,
        /// The library's name or words for it.
        text: String,
    },
}

/// Codes of `CUresult` that say more than a failed call, by the numbers of NVIDIA's driver API reference.
const OUT_OF_MEMORY: u32 = 2;
const NO_DEVICE: u32 = 100;

/// Codes after which the context is lost, by the same reference ("the process must be terminated and relaunched").
const STICKY: [(u32, &str); 14] = [
    (214, "CUDA_ERROR_ECC_UNCORRECTABLE"),
    (220, "CUDA_ERROR_NVLINK_UNCORRECTABLE"),
    (226, "CUDA_ERROR_CONTAINED"),
    (700, "CUDA_ERROR_ILLEGAL_ADDRESS"),
    (702, "CUDA_ERROR_LAUNCH_TIMEOUT"),
    (709, "CUDA_ERROR_CONTEXT_IS_DESTROYED"),
    (710, "CUDA_ERROR_ASSERT"),
    (714, "CUDA_ERROR_HARDWARE_STACK_ERROR"),
    (715, "CUDA_ERROR_ILLEGAL_INSTRUCTION"),
    (716, "CUDA_ERROR_MISALIGNED_ADDRESS"),
    (717, "CUDA_ERROR_INVALID_ADDRESS_SPACE"),
    (718, "CUDA_ERROR_INVALID_PC"),
    (719, "CUDA_ERROR_LAUNCH_FAILED"),
    (721, "CUDA_ERROR_TENSOR_MEMORY_LEAK"),
];

impl GpuError {
    /// A failed driver call by its code.
    pub(crate) fn from_cuda(call: &'static str, code: u32, name: String) -> GpuError {
        match code {
            OUT_OF_MEMORY => GpuError::OutOfMemory { bytes: 0 },
            NO_DEVICE => GpuError::NoDevice,
            _ => match STICKY.iter().find(|(sticky, _)| *sticky == code) {
                Some((_, name)) => GpuError::Sticky { call, code: (*name).to_owned() },
                None => GpuError::Call { call, code, text: name },
            },
        }
    }

    /// Whether the process can do nothing more on the device.
    pub fn is_fatal(&self) -> bool {
        matches!(self, GpuError::Sticky { .. } | GpuError::Timeout { .. })
    }

    /// The same as the error of a latency source or backend that was asked to run `what`.
    pub fn into_timing(self, spec: &netspec::ConvSpec) -> TimingError {
        match self {
            GpuError::Unsupported { reason } => TimingError::unsupported(spec, reason),
            other => match other.reason_and_remedy() {
                Some(_) => TimingError::Unavailable(other.into()),
                None => TimingError::run(format_args!("`{spec}`"), other),
            },
        }
    }

    /// What makes the whole engine unusable, and what to do; `None` where it is about one call.
    fn reason_and_remedy(&self) -> Option<(String, String)> {
        let remedy = match self {
            GpuError::NoLibrary { library: "cuDNN", .. } => {
                "install it (`pip install nvidia-cudnn-cu13`, `nvidia-cudnn-cu12` for a driver of CUDA 12, or any PyTorch for CUDA), or set LOCP_CUDNN to its folder"
            }
            GpuError::NoLibrary { library: "NVRTC", .. } => {
                "install it (`pip install nvidia-cuda-nvrtc`, `nvidia-cuda-nvrtc-cu12` for a driver of CUDA 12, or the CUDA toolkit), or set LOCP_NVRTC to its folder"
            }
            GpuError::NoLibrary { .. } => "install NVIDIA's driver, or add its folder to LD_LIBRARY_PATH",
            GpuError::NoSymbol { .. } | GpuError::TooOld { .. } => "update it",
            GpuError::NoDevice => "check `nvidia-smi`, and that CUDA_VISIBLE_DEVICES does not hide the GPU",
            GpuError::NoSuchDevice { count: 1, .. } => "use the engine cuda:0",
            GpuError::NoSuchDevice { .. } => "use a lower index, as in the engine cuda:0",
            GpuError::Sticky { .. } => "start a new process; what was measured before is kept",
            _ => return None,
        };
        Some((self.reason(), remedy.to_owned()))
    }

    /// What went wrong, without what to do.
    fn reason(&self) -> String {
        match self {
            GpuError::NoLibrary { library, .. } => format!("{library} was not found"),
            GpuError::NoSymbol { library, symbol } => format!("{library} lacks the function `{symbol}`"),
            GpuError::TooOld { library, found, needed } => {
                format!("{library} is too old: {found}, and {needed} or later is needed")
            }
            GpuError::NoDevice => "the CUDA driver sees no GPU".to_owned(),
            GpuError::NoSuchDevice { index, count } => {
                let there_are =
                    if *count == 1 { "there is 1 GPU".to_owned() } else { format!("there are {count} GPUs") };
                format!("there is no GPU {index}: {there_are}, counted from 0")
            }
            GpuError::OutOfMemory { bytes: 0 } => "the GPU is out of memory".to_owned(),
            GpuError::OutOfMemory { bytes } => format!("the GPU is out of memory: {bytes} more bytes do not fit"),
            GpuError::Sticky { call, code } => {
                format!("a kernel broke the GPU's context: `{call}` reported {code}, and every later call fails too")
            }
            GpuError::SlowHost { attempts } => {
                format!("the host was too slow to queue a timed run {attempts} times in a row")
            }
            GpuError::Timeout { what, ms } => format!("{what} did not finish within {ms} ms"),
            GpuError::Compile { entry, log } => format!("`{entry}` does not compile: {log}"),
            GpuError::Unsupported { reason } => reason.clone(),
            GpuError::Failed { step, reason } => format!("{step} failed: {reason}"),
            GpuError::Call { call, code, text } => format!("`{call}` failed with {text} ({code})"),
        }
    }
}

impl From<GpuError> for Unavailable {
    fn from(error: GpuError) -> Unavailable {
        let (reason, remedy) = error.reason_and_remedy().unwrap_or_else(|| {
            (error.reason(), "check that `nvidia-smi` works and that its driver fits the kernel module".to_owned())
        });
        let looked_for = if let GpuError::NoLibrary { looked_for, .. } = error { looked_for } else { Vec::new() };
        Unavailable { engine: "cuda".to_owned(), reason, looked_for, remedy }
    }
}

impl fmt::Display for GpuError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.reason())?;
        match self {
            GpuError::NoLibrary { looked_for, .. } => write!(f, "; looked for {}", looked_for.join(", "))?,
            GpuError::OutOfMemory { .. } => f.write_str("; use a smaller batch, or free the GPU")?,
            GpuError::SlowHost { .. } => f.write_str("; end other programs, debuggers and profilers on it")?,
            GpuError::Timeout { .. } => {
                f.write_str("; the GPU may be hung or shared: check `nvidia-smi`, and start a new process")?;
            }
            _ => {}
        }
        match self.reason_and_remedy() {
            Some((_, remedy)) => write!(f, "; {remedy}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for GpuError {}
