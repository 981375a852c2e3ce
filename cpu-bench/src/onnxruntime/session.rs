//! A session of ONNX Runtime's with its inputs, run and timed.

use crate::caches::Caches;
use netspec::{CacheState, ElementType, Tensor, TensorView};
use ort::session::{Session, SessionInputValue};
use ort::value::{DynValue, Tensor as OrtTensor, TensorElementType, ValueType};
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;
use timing::{Reading, TimingError};

/// A session, inputs to time it on, and what of its time is not the network's.
pub(crate) struct Run {
    what: String,
    session: Session,
    inputs: Vec<DynValue>,
    /// The inputs' elements and shapes, which those of others must have.
    kinds: Vec<(ElementType, Vec<usize>)>,
    /// Bytes of inputs, read to bring them near where the caches shall be as inside of a network.
    near: Vec<Vec<u8>>,
    caches: Arc<Caches>,
    /// Nanoseconds of each run that are subtracted, and the share of the rest that a reading is.
    pub(crate) overhead_ns: f64,
    pub(crate) share: f64,
}

impl Run {
    pub(crate) fn new(
        what: String,
        session: Session,
        inputs: Vec<Tensor>,
        caches: Arc<Caches>,
    ) -> Result<Run, TimingError> {
        let values = inputs.iter().map(|input| to_ort(input).map_err(|reason| TimingError::run(&what, reason)));
        let values = values.collect::<Result<Vec<_>, _>>()?;
        let kinds = inputs.iter().map(|input| (input.element, input.shape.clone())).collect();
        let near = inputs.into_iter().map(|input| input.bytes.into_owned()).collect();
        Ok(Run { what, session, inputs: values, kinds, near, caches, overhead_ns: 0.0, share: 1.0 })
    }

    /// Times one run on the session's own inputs. The outputs are freed outside of the time.
    pub(crate) fn time(&mut self, cache: CacheState) -> Result<Reading, TimingError> {
        let near: Vec<&[u8]> = self.near.iter().map(Vec::as_slice).collect();
        self.caches.set(cache, &near);
        let inputs: Vec<SessionInputValue<'_>> = self.inputs.iter().map(SessionInputValue::from).collect();
        let start = Instant::now();
        let outputs = self.session.run(inputs.as_slice());
        let elapsed = start.elapsed();
        match outputs {
            // What is left must not look like an impossible reading where all of it is overhead.
            Ok(_) => Ok(Reading::new(((elapsed.as_nanos() as f64 - self.overhead_ns) * self.share).max(1.0))),
            Err(error) => Err(TimingError::run(&self.what, error)),
        }
    }

    /// Runs on given inputs.
    pub(crate) fn infer(&mut self, inputs: &[TensorView<'_>]) -> Result<Vec<Tensor>, TimingError> {
        if inputs.len() != self.kinds.len() {
            let reason = format!("{} inputs were given, and there are {}", inputs.len(), self.kinds.len());
            return Err(TimingError::Input { index: inputs.len().min(self.kinds.len()), reason });
        }
        let mut values = Vec::new();
        for (index, (view, (element, shape))) in inputs.iter().zip(&self.kinds).enumerate() {
            if (&view.element, &view.shape) != (element, shape) {
                let reason = format!(
                    "it is {:?} of shape {:?}, the model takes {element:?} of shape {shape:?}",
                    view.element, view.shape
                );
                return Err(TimingError::Input { index, reason });
            }
            values.push(to_ort(view).map_err(|reason| TimingError::Input { index, reason })?);
        }
        let values: Vec<SessionInputValue<'_>> = values.into_iter().map(SessionInputValue::from).collect();
        let outputs = self.session.run(values.as_slice()).map_err(|error| TimingError::run(&self.what, error))?;
        let converted =
            outputs.iter().map(|(name, value)| from_ort(&value).map_err(|reason| format!("output {name}: {reason}")));
        converted.collect::<Result<_, _>>().map_err(|reason| TimingError::run(&self.what, reason))
    }

    /// Ends profiling, and returns what `read` makes of the profile.
    pub(crate) fn profiled<T>(mut self, read: impl Fn(&Path) -> T) -> Result<T, String> {
        let path = self.session.end_profiling().map_err(|error| error.to_string())?;
        let told = read(path.as_ref());
        // Only a leftover in the folder for temporary files.
        _ = std::fs::remove_file(&path);
        Ok(told)
    }
}

fn numbers<const N: usize, T>(bytes: &[u8], from: fn([u8; N]) -> T) -> Vec<T> {
    bytes.as_chunks::<N>().0.iter().map(|&chunk| from(chunk)).collect()
}

fn to_ort(view: &TensorView<'_>) -> Result<DynValue, String> {
    let (shape, bytes) = (view.shape.clone(), &*view.bytes);
    let value = match view.element {
        ElementType::F32 => OrtTensor::from_array((shape, numbers(bytes, f32::from_le_bytes))).map(|t| t.into_dyn()),
        ElementType::F64 => OrtTensor::from_array((shape, numbers(bytes, f64::from_le_bytes))).map(|t| t.into_dyn()),
        ElementType::I32 => OrtTensor::from_array((shape, numbers(bytes, i32::from_le_bytes))).map(|t| t.into_dyn()),
        ElementType::I64 => OrtTensor::from_array((shape, numbers(bytes, i64::from_le_bytes))).map(|t| t.into_dyn()),
        ElementType::U8 => OrtTensor::from_array((shape, bytes.to_vec())).map(|t| t.into_dyn()),
        ElementType::I8 => OrtTensor::from_array((shape, numbers(bytes, i8::from_le_bytes))).map(|t| t.into_dyn()),
        other => return Err(format!("inputs of type {other:?} are not handled")),
    };
    value.map_err(|error| error.to_string())
}

fn from_ort(value: &ort::value::DynValueRef<'_>) -> Result<Tensor, String> {
    let ValueType::Tensor { ty, shape, .. } = value.dtype() else { return Err("it is no tensor".to_owned()) };
    let dims: Vec<usize> = shape.iter().map(|&dim| usize::try_from(dim).unwrap_or(0)).collect();
    let failed = |error: ort::Error| error.to_string();
    let (element, bytes): (ElementType, Vec<u8>) = match ty {
        TensorElementType::Float32 => {
            let (_, all) = value.try_extract_tensor::<f32>().map_err(failed)?;
            (ElementType::F32, all.iter().flat_map(|x| x.to_le_bytes()).collect())
        }
        TensorElementType::Float64 => {
            let (_, all) = value.try_extract_tensor::<f64>().map_err(failed)?;
            (ElementType::F64, all.iter().flat_map(|x| x.to_le_bytes()).collect())
        }
        TensorElementType::Int64 => {
            let (_, all) = value.try_extract_tensor::<i64>().map_err(failed)?;
            (ElementType::I64, all.iter().flat_map(|x| x.to_le_bytes()).collect())
        }
        TensorElementType::Int32 => {
            let (_, all) = value.try_extract_tensor::<i32>().map_err(failed)?;
            (ElementType::I32, all.iter().flat_map(|x| x.to_le_bytes()).collect())
        }
        other => return Err(format!("elements of type {other:?} are not handled")),
    };
    TensorView::new(element, dims, bytes.into()).map_err(|error| error.to_string())
}
