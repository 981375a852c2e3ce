//! ONNX Runtime, found at run time: for many users the engine that they deploy with.
//!
//! Single convolutions are models of one convolution with its epilogue, so that the library optimizes them as it does
//! inside of a network; what it pays for changing layouts at their ends is subtracted (see `reorder.rs`).

mod conv;
mod discover;
mod encode;
mod profile;
mod reorder;
mod session;

pub use conv::OrtConv;

use crate::caches::Caches;
use crate::{fill, inputs, machine};
use netspec::{CacheState, ConvSpec, ElementType, InputSizes, Machine, Tensor};
use ort::environment::Environment;
use ort::ep::{CUDA, ExecutionProvider as _, ExecutionProviderDispatch, TensorRT};
use ort::session::Session;
use ort::session::builder::{GraphOptimizationLevel, SessionBuilder};
use ort::value::{Outlet, TensorElementType, ValueType};
use session::Run;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use timing::{Backend, ModelBackend, ModelRun, NodeTime, Prepared, TimingError, Unavailable};

/// Version of the timing method; it rises when numbers before and after may no longer be mixed.
const METHOD: u32 = 2;

/// Runs of a profile that are thrown away.
const PROFILE_IDLE: usize = 3;

/// What the library computes with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Provider {
    /// The CPU.
    #[default]
    Cpu,
    /// An NVIDIA GPU by cuDNN, where the library was built for it.
    Cuda,
    /// An NVIDIA GPU by TensorRT, where the library was built for it.
    TensorRt,
}

impl Provider {
    /// As it stands behind the engine's name: `cpu`, `cuda`, `tensorrt`.
    pub fn name(self) -> &'static str {
        match self {
            Provider::Cpu => "cpu",
            Provider::Cuda => "cuda",
            Provider::TensorRt => "tensorrt",
        }
    }

    /// The provider of this name.
    pub fn named(name: &str) -> Option<Provider> {
        [Provider::Cpu, Provider::Cuda, Provider::TensorRt].into_iter().find(|provider| provider.name() == name)
    }
}

/// ONNX Runtime in this process.
#[derive(Clone)]
pub struct OnnxRuntime {
    environment: Arc<Environment>,
    /// Its version.
    library: String,
    provider: Provider,
    threads: usize,
    caches: Arc<Caches>,
}

impl fmt::Debug for OnnxRuntime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OnnxRuntime")
            .field("provider", &self.provider)
            .field("library", &self.library)
            .finish_non_exhaustive()
    }
}

fn unavailable(provider: Provider, reason: String, looked_for: Vec<String>, remedy: &str) -> Unavailable {
    Unavailable { engine: engine(provider), reason, looked_for, remedy: remedy.to_owned() }
}

/// The engine's name as `--engine` takes it.
fn engine(provider: Provider) -> String {
    match provider {
        Provider::Cpu => "onnxruntime".to_owned(),
        other => format!("onnxruntime:{}", other.name()),
    }
}

/// The version that is in the name of the library's file, where there is one, and the commit that the library tells.
fn library_name(path: &Path) -> String {
    // A name without a version is often a link to one with it.
    let real = std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let version: Vec<String> = discover::version(&real).iter().map(u32::to_string).collect();
    let commit = ort::info().split("git-commit-id=").nth(1).and_then(|rest| rest.split(',').next()).unwrap_or("");
    ["onnxruntime", &version.join("."), commit]
        .into_iter()
        .filter(|part| !part.is_empty())
        .collect::<Vec<_>>()
        .join(" ")
}

/// The library that this process has loaded, from the path given by whoever came first, and its environment: the library
/// allows one of each, so this is the one thing here that the whole process shares.
fn loaded(path: PathBuf) -> Result<(PathBuf, Arc<Environment>), String> {
    static LOADED: Mutex<Option<(PathBuf, Arc<Environment>)>> = Mutex::new(None);
    let mut loaded = LOADED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(loaded) = &*loaded {
        return Ok(loaded.clone());
    }
    let builder = ort::init_from(&path).map_err(|error| error.to_string())?;
    let environment = builder.with_name("locp").with_telemetry(false).build().map_err(|error| error.to_string())?;
    Ok(loaded.insert((path, Arc::new(environment))).clone())
}

