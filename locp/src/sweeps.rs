//! The staircases that a plan needs: each distinct convolution along each axis that can change, once.

use crate::line::{Index, Kind, Line};
use crate::measure::Measurer;
use crate::{Error, Progress, Shard};
use netspec::{ConvSpec, Layer, Measurement, Network, StopReason};
use stairstep::{Ask, Config, LatticeSearch, Readings, Sample, Search, Staircase, Strategy};
use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use timing::Answer;

/// Lines on which a lattice is searched at most.
const WITNESSES: usize = 3;

/// Widths of a line that the table holds at least where it was searched before, and one in so many of them.
const FEW_WIDTHS: usize = 4;
const SPARSE: usize = 24;

/// Readings of each width where a search does not spend them by need.
const READINGS: usize = 9;

/// Readings of one width at most while a search compares: its edges get more in any case, until they are known to 1 %, and
/// the levels of a plan rest on these.
const MOST_READINGS: usize = 6;

/// Makes the search of one line from its configuration.
type MakeSearch = Arc<dyn Fn(&Config) -> Box<dyn Search> + Send + Sync>;

/// How widths are searched.
#[derive(Clone, Default)]
#[non_exhaustive]
pub enum SearchKind {
    /// Three-point discrimination on the engine's lattice.
    #[default]
    ThreePoint,
    /// Every multiple of the engine's lattice, or of a multiple of it where that would be too many.
    Grid,
    /// Every width.
    Exhaustive,
    /// The user's own search, made for each line.
    Own(MakeSearch),
}

impl SearchKind {
    /// Makes a search of one's own for each line, from the configuration that [`SearchKind::ThreePoint`] gets.
    ///
    /// What [`stairstep`] calls channels is counted in units of the line: channels, unless the axis can change only in
    /// larger steps. The search must ask for the largest width.
    pub fn own<S: Search + 'static>(make: impl Fn(&Config) -> S + Send + Sync + 'static) -> SearchKind {
        SearchKind::Own(Arc::new(move |config| Box::new(make(config))))
    }
}

impl fmt::Debug for SearchKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            SearchKind::ThreePoint => "ThreePoint",
            SearchKind::Grid => "Grid",
            SearchKind::Exhaustive => "Exhaustive",
            SearchKind::Own(_) => "Own",
        })
    }
}

/// What is swept, and how finely.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct SweepOptions {
    /// How widths are searched.
    pub search: SearchKind,
    /// The narrowest width, as a share of the full one.
    pub min_share: f64,
    /// The most lattice points of one axis that a grid may have; a finer lattice is doubled until it has no more.
    pub max_points: usize,
    /// Widths of each line that are checked at random against what its staircase claims.
    pub audits: usize,
    /// Relative difference from which on two latencies are two prices.
    pub tolerance: f64,
    /// Also layers whose groups are residual streams.
    pub residual: bool,
    /// The part of the staircases that is searched, where several devices share the work; all of them by default.
    pub shard: Option<Shard>,
    /// Seed of the order of probes.
    pub seed: u64,
}

