//! The staircases that a plan needs: each distinct convolution along each axis that can change, once.

use crate::measure::Measurer;
use crate::report::Axis;
use crate::{Error, Progress};
use netspec::{ConvSpec, Layer, Measurement, Network, Width};
use stairstep::{Ask, Config, LatticeSearch, Readings, Sample, Search, Staircase, Strategy};
use std::cmp::Reverse;
use std::collections::BTreeMap;

/// Lines on which a lattice is searched at most.
const WITNESSES: usize = 3;

/// How widths are searched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum SearchKind {
    /// Three-point discrimination on the engine's lattice.
    #[default]
    ThreePoint,
    /// Every multiple of the engine's lattice, or of a multiple of it where that would be too many.
    Grid,
    /// Every width.
    Exhaustive,
}

/// What is swept, and how finely.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct SweepOptions {
    /// How widths are searched.
    pub search: SearchKind,
    /// The narrowest width, as a share of the full one.
    pub min_share: f64,
    /// The most lattice points of one axis; a finer lattice is doubled until it has no more.
    pub max_points: usize,
    /// Relative difference from which on two latencies are two prices.
    pub tolerance: f64,
    /// Also layers whose groups are residual streams.
    pub residual: bool,
    /// Seed of the order of probes.
    pub seed: u64,
}

impl Default for SweepOptions {
    fn default() -> SweepOptions {
        SweepOptions {
            search: SearchKind::ThreePoint,
            min_share: 0.25,
            max_points: 32,
            tolerance: 0.03,
            residual: false,
            seed: 0,
        }
    }
}

/// One axis of one convolution, searched.
#[derive(Clone, Debug)]
pub(crate) struct Swept {
    pub(crate) stairs: Staircase,
    /// The engine's lattice, in steps of the line.
    pub(crate) lattice: usize,
    /// The multiples that were looked at: the lattice, or a multiple of it where that would be too many.
    pub(crate) step: usize,
    /// Channels of the axis and their latency.
    pub(crate) points: Vec<(usize, Measurement)>,
}

