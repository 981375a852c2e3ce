//! In which order channels are least missed.

use crate::error::check;
use crate::moments::Center;
use crate::solve::factored;
use crate::{CompensateError, Moments};
use nalgebra::DMatrix;

/// A layer that reads a group's channels.
#[derive(Clone, Debug)]
pub struct Reader {
    /// Second moments of its inputs about their means.
    inverse: DMatrix<f64>,
    /// What an error in one input costs with another: the weights' products, summed over the outputs.
    gram: DMatrix<f64>,
    /// The features that each channel owns.
    features: Vec<Vec<usize>>,
    /// Energy of the layer's outputs.
    energy: f64,
}

impl Reader {
    /// A layer with the moments of its inputs (targets are not looked at), weights as outputs x inputs, row after row,
    /// and the inputs that each channel owns. Inputs that no channel owns stay for ever.
    ///
    /// A layer that reads a window of pixels may be given with one input a channel and `kernel` times as many outputs:
    /// then each pixel of the window is taken to be by itself, which needs the square of the window's area less memory.
    ///
    /// # Errors
    /// Weights of the wrong length, numbers that are not finite, inputs that are not there or owned twice, no rows.
    pub fn new(
        moments: &Moments,
        weights: &[f64],
        features: Vec<Vec<usize>>,
        ridge: f64,
    ) -> Result<Reader, CompensateError> {
        let inputs = moments.inputs();
        let outputs = weights.len() / inputs.max(1);
        check("the layer's weights", weights, outputs * inputs)?;
        if moments.rows() == 0 {
            return Err(CompensateError::Empty);
        }
        let mut is_owned = vec![false; inputs];
        for (channel, owned) in features.iter().enumerate() {
            for &feature in owned {
                match is_owned.get_mut(feature) {
                    Some(taken) if !*taken => *taken = true,
                    _ => return Err(CompensateError::Feature { channel, feature, features: inputs }),
                }
            }
        }
        let wt = DMatrix::from_column_slice(inputs, outputs, weights);
        let gram = &wt * wt.transpose();
        let xx = moments.about(Center::Mean).xx;
        let energy = gram.component_mul(&xx).sum().max(0.0);
        let (factor, _) = factored(&xx, ridge)?;
        Ok(Reader { inverse: factor.inverse(), gram, features, energy })
    }

    /// What removing a channel next adds to the lost energy: the smallest loss over all weights of what then remains.
    fn price(&self, channel: usize) -> Option<f64> {
        let owned = &self.features[channel];
        let gram = self.gram.select_rows(owned).select_columns(owned);
        Some(self.block(owned)?.component_mul(&gram).sum().max(0.0))
    }

    /// The inverse of the inverse's block.
    fn block(&self, owned: &[usize]) -> Option<DMatrix<f64>> {
        self.inverse.select_rows(owned).select_columns(owned).try_inverse()
    }

    /// Takes a channel away; the weights of the others become the best ones without it.
    ///
    /// This is the step of Hassibi and Stork, "Second order derivatives for network pruning: optimal brain surgeon"
    /// (1993), for a block of inputs, on products of weights rather than on weights.
    fn remove(&mut self, channel: usize) {
        let owned = self.features[channel].clone();
        let Some(block) = self.block(&owned).filter(|_| !owned.is_empty()) else { return };
        let rows = self.inverse.select_rows(&owned);
        // How the weights of the removed inputs are spread over the others: (owned) x (inputs).
        let spread = &block * &rows;
        let spread_t = spread.transpose();
        let columns = self.gram.select_columns(&owned);
        let corner = columns.select_rows(&owned);
        let half = &spread_t * (corner * 0.5) - columns;
        let half_t = half.transpose();
        self.gram.gemm(1.0, &half, &spread, 1.0);
        self.gram.gemm(1.0, &spread_t, &half_t, 1.0);
        self.inverse.gemm(-1.0, &rows.transpose(), &spread, 1.0);
        for &gone in &owned {
            // What is gone must not come back by rounding.
            for matrix in [&mut self.gram, &mut self.inverse] {
                matrix.fill_row(gone, 0.0);
                matrix.fill_column(gone, 0.0);
            }
        }
    }
}

/// An order of removal and what it loses.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Removal {
    /// The channels, first removed first.
    pub order: Vec<usize>,
    /// What is lost after removing none, one, ... all of them: the readers' shares of their output energy that no weights
    /// can restore from what remains, added up. 0 first, and never falling.
    pub loss: Vec<f64>,
}

/// Removes one channel after another, each time the one that is missed least by all readers, whose weights are fitted
/// anew each time.
///
/// Greedy backward elimination: exact for each step, not over all steps. Of equal ones the last channel goes first.
///
/// # Errors
/// A reader knows another number of channels.
pub fn removal(mut readers: Vec<Reader>, channels: usize) -> Result<Removal, CompensateError> {
    for reader in &readers {
        if reader.features.len() != channels {
            let (what, found) = ("a reader's list of channels", reader.features.len());
            return Err(CompensateError::Length { what, found, expected: channels });
        }
    }
    let mut left: Vec<usize> = (0..channels).rev().collect();
    let mut removal = Removal { order: Vec::with_capacity(channels), loss: vec![0.0] };
    let mut lost = 0.0;
    while !left.is_empty() {
        let price = |channel: usize| -> f64 {
            let of = |reader: &Reader| match reader.price(channel) {
                Some(price) if reader.energy > 0.0 => price / reader.energy,
                _ => 0.0,
            };
            readers.iter().map(of).sum()
        };
        let prices = left.iter().map(|&channel| price(channel));
        let (place, least) =
            prices.enumerate().min_by(|(_, a), (_, b)| a.total_cmp(b)).expect("there is a channel left");
        let channel = left.remove(place);
        readers.iter_mut().for_each(|reader| reader.remove(channel));
        lost += least;
        removal.order.push(channel);
        removal.loss.push(lost);
    }
    Ok(removal)
}
