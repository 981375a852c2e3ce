//! Streaming second moments.

use crate::CompensateError;
use crate::error::check;
use nalgebra::{DMatrix, DVector};

/// Rows that are multiplied at once, and columns of the panels in which that is done.
const BLOCK: usize = 512;
const PANEL: usize = 256;

/// First and second moments of a layer's inputs, and of these with what its outputs should be, in double precision.
///
/// Memory is (inputs)^2 + inputs x targets, whatever the number of rows. Rows may come in any portions; the same rows in
/// the same order give the same moments to the last bit.
#[derive(Clone, Debug, PartialEq)]
pub struct Moments {
    /// Rows that wait until there are enough of them: products of few rows take longer than their share.
    pending_x: Vec<f64>,
    pending_y: Vec<f64>,
    rows: f64,
    sum_x: DVector<f64>,
    sum_y: DVector<f64>,
    /// Below and on the diagonal; what is above it is the same.
    xx: DMatrix<f64>,
    xy: DMatrix<f64>,
    yy: DVector<f64>,
}

impl Moments {
    /// No rows yet, of so many inputs and targets.
    pub fn new(inputs: usize, targets: usize) -> Moments {
        Moments {
            pending_x: Vec::new(),
            pending_y: Vec::new(),
            rows: 0.0,
            sum_x: DVector::zeros(inputs),
            sum_y: DVector::zeros(targets),
            xx: DMatrix::zeros(inputs, inputs),
            xy: DMatrix::zeros(inputs, targets),
            yy: DVector::zeros(targets),
        }
    }

    /// Adds rows: `x` is rows x inputs, `y` rows x targets, each row after row.
    ///
    /// # Errors
    /// The slices are no whole rows of the same number, or hold a number that is not finite; nothing was added then.
    pub fn add(&mut self, x: &[f64], y: &[f64]) -> Result<(), CompensateError> {
        let (inputs, targets) = (self.inputs(), self.targets());
        let rows = x.len() / inputs.max(1);
        check("a block of inputs", x, rows * inputs)?;
        check("a block of targets", y, rows * targets)?;
        self.pending_x.extend_from_slice(x);
        self.pending_y.extend_from_slice(y);
        self.rows += rows as f64;
        while self.pending_x.len() >= BLOCK * inputs.max(1) {
            let rest = [self.pending_x.split_off(BLOCK * inputs), self.pending_y.split_off(BLOCK * targets)];
            self.take_in();
            [self.pending_x, self.pending_y] = rest;
        }
        Ok(())
    }

    /// Puts the rows that wait into the sums.
    fn take_in(&mut self) {
        let (inputs, targets) = (self.inputs(), self.targets());
        let rows = self.pending_x.len() / inputs.max(1);
        if rows == 0 {
            return;
        }
        // Row after row in memory is column after column of the transpose.
        let xt = DMatrix::from_column_slice(inputs, rows, &self.pending_x);
        let yt = DMatrix::from_column_slice(targets, rows, &self.pending_y);
        let (x, y) = (xt.transpose(), yt.transpose());
        self.sum_x += xt.column_sum();
        self.sum_y += yt.column_sum();
        for start in (0..inputs).step_by(PANEL) {
            let (height, width) = (inputs - start, PANEL.min(inputs - start));
            let mut panel = self.xx.view_mut((start, start), (height, width));
            panel.gemm(1.0, &xt.rows(start, height), &x.columns(start, width), 1.0);
        }
        if targets > 0 {
            self.xy.gemm(1.0, &xt, &y, 1.0);
        }
        self.yy += DVector::from_iterator(targets, y.column_iter().map(|column| column.norm_squared()));
        self.pending_x.clear();
        self.pending_y.clear();
    }

    /// The sums with all rows in them, and the part above the diagonal filled in.
    fn settled(&self) -> Moments {
        let mut settled = self.clone();
        settled.take_in();
        settled.xx.fill_upper_triangle_with_lower_triangle();
        settled
    }

