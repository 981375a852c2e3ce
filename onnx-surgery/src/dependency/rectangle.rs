//! Tensors whose channels stand on several axes: what is left of them must be a rectangle again.
//!
//! A channel shuffle sees its channels as `(groups, channels per group)`. Single channels cannot go there, only
//! whole rows or whole columns. Which of both is often decided elsewhere (normalization over groups removes whole
//! groups); where it is not, the longer axis shrinks, for it leaves more widths to choose from.

use super::{Dependencies, Labels, Layout, Reason};

impl Dependencies {
    /// A tensor carries channels on several axes; whole slices of one of them go.
    ///
    /// Where one of the channels cannot change, those that would go with it are frozen for the reason `otherwise`.
    pub(crate) fn rectangle(&mut self, layout: &Layout, otherwise: Reason) {
        let is_known = self
            .rectangles
            .iter()
            .rev()
            .take(8)
            .any(|(known, _)| known.labels().is_same(layout.labels()) && known == layout);
        if !is_known {
            self.rectangles.push((layout.clone(), otherwise));
        }
    }

    /// Values are mixed along some axes: channels there go together, one for each position on the other axes.
    ///
    /// Answers whether there are other axes; if not, nothing happens, for all channels would be one.
    pub(crate) fn mix(&mut self, layout: &Layout, axes: &[usize], otherwise: Reason) -> bool {
        let (grid, labels) = layout.grid();
        if grid.iter().all(|(axis, _)| axes.contains(axis)) {
            return false;
        }
        let is_mixed: Vec<bool> = grid.iter().map(|(axis, _)| axes.contains(axis)).collect();
        self.tie_lines(&grid, &labels, &is_mixed, otherwise);
        true
    }

    /// Unites all positions that differ only on the marked axes.
    fn tie_lines(&mut self, grid: &[(usize, usize)], labels: &Labels, is_tied: &[bool], otherwise: Reason) {
        let firsts = first_of_line(grid, is_tied);
        let all: Vec<u32> = labels.iter().collect();
        for (position, &first) in firsts.iter().enumerate().filter(|(position, first)| position != *first) {
            self.unite_two(all[first], all[position], otherwise);
        }
    }

    /// Which of a tensor's labelled axes shrinks, once it is settled; none if all its channels must stay.
    pub(crate) fn shrinking(&mut self, layout: &Layout) -> Option<usize> {
        if let Some(axis) = layout.only_axis() {
            return Some(axis);
        }
        let (grid, labels) = layout.grid();
        let classes = self.classes(&labels);
        shrinking(&grid, &classes).map(|i| grid[i].0)
    }

    /// Decides for every rectangle which way it shrinks, after everything else is known.
    pub(crate) fn settle(&mut self) {
        for (layout, otherwise) in std::mem::take(&mut self.rectangles) {
            let (grid, labels) = layout.grid();
            let classes = self.classes(&labels);
            if shrinking(&grid, &classes).is_some() {
                continue;
            }
            let longest = (0..grid.len()).max_by_key(|&i| (grid[i].1, i)).unwrap_or(0);
            let is_tied: Vec<bool> = (0..grid.len()).map(|i| i != longest).collect();
            self.tie_lines(&grid, &labels, &is_tied, otherwise);
        }
    }
}

/// Which of a grid's axes can shrink: the first one whose every slice is one class.
pub(super) fn shrinking(grid: &[(usize, usize)], classes: &[u32]) -> Option<usize> {
    (0..grid.len()).find(|&axis| {
        let others: Vec<bool> = (0..grid.len()).map(|i| i != axis).collect();
        first_of_line(grid, &others).iter().zip(classes).all(|(&first, class)| classes[first] == *class)
    })
}

/// For each position of a grid, the one with 0 on the marked axes.
fn first_of_line(grid: &[(usize, usize)], is_marked: &[bool]) -> Vec<usize> {
    let mut firsts = vec![0];
    let mut stride: usize = grid.iter().map(|(_, len)| len).product();
    for (&(_, len), &is_marked) in grid.iter().zip(is_marked) {
        stride /= len.max(1);
        let step = if is_marked { 0 } else { stride };
        firsts = firsts.iter().flat_map(|&at| (0..len).map(move |i| at + i * step)).collect();
    }
    firsts
}
