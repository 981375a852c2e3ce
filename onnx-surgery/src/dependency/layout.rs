//! Labels laid out over the axes of a tensor.

use super::Labels;
use std::sync::Arc;

/// A run of equal steps through the labels. A stride of 0 repeats.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Factor {
    len: usize,
    stride: usize,
}

/// Where in a tensor its channels are: for every position of its labelled axes, the label of its channel.
///
/// Most tensors carry channels on one axis. Some spread them over two (a channel shuffle's `(groups, channels per
/// group)`), or repeat them (behind a Flatten every channel owns height x width positions). A layout keeps the
/// labels of one axis as they were made, and describes each axis of the tensor as a product of steps through them,
/// so that Reshape and Transpose rearrange steps instead of labels. What cannot be said in steps is spelled out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Layout {
    base: Labels,
    /// For each axis its steps, outermost first; none where it has nothing to do with channels.
    axes: Arc<[Vec<Factor>]>,
}

impl Layout {
    /// Labels along one axis of a tensor of `rank` axes.
    pub(crate) fn on_axis(labels: Labels, rank: usize, axis: usize) -> Layout {
        let mut axes = vec![vec![]; rank];
        axes[axis] = vec![Factor { len: labels.len(), stride: 1 }];
        Layout { base: labels, axes: axes.into() }
    }

    /// Labels spelled out over several axes, in C order over `axes` (ascending) of these lengths.
    pub(crate) fn on_axes(labels: Labels, rank: usize, axes: &[(usize, usize)]) -> Layout {
        let mut all = vec![vec![]; rank];
        let mut stride = labels.len();
        for &(axis, len) in axes {
            stride /= len.max(1);
            all[axis] = vec![Factor { len, stride }];
        }
        Layout { base: labels, axes: all.into() }
    }

    /// Number of axes.
    pub(crate) fn rank(&self) -> usize {
        self.axes.len()
    }

    /// Every label that occurs, in no particular order; labels of which only others of their class are left may be among
    /// them.
    pub(crate) fn labels(&self) -> &Labels {
        &self.base
    }

    /// The axes that carry channels, ascending.
    pub(crate) fn axes(&self) -> Vec<usize> {
        (0..self.rank()).filter(|&axis| self.carries(axis)).collect()
    }

    /// Whether an axis carries channels.
    pub(crate) fn carries(&self, axis: usize) -> bool {
        self.axes.get(axis).is_some_and(|steps| !steps.is_empty())
    }

    /// The only axis that carries channels, if it is one.
    pub(crate) fn only_axis(&self) -> Option<usize> {
        match self.axes()[..] {
            [axis] => Some(axis),
            _ => None,
        }
    }

    /// Positions of a labelled axis.
    pub(crate) fn len(&self, axis: usize) -> usize {
        self.axes[axis].iter().fold(1, |n, step| n.saturating_mul(step.len))
    }

    /// Labels along one axis, at position 0 of all others.
    pub(crate) fn line(&self, axis: usize) -> Labels {
        if let [Factor { len, stride: 1 }] = self.axes[axis][..]
            && len == self.base.len()
        {
            return self.base.clone();
        }
        self.base.select(self.offsets(axis, 1))
    }

    /// Labels over these axes, in C order; an axis without channels has the length that `len` says.
    pub(crate) fn spelled_out(&self, axes: &[usize], len: impl Fn(usize) -> usize) -> Labels {
        if let [axis] = axes
            && self.carries(*axis)
        {
            return self.line(*axis);
        }
        let mut at = vec![0];
        for &axis in axes {
            let steps = self.offsets(axis, len(axis));
            at = at.iter().flat_map(|&before| steps.iter().map(move |step| before + step)).collect();
        }
        self.base.select(at)
    }

    /// Where in the labels each position of an axis points.
    fn offsets(&self, axis: usize, len: usize) -> Vec<usize> {
        if self.axes[axis].is_empty() {
            return vec![0; len];
        }
        let mut at = vec![0];
        for step in &self.axes[axis] {
            at = at.iter().flat_map(|&before| (0..step.len).map(move |i| before + i * step.stride)).collect();
        }
        at
    }

