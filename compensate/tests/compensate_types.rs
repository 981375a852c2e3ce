//! What every public type can do: be sent to another thread, and be printed for debugging.

use compensate::*;
use std::fmt::Debug;

fn is_send_and_debug<T: Send + Debug + ?Sized>() {}

#[test]
fn public_types_are_send_and_debug() {
    is_send_and_debug::<CompensateError>();
    is_send_and_debug::<Moments>();
    is_send_and_debug::<Bias>();
    is_send_and_debug::<Refit>();
    is_send_and_debug::<Reader>();
    is_send_and_debug::<Removal>();
    is_send_and_debug::<Unfold>();
}
