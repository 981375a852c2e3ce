//! Operands in device memory, as often as a cache state asks for.

use crate::GpuError;
use crate::cudnn::Pointers;
use crate::driver::Buffer;
use crate::reference::{self, Operands};
use crate::session::{Fill, Session};
use netspec::{CacheState, ConvSpec};

/// Copies of an operand begin at multiples of this many bytes, as separate allocations would.
const APART: usize = 256;

/// Which operand a fill belongs to: each has its own seed.
const INPUT: u64 = 1;
const WEIGHTS: u64 = 2;
const BIAS: u64 = 3;
const RESIDUAL: u64 = 4;

/// An operand, several times in a row in one buffer.
#[derive(Debug)]
struct Rotation {
    buffer: Buffer,
    /// Elements of one copy.
    elements: usize,
    bytes: usize,
    copies: usize,
}

/// Every operand of one convolution.
#[derive(Debug)]
pub(crate) struct Memory {
    spec: ConvSpec,
    seed: u64,
    input: Rotation,
    weights: Rotation,
    output: Rotation,
    residual: Option<Rotation>,
    bias: Option<Rotation>,
    workspace: Buffer,
    six: Option<u64>,
    /// Bytes of the last-level cache, twice: so much other data between two uses leaves nothing of the first.
    apart: usize,
}

impl Rotation {
    fn new(session: &Session, spec: &ConvSpec, elements: usize, copies: usize) -> Result<Rotation, GpuError> {
        let bytes = (elements * spec.dtype.bytes()).next_multiple_of(APART);
        let buffer = Buffer::new(&session.context, bytes * copies)?;
        Ok(Rotation { buffer, elements, bytes, copies })
    }

    /// The copy of a run, in turns.
    fn address(&self, copy: usize) -> u64 {
        self.buffer.address() + (copy % self.copies * self.bytes) as u64
    }

    /// Copies for so many runs in a row that none finds its own in the cache.
    fn wanted(&self, runs: usize, apart: usize) -> usize {
        if runs <= 1 { 1 } else { runs.min(apart.div_ceil(self.bytes) + 1) }
    }
}

impl Memory {
    /// One copy of each, filled: normal weights whose sums keep the scale of the input, half-zero activations.
    pub(super) fn new(session: &mut Session, spec: &ConvSpec, workspace: usize, seed: u64) -> Result<Memory, GpuError> {
        let [input, weights, output] = spec.elements();
        let one = |session: &Session, n| Rotation::new(session, spec, n, 1);
        let mut memory = Memory {
            spec: spec.clone(),
            seed,
            input: one(session, input)?,
            weights: one(session, weights)?,
            output: one(session, output)?,
            residual: spec.epilogue.residual.then(|| one(session, output)).transpose()?,
            bias: spec.epilogue.bias.then(|| one(session, spec.c_out)).transpose()?,
            workspace: Buffer::new(&session.context, workspace)?,
            six: session.six(spec),
            apart: 2 * session.context.attributes().l2_bytes,
        };
        memory.fill(session)?;
        Ok(memory)
    }

    fn fill(&mut self, session: &mut Session) -> Result<(), GpuError> {
        let weight_scale = reference::weight_scale(&self.spec) as f32;
        let fill = |rotation: &Rotation, rectify, which: u64, scale| Fill {
            elements: rotation.bytes * rotation.copies / self.spec.dtype.bytes(),
            dtype: self.spec.dtype,
            rectify,
            seed: self.seed ^ which,
            scale,
        };
        session.fill(&self.input.buffer, fill(&self.input, true, INPUT, 1.0))?;
        session.fill(&self.weights.buffer, fill(&self.weights, false, WEIGHTS, weight_scale))?;
        if let Some(bias) = &self.bias {
            session.fill(&bias.buffer, fill(bias, false, BIAS, 1.0))?;
        }
        if let Some(residual) = &self.residual {
            session.fill(&residual.buffer, fill(residual, true, RESIDUAL, 1.0))?;
        }
        session.stream.wait()
    }

    /// Makes room for so many runs in a row, each of which finds in the cache what `cache` says; answers whether any
    /// address changed.
    ///
    /// Inside of a network only the weights are cold: the input was written by the layer before, which in a row of
    /// runs means that the last run has just read it.
    pub(super) fn rotate(&mut self, session: &mut Session, cache: CacheState, runs: usize) -> Result<bool, GpuError> {
        let (weights, rest) = match cache {
            CacheState::Warm => (1, 1),
            CacheState::Cold => (runs, runs),
            _ => (runs, 1),
        };
        // All or none: where memory does not suffice for one, what was captured before still works on the others.
        let mut fresh = Vec::new();
        let of = [(Some(&mut self.weights), weights), (Some(&mut self.input), rest), (Some(&mut self.output), rest)];
        let all = of.into_iter().chain([(self.residual.as_mut(), rest)]);
        for (rotation, runs) in all.filter_map(|(rotation, runs)| Some((rotation?, runs))) {
            let copies = rotation.wanted(runs, self.apart);
            if copies > rotation.copies {
                let more = Rotation::new(session, &self.spec, rotation.elements, copies)?;
                fresh.push((rotation, more));
            }
        }
        let has_moved = !fresh.is_empty();
        fresh.into_iter().for_each(|(rotation, more)| *rotation = more);
        if has_moved {
            self.fill(session)?;
        }
        Ok(has_moved)
    }

    /// What the `copy`-th run in a row works on.
    pub(crate) fn pointers(&self, copy: usize, cache: CacheState) -> Pointers {
        let (weights, rest) = match cache {
            CacheState::Warm => (0, 0),
            CacheState::Cold => (copy, copy),
            _ => (copy, 0),
        };
        Pointers {
            x: self.input.address(rest),
            w: self.weights.address(weights),
            y: self.output.address(rest),
            bias: self.bias.as_ref().map(|bias| bias.address(0)),
            residual: self.residual.as_ref().map(|residual| residual.address(rest)),
            six: self.six,
            workspace: self.workspace.address(),
        }
    }

    /// Address and bytes of the first run's input.
    pub(crate) fn input(&self) -> (u64, usize) {
        (self.input.address(0), self.input.bytes)
    }

    /// Replaces the first copy of every operand by these bytes.
    pub(super) fn write(&mut self, session: &Session, operands: &Operands) -> Result<(), GpuError> {
        let dtype = self.spec.dtype;
        let of = [
            (Some(&mut self.input), &operands.input),
            (Some(&mut self.weights), &operands.weights),
            (self.bias.as_mut(), &operands.bias),
            (self.residual.as_mut(), &operands.residual),
        ];
        for (rotation, values) in of.into_iter().filter_map(|(rotation, values)| Some((rotation?, values))) {
            rotation.buffer.write(&reference::to_bytes(dtype, values), &session.stream)?;
        }
        Ok(())
    }

    /// Makes every value of the output one that is no number in any type, in the stream's order.
    pub(super) fn poison(&mut self, session: &Session) -> Result<(), GpuError> {
        self.output.buffer.set(0xff, &session.stream)
    }

    /// The first copy of the output, which was waited for.
    pub(super) fn read(&self) -> Result<Vec<f32>, GpuError> {
        let bytes = self.output.elements * self.spec.dtype.bytes();
        Ok(reference::from_bytes(self.spec.dtype, &self.output.buffer.read(bytes)?))
    }
}

/// Refuses specs that make no sense, and those with tensors that no memory holds.
pub(crate) fn check(spec: &ConvSpec) -> Result<(), GpuError> {
    spec.validate().map_err(|error| GpuError::Unsupported { reason: error.to_string() })
}
