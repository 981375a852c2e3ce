//! Arrays of f32 and the arithmetic of folding on them.

/// Elements in C order.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Array {
    pub(super) dims: Vec<usize>,
    pub(super) data: Vec<f32>,
}

impl Array {
    pub(super) fn map(mut self, f: impl Fn(f32) -> f32) -> Array {
        self.data.iter_mut().for_each(|x| *x = f(*x));
        self
    }

    /// Returns the same elements in another shape, or `None` if it holds another number of them.
    pub(super) fn reshaped(self, dims: Vec<usize>) -> Option<Array> {
        (elements(&dims)? == self.data.len()).then_some(Array { dims, ..self })
    }

    /// Applies `f` element by element, with both arrays broadcast to a common shape as in NumPy; `None` if they do not
    /// fit or the result would have more than `most` elements.
    pub(super) fn with(&self, other: &Array, most: usize, f: impl Fn(f32, f32) -> f32) -> Option<Array> {
        let dims = broadcast(&self.dims, &other.dims)?;
        let n = elements(&dims).filter(|&n| n <= most)?;
        let (a, b) = (self.steps(&dims), other.steps(&dims));
        let mut data = Vec::with_capacity(n);
        for_each_index(&dims, |index| {
            let at = |steps: &[usize]| index.iter().zip(steps).map(|(i, step)| i * step).sum::<usize>();
            data.push(f(self.data[at(&a)], other.data[at(&b)]));
        });
        Some(Array { dims, data })
    }

    /// Returns the array broadcast to `dims`.
    pub(super) fn expanded(&self, dims: &[usize], most: usize) -> Option<Array> {
        let dims = broadcast(&self.dims, dims)?;
        let n = elements(&dims).filter(|&n| n <= most)?;
        let ones = Array { dims, data: Vec::new() };
        let steps = self.steps(&ones.dims);
        let mut data = Vec::with_capacity(n);
        for_each_index(&ones.dims, |index| {
            data.push(self.data[index.iter().zip(&steps).map(|(i, step)| i * step).sum::<usize>()]);
        });
        Some(Array { data, ..ones })
    }

    /// Returns the array with its axes in another order.
    pub(super) fn transposed(&self, order: &[usize]) -> Option<Array> {
        let mut sorted = order.to_vec();
        sorted.sort_unstable();
        if !sorted.into_iter().eq(0..self.dims.len()) {
            return None;
        }
        let strides = strides(&self.dims);
        let dims: Vec<usize> = order.iter().map(|&axis| self.dims[axis]).collect();
        let steps: Vec<usize> = order.iter().map(|&axis| strides[axis]).collect();
        let mut data = Vec::with_capacity(self.data.len());
        for_each_index(&dims, |index| {
            data.push(self.data[index.iter().zip(&steps).map(|(i, step)| i * step).sum::<usize>()]);
        });
        Some(Array { dims, data })
    }

    /// Reduces `axes`, which stay with length 1 if `keeps` says so: `f` gets the elements that meet in each result.
    pub(super) fn reduced(&self, axes: &[usize], keeps: bool, f: impl Fn(&[f64]) -> f64) -> Array {
        let (inner, outer): (Vec<usize>, Vec<usize>) = (0..self.dims.len()).partition(|axis| axes.contains(axis));
        let strides = strides(&self.dims);
        let dims_of = |axes: &[usize]| axes.iter().map(|&axis| self.dims[axis]).collect::<Vec<_>>();
        let at = |axes: &[usize], index: &[usize]| -> usize {
            index.iter().zip(axes).map(|(i, &axis)| i * strides[axis]).sum()
        };
        let mut data = Vec::new();
        for_each_index(&dims_of(&outer), |index| {
            let start = at(&outer, index);
            let mut met = Vec::new();
            for_each_index(&dims_of(&inner), |index| met.push(f64::from(self.data[start + at(&inner, index)])));
            data.push(f(&met) as f32);
        });
        let of = |axis: usize| if axes.contains(&axis) { keeps.then_some(1) } else { Some(self.dims[axis]) };
        Array { dims: (0..self.dims.len()).filter_map(of).collect(), data }
    }

    /// What one step along each axis of the broadcast shape skips.
    fn steps(&self, dims: &[usize]) -> Vec<usize> {
        let missing = dims.len() - self.dims.len();
        let own = strides(&self.dims);
        (0..dims.len())
            .map(|axis| match axis.checked_sub(missing) {
                Some(axis) if self.dims[axis] != 1 => own[axis],
                _ => 0,
            })
            .collect()
    }
}

/// The number of elements, or `None` if it overflows.
pub(super) fn elements(dims: &[usize]) -> Option<usize> {
    dims.iter().try_fold(1_usize, |n, &dim| n.checked_mul(dim))
}

fn strides(dims: &[usize]) -> Vec<usize> {
    let mut strides = vec![1; dims.len()];
    for axis in (1..dims.len()).rev() {
        strides[axis - 1] = strides[axis] * dims[axis];
    }
    strides
}

fn broadcast(a: &[usize], b: &[usize]) -> Option<Vec<usize>> {
    let rank = a.len().max(b.len());
    let dim = |dims: &[usize], axis: usize| (axis + dims.len()).checked_sub(rank).map_or(1, |axis| dims[axis]);
    (0..rank)
        .map(|axis| match (dim(a, axis), dim(b, axis)) {
            (a, b) if a == b => Some(a),
            (1, n) | (n, 1) => Some(n),
            _ => None,
        })
        .collect()
}

/// Calls `f` with every index of an array of this shape, in C order.
fn for_each_index(dims: &[usize], mut f: impl FnMut(&[usize])) {
    if dims.contains(&0) {
        return;
    }
    let mut index = vec![0; dims.len()];
    loop {
        f(&index);
        let Some(axis) = (0..dims.len()).rfind(|&axis| index[axis] + 1 < dims[axis]) else { return };
        index[axis] += 1;
        index[axis + 1..].fill(0);
    }
}
