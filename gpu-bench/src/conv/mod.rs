//! One convolution on the device: operands, what runs it, and which of several does.

mod choose;
mod memory;
mod runner;
mod unfused;

pub(crate) use memory::{Memory, check};
pub(crate) use runner::{KernelRunner, Runner};
pub(crate) use unfused::{EpiloguePass, Unfused};

use crate::GpuError;
use crate::reference::Operands;
use crate::session::{Lane, Session, Work};
use netspec::{CacheState, ConvSpec};
use timing::TimingError;

/// A convolution and what may run it, the first choice first.
pub(crate) struct Conv {
    spec: ConvSpec,
    seed: u64,
    runners: Vec<Box<dyn Runner>>,
    memory: Option<Memory>,
}

impl Conv {
    /// `runners` is not empty; where it has several, the first run on the device decides.
    pub(crate) fn new(spec: &ConvSpec, seed: u64, runners: Vec<Box<dyn Runner>>) -> Conv {
        Conv { spec: spec.clone(), seed, runners, memory: None }
    }

    pub(crate) fn spec(&self) -> &ConvSpec {
        &self.spec
    }

    /// Allocates operands, filled as the seed says, and decides which runner stays.
    pub(crate) fn memory(&mut self, session: &mut Session) -> Result<&mut Memory, GpuError> {
        if self.memory.is_none() {
            let memory = Memory::new(session, &self.spec, self.workspace_bytes(), self.seed)?;
            if self.runners.len() > 1 {
                choose::keep_fastest(session, &mut self.runners, &memory)?;
            }
            self.memory = Some(memory);
        }
        Ok(self.memory.as_mut().expect("it was made just now"))
    }

    /// What each runner computes from these operands, with its name, the output having been poisoned before.
    pub(crate) fn compute(
        &self,
        session: &mut Session,
        operands: &Operands,
    ) -> Result<Vec<(String, Vec<f32>)>, GpuError> {
        session.context.bind()?;
        // Memory of its own: what is timed keeps its fill.
        let mut memory = Memory::new(session, &self.spec, self.workspace_bytes(), self.seed)?;
        memory.write(session, operands)?;
        let mut outputs = Vec::with_capacity(self.runners.len());
        for runner in &self.runners {
            memory.poison(session)?;
            session.settle(|session| runner.queue(&mut session.lane(), &memory.pointers(0, CacheState::Warm)))?;
            outputs.push((runner.label(), memory.read()?));
        }
        Ok(outputs)
    }

    /// Scratch memory that suffices for each runner.
    fn workspace_bytes(&self) -> usize {
        self.runners.iter().map(|runner| runner.workspace_bytes()).max().unwrap_or(0)
    }

    /// What runs it.
    pub(crate) fn runner(&self) -> &dyn Runner {
        &*self.runners[0]
    }

    /// Everything that may run it.
    pub(crate) fn runners(&self) -> &[Box<dyn Runner>] {
        &self.runners
    }

    /// The first runner alone, taken out.
    pub(crate) fn into_runner(mut self) -> Box<dyn Runner> {
        self.runners.swap_remove(0)
    }
}

impl Work for Conv {
    fn algorithm(&self) -> Option<String> {
        Some(self.runner().label())
    }

    fn ready(&mut self, session: &mut Session, cache: CacheState, runs: usize) -> Result<bool, GpuError> {
        let is_new = self.memory.is_none();
        let memory = self.memory(session)?;
        Ok(memory.rotate(session, cache, runs)? || is_new)
    }

    fn queue(&self, lane: &mut Lane<'_>, copy: usize, cache: CacheState) -> Result<(), GpuError> {
        let memory = self.memory.as_ref().expect("`ready` is called before the first run is queued");
        self.runner().queue(lane, &memory.pointers(copy, cache))
    }

    fn set_cache(&self, session: &mut Session, cache: CacheState) -> Result<(), GpuError> {
        let memory = self.memory.as_ref().expect("`ready` is called before the first run is queued");
        match cache {
            CacheState::Warm => Ok(()),
            CacheState::Cold => session.flush_cache(),
            _ => {
                session.flush_cache()?;
                let (address, bytes) = memory.input();
                session.leave_warm(address, bytes)
            }
        }
    }

    fn error(&self, error: GpuError) -> TimingError {
        error.into_timing(&self.spec)
    }
}
