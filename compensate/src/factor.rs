//! Cholesky factors of large matrices, by blocks.

use nalgebra::{Cholesky, DMatrix};

/// Columns that are factored, or solved for, at once. What is left is products of matrices, which take a small part of the
/// time that nalgebra's own factorization, column by column, does: of 3456 columns, a tenth.
const BLOCK: usize = 128;

/// The lower triangle L of L L^T; what is above its diagonal means nothing.
pub(crate) struct Factor(DMatrix<f64>);

impl Factor {
    /// That of a symmetric matrix, of which the lower triangle is read; nothing where it is not positive definite.
    pub(crate) fn new(mut matrix: DMatrix<f64>) -> Option<Factor> {
        let n = matrix.nrows();
        for (start, width) in blocks(n) {
            let next = start + width;
            let corner = Cholesky::new(matrix.view((start, start), (width, width)).into_owned())?.unpack();
            let mut below_t = matrix.view((next, start), (n - next, width)).transpose();
            corner.solve_lower_triangular_unchecked_mut(&mut below_t);
            let below = below_t.transpose();
            matrix.view_mut((start, start), (width, width)).copy_from(&corner);
            matrix.view_mut((next, start), (n - next, width)).copy_from(&below);
            for (left, columns) in blocks(n - next) {
                let height = n - next - left;
                let mut rest = matrix.view_mut((next + left, next + left), (height, columns));
                rest.gemm(-1.0, &below.rows(left, height), &below_t.columns(left, columns), 1.0);
            }
        }
        Some(Factor(matrix))
    }

    /// The solution X of L L^T X = B.
    pub(crate) fn solve(&self, right: &DMatrix<f64>) -> DMatrix<f64> {
        let Factor(l) = self;
        let (n, columns) = right.shape();
        let mut x = right.clone();
        for (start, width) in blocks(n) {
            let next = start + width;
            let mut own = x.rows(start, width).into_owned();
            l.view((start, start), (width, width)).solve_lower_triangular_unchecked_mut(&mut own);
            x.view_mut((start, 0), (width, columns)).copy_from(&own);
            let mut rest = x.view_mut((next, 0), (n - next, columns));
            rest.gemm(-1.0, &l.view((next, start), (n - next, width)), &own, 1.0);
        }
        for (start, width) in blocks(n).collect::<Vec<_>>().into_iter().rev() {
            let next = start + width;
            let below_t = l.view((next, start), (n - next, width)).transpose();
            let known = x.rows(next, n - next).into_owned();
            let mut own = x.rows(start, width).into_owned();
            own.gemm(-1.0, &below_t, &known, 1.0);
            l.view((start, start), (width, width)).tr_solve_lower_triangular_unchecked_mut(&mut own);
            x.view_mut((start, 0), (width, columns)).copy_from(&own);
        }
        x
    }

    /// The inverse of L L^T.
    pub(crate) fn inverse(&self) -> DMatrix<f64> {
        self.solve(&DMatrix::identity(self.0.nrows(), self.0.nrows()))
    }
}

/// Starts and lengths of the blocks of `n` columns.
fn blocks(n: usize) -> impl Iterator<Item = (usize, usize)> {
    (0..n).step_by(BLOCK).map(move |start| (start, BLOCK.min(n - start)))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
mod tests {
    use super::*;

    /// A symmetric matrix with eigenvalues from about 0.1 on.
    fn matrix(n: usize) -> DMatrix<f64> {
        let noise = DMatrix::from_fn(n, n, |i, j| ((i * 7919 + j * 104_729) % 1009) as f64 / 1009.0 - 0.5);
        &noise * noise.transpose() / n as f64 + DMatrix::identity(n, n) * 0.1
    }

    #[test]
    fn blocks_give_what_nalgebra_gives() {
        for n in [0, 1, 5, 128, 129, 300, 515] {
            let matrix = matrix(n);
            let right = DMatrix::from_fn(n, 9, |i, j| ((i + 3 * j) % 17) as f64 - 8.0);
            let expected = Cholesky::new(matrix.clone()).unwrap();
            let factor = Factor::new(matrix.clone()).unwrap();
            let off = |a: &DMatrix<f64>, b: &DMatrix<f64>| if n == 0 { 0.0 } else { (a - b).amax() / b.amax() };
            assert!(off(&factor.solve(&right), &expected.solve(&right)) < 1e-9, "{n}");
            assert!(off(&factor.inverse(), &expected.inverse()) < 1e-9, "{n}");
        }
    }

    #[test]
    fn what_is_not_positive_definite_has_no_factor() {
        let mut matrix = matrix(200);
        matrix[(150, 150)] = -1.0;
        assert!(Factor::new(matrix).is_none());
    }
}
