//! What every public type can do: be sent to another thread, and be printed for debugging.

use cpu_bench::*;
use std::fmt::Debug;

fn is_send_and_debug<T: Send + Debug + ?Sized>() {}

#[test]
fn public_types_are_send_and_debug() {
    is_send_and_debug::<TractConv>();
    is_send_and_debug::<OnnxRuntime>();
    is_send_and_debug::<OrtConv>();
    is_send_and_debug::<Provider>();
    is_send_and_debug::<Tract>();
}
