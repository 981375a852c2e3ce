//! A source that keeps the contract, except for one fault that a test plants.

use netspec::{
    CacheState, ConvSpec, ElementType, InputSizes, Machine, Measurement, Provenance, StopReason, Tensor, TensorView,
};
use std::path::Path;
use timing::{
    Answer, LatencySource, ModelBackend, ModelRun, Policy, Prepared, Reading, Request, Samples, Sampling, TimingError,
    sample, stop,
};

/// What is wrong with a source.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Fault {
    /// It keeps the contract.
    None,
    /// The machine has no engine.
    Nameless,
    /// Every reading makes it another machine.
    Restless,
    /// The answers come last one first.
    Reversed,
    /// The last of several answers is missing.
    TooFew,
    /// An empty list gets an answer.
    FromNothing,
    /// It runs nothing of what the kit asks for.
    RunsNothing,
    /// Every second answer is for another data type.
    Unsteady,
    /// Work beyond 256 output channels costs nothing.
    FasterWhenWide,
    /// One further reading more than asked.
    OneMore,
    /// No further reading after `forget`.
    Forgetful,
    /// The last further reading is not a number.
    NotANumber,
    /// Invalid specs get a latency.
    TakesAnything,
    /// Invalid specs fail the whole call.
    FailsTogether,
    /// Invalid specs interrupt.
    WrongError,
    /// The flag is not looked at.
    IgnoresCancel,
    /// The call after an interrupted one is interrupted, too.
    StaysInterrupted,
    /// A latency of zero.
    Zero,
    /// A median outside of its interval.
    OutsideInterval,
    /// Warm caches, whatever was asked.
    AlwaysWarm,
    /// Raw readings that were recorded.
    RecordedReadings,
    /// A chain takes half of its first part.
    ShortChain,
    /// A chain that cannot be prepared.
    NoChain,
    /// Models are loaded for one image, whatever was asked.
    WrongBatch,
    /// A missing file is a failed run.
    MissingFileRuns,
    /// Garbage is a model.
    LoadsGarbage,
    /// The bias is left out.
    NoBias,
    /// Every image is the first one.
    FirstImageOnly,
    /// The second inference is another one.
    Drifts,
    /// Inputs are not checked.
    AnyInput,
}

pub(crate) struct Source {
    pub(crate) fault: Fault,
    models: Models,
    reads: u32,
    was_interrupted: bool,
    was_forgotten: bool,
}

impl Source {
    pub(crate) fn with(fault: Fault) -> Source {
        Source { fault, models: Models(fault), reads: 0, was_interrupted: false, was_forgotten: false }
    }

    fn is(&self, fault: Fault) -> bool {
        self.fault == fault
    }

    fn answer(&self, request: &Request, how: &Sampling, place: usize) -> Result<Answer, TimingError> {
        let (spec, is_cancelled) = (&request.spec, how.policy.is_cancelled());
        if is_cancelled && !self.is(Fault::IgnoresCancel) || self.was_interrupted && self.is(Fault::StaysInterrupted) {
            return Err(TimingError::Interrupted);
        }
        if let Err(error) = spec.validate() {
            return match self.fault {
                Fault::TakesAnything => Ok(Answer::Settled(Measurement::exact(1.0, Provenance::Simulated))),
                Fault::WrongError => Err(TimingError::Interrupted),
                _ => Err(TimingError::unsupported(spec, error.to_string())),
            };
        }
        if self.is(Fault::RunsNothing) {
            return Err(TimingError::unsupported(spec, "it is tired"));
        }
        let mut ns = self.ns(spec);
        ns *= if self.is(Fault::Unsteady) && place % 2 == 1 { 1.5 } else { 1.0 };
        let mut samples = match request.further {
            Some(wanted) => sample(&mut Run(ns), &mut stop::Count::new(wanted), &Policy::warm())?,
            None => sample(&mut Run(ns), &mut how.rule.fresh(), &Policy::warm())?,
        };
        samples.cache = how.policy.cache();
        match request.further {
            Some(_) => self.spoil_further(&mut samples),
            None => self.spoil_settled(&mut samples),
        }
        if self.is(Fault::OutsideInterval) && request.further.is_none() {
            let interval_ns = [1.1 * ns, 1.2 * ns];
            return Ok(Answer::Settled(Measurement { interval_ns, ..samples.measurement() }));
        }
        Ok(Answer::Readings(samples))
    }

    fn ns(&self, spec: &ConvSpec) -> f64 {
        let c_out = if self.is(Fault::FasterWhenWide) && spec.c_out > 256 { 64 } else { spec.c_out };
        ConvSpec { c_out, ..spec.clone() }.macs() as f64 / 10.0
    }

    fn spoil_further(&self, samples: &mut Samples) {
        match self.fault {
            Fault::OneMore => samples.ns.push(samples.ns[0]),
            Fault::Forgetful if self.was_forgotten => samples.ns.clear(),
            Fault::NotANumber => *samples.ns.last_mut().unwrap() = f64::NAN,
            _ => {}
        }
    }

    fn spoil_settled(&self, samples: &mut Samples) {
        match self.fault {
            Fault::Zero => samples.ns.fill(0.0),
            Fault::AlwaysWarm => samples.cache = CacheState::Warm,
            Fault::RecordedReadings => samples.provenance = Provenance::Recorded,
            _ => {}
        }
    }
}

