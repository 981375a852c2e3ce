//! The engine: one GPU, cuDNN, and a policy that chooses among its algorithms.

use crate::chain::Chain;
use crate::conv::{self, Conv, EpiloguePass, Runner, Unfused};
use crate::cudnn::{self, Handle, OperationGraph, Plan, Problem};
use crate::driver::Context;
#[cfg(feature = "criterion")]
use crate::driver::Event;
use crate::nvml::{DeviceState, Nvml};
use crate::nvrtc::{Cubin, Nvrtc};
use crate::reference::{self, Operands};
use crate::session::{Session, Timer};
use crate::{GpuError, check};
use netspec::{ConvSpec, Epilogue, Machine};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use timing::{Backend, Prepared, TimingError, Unavailable};

/// Version of the method; numbers of different versions are never mixed.
const METHOD: u32 = 1;

/// Plans that are timed against each other under [`Selection::Autotune`].
const TUNED: usize = 8;

/// Plans that want more scratch memory than this are passed over while there are others: a deployed network has to
/// hold it too.
const WORKSPACE_LIMIT: usize = 512 << 20;

/// How one of the library's algorithms is chosen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Selection {
    /// The library's first choice that runs; where that fuses the epilogue in a doubtful way (a fallback, or without
    /// tensor cores), the convolution with the epilogue as a pass of its own replaces it if it is clearly faster.
    #[default]
    Heuristic,
    /// The first choice, unless another one is over 2 % faster on fresh readings, clear of zero.
    Autotune,
}

impl Selection {
    /// As it stands in [`Machine::policy`].
    pub fn name(self) -> &'static str {
        match self {
            Selection::Heuristic => "heuristic",
            Selection::Autotune => "autotune",
        }
    }
}

/// What a caller may set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Options {
    pub(crate) selection: Selection,
    pub(crate) seed: u64,
}

/// What all clones share.
struct Shared {
    context: Arc<Context>,
    session: Arc<Mutex<Session>>,
    /// Held for writing while a reading holds the device's stream.
    quiet: Arc<RwLock<()>>,
    nvrtc: Nvrtc,
    epilogue: EpiloguePass,
    nvml: Option<Nvml>,
    /// Handles of the library for threads that make plans while another one times.
    handles: Mutex<Vec<Handle>>,
    /// But for the policy, which is each clone's own.
    machine: Machine,
}

/// One GPU, ready to time convolutions by cuDNN; clones are the same GPU.
///
/// ```no_run
/// use gpu_bench::{Backend, Cuda, Policy, Selection, measure, stop};
///
/// let gpu = Cuda::device(0)?.selection(Selection::Autotune);
/// let mut conv = gpu.prepare(&"n1 64>64 56x56 k3 p1 f16 nhwc".parse()?)?;
/// let latency = measure(&mut conv, &mut stop::Relative::new(0.005), &Policy::network())?;
/// println!("{} ns, {:?}", latency.median_ns, conv.algorithm());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Cuda {
    shared: Arc<Shared>,
    options: Options,
}

/// Where a GPU's numbers come from, for whoever keeps them.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Environment {
    /// The machine that numbers are keyed by.
    pub machine: Machine,
    /// Index of the device.
    pub device: usize,
    /// Multiprocessors.
    pub multiprocessors: u32,
    /// Bytes of the last-level cache.
    pub l2_bytes: usize,
    /// The rated clock in MHz.
    pub clock_mhz: f64,
    /// Bytes of device memory.
    pub memory_bytes: usize,
    /// Version of the run-time compiler.
    pub nvrtc: String,
    /// What cuDNN says of the device, as JSON in its own form; or why it says nothing.
    pub cudnn_device: Result<String, String>,
}

impl Cuda {
    /// The GPU of this index, counted from 0 as CUDA_VISIBLE_DEVICES leaves them.
    pub fn device(index: usize) -> Result<Cuda, Unavailable> {
        Ok(Cuda::open(index)?)
    }

    fn open(index: usize) -> Result<Cuda, GpuError> {
        // Every launch then waits for its end, also behind a stream that is held until all are queued.
        if std::env::var_os("CUDA_LAUNCH_BLOCKING").is_some_and(|value| value != "0") {
            let reason =
                "CUDA_LAUNCH_BLOCKING is set, and then nothing can be timed on the device; unset it".to_owned();
            return Err(GpuError::Unsupported { reason });
        }
        let context = Context::new(index)?;
        let library = cudnn::check()?;
        let nvrtc = Nvrtc::find_for(check::driver()?.cuda_major())?;
        let nvml = Nvml::find(&context.attributes().pci_bus_id);
        let quiet = Arc::default();
        let session = Session::new(Arc::clone(&context), &nvrtc, Arc::clone(&quiet))?;
        let session = Arc::new(Mutex::new(session));
        let epilogue = EpiloguePass::new(&context, &nvrtc)?;
        let machine = machine(&context, &library, nvml.as_ref(), Selection::default())?;
        let shared = Shared { context, session, quiet, nvrtc, epilogue, nvml, handles: Mutex::default(), machine };
        Ok(Cuda { shared: Arc::new(shared), options: Options::default() })
    }

