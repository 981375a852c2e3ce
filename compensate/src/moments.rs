//! Streaming second moments.

use crate::CompensateError;
use crate::error::check;
use nalgebra::{DMatrix, DVector};

/// First and second moments of a layer's inputs, and of these with what its outputs should be, in double precision.
///
/// Memory is (inputs)^2 + inputs x targets, whatever the number of rows. Rows may come in any portions; the same rows in
/// the same portions give the same moments to the last bit.
#[derive(Clone, Debug, PartialEq)]
pub struct Moments {
    rows: f64,
    sum_x: DVector<f64>,
    sum_y: DVector<f64>,
    xx: DMatrix<f64>,
    xy: DMatrix<f64>,
    yy: DVector<f64>,
}

impl Moments {
    /// No rows yet, of so many inputs and targets.
    pub fn new(inputs: usize, targets: usize) -> Moments {
        Moments {
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
        if rows == 0 {
            return Ok(());
        }
        // Row after row in memory is column after column of the transpose.
        let xt = DMatrix::from_column_slice(inputs, rows, x);
        let yt = DMatrix::from_column_slice(targets, rows, y);
        let (x, y) = (xt.transpose(), yt.transpose());
        self.rows += rows as f64;
        self.sum_x += xt.column_sum();
        self.sum_y += yt.column_sum();
        self.xx.gemm(1.0, &xt, &x, 1.0);
        if targets > 0 {
            self.xy.gemm(1.0, &xt, &y, 1.0);
        }
        self.yy += DVector::from_iterator(targets, y.column_iter().map(|column| column.norm_squared()));
        Ok(())
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
        let wt = DMatrix::from_column_slice(inputs, targets, weights);
        let xy = &self.xx * &wt;
        let yy = wt.column_iter().zip(xy.column_iter()).map(|(w, c)| w.dot(&c));
        let yy = DVector::from_iterator(targets, yy);
        Ok(Moments { sum_y: wt.tr_mul(&self.sum_x), xy, yy, ..self.clone() })
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
        Ok(Moments {
            sum_x: self.sum_x.select_rows(inputs),
            xx: self.xx.select_rows(inputs).select_columns(inputs),
            xy: self.xy.select_rows(inputs),
            ..self.clone()
        })
    }

    /// Means of the inputs and of the targets.
    pub(crate) fn means(&self) -> [DVector<f64>; 2] {
        [&self.sum_x / self.rows, &self.sum_y / self.rows]
    }

    /// Moments about the means: of the inputs, of inputs and targets, and of each target with itself.
    pub(crate) fn centered(&self) -> (DMatrix<f64>, DMatrix<f64>, DVector<f64>) {
        let [x, y] = self.means();
        let xx = &self.xx / self.rows - &x * x.transpose();
        let xy = &self.xy / self.rows - &x * y.transpose();
        // Rounding may leave a constant with a variance below zero.
        let yy = (&self.yy / self.rows - y.component_mul(&y)).map(|variance| variance.max(0.0));
        (xx, xy, yy)
    }

    /// Moments about zero.
    pub(crate) fn raw(&self) -> (DMatrix<f64>, DMatrix<f64>, DVector<f64>) {
        (&self.xx / self.rows, &self.xy / self.rows, &self.yy / self.rows)
    }
}
