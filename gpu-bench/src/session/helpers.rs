//! Launching the helper kernels.

use crate::GpuError;
use crate::driver::{Arg, Buffer, Context, Function, HostFlag, Module, Shape, Stream};
use crate::kernels::{HELPER_NAMES, HELPERS, kind};
use crate::nvrtc::Nvrtc;
use netspec::DType;
use std::sync::Arc;
use std::time::Duration;

/// Threads of a block; any multiple of 32 does for kernels that only move memory.
const THREADS: u32 = 256;

/// Blocks on each multiprocessor, enough to keep its memory pipes full; Turing holds no more at a time.
const BLOCKS: u32 = 4;

/// Bytes that a thread moves at a time.
const VECTOR: usize = 16;

/// What a buffer is filled with.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Fill {
    pub(crate) elements: usize,
    pub(crate) dtype: DType,
    /// Sets the negative half to zero, as a ReLU leaves activations.
    pub(crate) rectify: bool,
    pub(crate) seed: u64,
    /// Standard deviation before that.
    pub(crate) scale: f32,
}

/// The helper kernels, loaded.
#[derive(Debug)]
pub(super) struct Helpers {
    flush: Function,
    touch: Function,
    spin: Function,
    busy: Function,
    clocks: Function,
    fill: Function,
    /// Written by nothing, but the compiler does not know.
    sink: Buffer,
    multiprocessors: u32,
}

impl Helpers {
    pub(super) fn new(context: &Arc<Context>, nvrtc: &Nvrtc) -> Result<Helpers, GpuError> {
        let cubin = nvrtc.compile(HELPERS, &HELPER_NAMES, &context.attributes().arch(), &[])?;
        let module = Module::load(context, &cubin.image)?;
        Ok(Helpers {
            flush: module.function(HELPER_NAMES[0])?,
            touch: module.function(HELPER_NAMES[1])?,
            spin: module.function(HELPER_NAMES[2])?,
            busy: module.function(HELPER_NAMES[3])?,
            clocks: module.function(HELPER_NAMES[4])?,
            fill: module.function(HELPER_NAMES[5])?,
            sink: Buffer::new(context, size_of::<f32>())?,
            multiprocessors: context.attributes().multiprocessors.max(1),
        })
    }

    fn everywhere(&self) -> Shape {
        Shape { grid: [self.multiprocessors * BLOCKS, 1, 1], block: [THREADS, 1, 1], shared_bytes: 0 }
    }

    pub(super) fn flush(&self, stream: &Stream, buffer: &Buffer, value: u32) -> Result<(), GpuError> {
        let n = (buffer.bytes() / VECTOR) as u64;
        self.flush.launch(stream, self.everywhere(), &[Arg::U64(buffer.address()), Arg::U64(n), Arg::U32(value)])
    }

    pub(super) fn touch(&self, stream: &Stream, address: u64, bytes: usize) -> Result<(), GpuError> {
        let n = (bytes / VECTOR) as u64;
        self.touch.launch(stream, self.everywhere(), &[Arg::U64(address), Arg::U64(n)])
    }

    pub(super) fn spin(&self, stream: &Stream, flag: &HostFlag, limit: Duration) -> Result<(), GpuError> {
        let one = Shape { grid: [1; 3], block: [1; 3], shared_bytes: 0 };
        self.spin.launch(stream, one, &[Arg::U64(flag.address()), Arg::U64(limit.as_nanos() as u64)])
    }

    pub(super) fn busy(&self, stream: &Stream, ns: u64) -> Result<(), GpuError> {
        self.busy.launch(stream, self.everywhere(), &[Arg::U64(ns), Arg::U64(self.sink.address())])
    }

    /// One block for each multiprocessor; where two land on one, the later one's note stands.
    pub(super) fn note_clocks(&self, stream: &Stream, table: &Buffer) -> Result<(), GpuError> {
        let shape = Shape { grid: [self.multiprocessors, 1, 1], block: [32, 1, 1], shared_bytes: 0 };
        self.clocks.launch(stream, shape, &[Arg::U64(table.address()), Arg::U32(self.multiprocessors)])
    }

    pub(super) fn fill(&self, stream: &Stream, buffer: &Buffer, fill: Fill) -> Result<(), GpuError> {
        let fits = buffer.bytes() / fill.dtype.bytes();
        let args = [
            Arg::U64(buffer.address()),
            Arg::U64(fill.elements.min(fits) as u64),
            Arg::U32(kind(fill.dtype).unwrap_or(0)),
            Arg::U32(u32::from(fill.rectify)),
            Arg::U64(fill.seed),
            Arg::F32(fill.scale),
        ];
        self.fill.launch(stream, self.everywhere(), &args)
    }
}