    /// The labels along one axis without its repetitions, and how often each of them occurs there.
    ///
    /// A file of a few bytes can repeat a channel a million times; whoever counts need not spell that out.
    pub(super) fn counted(&self, axis: usize) -> (Labels, usize) {
        let bare = self.bare();
        let labels = bare.spelled_out(&[axis], |_| 1);
        (labels, self.len(axis) / bare.len(axis).max(1))
    }

    /// The same labels without repetitions.
    fn bare(&self) -> Layout {
        let steps = |axis: &Vec<Factor>| axis.iter().filter(|step| step.stride > 0).copied().collect();
        Layout { base: self.base.clone(), axes: self.axes.iter().map(steps).collect() }
    }

    /// The lengths of the labelled axes without their repetitions, and the labels over those, in C order.
    pub(super) fn grid(&self) -> (Vec<(usize, usize)>, Labels) {
        let bare = self.bare();
        let axes = bare.axes();
        let labels = bare.spelled_out(&axes, |_| 1);
        (axes.iter().map(|&axis| (axis, bare.len(axis))).collect(), labels)
    }

    /// Axis i of the result is this axis of the tensor, or a new one without channels.
    ///
    /// Nothing if a labelled axis would be left out.
    pub(crate) fn rearrange(&self, from: &[Option<usize>]) -> Option<Layout> {
        if self.axes().iter().any(|axis| !from.contains(&Some(*axis))) {
            return None;
        }
        let axes = from.iter().map(|from| from.map_or(vec![], |axis| self.axes[axis].clone())).collect();
        Some(Layout { base: self.base.clone(), axes })
    }

    /// Some positions of an axis.
    pub(crate) fn select(&self, axis: usize, positions: &[usize]) -> Layout {
        if !self.carries(axis) {
            return self.clone();
        }
        let axes = self.axes();
        let all = self.spelled_out(&axes, |_| 1);
        let inner: usize = axes.iter().filter(|&&a| a > axis).map(|&a| self.len(a)).product();
        let outer: usize = axes.iter().filter(|&&a| a < axis).map(|&a| self.len(a)).product();
        let n = self.len(axis);
        let picked = (0..outer).flat_map(|o| positions.iter().map(move |p| (o * n + p) * inner));
        let labels = all.select(picked.flat_map(|start| start..start + inner));
        let len = |a: usize| if a == axis { positions.len() } else { self.len(a) };
        Layout::on_axes(labels, self.rank(), &axes.iter().map(|&a| (a, len(a))).collect::<Vec<_>>())
    }

    /// The tensor at position 0 of an axis, which carries no channels any more.
    pub(crate) fn without(&self, axis: usize) -> Layout {
        let mut axes = self.axes.to_vec();
        axes[axis].clear();
        Layout { base: self.base.clone(), axes: axes.into() }
    }

    /// The tensor with other axes and the same elements in the same order; dims that are unknown are `None`.
    ///
    /// Nothing if the channels' steps do not divide among the new axes, or meet an unknown length.
    pub(crate) fn reshape(&self, before: &[Option<usize>], after: &[Option<usize>]) -> Option<Layout> {
        // Axes of one element may come and go anywhere, unless a channel is on them.
        let is_lost = |axis: usize| self.carries(axis) && self.len(axis) == 1;
        if (0..self.rank()).any(is_lost) || before.len() != self.rank() {
            return None;
        }
        let long = |dims: &[Option<usize>]| (0..dims.len()).filter(|&i| dims[i] != Some(1)).collect::<Vec<_>>();
        let (from, to) = (long(before), long(after));
        let mut axes = vec![vec![]; after.len()];
        let (mut i, mut k) = (0, 0);
        while let Some((n, m)) =
            block(&mut from[i..].iter().map(|&x| before[x]), &mut to[k..].iter().map(|&x| after[x]))
        {
            self.divide(&from[i..i + n], &to[k..k + m], before, after, &mut axes)?;
            (i, k) = (i + n, k + m);
        }
        // Behind an unknown length only the end may still correspond.
        let (mut i_end, mut k_end) = (from.len(), to.len());
        while let Some((n, m)) = block(
            &mut from[i..i_end].iter().rev().map(|&x| before[x]),
            &mut to[k..k_end].iter().rev().map(|&x| after[x]),
        ) {
            self.divide(&from[i_end - n..i_end], &to[k_end - m..k_end], before, after, &mut axes)?;
            (i_end, k_end) = (i_end - n, k_end - m);
        }
        let is_resolved = from[i..i_end].iter().all(|&axis| !self.carries(axis));
        is_resolved.then(|| Layout { base: self.base.clone(), axes: axes.into() })
    }

