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
        let mut gather = Gather { out, buffer: Vec::new() };
        self.write_axis(&mut gather, 0, 0)?;
        gather.flush()
    }

    fn write_axis(&self, out: &mut Gather<'_>, axis: usize, offset: usize) -> io::Result<()> {
        if axis >= self.whole_from {
            return out.push(&self.source[offset..offset + self.strides[axis]]);
        }
        let step = self.strides[axis + 1];
        if axis + 1 == self.whole_from {
            return out.push_runs(&self.source[offset..offset + self.strides[axis]], &self.runs[axis], step);
        }
        for run in &self.runs[axis] {
            if run.is_zero {
                out.push_zeros(run.len * self.written[axis + 1])?;
                continue;
            }
            let start = offset + run.start * step;
            (0..run.len).try_for_each(|i| self.write_axis(out, axis + 1, start + i * step))?;
        }
        Ok(())
    }
}

/// Short pieces are collected until there is something worth a call to the system.
///
/// A layer whose input channels are cut falls into pieces of one kernel each: 4 or 36 bytes, millions of them.
struct Gather<'a> {
    out: &'a mut dyn Write,
    buffer: Vec<u8>,
}

const BUFFER: usize = 1 << 18;
/// Longer pieces are written from where they are.
const SHORT: usize = 1 << 12;
/// Runs that are collected between two looks at the buffer's length.
const BLOCK: usize = 64;

impl Gather<'_> {
    fn push(&mut self, bytes: &[u8]) -> io::Result<()> {
        if bytes.len() > SHORT {
            self.flush()?;
            return self.out.write_all(bytes);
        }
        self.buffer.extend_from_slice(bytes);
        self.flush_if_full()
    }

    fn push_zeros(&mut self, mut n: usize) -> io::Result<()> {
        while n > 0 {
            let now = n.min(BUFFER);
            self.buffer.resize(self.buffer.len() + now, 0);
            n -= now;
            self.flush_if_full()?;
        }
        Ok(())
    }

    /// Runs of an axis whose steps are whole pieces of `row`.
    fn push_runs(&mut self, row: &[u8], runs: &[Run], step: usize) -> io::Result<()> {
        for block in runs.chunks(BLOCK) {
            let length = block[0].len;
            let is_even = block.iter().all(|run| run.len == length && !run.is_zero);
            // The usual kernels in 32 and 16 bits, every second channel of them: copies of a length that is known
            // when this is compiled are several times as fast.
            match (is_even, length * step) {
                (true, 2) => copy_even::<2>(&mut self.buffer, row, block, step),
                (true, 4) => copy_even::<4>(&mut self.buffer, row, block, step),
                (true, 8) => copy_even::<8>(&mut self.buffer, row, block, step),
                (true, 18) => copy_even::<18>(&mut self.buffer, row, block, step),
                (true, 36) => copy_even::<36>(&mut self.buffer, row, block, step),
                _ => {
                    for run in block {
                        match run.is_zero {
                            true => self.push_zeros(run.len * step)?,
                            false => self.push(&row[run.start * step..(run.start + run.len) * step])?,
                        }
                    }
                }
            }
            self.flush_if_full()?;
        }
        Ok(())
    }

    fn flush_if_full(&mut self) -> io::Result<()> {
        if self.buffer.len() >= BUFFER { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.write_all(&self.buffer)?;
        self.buffer.clear();
        Ok(())
    }
}

/// Appends runs of `N` bytes each.
fn copy_even<const N: usize>(buffer: &mut Vec<u8>, row: &[u8], runs: &[Run], step: usize) {
    let old = buffer.len();
    buffer.resize(old + runs.len() * N, 0);
    for (run, to) in runs.iter().zip(buffer[old..].as_chunks_mut::<N>().0) {
        let from = &row[run.start * step..];
        *to = *from.first_chunk().expect("runs lie within their axis");
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

#[cfg(test)]
mod tests {
    use super::*;

    /// What a cut should give, element by element.
    fn naive(source: &[u8], element: usize, dims: &[usize], cuts: &[AxisCut]) -> Vec<u8> {
        let mut out = Vec::new();
        for (index, bytes) in source.chunks_exact(element).enumerate() {
            let mut rest = index;
            let position: Vec<usize> = dims.iter().rev().map(|n| (rest % n, rest /= n).0).collect();
            let is_hit = |cut: &&AxisCut| cut.positions.binary_search(&position[dims.len() - 1 - cut.axis]).is_ok();
            let hits: Vec<&AxisCut> = cuts.iter().filter(is_hit).collect();
            if hits.iter().any(|cut| !cut.zeroes) {
                continue;
            }
            if hits.is_empty() { out.extend(bytes) } else { out.extend(vec![0; element]) }
        }
        out
    }

    #[track_caller]
    fn check(element: usize, dims: &[usize], cuts: &[AxisCut]) {
        let n: usize = dims.iter().product::<usize>() * element;
        let source: Vec<u8> = (0..n).map(|i| (i * 7 + i / 251) as u8 | 1).collect();
        let cut = Cut::new(source.clone().into(), element, dims, cuts);
        let mut out = Vec::new();
        cut.write_to(&mut out).expect("a vector takes everything");
        assert_eq!(cut.len(), out.len());
        assert!(out == naive(&source, element, dims, cuts), "{element} {dims:?} {cuts:?}");
    }

    #[test]
    fn every_kernel_size_is_cut_as_element_by_element() {
        let cut = |axis, positions: &[usize], zeroes| AxisCut { axis, positions: positions.to_vec(), zeroes };
        let odd = |n: usize| (1..n).step_by(2).collect::<Vec<_>>();
        for element in [1, 2, 4, 8] {
            for side in [1, 2, 3, 5] {
                for zeroes in [false, true] {
                    check(element, &[6, 70, side, side], &[cut(1, &odd(70), zeroes)]);
                    check(element, &[6, 70, side, side], &[cut(0, &[0, 5], zeroes), cut(1, &odd(70), zeroes)]);
                    check(element, &[6, 140, side, side], &[cut(1, &[0, 1, 2, 7, 139], zeroes)]);
                    check(element, &[6, 9, side, side], &[cut(0, &[1, 2], zeroes)]);
                }
            }
        }
        check(4, &[5, 6], &[cut(0, &[1], true), cut(1, &[0, 1], false)]);
        check(4, &[5, 6], &[cut(0, &[0, 1, 2, 3, 4], false)]);
        // More than a buffer at once, zeros and pieces.
        check(4, &[3, 70_000], &[cut(0, &[1], true)]);
        check(4, &[3, 70_000], &[cut(1, &odd(70_000), false)]);
        check(4, &[2, 40, 2000], &[cut(1, &odd(40), false)]);
    }
}
