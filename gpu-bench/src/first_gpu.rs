//! Asking the CUDA driver, without ever reaching a panic of the bindings.

use cudarc::driver::sys;
use std::ffi::{CStr, c_char, c_int, c_void};

/// A GPU as the driver describes it.
pub(crate) struct Gpu {
    pub(crate) name: String,
    /// Compute capability, major and minor.
    pub(crate) capability: (c_int, c_int),
    /// The newest CUDA version that the driver supports: 1000 * major + 10 * minor.
    pub(crate) cuda: c_int,
}

/// Why there is no GPU to ask.
#[derive(Debug, PartialEq)]
pub(crate) enum Trouble {
    /// The driver's library is not there.
    NoLibrary,
    /// It is there, and lacks a symbol.
    NoSymbol { name: &'static str },
    /// It sees no device.
    NoDevice,
    /// A call failed.
    Call { name: &'static str, code: String },
}

/// Every symbol that is called below; the bindings panic on one that is absent.
const SYMBOLS: [&str; 6] =
    ["cuInit", "cuDriverGetVersion", "cuDeviceGetCount", "cuDeviceGet", "cuDeviceGetName", "cuDeviceGetAttribute"];

/// Bytes for a device's name; the driver cuts longer ones and always ends them with a zero.
const NAME_BYTES: usize = 256;

/// Asks for the first device.
#[allow(unsafe_code, reason = "the driver is a C library; this is the crate's one block, audited in its comment")]
pub(crate) fn first_gpu() -> Result<Gpu, Trouble> {
    let done = |name: &'static str, result: sys::CUresult| match result {
        sys::CUresult::CUDA_SUCCESS => Ok(()),
        sys::CUresult::CUDA_ERROR_NO_DEVICE => Err(Trouble::NoDevice),
        code => Err(Trouble::Call { name, code: format!("{code:?}") }),
    };
    let (mut cuda, mut count, mut device) = (0, 0, 0);
    let (mut major, mut minor) = (0, 0);
    let mut name: [c_char; NAME_BYTES] = [0; NAME_BYTES];
    // SAFETY: Loading runs the initializers of whatever the system's loader takes for the CUDA driver, which is what
    // the user asked for by asking for CUDA. `culib` panics without the library, so its presence is tested first;
    // each binding panics without its symbol, so all of SYMBOLS are looked up first, and only those are called.
    // Every call gets pointers to live, initialized locals of the types that the driver's header declares; the
    // name's length is the array's. `device` is used only after `cuDeviceGet` has succeeded, and the attributes are
    // constants of the bindings. No call here keeps a pointer or touches a context, so any thread may do this.
    unsafe {
        if !sys::is_culib_present() {
            return Err(Trouble::NoLibrary);
        }
        let library = sys::culib();
        if let Some(name) = SYMBOLS.into_iter().find(|name| library.get::<*const c_void>(name.as_bytes()).is_err()) {
            return Err(Trouble::NoSymbol { name });
        }
        done("cuInit", sys::cuInit(0))?;
        done("cuDriverGetVersion", sys::cuDriverGetVersion(&mut cuda))?;
        done("cuDeviceGetCount", sys::cuDeviceGetCount(&mut count))?;
        if count == 0 {
            return Err(Trouble::NoDevice);
        }
        done("cuDeviceGet", sys::cuDeviceGet(&mut device, 0))?;
        done("cuDeviceGetName", sys::cuDeviceGetName(name.as_mut_ptr(), NAME_BYTES as c_int, device))?;
        use sys::CUdevice_attribute::{
            CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR as MAJOR,
            CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR as MINOR,
        };
        done("cuDeviceGetAttribute", sys::cuDeviceGetAttribute(&mut major, MAJOR, device))?;
        done("cuDeviceGetAttribute", sys::cuDeviceGetAttribute(&mut minor, MINOR, device))?;
    }
    let bytes = name.map(|c| c as u8);
    let name = CStr::from_bytes_until_nul(&bytes).map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    Ok(Gpu { name, capability: (major, minor), cuda })
}
