//! Values of flags, from their text.

use locp::netspec::{ConvSpec, InputShape, SpecError, WordError};

pub(super) fn number(text: &str, allowed: fn(f64) -> bool, expected: &str) -> Result<f64, String> {
    text.parse().ok().filter(|&value| allowed(value)).ok_or_else(|| format!("expected {expected}"))
}

pub(super) fn share(text: &str) -> Result<f64, String> {
    number(text, |v| v > 0.0 && v <= 1.0, "a share above 0 and at most 1")
}

pub(super) fn spec(text: &str) -> Result<ConvSpec, String> {
    text.parse().map_err(|error: SpecError| error.to_string())
}

pub(super) fn input_shape(text: &str) -> Result<InputShape, String> {
    text.parse().map_err(|error: WordError| error.to_string())
}

pub(super) fn ratio(text: &str) -> Result<f64, String> {
    number(text, |v| v > 0.0 && v.is_finite(), "a ratio above 0, for example 0.66")
}

/// A share of a latency, written as a budget is or as a number.
pub(super) fn latency_share(text: &str) -> Result<f64, String> {
    share(text.strip_suffix('x').unwrap_or(text))
}
