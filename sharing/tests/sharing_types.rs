//! Public types can move to other threads and be printed.
use netspec::{ConvSpec, Measurement};
use sharing::*;
use std::fmt::Debug;
use timing::{FromFn, TimingError};

type Engine = FromFn<fn(&ConvSpec) -> Result<Measurement, TimingError>>;

#[test]
fn public_types_are_send_and_debug() {
    fn check<T: Send + Debug>() {}
    check::<Cached<Engine, DiskStore>>();
    check::<CachedStats>();
    check::<DiffOptions>();
    check::<DiskStore>();
    check::<Entry>();
    check::<JumpDiff>();
    check::<Key>();
    check::<Layered>();
    check::<Line>();
    check::<LineDiff>();
    check::<Lines>();
    check::<MemoryStore>();
    check::<Merged>();
    check::<PointDiff>();
    check::<Put>();
    check::<Recorded>();
    check::<Recorder>();
    check::<Side>();
    check::<StoreError>();
    check::<TableKind>();
    fn sends<T: Send + ?Sized>() {}
    sends::<Box<dyn Store>>();
}