    /// Sets how algorithms are chosen; by default as the library's heuristic says.
    pub fn selection(mut self, selection: Selection) -> Cuda {
        self.options.selection = selection;
        self
    }

    /// Sets the seed of what tensors are filled with.
    pub fn seed(mut self, seed: u64) -> Cuda {
        self.options.seed = seed;
        self
    }

    /// What its numbers are true for.
    pub fn machine(&self) -> Machine {
        Machine { policy: self.options.selection.name().to_owned(), ..self.shared.machine.clone() }
    }

    /// All that is known of where its numbers come from.
    pub fn environment(&self) -> Environment {
        let attributes = self.shared.context.attributes();
        let [major, minor] = self.shared.nvrtc.version();
        let session = self.lock();
        Environment {
            machine: self.machine(),
            device: attributes.index,
            multiprocessors: attributes.multiprocessors,
            l2_bytes: attributes.l2_bytes,
            clock_mhz: attributes.clock_mhz,
            memory_bytes: attributes.memory_bytes,
            nvrtc: format!("{major}.{minor}"),
            cudnn_device: session.handle.device_properties().map_err(|error| error.to_string()),
        }
    }

    /// Clocks, temperature, power and throttling now, as far as the driver's management library tells.
    pub fn state(&self) -> DeviceState {
        self.shared.nvml.as_ref().map(Nvml::state).unwrap_or_default()
    }

    pub(crate) fn context(&self) -> &Arc<Context> {
        &self.shared.context
    }

    pub(crate) fn session(&self) -> &Arc<Mutex<Session>> {
        &self.shared.session
    }

    /// The session, for as long as the guard lives; a panic elsewhere leaves nothing half done that a reading needs.
    pub(crate) fn lock(&self) -> MutexGuard<'_, Session> {
        self.shared.session.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// An event at the end of the stream.
    #[cfg(feature = "criterion")]
    pub(crate) fn mark(&self) -> Result<Event, GpuError> {
        let event = Event::new(self.context())?;
        event.record(&self.lock().stream)?;
        Ok(event)
    }

    /// Device time between two events, the later one being waited for.
    #[cfg(feature = "criterion")]
    pub(crate) fn ns_between(&self, start: &Event, end: &Event) -> Result<f64, GpuError> {
        self.lock().stream.wait()?;
        end.ns_since(start)
    }

    pub(crate) fn options(&self) -> Options {
        self.options
    }

    pub(crate) fn compile(&self, source: &str, entries: &[&str]) -> Result<Cubin, GpuError> {
        self.shared.nvrtc.compile(source, entries, &self.shared.context.attributes().arch(), &[])
    }

    /// Makes plans, which leaves the device's stream alone, so that something else may be timed meanwhile.
    pub(crate) fn conv(&self, spec: &ConvSpec, most: usize) -> Result<Conv, GpuError> {
        conv::check(spec)?;
        // Making a plan may load kernels, which waits for the device: not while a reading holds it.
        let _quiet = self.shared.quiet.read().unwrap_or_else(PoisonError::into_inner);
        self.shared.context.bind()?;
        let lock = || self.shared.handles.lock().unwrap_or_else(PoisonError::into_inner);
        let pooled = lock().pop();
        let handle = match pooled {
            Some(handle) => handle,
            None => Handle::new(&self.shared.context)?,
        };
        let runners = self.runners(&handle, spec, most);
        lock().push(handle);
        Ok(Conv::new(spec, self.options.seed, runners?))
    }

    /// At most so many plans that fuse the epilogue; where there is none, or several are wanted, one that does not.
    fn runners(&self, handle: &Handle, spec: &ConvSpec, most: usize) -> Result<Vec<Box<dyn Runner>>, GpuError> {
        let bare = ConvSpec { epilogue: Epilogue::default(), ..spec.clone() };
        let has_epilogue = *spec != bare;
        let fused = match plans(handle, spec, most) {
            Ok(fused) => fused,
            Err(GpuError::Unsupported { .. }) if has_epilogue => Vec::new(),
            Err(error) => return Err(error),
        };
        let is_doubtful = fused.first().is_none_or(Plan::is_doubtful);
        let mut runners: Vec<Box<dyn Runner>> = Vec::new();
        runners.extend(fused.into_iter().map(|plan| Box::new(plan) as Box<dyn Runner>));
        if has_epilogue && (most > 1 || is_doubtful) {
            match plans(handle, &bare, 1) {
                Ok(plans) => {
                    for plan in plans {
                        runners.push(Box::new(Unfused::new(plan, &self.shared.epilogue, spec)?));
                    }
                }
                Err(GpuError::Unsupported { .. }) if !runners.is_empty() => {}
                Err(error) => return Err(error),
            }
        }
        Ok(runners)
    }

