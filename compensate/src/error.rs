//! What can go wrong.

const FIND_OVERFLOW: &str = "look for an overflow before this layer";
const GIVE_IMAGE: &str = "give at least one image";

/// Why there are no moments, no fit, or no order.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum CompensateError {
    /// A slice is not as long as it should be.
    #[error("{what} has {found} numbers; expected {expected}")]
    Length {
        /// Which slice.
        what: &'static str,
        /// Numbers that it has.
        found: usize,
        /// Numbers that it should have.
        expected: usize,
    },
    /// A number is NaN or infinite.
    #[error("{what} holds a number that is not finite; {FIND_OVERFLOW}")]
    NotFinite {
        /// Which slice.
        what: &'static str,
    },
    /// There is nothing to fit to.
    #[error("no row was added; {GIVE_IMAGE}")]
    Empty,
    /// A channel owns a feature that is not there, or one that another channel owns.
    #[error("channel {channel} owns feature {feature} of {features}, which is none, or another channel's too")]
    Feature {
        /// The channel.
        channel: usize,
        /// The feature.
        feature: usize,
        /// Features there are.
        features: usize,
    },
    /// Moments that no ridge makes invertible: overflow, most likely.
    #[error("the moments of {features} inputs cannot be inverted, whatever the ridge; {FIND_OVERFLOW}")]
    Singular {
        /// Inputs of the layer.
        features: usize,
    },
}

impl CompensateError {
    /// What to do, as the error's text ends; `None` if no step is known.
    pub fn remedy(&self) -> Option<&'static str> {
        match self {
            CompensateError::NotFinite { .. } | CompensateError::Singular { .. } => Some(FIND_OVERFLOW),
            CompensateError::Empty => Some(GIVE_IMAGE),
            CompensateError::Length { .. } | CompensateError::Feature { .. } => None,
        }
    }
}

/// An error unless a slice has so many finite numbers.
pub(crate) fn check(what: &'static str, numbers: &[f64], expected: usize) -> Result<(), CompensateError> {
    if numbers.len() != expected {
        return Err(CompensateError::Length { what, found: numbers.len(), expected });
    }
    if numbers.iter().any(|number| !number.is_finite()) {
        return Err(CompensateError::NotFinite { what });
    }
    Ok(())
}