/// A distinct sweep: a convolution at full width, an axis, and the step in which the axis can change.
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

    /// Lines of one kind share a lattice: the axis, whether the convolution is grouped, channels per step.
    fn kind(&self) -> Kind {
        (self.axis, self.spec.groups > 1, self.unit)
    }

    pub(crate) fn full(&self) -> usize {
        match self.axis {
            Axis::CIn => self.spec.c_in,
            Axis::COut => self.spec.c_out,
        }
    }

    /// Channels of the axis at `steps` units.
    pub(crate) fn channels(&self, steps: usize) -> usize {
        self.fixed + self.unit * steps
    }

    /// Channels that one step of the search adds to the axis.
    pub(crate) fn unit(&self) -> usize {
        self.unit
    }

    fn steps(&self) -> usize {
        (self.full() - self.fixed) / self.unit.max(1)
    }

    pub(crate) fn at(&self, steps: usize) -> ConvSpec {
        let channels = self.channels(steps);
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

type Kind = (Axis, bool, usize);

/// All sweeps of a network.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sweeps(BTreeMap<Line, Swept>);

impl Sweeps {
    pub(crate) fn get(&self, line: &Line) -> Option<&Swept> {
        self.0.get(line)
    }

    /// Searches every distinct line of the network, or of one of its layers.
    pub(crate) fn search(
        network: &Network,
        layer: Option<&str>,
        measurer: &mut Measurer<'_>,
        options: &SweepOptions,
        progress: &dyn Progress,
    ) -> Result<Sweeps, Error> {
        let lines = |wanted: &dyn Fn(&Layer) -> bool| {
            let layers = network.layers.iter().filter(|layer| wanted(layer));
            let mut lines: Vec<Line> = layers.flat_map(|layer| Line::of(layer, network, options.residual)).collect();
            let all = lines.len();
            lines.sort();
            lines.dedup();
            (lines, all)
        };
        // The lattice comes from the whole network also where one layer is asked for: it is the engine's.
        let (all, _) = lines(&|_| true);
        let (wanted, with_repeats) = lines(&|candidate| layer.is_none_or(|name| candidate.name == name));
        let mut sweeps: BTreeMap<Line, Swept> = BTreeMap::new();
        progress.begin("steps", Some(wanted.len() as u64));
        let mut lattices = BTreeMap::new();
        for line in wanted {
            let kind = line.kind();
            let lattice = match lattices.get(&kind) {
                Some(&lattice) => lattice,
                // Steps of many channels each are coarse already, and the layers that have them are the largest.
                None if options.search == SearchKind::Exhaustive || line.unit > 1 => 1,
                None => *lattices.entry(kind).or_insert(find_lattice(&all, kind, measurer, options)?),
            };
            let swept = sweep(&line, lattice, measurer, options)?;
            sweeps.insert(line, swept);
            progress.advance(1);
        }
        progress.end(&format!(
            "{with_repeats} staircases, {} distinct: {} new measurements, {} shared",
            sweeps.len(),
            measurer.measured(),
            measurer.shared()
        ));
        Ok(Sweeps(sweeps))
    }
}

/// The multiples on which treads live on this engine, for one kind of line, in the line's own steps.
///
/// It is searched on the lines with the most work among those wide enough to show it, and used for all of them.
/// One unlucky reading makes a lattice look finer than it is, so the middle of three answers counts, and of two the
/// finer one.
fn find_lattice(
    lines: &[Line],
    kind: Kind,
    measurer: &mut Measurer<'_>,
    options: &SweepOptions,
) -> Result<usize, Error> {
    let mut widest: Vec<&Line> = lines.iter().filter(|line| line.kind() == kind).collect();
    widest.sort_by_key(|line| Reverse((line.steps().min(128), line.spec.macs())));
    let mut found = Vec::new();
    for line in widest.into_iter().take(WITNESSES) {
        let mut search = LatticeSearch::new(&config(line, options));
        drive(&mut search, line, measurer)?;
        found.push(search.lattice().unwrap_or(1));
    }
    found.sort_unstable();
    Ok(found.get(found.len().saturating_sub(1) / 2).copied().unwrap_or(1))
}

fn config(line: &Line, options: &SweepOptions) -> Config {
    let steps = line.steps();
    // Truncation makes the narrowest width one lower at most, which only widens what is known.
    let narrowest = (steps as f64 * options.min_share) as usize;
    Config::new(steps).min_channels(narrowest.max(1)).tolerance(options.tolerance).seed(options.seed)
}

fn sweep(line: &Line, lattice: usize, measurer: &mut Measurer<'_>, options: &SweepOptions) -> Result<Swept, Error> {
    // Doubled rather than multiplied by any number: 8 suits an engine's vectors where 7 would not.
    let mut coarse = lattice;
    while options.search != SearchKind::Exhaustive && line.steps().div_ceil(coarse) > options.max_points.max(2) {
        coarse *= 2;
    }
    let strategy = match options.search {
        SearchKind::ThreePoint => Strategy::ThreePoint,
        SearchKind::Grid => Strategy::Grid(coarse),
        SearchKind::Exhaustive => Strategy::Exhaustive,
    };
    let mut search = strategy.into_search(&config(line, options).lattice(coarse));
    let points = drive(&mut *search, line, measurer)?;
    Ok(Swept { stairs: search.stairs(), lattice, step: coarse, points: points.into_iter().collect() })
}

/// Measures what the search asks for, everything outstanding in one call, so that the engine can interleave it.
fn drive(
    search: &mut dyn Search,
    line: &Line,
    measurer: &mut Measurer<'_>,
) -> Result<BTreeMap<usize, Measurement>, Error> {
    let mut known = BTreeMap::new();
    loop {
        let mut widths = Vec::new();
        let is_done = loop {
            match search.ask() {
                Ask::Probe(probe) => widths.push(probe.channels),
                Ask::Waiting => break false,
                Ask::Done(_) => break true,
            }
        };
        if widths.is_empty() && is_done {
            return Ok(known);
        }
        let specs: Vec<ConvSpec> = widths.iter().map(|&steps| line.at(steps)).collect();
        for (steps, measurement) in widths.into_iter().zip(measurer.latencies(&specs)?) {
            let readings = Readings::Summary {
                median_ns: measurement.median_ns,
                interval_ns: measurement.interval_ns,
                samples: measurement.samples,
            };
            search.tell(Sample { channels: steps, readings });
            known.insert(line.channels(steps), measurement);
        }
    }
}

impl Swept {
    /// The points as the pruning problem takes them.
    pub(crate) fn knots(&self) -> Vec<benefit::Knot> {
        self.points
            .iter()
            .map(|(channels, m)| benefit::Knot { channels: *channels, ns: m.median_ns, provenance: m.provenance })
            .collect()
    }
}
