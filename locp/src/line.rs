//! A line of widths: one convolution along one axis.

use netspec::{Axis, ConvSpec, Layer, Network, Width};

/// A place on a [`Line`]: the number of units that the axis has there, which are not channels.
///
/// A search counts in indices: what `stairstep` calls channels of a line is an index.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Index(pub(crate) usize);

/// What lines have in common that share granularities: the axis, whether the convolution is grouped, whether it is
/// pointwise, which engines compute by other kernels, and the channels of a unit.
pub(crate) type Kind = (Axis, bool, bool, usize);

/// A distinct sweep: a convolution at full width, an axis, and the unit in which the axis can change.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Line {
    pub(crate) spec: ConvSpec,
    pub(crate) axis: Axis,
    fixed: usize,
    unit: usize,
}

impl Line {
    /// The lines of a layer: the axes that follow a group which can be pruned.
    pub(crate) fn of(layer: &Layer, network: &Network, residual: bool) -> Vec<Line> {
        let can_move = |width: &Width| {
            width.parts.iter().any(|part| {
                let group = &network.groups[part.group.0];
                group.frozen.is_none() && (residual || !group.residual)
            })
        };
        let line = |axis, width: &Width| {
            // A lone group moves the axis in whole channels of its own, for example 49 positions behind a Flatten.
            let (fixed, unit) = match width.parts.as_slice() {
                [part] => (width.fixed, part.repeat),
                _ => (0, 1),
            };
            Line { spec: layer.spec.clone(), axis, fixed, unit }
        };
        let mut lines = Vec::new();
        if layer.spec.groups > 1 {
            if can_move(&layer.outputs) {
                let unit = layer.spec.c_out / layer.spec.groups;
                lines.push(Line { spec: layer.spec.clone(), axis: Axis::COut, fixed: 0, unit });
            }
            return lines;
        }
        if can_move(&layer.outputs) {
            lines.push(line(Axis::COut, &layer.outputs));
        }
        if can_move(&layer.inputs) {
            lines.push(line(Axis::CIn, &layer.inputs));
        }
        lines
    }

    pub(crate) fn kind(&self) -> Kind {
        (self.axis, self.spec.groups > 1, self.spec.kernel == [1, 1], self.unit)
    }

    /// Channels of the axis at full width.
    pub(crate) fn full(&self) -> usize {
        match self.axis {
            Axis::CIn => self.spec.c_in,
            Axis::COut => self.spec.c_out,
        }
    }

    /// Channels of the axis at an index.
    pub(crate) fn channels(&self, index: Index) -> usize {
        self.fixed + self.unit * index.0
    }

    /// Channels that one more index adds to the axis.
    pub(crate) fn unit(&self) -> usize {
        self.unit
    }

    /// The index of the full width.
    pub(crate) fn last(&self) -> Index {
        Index((self.full() - self.fixed) / self.unit.max(1))
    }

    /// The convolution at an index.
    pub(crate) fn at(&self, index: Index) -> ConvSpec {
        let channels = self.channels(index);
        match self.axis {
            Axis::COut if self.spec.groups > 1 => {
                let c_in = self.spec.c_in / self.spec.groups * (channels / (self.spec.c_out / self.spec.groups));
                self.spec.with_channels(c_in, channels)
            }
            Axis::COut => self.spec.with_channels(self.spec.c_in, channels),
            Axis::CIn => self.spec.with_channels(channels, self.spec.c_out),
        }
    }
}