    fn most(&self) -> usize {
        match self.options.selection {
            Selection::Heuristic => 1,
            Selection::Autotune => TUNED,
        }
    }

    /// What cuDNN's plans for a convolution compute, each on the same random operands; at most so many plans.
    ///
    /// The output is poisoned before each, so that values that were not written are found.
    pub fn outputs_of(&self, spec: &ConvSpec, plans: usize) -> Result<Outputs, GpuError> {
        self.outputs(&self.conv(spec, plans.max(1))?)
    }

    pub(crate) fn outputs(&self, conv: &Conv) -> Result<Outputs, GpuError> {
        let spec = conv.spec().clone();
        let operands = Operands::random(&spec, self.options.seed);
        let mut session = self.lock();
        let outputs = conv.compute(&mut session, &operands)?;
        Ok(Outputs { spec, operands, outputs })
    }
}

/// What numbers of this device, library and policy are true for.
pub(crate) fn machine(
    context: &Context,
    library: &cudnn::Found,
    nvml: Option<&Nvml>,
    selection: Selection,
) -> Result<Machine, GpuError> {
    let attributes = context.attributes();
    let driver = match nvml.and_then(Nvml::driver_version) {
        Some(version) => version,
        None => format!("CUDA {}", check::driver()?.cuda_version()),
    };
    Ok(Machine {
        engine: "cuda".to_owned(),
        device: attributes.name.clone(),
        compute: attributes.arch(),
        driver,
        library: format!("cuDNN {}", cudnn::version_text(library.version)),
        policy: selection.name().to_owned(),
        threads: 1,
        method: METHOD,
    })
}

/// The plans of the library that can be made, in its order; at least one.
fn plans(handle: &Handle, spec: &ConvSpec, most: usize) -> Result<Vec<Plan>, GpuError> {
    let problem = Problem::new(spec).map_err(|reason| GpuError::Unsupported { reason })?;
    let graph = OperationGraph::new(handle, &problem)?;
    let mut plans = Vec::new();
    let mut hungry: Option<Plan> = None;
    let mut why = String::new();
    for candidate in cudnn::candidates(&graph, spec)? {
        match Plan::new(handle, candidate) {
            Ok(plan) if plan.workspace_bytes() > WORKSPACE_LIMIT => hungry = hungry.or(Some(plan)),
            Ok(plan) => plans.push(plan),
            // The library offers configurations that turn out not to fit or not to compile; the next one may do.
            Err(GpuError::Unsupported { reason }) => why = reason,
            Err(error @ GpuError::Call { .. }) => why = error.to_string(),
            Err(other) => return Err(other),
        }
        if plans.len() == most {
            break;
        }
    }
    if plans.is_empty() {
        let reason = format!("none of cuDNN's engine configurations for it can be made ready: {why}");
        plans.push(hungry.ok_or(GpuError::Unsupported { reason })?);
    }
    Ok(plans)
}

/// What several algorithms computed from the same operands.
#[derive(Clone, Debug, PartialEq)]
pub struct Outputs {
    spec: ConvSpec,
    operands: Operands,
    outputs: Vec<(String, Vec<f32>)>,
}

impl Outputs {
    /// Each algorithm's name and output, in the spec's layout.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &[f32])> {
        self.outputs.iter().map(|(name, output)| (name.as_str(), output.as_slice()))
    }

    /// Each algorithm's error against a convolution in double precision, by [`reference::relative_error`].
    pub fn errors(&self) -> impl Iterator<Item = (&str, f64)> {
        let reference = reference::convolve(&self.spec, &self.operands);
        self.outputs.iter().map(move |(name, output)| (name.as_str(), reference::relative_error(output, &reference)))
    }
}

impl Backend for Cuda {
    fn check(&self) -> Result<Machine, Unavailable> {
        Ok(self.machine())
    }

    fn prepare(&self, spec: &ConvSpec) -> Result<Box<dyn Prepared + Send>, TimingError> {
        let conv = self.conv(spec, self.most()).map_err(|error| error.into_timing(spec))?;
        Ok(Box::new(Timer::new(self.session(), conv)))
    }

    fn chain(&self, specs: &[ConvSpec]) -> Result<Box<dyn Prepared + Send>, TimingError> {
        let convs = specs.iter().map(|spec| self.conv(spec, self.most()).map_err(|error| error.into_timing(spec)));
        let chain = Chain::new(convs.collect::<Result<_, _>>()?);
        Ok(Box::new(Timer::new(self.session(), chain)))
    }

    fn look_ahead(&self) -> Option<&(dyn Backend + Sync)> {
        Some(self)
    }
}

impl fmt::Debug for Cuda {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cuda").field("machine", &self.machine()).field("seed", &self.options.seed).finish()
    }
}
