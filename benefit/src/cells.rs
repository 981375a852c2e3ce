//! What a layer costs at every pair of widths.

use crate::error::ProblemError;
use crate::sweep::Sweep;
use crate::ticks::MOST_NS;
use netspec::{Axis, GroupId, Provenance, Width};
use std::collections::BTreeMap;

/// The share of the sweeps' product that an estimate has at least.
const LEAST: f64 = 0.5;

/// The cost of a layer at one pair of widths.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Cell {
    /// Latency in nanoseconds.
    pub ns: f64,
    /// Where it comes from; `Interpolated` marks an estimate.
    pub provenance: Provenance,
}

/// A layer whose cost depends on how wide it reads and writes.
///
/// A layer that reads or computes no channels does not run and costs nothing. Any other cell T(c_in, c_out) is looked up
/// in this order:
/// 1. the cell itself, if it was given;
/// 2. a sweep's knot, where the other side is at full width;
/// 3. the estimate T(c_in, C_out) * T(C_in, c_out) / T(C_in, C_out) from the two sweeps, marked `interpolated`.
///
/// The product is exact where the work is (tiles of c_in) x (tiles of c_out) and nothing else costs time;
/// [`Problem::refit`](crate::Problem::refit) learns from given cells what else there is.
#[derive(Clone, Debug, PartialEq)]
pub struct LayerCost {
    pub(crate) name: String,
    pub(crate) inputs: Width,
    pub(crate) outputs: Width,
    pub(crate) coupled: bool,
    /// Groups without whose channels it does not run, whatever its own widths.
    pub(crate) gone_with: Vec<GroupId>,
    pub(crate) full: [usize; 2],
    pub(crate) exact: BTreeMap<(usize, usize), Cell>,
    pub(crate) by_in: Option<Sweep>,
    pub(crate) by_out: Option<Sweep>,
    /// Factor of the estimates' second term.
    pub(crate) bend: f64,
    /// Elements written per output channel, for the whole batch; 0 if unknown.
    pub(crate) elements_per_channel: f64,
    /// Weights at full width; 0 if unknown.
    pub(crate) weights: f64,
    /// Factor and offset, in nanoseconds, from what it costs alone to what it costs in the whole model.
    pub(crate) context: [f64; 2],
}

impl LayerCost {
    pub(crate) fn new(name: String, inputs: Width, outputs: Width, coupled: bool) -> LayerCost {
        let (full, exact, gone_with) = ([0, 0], BTreeMap::new(), Vec::new());
        let (by_in, by_out, bend, elements_per_channel, weights, context) = (None, None, 0.0, 0.0, 0.0, [1.0, 0.0]);
        LayerCost {
            name,
            inputs,
            outputs,
            coupled,
            gone_with,
            full,
            exact,
            by_in,
            by_out,
            bend,
            elements_per_channel,
            weights,
            context,
        }
    }

    /// The elements that it writes if its width is not a multiple of `multiple`, but the full width is; else 0.
    pub(crate) fn reformatted(&self, multiple: usize, c_out: usize) -> f64 {
        let is_changed = self.full[1].is_multiple_of(multiple) && !c_out.is_multiple_of(multiple);
        if is_changed { self.elements_per_channel * c_out as f64 } else { 0.0 }
    }

    /// The weights at a pair of widths.
    pub(crate) fn weights_at(&self, c_in: usize, c_out: usize) -> f64 {
        let [full_in, full_out] = self.full.map(|width| width.max(1) as f64);
        // What each output reads of a grouped layer is one group's, whatever the number of groups.
        let of_in = if self.coupled { 1.0 } else { c_in as f64 / full_in };
        self.weights * of_in * (c_out as f64 / full_out)
    }

    /// The layer's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What its input channels follow.
    pub fn inputs(&self) -> &Width {
        &self.inputs
    }

    /// What its output channels follow.
    pub fn outputs(&self) -> &Width {
        &self.outputs
    }

    /// Groups without whose channels it does not run, besides those that it reads or computes.
    pub fn gone_with(&self) -> &[GroupId] {
        &self.gone_with
    }

