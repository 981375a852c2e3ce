//! The convolutions of a network, one after the other, on buffers of real size.

use crate::GpuError;
use crate::conv::{Conv, Runner};
use crate::cudnn::Pointers;
use crate::driver::Buffer;
use crate::reference;
use crate::session::{Fill, Lane, Session, Work};
use netspec::{CacheState, ConvSpec};
use timing::TimingError;

/// Convolutions in the order in which they run.
///
/// Every layer has weights of its own, so these are as cold as the network's size makes them, and reads its
/// predecessor's output where the sizes fit, as it would in the network; what lies between convolutions there (pooling,
/// branches) is not run.
#[derive(Default)]
pub(crate) struct Chain {
    specs: Vec<ConvSpec>,
    waiting: Vec<Conv>,
    runners: Vec<Box<dyn Runner>>,
    pointers: Vec<Pointers>,
    buffers: Vec<Buffer>,
    /// Why it could not be made ready: it is half made then, and stays so.
    failed: Option<GpuError>,
}

impl Chain {
    pub(crate) fn new(convs: Vec<Conv>) -> Chain {
        let specs = convs.iter().map(|conv| conv.spec().clone()).collect();
        Chain { specs, waiting: convs, ..Chain::default() }
    }

    /// A filled buffer that stays for as long as this value.
    fn buffer(
        &mut self,
        session: &mut Session,
        spec: &ConvSpec,
        elements: usize,
        activations: bool,
    ) -> Result<u64, GpuError> {
        let buffer = Buffer::new(&session.context, elements * spec.dtype.bytes())?;
        let scale = if activations { 1.0 } else { reference::weight_scale(spec) as f32 };
        let seed = self.buffers.len() as u64;
        session.fill(&buffer, Fill { elements, dtype: spec.dtype, rectify: activations, seed, scale })?;
        let address = buffer.address();
        self.buffers.push(buffer);
        Ok(address)
    }

    /// Decides, allocates and fills, layer by layer.
    fn build(&mut self, session: &mut Session) -> Result<(), GpuError> {
        let mut last: Option<(u64, usize)> = None;
        let mut workspace = 0;
        for mut conv in std::mem::take(&mut self.waiting) {
            // Where several plans compete, each layer decides on operands of its own, which are freed at once.
            if conv.runners().len() > 1 {
                conv.memory(session)?;
            }
            let spec = conv.spec().clone();
            let [input, weights, output] = spec.elements();
            let bytes = |elements: usize| elements * spec.dtype.bytes();
            let x = match last {
                Some((address, size)) if size == bytes(input) => address,
                _ => self.buffer(session, &spec, input, true)?,
            };
            let w = self.buffer(session, &spec, weights, false)?;
            let bias = spec.epilogue.bias.then(|| self.buffer(session, &spec, spec.c_out, false)).transpose()?;
            let residual = spec.epilogue.residual.then(|| self.buffer(session, &spec, output, true)).transpose()?;
            let y = self.buffer(session, &spec, output, true)?;
            last = Some((y, bytes(output)));
            self.pointers.push(Pointers { x, w, y, bias, residual, six: session.six(&spec), workspace: 0 });
            let runner = conv.into_runner();
            workspace = workspace.max(runner.workspace_bytes());
            self.runners.push(runner);
        }
        // Layers run one after the other, so one scratch buffer serves all.
        let scratch = Buffer::new(&session.context, workspace)?;
        self.pointers.iter_mut().for_each(|at| at.workspace = scratch.address());
        self.buffers.push(scratch);
        session.stream.wait()?;
        Ok(())
    }
}

impl Work for Chain {
    fn algorithm(&self) -> Option<String> {
        None
    }

    fn ready(&mut self, session: &mut Session, _: CacheState, _: usize) -> Result<bool, GpuError> {
        if let Some(error) = &self.failed {
            return Err(error.clone());
        }
        if self.waiting.is_empty() {
            return Ok(false);
        }
        self.build(session).inspect_err(|error| self.failed = Some(error.clone()))?;
        Ok(true)
    }

    fn is_many(&self) -> bool {
        true
    }

    fn queue(&self, lane: &mut Lane<'_>, _: usize, _: CacheState) -> Result<(), GpuError> {
        self.runners.iter().zip(&self.pointers).try_for_each(|(runner, at)| runner.queue(lane, at))
    }

    /// A network finds in the caches what its own last run left there, whatever is asked for.
    fn set_cache(&self, _: &mut Session, _: CacheState) -> Result<(), GpuError> {
        Ok(())
    }

    fn error(&self, error: GpuError) -> TimingError {
        match self.specs.first() {
            Some(first) => error.into_timing(first),
            None => TimingError::run("an empty chain", error),
        }
    }
}