impl OnnxRuntime {
    /// Finds and loads the library: by `ORT_DYLIB_PATH`, along the loader's path, in the `onnxruntime` package of the
    /// `python3` on PATH. The first one that is loaded serves the whole process.
    ///
    /// # Errors
    /// What was looked for and not found, what could not be loaded and why, which provider the library has not.
    pub fn find(provider: Provider, threads: usize) -> Result<OnnxRuntime, Unavailable> {
        const REMEDY: &str = "install it (`pip install onnxruntime`), or set ORT_DYLIB_PATH to the library's file, version 1.18 or later";
        let search = discover::search();
        let Some(path) = search.found else {
            return Err(unavailable(provider, "its library was not found".to_owned(), search.looked_for, REMEDY));
        };
        let failed = |reason: String| unavailable(provider, reason, search.looked_for.clone(), REMEDY);
        let (path, environment) = loaded(path).map_err(failed)?;
        let is_there = match provider {
            Provider::Cpu => Ok(true),
            Provider::Cuda => CUDA::is_available(),
            Provider::TensorRt => TensorRT::is_available(),
        };
        if !is_there.map_err(|error| failed(error.to_string()))? {
            let reason = format!("the library {} was built without the provider {}", path.display(), provider.name());
            let remedy = "install a build that has it (`pip install onnxruntime-gpu`), or choose `onnxruntime`";
            return Err(unavailable(provider, reason, search.looked_for, remedy));
        }
        crate::allocator::settle();
        let caches = Arc::new(Caches::of_this_machine());
        let library = library_name(&path);
        Ok(OnnxRuntime { environment, library, provider, threads: threads.max(1), caches })
    }

    /// As [`Backend::prepare`], and gives access to the weights, so that results can be checked.
    pub fn prepare_conv(&self, spec: &ConvSpec) -> Result<OrtConv, TimingError> {
        OrtConv::new(self, spec)
    }

    /// A session's options: as a deployment has them, threads as asked for, and no provider but the one asked for.
    fn builder(&self) -> Result<SessionBuilder, String> {
        let provider: Option<ExecutionProviderDispatch> = match self.provider {
            Provider::Cpu => None,
            // A provider that cannot be registered is an error, not a run on the CPU.
            Provider::Cuda => Some(CUDA::default().build().error_on_failure()),
            Provider::TensorRt => Some(TensorRT::default().build().error_on_failure()),
        };
        let failed = |error: ort::Error| error.to_string();
        let builder = Session::builder(&self.environment).map_err(failed)?;
        let recover = |error: ort::Error<SessionBuilder>| error.to_string();
        let mut builder = builder
            .with_optimization_level(GraphOptimizationLevel::All)
            .map_err(recover)?
            .with_intra_threads(self.threads)
            .map_err(recover)?
            .with_inter_threads(1)
            .map_err(recover)?
            .with_parallel_execution(false)
            .map_err(recover)?;
        if let Some(provider) = provider {
            // What the provider cannot run would go to the CPU without a word.
            builder = builder
                .with_execution_providers([provider])
                .map_err(recover)?
                .with_config_entry("session.disable_cpu_ep_fallback", "1")
                .map_err(recover)?;
        }
        Ok(builder)
    }

