//! A device by script: latencies by a formula, a virtual clock, faults on demand, and a log of everything it did.

use locp::netspec::{CacheState, ConvSpec, InputSizes, Machine, Network, Tensor, TensorView};
use locp::{Cancel, MemoryStore, Model, Pipeline, Progress, Watch};
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;
use timing::{Backend, BackendSource, ModelBackend, ModelRun, NodeTime, Prepared, Reading, TimingError, Unavailable};

/// Launching a convolution takes this long, in nanoseconds.
const LAUNCH_NS: f64 = 1000.0;
const NS_PER_MAC: f64 = 0.01;

/// A function of virtual time, or of a model's work.
type Curve<T> = Box<dyn Fn(T) -> f64 + Send + Sync>;

/// The index of a layer, the name of what runs behind it, and its nanoseconds.
pub(crate) type Node = (usize, &'static str, f64);
type Between = Box<dyn Fn(&Network) -> Vec<Node> + Send + Sync>;

/// How the device behaves.
pub(crate) struct Script {
    /// Channels are computed in blocks of this many, on both axes.
    pub(crate) granularity: usize,
    /// The factor by which everything is slower, at a virtual time in nanoseconds.
    pub(crate) drift: Curve<f64>,
    /// The share of runs that take 1.5 to 4 times as long.
    pub(crate) noise: f64,
    pub(crate) seed: u64,
    /// This convolution cannot be prepared.
    pub(crate) fails: Option<ConvSpec>,
    /// The flag is raised by the run of this number.
    pub(crate) cancel: Option<(u64, Cancel)>,
    /// What a whole model takes in nanoseconds, by the sum of its convolutions and its share of the dense model's sum.
    pub(crate) whole: Curve<(f64, f64)>,
    /// What runs in a whole model beside its convolutions: names and nanoseconds, each behind the layer of an index.
    pub(crate) between: Between,
    /// Whether the device tells what each node of a whole model takes.
    pub(crate) profiles: bool,
}

impl Default for Script {
    fn default() -> Script {
        Script {
            granularity: 8,
            drift: Box::new(|_| 1.0),
            noise: 0.0,
            seed: 0,
            fails: None,
            cancel: None,
            whole: Box::new(|(parts_ns, _)| parts_ns),
            between: Box::new(|_| Vec::new()),
            profiles: false,
        }
    }
}

/// What the device did, and the stages that the pipeline announced meanwhile.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Event {
    Stage(String),
    Prepared(ConvSpec),
    Ran(ConvSpec),
    Loaded(Which),
    RanModel(Which),
}

/// The first model that is loaded is the dense one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Which {
    Dense,
    Pruned,
}

struct State {
    clock_ns: f64,
    runs: u64,
    rng: stats::Rng,
    log: Vec<Event>,
    dense: Option<(PathBuf, f64)>,
}

/// The device; clones are the same one.
#[derive(Clone)]
pub(crate) struct Device(Arc<(Script, Mutex<State>)>);

impl fmt::Debug for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Device").finish_non_exhaustive()
    }
}

impl Device {
    pub(crate) fn new(script: Script) -> Device {
        let rng = stats::Rng::new(script.seed);
        let state = State { clock_ns: 0.0, runs: 0, rng, log: Vec::new(), dense: None };
        Device(Arc::new((script, Mutex::new(state))))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.1.lock().unwrap()
    }

    /// A pipeline on this device that runs no whole models.
    pub(crate) fn pipeline_of_parts(&self) -> Pipeline<'_> {
        Pipeline::new(BackendSource::new(self.clone()).unwrap(), MemoryStore::default())
    }

    pub(crate) fn source(&self) -> BackendSource<Device> {
        BackendSource::new(self.clone()).unwrap().models(self.clone())
    }

    /// A pipeline on this device with an empty table, whose stages are in the log.
    pub(crate) fn pipeline(&self) -> Pipeline<'_> {
        self.pipeline_on(MemoryStore::default())
    }

    pub(crate) fn pipeline_on<'a>(&'a self, table: impl locp::Store + 'a) -> Pipeline<'a> {
        let cancel = self.0.0.cancel.as_ref().map(|(_, cancel)| cancel.clone()).unwrap_or_default();
        Pipeline::new(self.source(), table).watch(Watch { progress: self, cancel })
    }

    pub(crate) fn now(&self) -> Duration {
        Duration::from_nanos(self.state().clock_ns as u64)
    }

    pub(crate) fn runs(&self) -> u64 {
        self.state().runs
    }

    pub(crate) fn log(&self) -> Vec<Event> {
        self.state().log.clone()
    }

    /// What happened between the first announcement of this stage and the next announcement.
    pub(crate) fn stage(&self, name: &str) -> Vec<Event> {
        let log = self.log();
        let from = log.iter().position(|event| matches!(event, Event::Stage(stage) if stage == name)).unwrap();
        log.into_iter().skip(from + 1).take_while(|event| !matches!(event, Event::Stage(_))).collect()
    }

    /// The convolutions that were prepared, in order.
    pub(crate) fn prepared(&self) -> Vec<ConvSpec> {
        let prepared = |event| if let Event::Prepared(spec) = event { Some(spec) } else { None };
        self.log().into_iter().filter_map(prepared).collect()
    }

    /// A convolution's latency on an idle device: a staircase on both axes.
    pub(crate) fn truth_ns(&self, spec: &ConvSpec) -> f64 {
        let rounded_up = |channels: usize| {
            let blocks = channels.div_ceil(self.0.0.granularity);
            (blocks * self.0.0.granularity) as f64 / channels as f64
        };
        let c_in = if spec.groups > 1 { 1.0 } else { rounded_up(spec.c_in) };
        LAUNCH_NS + NS_PER_MAC * spec.macs() as f64 * c_in * rounded_up(spec.c_out)
    }

    fn parts_ns(&self, model: &Model) -> f64 {
        model.network().layers.iter().map(|layer| self.truth_ns(&layer.spec)).sum()
    }

    /// The share of the dense model's latency that a model takes on an idle device.
    pub(crate) fn true_ratio(&self, dense: &Model, pruned: &Path) -> f64 {
        let pruned = Model::open(pruned, Some(dense.batch())).unwrap();
        let dense_ns = self.parts_ns(dense);
        self.whole_ns(&pruned, dense_ns) / self.whole_ns(dense, dense_ns)
    }

    /// What a whole model takes on an idle device, where the dense one's convolutions take `dense_ns`.
    fn whole_ns(&self, model: &Model, dense_ns: f64) -> f64 {
        let parts_ns = self.parts_ns(model);
        let between_ns: f64 = (self.0.0.between)(model.network()).iter().map(|(_, _, ns)| ns).sum();
        (self.0.0.whole)((parts_ns, parts_ns / dense_ns)) + between_ns
    }

    /// Runs something that takes `ns` on an idle device.
    fn run(&self, ns: f64, event: Event) -> Reading {
        let Script { drift, noise, cancel, .. } = &self.0.0;
        let mut state = self.state();
        let [is_slow, by] = [state.rng.uniform(), state.rng.uniform()];
        let slowed = if is_slow < *noise { 1.5 + 2.5 * by } else { 1.0 };
        let ns = ns * drift(state.clock_ns) * slowed;
        state.clock_ns += ns;
        state.runs += 1;
        if let Some((_, cancel)) = cancel.as_ref().filter(|(runs, _)| state.runs >= *runs) {
            cancel.raise();
        }
        state.log.push(event);
        Reading::new(ns)
    }
}

