//! Kernels that were compiled at run time.
#![allow(unsafe_code, reason = "the driver is a C library; each block says why its call holds")]

use super::{Context, Stream, done};
use crate::GpuError;
use cudarc::driver::sys;
use std::ffi::{CString, c_int, c_void};
use std::sync::Arc;

/// The largest parameter block of a kernel, in bytes; no kernel has more parameters than bytes of them.
const PARAMETER_BYTES: usize = 32_768;

/// One argument, of the size that the kernel's parameter has.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Arg {
    /// A 64-bit integer, or an address on the device.
    U64(u64),
    /// A 32-bit integer without sign.
    U32(u32),
    /// A 32-bit integer.
    I32(i32),
    /// A 32-bit float.
    F32(f32),
    /// A struct of 32-bit integers.
    Struct(Vec<i32>),
}

impl Arg {
    /// Appends its bytes, filled up to whole words.
    fn push(&self, words: &mut Vec<u64>) {
        match self {
            Arg::U64(value) => words.push(*value),
            Arg::U32(value) => words.push(u64::from(*value)),
            Arg::I32(value) => words.push(u64::from(*value as u32)),
            Arg::F32(value) => words.push(u64::from(value.to_bits())),
            Arg::Struct(fields) => words.extend(fields.chunks(2).map(|pair| {
                let [low, high] = [pair[0], pair.get(1).copied().unwrap_or(0)];
                u64::from(low as u32) | u64::from(high as u32) << 32
            })),
        }
    }
}

/// How many blocks and threads, and how much dynamic shared memory a block gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    /// Blocks along x, y, z.
    pub grid: [u32; 3],
    /// Threads of a block along x, y, z.
    pub block: [u32; 3],
    /// Dynamic shared memory of a block in bytes.
    pub shared_bytes: u32,
}

/// Machine code on a device, unloaded when dropped.
#[derive(Debug)]
pub(crate) struct Module {
    context: Arc<Context>,
    raw: sys::CUmodule,
}

// SAFETY: The driver allows a module to be used from any thread; `raw` is never dereferenced here.
unsafe impl Send for Module {}
// SAFETY: As above.
unsafe impl Sync for Module {}

impl Module {
    /// Loads machine code as NVRTC gives it (an ELF image).
    pub(crate) fn load(context: &Arc<Context>, image: &[u8]) -> Result<Arc<Module>, GpuError> {
        context.bind()?;
        let mut raw = std::ptr::null_mut();
        // SAFETY: An ELF image carries its own length, so the driver reads no further than the slice; the context is
        // current, and the driver copies what it keeps.
        done("cuModuleLoadData", unsafe { sys::cuModuleLoadData(&mut raw, image.as_ptr().cast::<c_void>()) })?;
        Ok(Arc::new(Module { context: Arc::clone(context), raw }))
    }

    /// The kernel of this (mangled) name.
    pub(crate) fn function(self: &Arc<Self>, name: &str) -> Result<Function, GpuError> {
        self.context.bind()?;
        let entry = CString::new(name).map_err(|_| GpuError::Compile {
            entry: name.replace('\0', "\\0"),
            log: "a kernel's name holds no zero byte".to_owned(),
        })?;
        let mut raw = std::ptr::null_mut();
        // SAFETY: `raw` is a live local, the module is loaded, and the name ends with a zero.
        done("cuModuleGetFunction", unsafe { sys::cuModuleGetFunction(&mut raw, self.raw, entry.as_ptr()) })?;
        Ok(Function { module: Arc::clone(self), raw })
    }
}

impl Drop for Module {
    fn drop(&mut self) {
        if self.context.bind().is_ok() {
            // SAFETY: It came from cuModuleLoadData and is unloaded once; functions keep it alive.
            let _ = unsafe { sys::cuModuleUnload(self.raw) };
        }
    }
}

/// A kernel.
#[derive(Clone, Debug)]
pub(crate) struct Function {
    module: Arc<Module>,
    raw: sys::CUfunction,
}

// SAFETY: As for the module, which it keeps alive.
unsafe impl Send for Function {}
// SAFETY: As above.
unsafe impl Sync for Function {}

impl Function {
    /// Allows blocks with more dynamic shared memory than the usual 48 KiB.
    pub(crate) fn allow_shared(&self, bytes: u32) -> Result<(), GpuError> {
        self.module.context.bind()?;
        let attribute = sys::CUfunction_attribute::CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES;
        let bytes = c_int::try_from(bytes).unwrap_or(c_int::MAX);
        // SAFETY: The function belongs to a loaded module, the attribute is a constant of the bindings.
        done("cuFuncSetAttribute", unsafe { sys::cuFuncSetAttribute(self.raw, attribute, bytes) })
    }

    /// Blocks of so many threads and so much dynamic shared memory that one multiprocessor holds at a time.
    pub(crate) fn blocks_per_multiprocessor(&self, threads: u32, shared_bytes: u32) -> Result<u32, GpuError> {
        self.module.context.bind()?;
        let mut blocks = 0;
        let threads = c_int::try_from(threads).unwrap_or(c_int::MAX);
        // SAFETY: `blocks` is a live local; the function belongs to a loaded module.
        let result = unsafe {
            sys::cuOccupancyMaxActiveBlocksPerMultiprocessor(&mut blocks, self.raw, threads, shared_bytes as usize)
        };
        done("cuOccupancyMaxActiveBlocksPerMultiprocessor", result)?;
        Ok(u32::try_from(blocks).unwrap_or(0))
    }

    /// Puts a launch at the stream's end.
    ///
    /// Arguments that do not fit the kernel's parameters fault on the device or compute nonsense; on the host they
    /// are harmless, whatever their number.
    pub(crate) fn launch(&self, stream: &Stream, shape: Shape, args: &[Arg]) -> Result<(), GpuError> {
        self.module.context.bind()?;
        // The driver reads as many arguments as the kernel has parameters, each as long as its parameter. So all of
        // them lie in one block that reaches a whole parameter block past the last one, and the table of addresses
        // goes on with zeros.
        let mut words = Vec::new();
        let mut starts = Vec::with_capacity(PARAMETER_BYTES);
        for arg in args {
            starts.push(words.len());
            arg.push(&mut words);
        }
        starts.resize(PARAMETER_BYTES.max(args.len()), words.len());
        words.resize(words.len() + PARAMETER_BYTES / size_of::<u64>(), 0);
        let first = words.as_mut_ptr();
        let mut table: Vec<*mut c_void> =
            starts.into_iter().map(|start| first.wrapping_add(start).cast::<c_void>()).collect();
        let [[gx, gy, gz], [bx, by, bz]] = [shape.grid, shape.block];
        // SAFETY: Function and stream are alive and of one context, which is current. However many parameters of
        // whatever size the kernel has, what the driver reads lies inside `table` and `words`; it copies them before
        // it returns.
        let result = unsafe {
            sys::cuLaunchKernel(
                self.raw,
                gx,
                gy,
                gz,
                bx,
                by,
                bz,
                shape.shared_bytes,
                stream.raw(),
                table.as_mut_ptr(),
                std::ptr::null_mut(),
            )
        };
        done("cuLaunchKernel", result)
    }
}
