//! Public types can move to other threads and be printed.

use netspec::{ConvSpec, Measurement};
use std::fmt::Debug;
use timing::{
    Answer, Backend, BackendSource, Comparison, Counted, Counts, DriftReport, FromFn, LatencySource, Limited,
    ModelBackend, ModelRun, Policy, Prepared, Reading, Request, Rule, Samples, Sampling, TimingError, Unavailable,
    Verdict, stop,
};

fn send_and_debug<T: Send + Debug>() {}
fn send<T: Send + ?Sized>() {}

type Source = FromFn<fn(&ConvSpec) -> Result<Measurement, TimingError>>;

/// An engine of which nothing but its type is used.
#[derive(Debug)]
struct Engine;
impl Backend for Engine {
    fn check(&self) -> Result<netspec::Machine, Unavailable> {
        Ok(netspec::Machine::default())
    }
    fn prepare(&self, spec: &ConvSpec) -> Result<Box<dyn Prepared + Send>, TimingError> {
        Err(TimingError::unsupported(spec, "nothing runs here"))
    }
}

#[test]
fn public_types_are_send_and_debug() {
    send_and_debug::<Answer>();
    send_and_debug::<BackendSource<Engine>>();
    send_and_debug::<Comparison>();
    send_and_debug::<Counted<Source>>();
    send_and_debug::<Counts>();
    send_and_debug::<DriftReport>();
    send_and_debug::<Limited<Source>>();
    send_and_debug::<Policy>();
    send_and_debug::<Reading>();
    send_and_debug::<Request>();
    send_and_debug::<Rule>();
    send_and_debug::<Samples>();
    send_and_debug::<Sampling>();
    send_and_debug::<TimingError>();
    send_and_debug::<Unavailable>();
    send_and_debug::<Verdict>();
    send_and_debug::<stop::Count>();
    send_and_debug::<stop::Relative>();
    send::<Box<dyn Backend>>();
    send::<Box<dyn LatencySource>>();
    send::<Box<dyn ModelBackend>>();
    send::<Box<dyn ModelRun>>();
}
