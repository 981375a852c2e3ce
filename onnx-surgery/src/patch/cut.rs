//! A tensor's elements with positions removed or zeroed, computed while they are written.

use bytes::Bytes;
use std::io::{self, Write};

/// Neighboring positions of an axis with one fate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Run {
    start: usize,
    len: usize,
    is_zero: bool,
}

/// A tensor's elements with positions removed or zeroed.
#[derive(Clone)]
pub(crate) struct Cut {
    source: Bytes,
    /// Bytes of one step along each axis; behind the last axis, of one element.
    strides: Vec<usize>,
    runs: Vec<Vec<Run>>,
    /// Bytes that are written per step along each axis; behind the last axis, of one element.
    written: Vec<usize>,
    /// Axes from here on are copied as a whole.
    whole_from: usize,
}

/// What happens to one axis of a tensor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct AxisCut {
    pub(crate) axis: usize,
    /// Positions, ascending, that go or become zero.
    pub(crate) positions: Vec<usize>,
    /// Whether they become zero instead of going.
    pub(crate) zeroes: bool,
}

impl Cut {
    /// `source` holds `dims` elements of `element_bytes` in C order.
    pub(crate) fn new(source: Bytes, element_bytes: usize, dims: &[usize], cuts: &[AxisCut]) -> Cut {
        let mut strides = vec![element_bytes; dims.len() + 1];
        for axis in (0..dims.len()).rev() {
            strides[axis] = strides[axis + 1] * dims[axis];
        }
        let runs: Vec<Vec<Run>> = dims.iter().enumerate().map(|(axis, &n)| runs(axis, n, cuts)).collect();
        let mut written = vec![element_bytes; dims.len() + 1];
        for axis in (0..dims.len()).rev() {
            written[axis] = written[axis + 1] * runs[axis].iter().map(|run| run.len).sum::<usize>();
        }
        let whole_from = cuts.iter().map(|cut| cut.axis + 1).max().unwrap_or(0);
        Cut { source, strides, runs, written, whole_from }
    }

    /// Bytes that will be written.
    pub(crate) fn len(&self) -> usize {
        self.written[0]
    }

    pub(crate) fn write_to(&self, out: &mut dyn Write) -> io::Result<()> {
        self.write_axis(out, 0, 0)
    }

    pub(crate) fn to_vec(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.len());
        self.write_to(&mut bytes).expect("a vector takes everything");
        bytes
    }

    fn write_axis(&self, out: &mut dyn Write, axis: usize, offset: usize) -> io::Result<()> {
        if axis >= self.whole_from {
            return out.write_all(&self.source[offset..offset + self.strides[axis]]);
        }
        let step = self.strides[axis + 1];
        for run in &self.runs[axis] {
            let start = offset + run.start * step;
            if run.is_zero {
                io::copy(&mut io::Read::take(io::repeat(0), (run.len * self.written[axis + 1]) as u64), out)?;
            } else if axis + 1 == self.whole_from {
                out.write_all(&self.source[start..start + run.len * step])?;
            } else {
                (0..run.len).try_for_each(|i| self.write_axis(out, axis + 1, start + i * step))?;
            }
        }
        Ok(())
    }
}

fn runs(axis: usize, n: usize, cuts: &[AxisCut]) -> Vec<Run> {
    let mut fate = vec![Some(false); n];
    for cut in cuts.iter().filter(|cut| cut.axis == axis) {
        cut.positions.iter().for_each(|&p| fate[p] = cut.zeroes.then_some(true));
    }
    let mut runs: Vec<Run> = Vec::new();
    for (position, is_zero) in fate.into_iter().enumerate().filter_map(|(i, fate)| Some((i, fate?))) {
        match runs.last_mut() {
            Some(run) if run.start + run.len == position && run.is_zero == is_zero => run.len += 1,
            _ => runs.push(Run { start: position, len: 1, is_zero }),
        }
    }
    runs
}