    /// Whether it is depthwise or grouped, so that c_in moves with c_out and there is one axis only.
    pub fn is_coupled(&self) -> bool {
        self.coupled
    }

    /// The cost at a pair of widths, or nothing where neither a cell nor the sweeps tell.
    pub fn cell(&self, c_in: usize, c_out: usize) -> Option<Cell> {
        if c_in == 0 || c_out == 0 {
            return Some(Cell { ns: 0.0, provenance: Provenance::Recorded });
        }
        if let Some(&cell) = self.exact.get(&(c_in, c_out)) {
            return Some(cell);
        }
        let (is_full_in, is_full_out) = (c_in == self.full[0], c_out == self.full[1]);
        let knot = |sweep: &Option<Sweep>, width| sweep.as_ref()?.knot(width).copied();
        let swept = match (is_full_in || self.coupled, is_full_out) {
            (true, _) => knot(&self.by_out, c_out).or_else(|| knot(&self.by_in, c_in).filter(|_| is_full_out)),
            (false, true) => knot(&self.by_in, c_in),
            (false, false) => None,
        };
        if let Some(knot) = swept {
            return Some(Cell { ns: knot.ns, provenance: knot.provenance });
        }
        let estimate = |ns| Some(Cell { ns, provenance: Provenance::Interpolated });
        if self.coupled || is_full_in {
            return estimate(self.by_out.as_ref()?.price(c_out));
        }
        if is_full_out {
            return estimate(self.by_in.as_ref()?.price(c_in));
        }
        estimate(self.estimate(c_in, c_out)?)
    }

    /// The estimate of a cell off both sweeps, in nanoseconds.
    pub(crate) fn estimate(&self, c_in: usize, c_out: usize) -> Option<f64> {
        let (product, bend) = self.estimate_parts(c_in, c_out)?;
        // A second term that was learned elsewhere must not make a cell free.
        Some((product + self.bend * bend).clamp(product * LEAST, MOST_NS))
    }

    /// The product of the two sweeps, and what one unit of bend adds.
    pub(crate) fn estimate_parts(&self, c_in: usize, c_out: usize) -> Option<(f64, f64)> {
        let (by_in, by_out) = (self.by_in.as_ref()?, self.by_out.as_ref()?);
        // The input axis enters as a ratio within its own sweep, so that drift between the sweeps cancels.
        let s_in = by_in.price(c_in) / by_in.price(self.full[0]);
        let (out, full) = (by_out.price(c_out), by_out.price(self.full[1]));
        Some((out * s_in, (1.0 - s_in) * (full - out)))
    }

    /// Whether the sweeps alone price every pair of widths that differs from the full one where `moves` says so.
    pub(crate) fn is_swept(&self, moves_in: bool, moves_out: bool) -> bool {
        match (self.coupled, moves_in, moves_out) {
            (true, ..) => self.by_out.is_some(),
            (false, false, false) => self.by_in.is_some() || self.by_out.is_some(),
            (false, moves_in, moves_out) => {
                (!moves_in || self.by_in.is_some()) && (!moves_out || self.by_out.is_some())
            }
        }
    }

    pub(crate) fn set_exact(&mut self, c_in: usize, c_out: usize, cell: Cell) -> Result<(), ProblemError> {
        if !(cell.ns >= 0.0 && cell.ns <= MOST_NS) {
            return Err(ProblemError::Cost { layer: self.name.clone(), c_in, c_out, ns: cell.ns });
        }
        self.exact.insert((c_in, c_out), cell);
        Ok(())
    }

    pub(crate) fn check_sweeps(&self) -> Result<(), ProblemError> {
        use crate::error::SweepError::{Coupled, NoFullWidth};
        let fail = |axis, reason| Err(ProblemError::Sweep { layer: self.name.clone(), axis, reason });
        for (axis, sweep, full) in [(Axis::CIn, &self.by_in, self.full[0]), (Axis::COut, &self.by_out, self.full[1])] {
            match sweep {
                Some(_) if self.coupled && axis == Axis::CIn => return fail(axis, Coupled),
                Some(sweep) if sweep.knot(full).is_none() => return fail(axis, NoFullWidth { full }),
                _ => {}
            }
        }
        Ok(())
    }
}
