//! Better estimates from the cells that were measured.

use crate::cells::LayerCost;
use crate::problem::Problem;
use nalgebra::{DMatrix, DVector};
use netspec::Provenance;

/// How well a measured cell is known, relatively; a layer's bend may differ from the common one by so much; and the
/// common one from none. The first against the others decides how many cells it takes to move a bend.
const READING: f64 = 0.01;
const APART: f64 = 0.5;
const COMMON: f64 = 1.0;

impl Problem {
    /// Fits the estimates of cells to those that were given since, and returns the relative standard error of the
    /// estimates as it is now: the root mean square of (estimate - cell) / cell over the given cells off both sweeps.
    /// Nothing where there are none.
    ///
    /// The estimate from two sweeps alone, s_in * s_out of the full cost, is of rank 1. It is wrong where part of a
    /// layer's time does not depend on its widths: with a share f of such time,
    /// T = f + (1 - f) x y differs from (f + (1 - f) x) (f + (1 - f) y) by f / (1 - f) * (1 - s_in) (1 - s_out).
    /// So a second term of that form is added, whose factor, the layer's bend, is learned: one number per layer, drawn
    /// towards one that all layers share, for what launches a kernel is the same for all of them.
    /// Given cells and the sweeps' own widths stay as they are.
    pub fn refit(&mut self) -> Option<f64> {
        let mut rows: Vec<(usize, f64, f64)> = Vec::new();
        for (index, layer) in self.layers.iter().enumerate() {
            rows.extend(layer.off_sweeps().map(|(bend, excess)| (index, bend, excess)));
        }
        if rows.is_empty() {
            return None;
        }
        // Unknowns: the layers' own bends as differences from the common one, which is the last.
        let unknowns = self.layers.len() + 1;
        let mut normal = DMatrix::<f64>::zeros(unknowns, unknowns);
        let mut target = DVector::<f64>::zeros(unknowns);
        for i in 0..unknowns {
            normal[(i, i)] = (READING / if i + 1 == unknowns { COMMON } else { APART }).powi(2);
        }
        for &(layer, bend, excess) in &rows {
            for i in [layer, unknowns - 1] {
                for j in [layer, unknowns - 1] {
                    normal[(i, j)] += bend * bend;
                }
                target[i] += bend * excess;
            }
        }
        let bends = normal.cholesky().expect("every unknown has a positive weight of its own").solve(&target);
        for (index, layer) in self.layers.iter_mut().enumerate() {
            layer.bend = bends[index] + bends[unknowns - 1];
        }
        let squares: f64 = self.layers.iter().flat_map(LayerCost::errors).map(|error| error * error).sum();
        self.estimate_error = Some((squares / rows.len() as f64).sqrt());
        self.estimate_error
    }

    /// The relative standard error of estimated cells, as [`refit`](Self::refit) last found it.
    pub fn estimate_error(&self) -> Option<f64> {
        self.estimate_error
    }
}

impl LayerCost {
    /// The given cells that neither sweep tells: their widths and cost.
    fn given(&self) -> impl Iterator<Item = (usize, usize, f64)> + '_ {
        let is_off = |&(&(c_in, c_out), _): &(&(usize, usize), &crate::cells::Cell)| {
            c_in != self.full[0] && c_out != self.full[1] && !self.coupled
        };
        let cells = self.exact.iter().filter(is_off).filter(|(_, cell)| cell.provenance != Provenance::Interpolated);
        cells.filter(|(_, cell)| cell.ns > 0.0).map(|(&(c_in, c_out), cell)| (c_in, c_out, cell.ns))
    }

    /// Of each such cell, what one unit of bend adds to its estimate, and what the product of the sweeps lacks, both
    /// relative to the cell.
    fn off_sweeps(&self) -> impl Iterator<Item = (f64, f64)> + '_ {
        self.given().filter_map(|(c_in, c_out, ns)| {
            let (product, bend) = self.estimate_parts(c_in, c_out)?;
            Some((bend / ns, (ns - product) / ns))
        })
    }

    /// The relative errors of the estimates, as they are now.
    fn errors(&self) -> impl Iterator<Item = f64> + '_ {
        self.given().filter_map(|(c_in, c_out, ns)| Some((self.estimate(c_in, c_out)? - ns) / ns))
    }
}
