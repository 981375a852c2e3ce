//! Compiling CUDA source at run time.
//!
//! The bindings look for the compiler by names that miss the newest ones, and panic where they fail; so this loads it
//! from wherever it was found, by the handful of functions that are needed. What comes out is machine code for one
//! architecture, which proves that the assembler took it and needs no compilation by the driver.
#![allow(unsafe_code, reason = "the compiler is a C library; each block says why its call holds")]

mod log;

pub use log::Resources;

use crate::GpuError;
use crate::discover::{self, Surroundings};
use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What messages call the compiler.
const NVRTC: &str = discover::NVRTC.name;

type Program = *mut c_void;
type Version = unsafe extern "C" fn(*mut c_int, *mut c_int) -> c_int;
type ErrorString = unsafe extern "C" fn(c_int) -> *const c_char;
type Create = unsafe extern "C" fn(
    *mut Program,
    *const c_char,
    *const c_char,
    c_int,
    *const *const c_char,
    *const *const c_char,
) -> c_int;
type Destroy = unsafe extern "C" fn(*mut Program) -> c_int;
type Compile = unsafe extern "C" fn(Program, c_int, *const *const c_char) -> c_int;
type AddName = unsafe extern "C" fn(Program, *const c_char) -> c_int;
type LoweredName = unsafe extern "C" fn(Program, *const c_char, *mut *const c_char) -> c_int;
type Size = unsafe extern "C" fn(Program, *mut usize) -> c_int;
type Text = unsafe extern "C" fn(Program, *mut c_char) -> c_int;

/// The compiler's functions; the library they point into is never unloaded.
#[derive(Clone, Copy, Debug)]
struct Functions {
    version: Version,
    error_string: ErrorString,
    create: Create,
    destroy: Destroy,
    compile: Compile,
    add_name: AddName,
    lowered_name: LoweredName,
    cubin_size: Size,
    cubin: Text,
    log_size: Size,
    log: Text,
}

/// The run-time compiler.
#[derive(Clone, Debug)]
pub struct Nvrtc {
    functions: Arc<Functions>,
    version: [u32; 2],
    path: PathBuf,
}

/// Machine code for one architecture.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Cubin {
    /// An ELF image as the driver loads it.
    pub image: Vec<u8>,
    /// The name in the image of each entry that was asked for, in that order.
    pub entries: Vec<String>,
    /// What each kernel of the source takes on a multiprocessor, by the assembler's own word.
    pub resources: Vec<Resources>,
}

impl Nvrtc {
    /// The first compiler that is found and can be loaded.
    pub fn find() -> Result<Nvrtc, GpuError> {
        Nvrtc::load(&discover::NVRTC)
    }

    /// The same, for a driver of this major CUDA version: it cannot be relied on to load what a compiler of a later one
    /// makes (CUDA compatibility guide).
    pub(crate) fn find_for(cuda_major: u32) -> Result<Nvrtc, GpuError> {
        Nvrtc::load(if cuda_major < 13 { &discover::NVRTC_12 } else { &discover::NVRTC })
    }

    fn load(wanted: &discover::Wanted) -> Result<Nvrtc, GpuError> {
        let search = discover::search(wanted, &Surroundings::here());
        let loaded =
            discover::load(&search).map_err(|looked_for| GpuError::NoLibrary { library: NVRTC, looked_for })?;
        let library = loaded.library;
        // SAFETY: Each type is the function's as NVIDIA's header `nvrtc.h` declares it; the pointers stay valid
        // because the library is never unloaded.
        let functions = unsafe {
            macro_rules! look_up {
                ($name:literal) => {
                    *library
                        .get($name.as_bytes())
                        .map_err(|_| GpuError::NoSymbol { library: NVRTC, symbol: $name.to_owned() })?
                };
            }
            Functions {
                version: look_up!("nvrtcVersion"),
                error_string: look_up!("nvrtcGetErrorString"),
                create: look_up!("nvrtcCreateProgram"),
                destroy: look_up!("nvrtcDestroyProgram"),
                compile: look_up!("nvrtcCompileProgram"),
                add_name: look_up!("nvrtcAddNameExpression"),
                lowered_name: look_up!("nvrtcGetLoweredName"),
                cubin_size: look_up!("nvrtcGetCUBINSize"),
                cubin: look_up!("nvrtcGetCUBIN"),
                log_size: look_up!("nvrtcGetProgramLogSize"),
                log: look_up!("nvrtcGetProgramLog"),
            }
        };
        let (mut major, mut minor) = (0, 0);
        // SAFETY: Both pointers are to live locals.
        let result = unsafe { (functions.version)(&mut major, &mut minor) };
        let nvrtc = Nvrtc { functions: Arc::new(functions), version: [0, 0], path: loaded.path };
        nvrtc.done("nvrtcVersion", result)?;
        Ok(Nvrtc { version: [major.unsigned_abs(), minor.unsigned_abs()], ..nvrtc })
    }

    /// Major and minor version.
    pub fn version(&self) -> [u32; 2] {
        self.version
    }