    /// How many inputs there are.
    pub fn inputs(&self) -> usize {
        self.sum_x.len()
    }

    /// How many targets there are.
    pub fn targets(&self) -> usize {
        self.sum_y.len()
    }

    /// Rows that were added.
    pub fn rows(&self) -> usize {
        self.rows as usize
    }

    /// The same with other targets: what a layer of these weights (targets x inputs, row after row) makes of the inputs.
    ///
    /// # Errors
    /// The weights are not targets x inputs, or not finite.
    pub fn of_layer(&self, weights: &[f64]) -> Result<Moments, CompensateError> {
        let inputs = self.inputs();
        let targets = weights.len() / inputs.max(1);
        check("the layer's weights", weights, targets * inputs)?;
        let settled = self.settled();
        let wt = DMatrix::from_column_slice(inputs, targets, weights);
        let xy = &settled.xx * &wt;
        let yy = wt.column_iter().zip(xy.column_iter()).map(|(w, c)| w.dot(&c));
        let yy = DVector::from_iterator(targets, yy);
        Ok(Moments { sum_y: wt.tr_mul(&settled.sum_x), xy, yy, ..settled })
    }

    /// The moments of the rows of both.
    ///
    /// # Errors
    /// They have other inputs or targets.
    pub fn merged(&self, other: &Moments) -> Result<Moments, CompensateError> {
        for (what, found, expected) in [
            ("the inputs of moments to be merged", other.inputs(), self.inputs()),
            ("the targets of moments to be merged", other.targets(), self.targets()),
        ] {
            if found != expected {
                return Err(CompensateError::Length { what, found, expected });
            }
        }
        let (mut both, other) = (self.settled(), other.settled());
        both.rows += other.rows;
        both.sum_x += other.sum_x;
        both.sum_y += other.sum_y;
        both.xx += other.xx;
        both.xy += other.xy;
        both.yy += other.yy;
        Ok(both)
    }

    /// The same for some of the inputs.
    ///
    /// # Errors
    /// An input is not there.
    pub fn select(&self, inputs: &[usize]) -> Result<Moments, CompensateError> {
        let features = self.inputs();
        if let Some((channel, &feature)) = inputs.iter().enumerate().find(|&(_, &input)| input >= features) {
            return Err(CompensateError::Feature { channel, feature, features });
        }
        let all = self.settled();
        Ok(Moments {
            sum_x: all.sum_x.select_rows(inputs),
            xx: all.xx.select_rows(inputs).select_columns(inputs),
            xy: all.xy.select_rows(inputs),
            ..all
        })
    }

    /// Means, and second moments about them or about zero.
    pub(crate) fn about(&self, center: Center) -> About {
        let Moments { rows, sum_x, sum_y, mut xx, mut xy, mut yy, .. } = self.settled();
        let (mean_x, mean_y) = (sum_x / rows, sum_y / rows);
        [&mut xx, &mut xy].into_iter().for_each(|moments| *moments /= rows);
        yy /= rows;
        if center == Center::Mean {
            xx.ger(-1.0, &mean_x, &mean_x, 1.0);
            xy.ger(-1.0, &mean_x, &mean_y, 1.0);
            // Rounding may leave a constant with a variance below zero.
            yy = (yy - mean_y.component_mul(&mean_y)).map(|variance| variance.max(0.0));
        }
        About { mean_x, mean_y, xx, xy, yy }
    }
}

/// What moments are taken about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Center {
    Mean,
    Zero,
}

/// Moments per row.
pub(crate) struct About {
    pub(crate) mean_x: DVector<f64>,
    pub(crate) mean_y: DVector<f64>,
    pub(crate) xx: DMatrix<f64>,
    pub(crate) xy: DMatrix<f64>,
    /// Each target with itself.
    pub(crate) yy: DVector<f64>,
}
