//! A branch that was removed, and the constant that stands for it.

use super::Setting;
use super::front::Front;
use super::layers::View;
use super::repair::Target;
use super::taps::batch_of;
use crate::Error;
use netspec::{Layer, PrunePlan, Weights as _};
use onnx_surgery::{Sum, Wiring};
use std::ops::Range;

/// The constant that a branch is replaced by, in the fitting: the mean of what the stream lacks, channel by channel.
pub(super) struct Constant<'m> {
    /// The layer that ended the branch, in the dense model.
    view: View<'m>,
    sum: &'m Sum,
    /// Positions of the sum's channels that are left.
    outputs: Vec<usize>,
    images: Range<usize>,
    /// What the dense network has there, added up over pixels and images.
    wanted: Vec<f64>,
    pixels: usize,
}

impl<'m> Constant<'m> {
    /// Nothing where the layer ends no branch that was removed from `pruned`.
    pub(super) fn new(
        layer: &'m Layer,
        wiring: &'m Wiring,
        plan: &PrunePlan,
        pruned: &onnx_surgery::Model,
    ) -> Option<Constant<'m>> {
        let sum = wiring.sum.as_ref()?;
        let outputs = plan.positions(&layer.weight, wiring.out_axis, layer.spec.c_out);
        let constant = pruned.get(&sum.term)?.to_f32().ok()?;
        let wanted = vec![0.0; outputs.len()];
        let is_whole = constant.len() == outputs.len();
        let view = View::new(layer, wiring);
        is_whole.then_some(Constant { view, sum, outputs, images: 0..0, wanted, pixels: 0 })
    }

    pub(super) fn layer(&self) -> &'m Layer {
        self.view.layer
    }

    /// Chooses images.
    pub(super) fn on(self, images: Range<usize>) -> Constant<'m> {
        Constant { images, ..self }
    }

    /// What of the pruned model is looked at.
    pub(super) fn input(&self) -> &'m str {
        &self.sum.other
    }

    /// Runs the pruned model, and finds the constant's elements; nothing where it cannot be looked at.
    pub(super) fn fitted(
        self,
        setting: &Setting<'_>,
        current: &onnx_surgery::Model,
        front: &mut Front,
    ) -> Result<Option<(String, Vec<f32>)>, Error> {
        let tensors = [self.input()];
        front.reach(setting, current, self.images.clone(), &tensors)?;
        let batch = batch_of(current);
        let (channels, pixels) = (self.outputs.len(), self.view.unfold.pixels());
        let (mut found, mut seen) = (vec![0.0; channels], 0);
        front.run(setting, current, &tensors, |values, own| {
            for place in 0..own {
                let Some(other) = self.view.image(&values[0], place, batch, channels, channels * pixels) else { break };
                add(&mut found, other.chunks(pixels));
                seen += pixels;
            }
            Ok(())
        })?;
        let is_whole = seen == self.pixels && seen > 0;
        let mean = |(wanted, found): (&f64, f64)| ((wanted - found) / seen as f64) as f32;
        let elements: Vec<f32> = self.wanted.iter().zip(found).map(mean).collect();
        let is_finite = elements.iter().all(|element| element.is_finite());
        Ok((is_whole && is_finite).then(|| (self.sum.term.clone(), elements)))
    }
}

impl Target for Constant<'_> {
    fn target(&self) -> &str {
        &self.sum.output
    }

    fn images(&self) -> Range<usize> {
        self.images.clone()
    }

    fn aim(&mut self, _: usize, tensor: &[f32], place: usize, batch: usize) {
        let Some(target) = self.view.output(tensor, place, batch) else { return };
        let pixels = self.view.unfold.pixels();
        let left = self.outputs.iter().map(|&output| &target[output * pixels..(output + 1) * pixels]);
        add(&mut self.wanted, left);
        self.pixels += pixels;
    }
}

/// Adds each channel's pixels to its sum.
fn add<'t>(sums: &mut [f64], channels: impl Iterator<Item = &'t [f32]>) {
    for (sum, pixels) in sums.iter_mut().zip(channels) {
        *sum += pixels.iter().map(|&value| f64::from(value)).sum::<f64>();
    }
}
