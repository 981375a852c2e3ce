//! What every public type can do: be sent to another thread, and be printed for debugging.

use onnx_surgery::*;
use std::fmt::Debug;

fn is_send_and_debug<T: Send + Debug + ?Sized>() {}

#[test]
fn public_types_are_send_and_debug() {
    is_send_and_debug::<ExternalProblem>();
    is_send_and_debug::<ModelError>();
    is_send_and_debug::<SurgeryError>();
    is_send_and_debug::<Port>();
    is_send_and_debug::<Model>();
    is_send_and_debug::<Change>();
    is_send_and_debug::<Patch<'_>>();
    is_send_and_debug::<Norm>();
    is_send_and_debug::<Sum>();
    is_send_and_debug::<Wiring>();
}
