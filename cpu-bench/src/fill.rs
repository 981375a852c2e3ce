//! What tensors are filled with.
//!
//! Values matter to time: all zeros would be cheap on hardware that gates idle multipliers, and denormal numbers
//! dear. Both fills are seeded by the tensor's role, so that every run of a spec sees the same numbers.

use timing::Rng;

/// Activations as behind a ReLU: normal values with the negative half set to zero.
pub(crate) fn activations(n: usize, seed: u64) -> Vec<f32> {
    let mut rng = Rng::new(seed);
    (0..n).map(|_| rng.normal().max(0.0) as f32).collect()
}

/// Weights with the variance that keeps activations at their scale: 2 / `fan_in` (He et al., 2015).
pub(crate) fn weights(n: usize, fan_in: usize, seed: u64) -> Vec<f32> {
    let mut rng = Rng::new(seed);
    let scale = (2.0 / fan_in.max(1) as f64).sqrt();
    (0..n).map(|_| (rng.normal() * scale) as f32).collect()
}