impl LatencySource for Source {
    fn machine(&self) -> Machine {
        let engine = if self.is(Fault::Nameless) { "" } else { "honest" };
        let driver = if self.is(Fault::Restless) { self.reads } else { 0 };
        Machine { engine: engine.into(), driver: driver.to_string(), ..Machine::default() }
    }

    fn read(&mut self, requests: &[Request], how: &Sampling) -> Vec<Result<Answer, TimingError>> {
        self.reads += 1;
        let mut answers: Vec<_> = requests.iter().enumerate().map(|(i, r)| self.answer(r, how, i)).collect();
        self.was_interrupted = how.policy.is_cancelled();
        match self.fault {
            Fault::Reversed => answers.reverse(),
            Fault::TooFew if answers.len() > 1 => _ = answers.pop(),
            Fault::FromNothing if answers.is_empty() => answers.push(Err(TimingError::Interrupted)),
            Fault::FailsTogether => {
                if let Some(error) = answers.iter().find_map(|answer| answer.as_ref().err().cloned()) {
                    answers.fill(Err(error));
                }
            }
            _ => {}
        }
        answers
    }

    fn forget(&mut self) {
        self.was_forgotten = true;
    }

    fn models(&self) -> Option<&dyn ModelBackend> {
        Some(&self.models)
    }

    fn chain(&self, specs: &[ConvSpec]) -> Option<Result<Box<dyn Prepared + Send>, TimingError>> {
        let parts = specs.iter().map(|spec| self.ns(spec));
        Some(match self.fault {
            Fault::NoChain => Err(TimingError::run("a chain", "it is broken")),
            Fault::ShortChain => Ok(Box::new(Run(self.ns(&specs[0]) / 2.0))),
            _ => Ok(Box::new(Run(parts.sum()))),
        })
    }
}

/// Takes the same time whenever it runs.
struct Run(f64);

impl Prepared for Run {
    fn run(&mut self, _: CacheState) -> Result<Reading, TimingError> {
        Ok(Reading::new(self.0))
    }
}

/// Knows the kit's model by its weights in the file.
struct Models(Fault);

struct Model {
    fault: Fault,
    batch: usize,
    inferences: u32,
}

impl ModelBackend for Models {
    fn load(&self, onnx: &Path, sizes: &InputSizes) -> Result<Box<dyn ModelRun>, TimingError> {
        let refused = |reason: String| TimingError::Model { path: onnx.to_owned(), reason };
        let bytes = std::fs::read(onnx).map_err(|error| match self.0 {
            Fault::MissingFileRuns => TimingError::run("a model", error),
            _ => refused(error.to_string()),
        })?;
        if bytes != include_bytes!("../../src/conformance/conv_relu.onnx") && self.0 != Fault::LoadsGarbage {
            return Err(refused("it is another model".to_owned()));
        }
        let batch = if self.0 == Fault::WrongBatch { 1 } else { sizes.batch.unwrap_or(1) };
        Ok(Box::new(Model { fault: self.0, batch, inferences: 0 }))
    }
}

impl Prepared for Model {
    fn run(&mut self, _: CacheState) -> Result<Reading, TimingError> {
        Ok(Reading::new(1e3 * self.batch as f64))
    }
}

impl ModelRun for Model {
    fn infer(&mut self, inputs: &[TensorView<'_>]) -> Result<Vec<Tensor>, TimingError> {
        self.inferences += 1;
        let wrong = |index, reason: &str| Err(TimingError::Input { index, reason: reason.to_owned() });
        let shape = [self.batch, 1, 8, 8];
        let Some(image) = inputs.first() else { return wrong(0, "an image is missing") };
        let fits = inputs.len() == 1 && (image.element, &*image.shape) == (ElementType::F32, &shape);
        if !fits && self.fault != Fault::AnyInput {
            return wrong(0, "one batch of images is expected");
        }
        let pixels = image.to_f32().unwrap();
        let mut outputs = Vec::new();
        for n in 0..self.batch {
            let n = if self.fault == Fault::FirstImageOnly { 0 } else { n };
            let image = &pixels[64 * n..64 * (n + 1)];
            (0..2).for_each(|output| outputs.extend(self.one(image, output)));
        }
        Ok(vec![Tensor::from_f32(vec![self.batch, 2, 8, 8], &outputs).unwrap()])
    }
}

impl Model {
    /// One output channel: the weights of `tools/python/make_conformance_model.py`, scattered from the pixels.
    fn one(&self, image: &[f32], output: i32) -> Vec<f32> {
        let is_off = self.fault == Fault::NoBias || self.fault == Fault::Drifts && self.inferences > 1;
        let mut sums = [if is_off { 0.0 } else { (1 - 2 * output) as f32 / 8.0 }; 64];
        for (pixel, place) in (0..64).flat_map(|pixel| (0..9).map(move |place| (pixel, place))) {
            let weight = ((5 * place + 3 * output) % 7 - 3) as f32 / 8.0;
            let (row, column) = (pixel / 8 + 1 - place / 3, pixel % 8 + 1 - place % 3);
            if (0..8).contains(&row) && (0..8).contains(&column) {
                sums[(8 * row + column) as usize] += weight * image[pixel as usize];
            }
        }
        sums.map(|sum| sum.max(0.0)).to_vec()
    }
}

/// An exact latency that carries a stop reason of sampling.
pub(crate) fn unsampled(ns: f64) -> Measurement {
    Measurement { stop: StopReason::Precise, ..Measurement::exact(ns, Provenance::Measured) }
}