impl Default for SweepOptions {
    fn default() -> SweepOptions {
        SweepOptions {
            search: SearchKind::ThreePoint,
            min_share: 0.25,
            max_points: 32,
            audits: 2,
            tolerance: 0.03,
            residual: false,
            shard: None,
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
        let mut wanted = match options.shard {
            Some(shard) => shard.of_lines(wanted),
            None => wanted,
        };
        // The widest first: they show best what lattice their kind has.
        wanted.sort_by_key(|line| Reverse((line.last().0.min(128), line.spec.macs())));
        let mut sweeps: BTreeMap<Line, Swept> = BTreeMap::new();
        progress.begin("steps", Some(wanted.len() as u64));
        let mut lattices: BTreeMap<Kind, Vec<usize>> = BTreeMap::new();
        for line in wanted {
            // Steps of many channels each are coarse already, and the layers that have them are the largest.
            let is_coarse = line.unit() > 1;
            let known = lattices.entry(line.kind()).or_default();
            if matches!(options.search, SearchKind::Grid) && !is_coarse && known.is_empty() {
                known.push(find_lattice(&all, line.kind(), measurer, options)?);
            }
            let known = if is_coarse { &vec![1] } else { &*known };
            let swept = sweep(&line, known, measurer, options)?;
            if !is_coarse && !known.contains(&swept.lattice) {
                lattices.entry(line.kind()).or_default().push(swept.lattice);
            }
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
    widest.sort_by_key(|line| Reverse((line.last().0.min(128), line.spec.macs())));
    let mut found = Vec::new();
    for line in widest.into_iter().take(WITNESSES) {
        let mut search = LatticeSearch::new(&config(line, options));
        let is_recalled = was_searched(line, measurer, options)?;
        drive(&mut search, line, measurer, is_recalled)?;
        measurer.close(&[], &intervals(line, &search.stairs()))?;
        found.push(search.lattice().unwrap_or(1));
    }
    found.sort_unstable();
    Ok(found.get(found.len().saturating_sub(1) / 2).copied().unwrap_or(1))
}

/// The narrowest width that is searched.
fn narrowest(line: &Line, options: &SweepOptions) -> Index {
    // Truncation makes it one lower at most, which only widens what is known.
    Index(((line.last().0 as f64 * options.min_share) as usize).max(1))
}

fn config(line: &Line, options: &SweepOptions) -> Config {
    Config::new(line.last().0)
        .min_channels(narrowest(line, options).0)
        .tolerance(options.tolerance)
        .max_readings(MOST_READINGS)
        .seed(options.seed)
}

/// `lattices` are those that lines of this kind were found to have.
fn sweep(line: &Line, lattices: &[usize], measurer: &mut Measurer<'_>, options: &SweepOptions) -> Result<Swept, Error> {
    let known = lattices.first().copied().unwrap_or(1);
    // Doubled rather than multiplied by any number: 8 suits an engine's vectors where 7 would not.
    let mut coarse = known;
    while line.last().0.div_ceil(coarse) > options.max_points.max(2) {
        coarse *= 2;
    }
    let is_recalled = was_searched(line, measurer, options)?;
    let config = config(line, options);
    let mut search = match &options.search {
        SearchKind::ThreePoint if line.unit() > 1 => Strategy::ThreePoint.into_search(&config.lattice(coarse)),
        SearchKind::ThreePoint => Strategy::ThreePoint.into_search(&config.lattices(lattices).audits(options.audits)),
        SearchKind::Grid => Strategy::Grid(coarse).into_search(&config.readings(READINGS)),
        SearchKind::Exhaustive => Strategy::Exhaustive.into_search(&config.readings(READINGS)),
        SearchKind::Own(make) => make(&config.lattices(lattices).audits(options.audits)),
    };
    let outcome = drive(&mut *search, line, measurer, is_recalled);
    let stairs = search.stairs();
    // Whatever ended the search, what was read is kept.
    let edges: Vec<ConvSpec> = stairs.edges().iter().map(|edge| line.at(Index(edge.channels))).collect();
    let precise = if outcome.is_ok() { edges.as_slice() } else { &[] };
    let entered = measurer.close(precise, &intervals(line, &stairs));
    let mut points = outcome?;
    points.extend(stairs.probed().iter().filter_map(|probed| {
        Some((probed.channels, entered.as_ref().ok()?.get(&line.at(Index(probed.channels)))?.clone()))
    }));
    entered?;
    let points = points.into_iter().map(|(steps, measurement)| (line.channels(Index(steps)), measurement)).collect();
    let (lattice, step) = match &options.search {
        SearchKind::Grid => (known, coarse),
        _ => (stairs.lattice(), stairs.lattice()),
    };
    Ok(Swept { stairs, lattice, step, points })
}

/// The intervals of what a search probed, which rest on the scatter of all its widths where one has few readings.
fn intervals(line: &Line, stairs: &Staircase) -> BTreeMap<ConvSpec, [f64; 2]> {
    stairs.probed().iter().map(|probed| (line.at(Index(probed.channels)), probed.interval_ns)).collect()
}

/// Answers what the search asks for, everything outstanding in one call, so that it can be read in turns.
///
/// What the table knew comes back, by the line's steps. A line that was searched before (`is_recalled`) is searched
/// again from the table alone.
fn drive(
    search: &mut dyn Search,
    line: &Line,
    measurer: &mut Measurer<'_>,
    is_recalled: bool,
) -> Result<BTreeMap<usize, Measurement>, Error> {
    let mut known = BTreeMap::new();
    loop {
        let mut probes = Vec::new();
        while let Ask::Probe(probe) = search.ask() {
            if !(1..=line.last().0).contains(&probe.channels) {
                return Err(Error::SearchOutOfRange { asked: probe.channels, most: line.last().0 });
            }
            probes.push(probe);
        }
        if probes.is_empty() {
            return Ok(known);
        }
        let wanted: Vec<(ConvSpec, usize)> = probes.iter().map(|p| (line.at(Index(p.channels)), p.readings)).collect();
        let (answers, failure) = if is_recalled {
            let known = |(spec, _): &(ConvSpec, usize)| Ok(measurer.known(spec)?.map(Answer::Settled));
            (wanted.iter().map(known).collect::<Result<Vec<_>, Error>>()?, None)
        } else {
            measurer.readings(&wanted)?
        };
        for (probe, answer) in probes.into_iter().zip(answers) {
            let readings = match answer {
                Some(Answer::Readings(samples)) => Readings::Raw(samples.ns),
                Some(settled) => {
                    let measurement = settled.measurement();
                    let readings = Readings::Summary {
                        median_ns: measurement.median_ns,
                        interval_ns: measurement.interval_ns,
                        samples: measurement.samples,
                    };
                    known.insert(probe.channels, measurement);
                    readings
                }
                // No figure, and none to come.
                None => Readings::Summary { median_ns: f64::NAN, interval_ns: [f64::NAN; 2], samples: 0 },
            };
            search.tell(Sample { channels: probe.channels, readings });
        }
        // Only now: what was read beside the failure enters the table with the intervals that the search gives it.
        if let Some(failure) = failure {
            return Err(failure);
        }
    }
}

/// Returns whether the table holds a finished search of this line: a precise figure of its full width, which every
/// search that ends leaves behind, its narrowest width, and a good part of the widths between them.
///
/// By single readings a search would go on where figures leave it in doubt, and measure a little more each time.
/// Without the narrowest width, the entries are those of a line with more channels that passes through this one.
fn was_searched(line: &Line, measurer: &Measurer<'_>, options: &SweepOptions) -> Result<bool, Error> {
    let steps = line.last().0;
    let full = measurer.known(&line.at(line.last()))?;
    if full.is_none_or(|measurement| measurement.stop == StopReason::Decided)
        || measurer.known(&line.at(narrowest(line, options)))?.is_none()
    {
        return Ok(false);
    }
    let enough = FEW_WIDTHS.max(steps / SPARSE);
    let mut known = 0;
    for width in 1..=steps {
        known += usize::from(measurer.known(&line.at(Index(width)))?.is_some());
        if known >= enough {
            return Ok(true);
        }
    }
    Ok(false)
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
