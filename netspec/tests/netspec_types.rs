//! What every public type can do: be sent to another thread, and be printed for debugging.

use netspec::*;
use std::fmt::Debug;

fn is_send_and_debug<T: Send + Debug + ?Sized>() {}
fn is_send<T: Send + ?Sized>() {}

#[test]
fn public_types_are_send_and_debug() {
    is_send_and_debug::<Constraint>();
    is_send_and_debug::<WidthError>();
    is_send_and_debug::<Machine>();
    is_send_and_debug::<CacheState>();
    is_send_and_debug::<Measurement>();
    is_send_and_debug::<Provenance>();
    is_send_and_debug::<StopReason>();
    is_send_and_debug::<ChannelGroup>();
    is_send_and_debug::<Frozen>();
    is_send_and_debug::<GroupId>();
    is_send_and_debug::<IndexMap>();
    is_send_and_debug::<Layer>();
    is_send_and_debug::<Member>();
    is_send_and_debug::<Network>();
    is_send_and_debug::<Operator>();
    is_send_and_debug::<Part>();
    is_send_and_debug::<Role>();
    is_send_and_debug::<Width>();
    is_send_and_debug::<GroupPlan>();
    is_send_and_debug::<PlanError>();
    is_send_and_debug::<PrunePlan>();
    is_send_and_debug::<Activation>();
    is_send_and_debug::<Axis>();
    is_send_and_debug::<WordError>();
    is_send_and_debug::<ConvSpec>();
    is_send_and_debug::<DType>();
    is_send_and_debug::<Epilogue>();
    is_send_and_debug::<Layout>();
    is_send_and_debug::<SpecError>();
    is_send_and_debug::<ElementType>();
    is_send_and_debug::<Tensor>();
    is_send_and_debug::<TensorError>();
    is_send::<Box<dyn Weights>>();
}