    /// Divides the steps of some neighboring axes among as many elements of new ones.
    fn divide(
        &self,
        from: &[usize],
        to: &[usize],
        before: &[Option<usize>],
        after: &[Option<usize>],
        axes: &mut [Vec<Factor>],
    ) -> Option<()> {
        if from.iter().all(|&axis| !self.carries(axis)) {
            return Some(());
        }
        let mut steps: Vec<Factor> = Vec::new();
        for &axis in from {
            match &self.axes[axis][..] {
                [] => steps.push(Factor { len: before[axis]?, stride: 0 }),
                own => steps.extend(own),
            }
        }
        let mut steps = joined(steps);
        steps.reverse();
        for &axis in to {
            let mut need = after[axis]?;
            let mut own = Vec::new();
            while need > 1 {
                let step = steps.pop()?;
                if need.is_multiple_of(step.len) {
                    need /= step.len;
                    own.push(step);
                } else if step.len.is_multiple_of(need) {
                    let inner = step.len / need;
                    own.push(Factor { len: need, stride: step.stride * inner });
                    steps.push(Factor { len: inner, stride: step.stride });
                    need = 1;
                } else {
                    return None;
                }
            }
            let own = joined(own);
            axes[axis] = if own.iter().all(|step| step.stride == 0) { vec![] } else { own };
        }
        Some(())
    }
}

/// Steps with neighbors that are one step joined, and those of a single element left out.
fn joined(steps: Vec<Factor>) -> Vec<Factor> {
    let mut out: Vec<Factor> = Vec::with_capacity(steps.len());
    for step in steps.into_iter().filter(|step| step.len != 1) {
        match out.last_mut() {
            Some(last) if last.stride == step.stride * step.len => {
                *last = Factor { len: last.len * step.len, stride: step.stride };
            }
            _ => out.push(step),
        }
    }
    out
}

/// How many dims of two lists, from their starts on, first have one product. Nothing past an unknown or empty one.
fn block(
    left: &mut dyn Iterator<Item = Option<usize>>,
    right: &mut dyn Iterator<Item = Option<usize>>,
) -> Option<(usize, usize)> {
    let next = |from: &mut dyn Iterator<Item = Option<usize>>| from.next().flatten().filter(|&n| n > 0);
    let (mut n, mut m) = (1, 1);
    let (mut a, mut b) = (next(left)?, next(right)?);
    while a != b {
        if a < b {
            a = a.checked_mul(next(left)?)?;
            n += 1;
        } else {
            b = b.checked_mul(next(right)?)?;
            m += 1;
        }
    }
    Some((n, m))
}

#[cfg(test)]
mod tests {
    use super::Layout;
    use crate::dependency::Dependencies;

    #[test]
    fn a_channel_shuffle_rearranges_steps() {
        // (1, 6, 4, 4) as (1, 2, 3, 4, 4), transposed, and merged again.
        let mut network = Dependencies::new();
        let labels = network.produce("a", 6);
        let dims = |dims: &[usize]| dims.iter().map(|&d| Some(d)).collect::<Vec<_>>();
        let split = Layout::on_axis(labels.clone(), 4, 1).reshape(&dims(&[1, 6, 4, 4]), &dims(&[1, 2, 3, 4, 4]));
        let turned = split.and_then(|l| l.rearrange(&[Some(0), Some(2), Some(1), Some(3), Some(4)]));
        let turned = turned.expect("all axes stay");
        let merged = turned.reshape(&dims(&[1, 3, 2, 4, 4]), &dims(&[1, 6, 4, 4])).expect("it divides");
        assert_eq!(merged.line(1), labels.select([0, 3, 1, 4, 2, 5]));
    }
}
