//! What can go wrong.

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
    #[error("{what} holds a number that is not finite; look for an overflow before this layer")]
    NotFinite {
        /// Which slice.
        what: &'static str,
    },
    /// There is nothing to fit to.
    #[error("no row was added; give at least one image")]
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
    #[error("the moments of {features} inputs cannot be inverted, whatever the ridge; look for an overflow")]
    Singular {
        /// Inputs of the layer.
        features: usize,
    },
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
