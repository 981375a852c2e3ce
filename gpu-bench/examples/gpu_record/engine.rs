//! The engine that is recorded.

use crate::Result;
use crate::args::Options;
use gpu_bench::Cuda;
use replay::Simulated;
use serde_json::{Value, json};
use std::sync::Arc;
use timing::Backend;

/// A GPU, or the model of one for trying everything else.
pub(crate) struct Engine {
    pub(crate) backend: Arc<dyn Backend + Sync>,
    cuda: Option<Cuda>,
}

impl Engine {
    pub(crate) fn open(options: &Options) -> Result<Engine> {
        let name = options.engine.as_str();
        if let Some(gpu) = name.strip_prefix("simulated:") {
            let simulated = Simulated::named(gpu)?.seed(options.seed);
            return Ok(Engine { backend: Arc::new(simulated), cuda: None });
        }
        let index = match name.strip_prefix("cuda:") {
            Some(index) => index.parse().map_err(|_| format!("there is no engine {name}"))?,
            None if name == "cuda" => 0,
            None => return Err(format!("there is no engine {name}; it is cuda, cuda:INDEX or simulated:NAME").into()),
        };
        let cuda = Cuda::device(index)?.selection(options.selection).seed(options.seed);
        Ok(Engine { backend: Arc::new(cuda.clone()), cuda: Some(cuda) })
    }

    /// The GPU, where there is one.
    pub(crate) fn cuda(&self) -> Option<&Cuda> {
        self.cuda.as_ref()
    }

    /// What it is, beyond the machine's fields.
    pub(crate) fn describe(&self) -> Value {
        let Some(cuda) = &self.cuda else { return json!({ "simulated": true }) };
        let environment = cuda.environment();
        let cudnn_device = match environment.cudnn_device {
            Ok(text) => serde_json::from_str(&text).unwrap_or(Value::String(text)),
            Err(reason) => json!({ "unknown": reason }),
        };
        json!({
            "simulated": false,
            "index": environment.device,
            "multiprocessors": environment.multiprocessors,
            "l2_bytes": environment.l2_bytes,
            "rated_clock_mhz": environment.clock_mhz,
            "memory_bytes": environment.memory_bytes,
            "nvrtc": environment.nvrtc,
            "cudnn_device": cudnn_device,
        })
    }

    /// Clocks, temperature and so on at this moment; nothing where nobody tells.
    pub(crate) fn state(&self) -> Value {
        let Some(cuda) = &self.cuda else { return Value::Null };
        let state = cuda.state();
        json!({
            "clock_mhz": state.clock_mhz,
            "max_clock_mhz": state.max_clock_mhz,
            "memory_clock_mhz": state.memory_clock_mhz,
            "temperature_c": state.temperature_c,
            "power_w": state.power_w,
            "throttle_reasons": state.throttle_reasons,
        })
    }
}
