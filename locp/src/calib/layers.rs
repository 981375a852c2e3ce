//! A layer as rows of numbers: its weights as a matrix, its inputs and outputs pixel by pixel.

use compensate::{Bias, Unfold};
use netspec::{ConvSpec, Layer, Weights};
use onnx_surgery::{Model, Wiring};
use stats::Rng;
use std::borrow::Cow;

/// Rows that moments rest on at least, if there are so many pixels, and how many for each input.
const ROWS: usize = 8192;
const ROWS_PER_INPUT: usize = 2;

/// A layer that can be looked at and given other weights.
pub(super) struct View<'m> {
    pub(super) layer: &'m Layer,
    pub(super) wiring: &'m Wiring,
    pub(super) unfold: Unfold,
}

impl<'m> View<'m> {
    pub(super) fn new(layer: &'m Layer, wiring: &'m Wiring) -> View<'m> {
        View { layer, wiring, unfold: Unfold::new(&layer.spec) }
    }

    pub(super) fn spec(&self) -> &ConvSpec {
        &self.layer.spec
    }

    /// Whether the means of what it computes may be absorbed: by its bias, or by the means of its normalization.
    pub(super) fn bias(&self) -> Bias {
        if self.wiring.bias.is_some() || self.wiring.norm.is_some() { Bias::Free } else { Bias::Kept }
    }

    /// The constant that absorbs the means, and its elements where `bias` says what is added to each channel of what the
    /// weights compute, so far with the constants of `model`.
    pub(super) fn absorbed(
        &self,
        model: &Model,
        bias: impl Fn(f32, f64) -> f64,
        shift: &[f64],
    ) -> Option<(String, Vec<f32>)> {
        let numbers = |name: &String| model.get(name)?.to_f32().ok();
        if let Some(name) = &self.wiring.bias {
            let new = numbers(name)?.iter().zip(shift).map(|(&old, &shift)| bias(old, shift) as f32).collect();
            return Some((name.clone(), new));
        }
        let name = &self.wiring.norm.as_ref()?.mean;
        let new = numbers(name)?.iter().zip(shift).map(|(&old, &shift)| (f64::from(old) - shift) as f32).collect();
        Some((name.clone(), new))
    }

    /// What follows the layer, channel by channel: a factor and what is added then; nothing where a factor is 0, so that
    /// there is no way back.
    pub(super) fn affine(&self, model: &Model) -> Option<Vec<[f32; 2]>> {
        let Some(norm) = &self.wiring.norm else { return Some(vec![[1.0, 0.0]; self.spec().c_out]) };
        let numbers = |name: &String| model.get(name)?.to_f32().ok();
        let (scale, shift) = (numbers(&norm.scale)?, numbers(&norm.shift)?);
        let (mean, variance) = (numbers(&norm.mean)?, numbers(&norm.variance)?);
        let of = |c: usize| {
            let factor = scale[c] / (variance[c] + norm.epsilon).sqrt();
            (factor != 0.0 && factor.is_finite()).then_some([factor, shift[c] - factor * mean[c]])
        };
        (0..self.spec().c_out).map(of).collect()
    }

    /// The weights as c_out rows of one number for each input that they read; nothing where they are not as the spec says.
    pub(super) fn weights(&self, model: &Model) -> Option<Vec<f64>> {
        let stored = model.get(&self.layer.weight)?.to_f32().ok()?;
        let (rows, columns) = (self.spec().c_out, self.unfold.features());
        if stored.len() != rows * columns {
            return None;
        }
        let by_row = if self.wiring.out_axis == 0 { stored } else { transposed(&stored, columns, rows) };
        Some(by_row.into_iter().map(f64::from).collect())
    }

    /// Such rows as the file keeps them.
    pub(super) fn stored(&self, weights: &[f64]) -> Vec<f32> {
        let numbers: Vec<f32> = weights.iter().map(|&w| w as f32).collect();
        let (rows, columns) = (self.spec().c_out, self.unfold.features());
        if self.wiring.out_axis == 0 { numbers } else { transposed(&numbers, rows, columns) }
    }

    /// One image's input as (channels, height, width); nothing where the tensor is not of that size.
    pub(super) fn input<'t>(&self, tensor: &'t [f32], image: usize, batch: usize) -> Option<Cow<'t, [f32]>> {
        self.image(tensor, image, batch, self.spec().c_in, self.unfold.input_len())
    }

    /// One image's output in the same way.
    pub(super) fn output<'t>(&self, tensor: &'t [f32], image: usize, batch: usize) -> Option<Cow<'t, [f32]>> {
        self.image(tensor, image, batch, self.spec().c_out, self.unfold.output_len())
    }

    /// One image's part of a tensor of so many channels and elements.
    pub(super) fn image<'t>(
        &self,
        tensor: &'t [f32],
        image: usize,
        batch: usize,
        channels: usize,
        expected: usize,
    ) -> Option<Cow<'t, [f32]>> {
        if tensor.len() != expected * batch {
            return None;
        }
        let own = &tensor[image * expected..(image + 1) * expected];
        let pixels = expected / channels.max(1);
        if !self.wiring.channels_last || pixels == 1 {
            return Some(Cow::Borrowed(own));
        }
        Some(Cow::Owned(transposed(own, pixels, channels)))
    }
}

/// A matrix of so many rows and columns, row after row, column after column.
pub(super) fn transposed<T: Copy>(matrix: &[T], rows: usize, columns: usize) -> Vec<T> {
    (0..rows * columns).map(|at| matrix[at % rows * columns + at / rows]).collect()
}

/// Pixels to look at in one image: spread over all of them, as many as the moments of so many inputs need.
pub(super) fn pixels(rng: &mut Rng, pixels: usize, inputs: usize, images: usize) -> Vec<usize> {
    let rows = ROWS.max(ROWS_PER_INPUT * inputs);
    let wanted = rows.div_ceil(images.max(1)).clamp(1, pixels.max(1));
    let share = pixels as f64 / wanted as f64;
    (0..wanted).map(|i| (((i as f64 + rng.uniform()) * share) as usize).min(pixels - 1)).collect()
}

/// Whether an image is fitted to (0) or held out, to choose the ridge by (1): every fourth is.
pub(super) fn side_of(image: usize) -> usize {
    usize::from(image % 4 == 3)
}
