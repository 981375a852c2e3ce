//! What latency rises by per channel where it does not step.

use crate::ledger::Ledger;

/// Neighboring pieces that tell how much latency rises without a step.
const NEIGHBORS: usize = 8;
/// Of their slopes this quantile counts, by width: some of them hold a step themselves.
const USUAL: f64 = 0.35;
/// The share of the tolerance up to which a piece counts as flat.
const FLAT: f64 = 1.0 / 3.0;
/// Pieces from which on slopes are known.
const ENOUGH: usize = 4;

/// The slopes of a line, by pieces of it between neighboring widths that were read.
///
/// Only pieces that were looked into count, being narrower than the widths that are read first lie apart, and those that
/// do not rise: from afar, steps and a slope look alike.
pub(crate) struct Slopes {
    pieces: Vec<Piece>,
    /// The latency of widths, in nanoseconds.
    ns: Vec<(usize, f64)>,
    tolerance: f64,
}

struct Piece {
    middle: usize,
    width: f64,
    /// Nanoseconds per channel.
    slope: f64,
}

impl Slopes {
    /// `apart` is how far the widths that are read first lie apart.
    pub(crate) fn new(ledger: &Ledger, tolerance: f64, apart: usize) -> Slopes {
        let ns: Vec<(usize, f64)> = ledger.known().map(|(channels, estimate)| (channels, estimate.ns)).collect();
        let tolerance = tolerance.ln_1p();
        let piece = |pair: &[(usize, f64)]| {
            let ((from, low), (to, high)) = (pair[0], pair[1]);
            let width = (to - from) as f64;
            let is_looked_into = to - from == 1 || to - from < apart || (high / low).ln() <= FLAT * tolerance;
            is_looked_into.then_some(Piece { middle: from.midpoint(to), width, slope: ((high - low) / width).max(0.0) })
        };
        Slopes { pieces: ns.windows(2).filter_map(piece).collect(), ns, tolerance }
    }

    /// Whether enough pieces were looked into to tell.
    pub(crate) fn are_known(&self) -> bool {
        self.pieces.len() >= ENOUGH
    }

    /// What latency rises by from one width to another without a step, in ln; 0 if that is not known.
    pub(crate) fn expected(&self, from: usize, to: usize) -> f64 {
        if !self.are_known() {
            return 0.0;
        }
        let mut near: Vec<&Piece> = self.pieces.iter().collect();
        near.sort_by_key(|piece| piece.middle.abs_diff(from.midpoint(to)));
        near.truncate(NEIGHBORS);
        near.sort_by(|a, b| a.slope.total_cmp(&b.slope));
        let mut left = USUAL * near.iter().map(|piece| piece.width).sum::<f64>();
        let usual = near.iter().find(|piece| {
            left -= piece.width;
            left <= 0.0
        });
        let slope = usual.map_or(0.0, |piece| piece.slope);
        let ns = self.ns.binary_search_by_key(&from, |(channels, _)| *channels).map_or(f64::INFINITY, |i| self.ns[i].1);
        (slope * (to - from) as f64 / ns).ln_1p()
    }

    /// Whether the slope explains a rise from one width to another, give or take the tolerance.
    ///
    /// It never does if each channel rises by more than the tolerance: then each is a step.
    pub(crate) fn explain(&self, from: usize, to: usize, rise: f64, error: f64) -> bool {
        let expected = self.expected(from, to);
        let is_gentle = expected / (to - from) as f64 <= self.tolerance;
        self.are_known() && is_gentle && rise - expected <= self.tolerance + expected / 4.0 + error / 2.0
    }
}