impl Progress for Device {
    fn begin(&self, stage: &str, _: Option<u64>) {
        self.state().log.push(Event::Stage(stage.to_owned()));
    }
}

impl Backend for Device {
    fn check(&self) -> Result<Machine, Unavailable> {
        Ok(Machine { engine: "scripted".into(), device: "virtual".into(), ..Machine::default() })
    }

    fn prepare(&self, spec: &ConvSpec) -> Result<Box<dyn Prepared + Send>, TimingError> {
        if self.0.0.fails.as_ref() == Some(spec) {
            return Err(TimingError::unsupported(spec, "the script says so"));
        }
        self.state().log.push(Event::Prepared(spec.clone()));
        Ok(Box::new(Conv { device: self.clone(), spec: spec.clone() }))
    }
}

struct Conv {
    device: Device,
    spec: ConvSpec,
}

impl Prepared for Conv {
    fn run(&mut self, _: CacheState) -> Result<Reading, TimingError> {
        Ok(self.device.run(self.device.truth_ns(&self.spec), Event::Ran(self.spec.clone())))
    }
}

impl ModelBackend for Device {
    fn load(&self, onnx: &Path, sizes: &InputSizes) -> Result<Box<dyn ModelRun>, TimingError> {
        let model = Model::open(onnx, sizes.clone())
            .map_err(|error| TimingError::Model { path: onnx.to_owned(), reason: error.to_string() })?;
        let parts_ns = self.parts_ns(&model);
        let mut state = self.state();
        let (dense, dense_ns) = state.dense.get_or_insert_with(|| (onnx.to_owned(), parts_ns)).clone();
        let which = if dense == onnx { Which::Dense } else { Which::Pruned };
        state.log.push(Event::Loaded(which));
        let ns = self.whole_ns(&model, dense_ns);
        Ok(Box::new(Whole { device: self.clone(), which, ns, onnx: onnx.to_owned(), sizes: sizes.clone() }))
    }

    fn profile(&self, onnx: &Path, sizes: &InputSizes) -> Option<Result<Vec<NodeTime>, TimingError>> {
        if !self.0.0.profiles {
            return None;
        }
        let model = Model::open(onnx, sizes.clone()).unwrap();
        let between = (self.0.0.between)(model.network());
        let mut nodes = Vec::new();
        for (index, layer) in model.network().layers.iter().enumerate() {
            nodes.extend(NodeTime::typical(&layer.name, "Conv", vec![self.truth_ns(&layer.spec)]));
            let behind = between.iter().filter(|(layer, _, _)| *layer == index);
            nodes.extend(behind.filter_map(|(_, name, ns)| NodeTime::typical(name, "Other", vec![*ns])));
        }
        Some(Ok(nodes))
    }
}

struct Whole {
    device: Device,
    which: Which,
    ns: f64,
    onnx: PathBuf,
    sizes: InputSizes,
}

impl Prepared for Whole {
    fn run(&mut self, _: CacheState) -> Result<Reading, TimingError> {
        Ok(self.device.run(self.ns, Event::RanModel(self.which)))
    }
}

impl ModelRun for Whole {
    /// By the embedded engine: a script knows latencies, not weights.
    fn infer(&mut self, inputs: &[TensorView<'_>]) -> Result<Vec<Tensor>, TimingError> {
        let tract = locp::engine("tract", 1, 0).map_err(|error| TimingError::run("tract", error))?;
        let models = tract.models().ok_or_else(|| TimingError::run("tract", "it runs no models"))?;
        models.load(&self.onnx, &self.sizes)?.infer(inputs)
    }
}

/// A model that ships with the repository.
pub(crate) fn shipped(name: &str) -> Model {
    Model::open(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../models").join(name), None).unwrap()
}