    /// Where it was found, or its bare name.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Compiles `source` for `arch` (`sm_90`); `entries` are kernels by name, templates with their arguments
    /// (`conv<64, 64>`), and `defines` become `-D` options (`TILE=64`).
    pub fn compile(&self, source: &str, entries: &[&str], arch: &str, defines: &[String]) -> Result<Cubin, GpuError> {
        let program = Source::new(self, source, entries)?;
        let mut options = vec![
            format!("--gpu-architecture={arch}"),
            "--std=c++17".to_owned(),
            "--ptxas-options=--verbose".to_owned(),
            "--device-int128".to_owned(),
        ];
        options.extend(defines.iter().map(|define| format!("--define-macro={define}")));
        let options: Vec<CString> = options.iter().map(|option| text(option)).collect::<Result<_, _>>()?;
        let pointers: Vec<*const c_char> = options.iter().map(|option| option.as_ptr()).collect();
        let count = c_int::try_from(pointers.len()).unwrap_or(c_int::MAX);
        // SAFETY: The program is alive, and the options are as many live strings as are announced.
        let result = unsafe { (self.functions.compile)(program.raw, count, pointers.as_ptr()) };
        let log = program.text(self.functions.log_size, self.functions.log)?;
        let log = String::from_utf8_lossy(&log).trim_end_matches('\0').trim().to_owned();
        if result != 0 {
            let log = if log.is_empty() { self.words(result) } else { log };
            return Err(GpuError::Compile { entry: entries.join(", "), log });
        }
        let image = program.text(self.functions.cubin_size, self.functions.cubin)?;
        let entries = entries.iter().map(|entry| program.lowered(entry)).collect::<Result<_, _>>()?;
        Ok(Cubin { image, entries, resources: log::resources(&log) })
    }

    fn done(&self, call: &'static str, result: c_int) -> Result<(), GpuError> {
        match result {
            0 => Ok(()),
            code => Err(GpuError::Call { call, code: code.unsigned_abs(), text: self.words(code) }),
        }
    }

    fn words(&self, code: c_int) -> String {
        // SAFETY: The function takes any number and returns a string that lives as long as the library.
        let words = unsafe { (self.functions.error_string)(code) };
        if words.is_null() {
            return format!("NVRTC error {code}");
        }
        // SAFETY: It is not null and ends with a zero, by the library's reference.
        unsafe { CStr::from_ptr(words) }.to_string_lossy().into_owned()
    }
}

/// A program being compiled, destroyed when dropped.
struct Source<'n> {
    nvrtc: &'n Nvrtc,
    raw: Program,
}

impl<'n> Source<'n> {
    fn new(nvrtc: &'n Nvrtc, source: &str, entries: &[&str]) -> Result<Source<'n>, GpuError> {
        let mut raw = std::ptr::null_mut();
        let (source, name) = (text(source)?, text("kernel.cu")?);
        // SAFETY: Both strings are live and copied by the library; no headers are announced.
        let result = unsafe {
            (nvrtc.functions.create)(&mut raw, source.as_ptr(), name.as_ptr(), 0, std::ptr::null(), std::ptr::null())
        };
        nvrtc.done("nvrtcCreateProgram", result)?;
        let program = Source { nvrtc, raw };
        for entry in entries {
            let entry = text(entry)?;
            // SAFETY: The program is alive and not compiled yet; the string is copied.
            nvrtc.done("nvrtcAddNameExpression", unsafe { (nvrtc.functions.add_name)(raw, entry.as_ptr()) })?;
        }
        Ok(program)
    }

    /// What one pair of functions gives: how long it is, then what it is.
    fn text(&self, size: Size, read: Text) -> Result<Vec<u8>, GpuError> {
        let mut bytes = 0;
        // SAFETY: The program is alive; `bytes` is a live local.
        self.nvrtc.done("an NVRTC size", unsafe { size(self.raw, &mut bytes) })?;
        let mut text = vec![0_u8; bytes];
        // SAFETY: The buffer has the length that the library asked for.
        self.nvrtc.done("an NVRTC result", unsafe { read(self.raw, text.as_mut_ptr().cast::<c_char>()) })?;
        Ok(text)
    }

    fn lowered(&self, entry: &str) -> Result<String, GpuError> {
        let entry = text(entry)?;
        let mut name = std::ptr::null();
        // SAFETY: The program is compiled, the expression was added before; `name` is a live local.
        let result = unsafe { (self.nvrtc.functions.lowered_name)(self.raw, entry.as_ptr(), &mut name) };
        self.nvrtc.done("nvrtcGetLoweredName", result)?;
        // SAFETY: The string lives as long as the program and ends with a zero.
        Ok(unsafe { CStr::from_ptr(name) }.to_string_lossy().into_owned())
    }
}

impl Drop for Source<'_> {
    fn drop(&mut self) {
        // SAFETY: It came from nvrtcCreateProgram and is destroyed once.
        let _ = unsafe { (self.nvrtc.functions.destroy)(&mut self.raw) };
    }
}

fn text(of: &str) -> Result<CString, GpuError> {
    CString::new(of).map_err(|_| GpuError::Compile {
        entry: of.chars().take(40).collect(),
        log: "source, entries and options hold no zero byte".to_owned(),
    })
}
