//! What tensors are filled with.
//!
//! Values matter to time: all zeros would be cheap on hardware that gates idle multipliers, and denormal numbers
//! dear. Both fills are seeded by the tensor's role, so that every run of a spec sees the same numbers.

use timing::Rng;

/// Numbers that are drawn; longer tensors repeat them. A hundred million draws would take longer than all the runs
/// of a fully connected layer, and no engine can tell. A prime, so that rows do not repeat each other.
const DRAWN: usize = 65_521;

fn repeated(n: usize, draw: impl FnMut() -> f32) -> Vec<f32> {
    let drawn: Vec<f32> = std::iter::repeat_with(draw).take(n.min(DRAWN)).collect();
    drawn.iter().copied().cycle().take(n).collect()
}

/// Activations as behind a ReLU: normal values with the negative half set to zero.
pub(crate) fn activations(n: usize, seed: u64) -> Vec<f32> {
    let mut rng = Rng::new(seed);
    repeated(n, || rng.normal().max(0.0) as f32)
}

/// Weights with the variance that keeps activations at their scale: 2 / `fan_in` (He et al., 2015).
pub(crate) fn weights(n: usize, fan_in: usize, seed: u64) -> Vec<f32> {
    let mut rng = Rng::new(seed);
    let scale = (2.0 / fan_in.max(1) as f64).sqrt();
    repeated(n, || (rng.normal() * scale) as f32)
}