    /// The same, with the library's profiler on.
    fn profiling(&self) -> Result<SessionBuilder, String> {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let name = format!("locp-ort-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        self.builder()?.with_profiling(std::env::temp_dir().join(name)).map_err(|error| error.to_string())
    }

    /// Profiles a whole model.
    fn node_times(&self, path: &Path, sizes: &InputSizes) -> Result<Vec<NodeTime>, String> {
        let mut run = self.load(self.profiling()?, path, sizes)?;
        let mut once = || run.time(CacheState::Warm).map_err(|error| error.to_string());
        for _ in 0..PROFILE_IDLE {
            once()?;
        }
        let first_ns = once()?.ns;
        for _ in 0..crate::profile_runs(first_ns) {
            once()?;
        }
        let text = run.profiled(|path| std::fs::read_to_string(path))?.map_err(|error| error.to_string())?;
        Ok(profile::node_times(&profile::runs(&text), PROFILE_IDLE))
    }

    fn load(&self, mut builder: SessionBuilder, path: &Path, sizes: &InputSizes) -> Result<Run, String> {
        let session = builder.commit_from_file(path).map_err(|error| error.to_string())?;
        let outlets = session.inputs();
        let own = |(i, outlet): (usize, &Outlet)| filled(i, outlet, outlets.len(), sizes);
        let inputs: Vec<Tensor> = outlets.iter().enumerate().map(own).collect::<Result<_, _>>()?;
        Run::new(path.display().to_string(), session, inputs, Arc::clone(&self.caches))
            .map_err(|error| error.to_string())
    }
}

/// Something for the model to run on while it is timed: noise for numbers, zeros for indices.
fn filled(index: usize, outlet: &Outlet, inputs: usize, sizes: &InputSizes) -> Result<Tensor, String> {
    let name = outlet.name();
    let ValueType::Tensor { ty, shape, .. } = outlet.dtype() else {
        return Err(format!("the input `{name}` is not a tensor"));
    };
    let dims: Vec<Option<usize>> = shape.iter().map(|&dim| usize::try_from(dim).ok()).collect();
    let dims = inputs::shape(sizes, name, inputs, &dims)?;
    let n: usize = dims.iter().product();
    let zeros = |element: ElementType| Tensor::new(element, dims.clone(), vec![0; n * element.bytes()].into());
    let tensor = match ty {
        TensorElementType::Float32 => Tensor::from_f32(dims, &fill::activations(n, index as u64 + 3)),
        TensorElementType::Float64 => zeros(ElementType::F64),
        TensorElementType::Int64 => zeros(ElementType::I64),
        TensorElementType::Int32 => zeros(ElementType::I32),
        TensorElementType::Uint8 => zeros(ElementType::U8),
        TensorElementType::Int8 => zeros(ElementType::I8),
        other => return Err(format!("the input `{name}` has elements of type {other:?}, which is not handled")),
    };
    tensor.map_err(|error| error.to_string())
}

impl Backend for OnnxRuntime {
    fn check(&self) -> Result<Machine, Unavailable> {
        Ok(Machine {
            engine: engine(self.provider),
            device: machine::cpu_name(),
            compute: machine::vector_extension().to_owned(),
            driver: String::new(),
            library: self.library.clone(),
            policy: "all optimizations, sequential, less reorders".to_owned(),
            threads: self.threads,
            method: METHOD,
        })
    }

    fn prepare(&self, spec: &ConvSpec) -> Result<Box<dyn Prepared + Send>, TimingError> {
        Ok(Box::new(self.prepare_conv(spec)?))
    }
}

impl ModelBackend for OnnxRuntime {
    fn load(&self, onnx: &Path, sizes: &InputSizes) -> Result<Box<dyn ModelRun>, TimingError> {
        let run = self.builder().and_then(|builder| OnnxRuntime::load(self, builder, onnx, sizes));
        let run = run.map_err(|reason| TimingError::Model { path: onnx.to_owned(), reason })?;
        Ok(Box::new(conv::WholeModel(run)))
    }

    fn profile(&self, onnx: &Path, sizes: &InputSizes) -> Option<Result<Vec<NodeTime>, TimingError>> {
        let times = self.node_times(onnx, sizes);
        Some(times.map_err(|reason| TimingError::Model { path: onnx.to_owned(), reason }))
    }
}
