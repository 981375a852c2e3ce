//! The staircases that a plan needs: each distinct convolution along each axis that can change, once.

use crate::line::{Index, Kind, Line};
use crate::measure::Measurer;
use crate::{Error, Progress, Shard};
use benefit::Knot;
use netspec::{ConvSpec, Measurement, Network};
use stairstep::{Ask, Config, Granularity, Readings, Sample, Search, Staircase, Strategy};
use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use timing::Answer;

/// Readings of a width in one turn, and where a search does not spend them by need.
const TURN: usize = 4;
const READINGS: usize = 12;

/// Readings of one width at most: three turns, each of a convolution that was prepared anew.
const MOST_READINGS: usize = 12;

/// Makes the search of one line from its configuration.
type MakeSearch = Arc<dyn Fn(&Config) -> Box<dyn Search> + Send + Sync>;

/// How widths are searched.
#[derive(Clone, Default)]
#[non_exhaustive]
pub enum SearchKind {
    /// Three-point discrimination, guided by the granularity of the lines before.
    #[default]
    ThreePoint,
    /// Every multiple of the engine's granularity, or of a multiple of it where that would be too many.
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
    /// The most widths of one axis that a grid may have; a finer granularity is doubled until it has no more.
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
    /// The engine's granularity, in units of the line.
    pub(crate) granularity: Granularity,
    /// The multiples that were looked at: the granularity, or a multiple of it where that would be too many.
    pub(crate) step: usize,
    /// Channels of the axis and their latency.
    pub(crate) points: Vec<(usize, Measurement)>,
    /// The same as the pruning problem takes it: one price for a tread.
    pub(crate) knots: Vec<Knot>,
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
        let layers = network.layers.iter().filter(|candidate| layer.is_none_or(|name| candidate.name == name));
        let mut wanted: Vec<Line> = layers.flat_map(|layer| Line::of(layer, network, options.residual)).collect();
        let with_repeats = wanted.len();
        wanted.sort();
        wanted.dedup();
        let mut wanted = match options.shard {
            Some(shard) => shard.of_lines(wanted),
            None => wanted,
        };
        // The widest first: they show best what granularity their kind has.
        wanted.sort_by_key(|line| Reverse((line.last().0.min(128), line.spec.macs())));
        let mut sweeps: BTreeMap<Line, Swept> = BTreeMap::new();
        progress.begin("steps", Some(wanted.len() as u64));
        let mut found: BTreeMap<Kind, Vec<Granularity>> = BTreeMap::new();
        for line in wanted {
            let of_kind = found.entry(line.kind()).or_default();
            if matches!(options.search, SearchKind::Grid) && line.unit() == 1 && of_kind.is_empty() {
                let config = config(&line, options);
                let (stairs, _) = search(&line, Strategy::ThreePoint.into_search(&config), measurer)?;
                of_kind.push(stairs.granularity());
            }
            let swept = sweep(&line, of_kind, measurer, options)?;
            // Units of many channels each are coarse already.
            if line.unit() == 1 && !matches!(options.search, SearchKind::Grid) {
                of_kind.push(swept.granularity);
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

/// The narrowest width that is searched.
fn narrowest(line: &Line, options: &SweepOptions) -> Index {
    // Truncation makes it one lower at most, which only widens what is known.
    Index(((line.last().0 as f64 * options.min_share) as usize).max(1))
}

fn config(line: &Line, options: &SweepOptions) -> Config {
    Config::new(line.last().0)
        .min_channels(narrowest(line, options).0)
        .tolerance(options.tolerance)
        .readings(TURN)
        .max_readings(MOST_READINGS)
        .seed(options.seed)
}

/// Searches a line; `found` are the granularities of the lines of its kind before.
fn sweep(
    line: &Line,
    found: &[Granularity],
    measurer: &mut Measurer<'_>,
    options: &SweepOptions,
) -> Result<Swept, Error> {
    let known = if line.unit() > 1 { Granularity::NONE } else { found.first().copied().unwrap_or(Granularity::NONE) };
    // Doubled rather than multiplied by any number: 8 suits an engine's vectors where 7 would not.
    let mut coarse = known.step;
    while line.last().0.div_ceil(coarse) > options.max_points.max(2) {
        coarse *= 2;
    }
    let config = config(line, options);
    // What was searched before is not audited anew each time.
    let audits = if was_begun(line, measurer, options)? { 0 } else { options.audits };
    let made = match &options.search {
        SearchKind::ThreePoint if line.unit() > 1 => Strategy::ThreePoint.into_search(&config.granularity(coarse)),
        SearchKind::ThreePoint => Strategy::ThreePoint.into_search(&config.granularities(found).audits(audits)),
        SearchKind::Grid => Strategy::Grid(coarse).into_search(&config.readings(READINGS)),
        SearchKind::Exhaustive => Strategy::Exhaustive.into_search(&config.readings(READINGS)),
        SearchKind::Own(make) => make(&config.granularities(found).audits(audits)),
    };
    let (stairs, points) = search(line, made, measurer)?;
    let (granularity, step) = match &options.search {
        SearchKind::Grid => (known, coarse),
        _ => (stairs.granularity(), stairs.granularity().step),
    };
    let knots = knots(line, &stairs, &points, options.tolerance);
    Ok(Swept { stairs, granularity, step, points, knots })
}

/// The widths as the pruning problem takes them: what costs as much as the edge above it, within the tolerance, has that
/// edge's price.
fn knots(line: &Line, stairs: &Staircase, points: &[(usize, Measurement)], tolerance: f64) -> Vec<Knot> {
    let probed: BTreeMap<usize, f64> =
        stairs.probed().iter().map(|probed| (line.channels(Index(probed.channels)), probed.latency_ns)).collect();
    let knot = |(channels, measurement): &(usize, Measurement)| {
        let own_ns = *probed.get(channels)?;
        let edge = stairs.edges().iter().find(|edge| line.channels(Index(edge.channels)) >= *channels);
        let shared = edge.map(|edge| edge.latency_ns).filter(|ns| (own_ns / ns).ln().abs() <= tolerance.ln_1p());
        Some(Knot { channels: *channels, ns: shared.unwrap_or(own_ns), provenance: measurement.provenance })
    };
    points.iter().filter_map(knot).collect()
}

/// Drives a search to its end and puts what was read into the table; returns the staircase, and the measurement of each
/// width that was read or known, by its channels.
fn search(
    line: &Line,
    mut search: Box<dyn Search>,
    measurer: &mut Measurer<'_>,
) -> Result<(Staircase, Vec<(usize, Measurement)>), Error> {
    let mut points = BTreeMap::new();
    // What the table has of the line guides the search from its start.
    for index in 1..=line.last().0 {
        if let Some(measurement) = measurer.recalled(&line.at(Index(index)))? {
            search.tell(Sample { channels: index, readings: summary(&measurement) });
            points.insert(index, measurement);
        }
    }
    let outcome = drive(&mut *search, line, measurer, &mut points);
    let stairs = search.stairs();
    // Whatever ended the search, what was read is kept.
    let levels = stairs.probed().iter().map(|p| (line.at(Index(p.channels)), (p.latency_ns, p.interval_ns))).collect();
    let entered = measurer.close(&levels);
    outcome?;
    let entered = entered?;
    points.extend(
        stairs
            .probed()
            .iter()
            .filter_map(|probed| Some((probed.channels, entered.get(&line.at(Index(probed.channels)))?.clone()))),
    );
    let points = points.into_iter().map(|(index, measurement)| (line.channels(Index(index)), measurement)).collect();
    Ok((stairs, points))
}

fn summary(measurement: &Measurement) -> Readings {
    Readings::Summary {
        median_ns: measurement.median_ns,
        interval_ns: measurement.interval_ns,
        samples: measurement.samples,
    }
}

/// Answers what the search asks for, everything outstanding in one call, so that it can be read in turns; settled answers
/// are added to `points`, by their index.
fn drive(
    search: &mut dyn Search,
    line: &Line,
    measurer: &mut Measurer<'_>,
    points: &mut BTreeMap<usize, Measurement>,
) -> Result<(), Error> {
    loop {
        let mut probes = Vec::new();
        while let Ask::Probe(probe) = search.ask() {
            if !(1..=line.last().0).contains(&probe.channels) {
                return Err(Error::SearchOutOfRange { asked: probe.channels, most: line.last().0 });
            }
            probes.push(probe);
        }
        if probes.is_empty() {
            return Ok(());
        }
        let wanted: Vec<(ConvSpec, usize)> = probes.iter().map(|p| (line.at(Index(p.channels)), p.readings)).collect();
        let (answers, failure) = measurer.readings(&wanted)?;
        for (probe, answer) in probes.into_iter().zip(answers) {
            let readings = match answer {
                Some(Answer::Readings(samples)) => Readings::Raw(samples.ns),
                Some(settled) => summary(points.entry(probe.channels).insert_entry(settled.measurement()).get()),
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

/// Returns whether the table holds a search of this line: its full and its narrowest width.
fn was_begun(line: &Line, measurer: &Measurer<'_>, options: &SweepOptions) -> Result<bool, Error> {
    let ends = [line.at(line.last()), line.at(narrowest(line, options))];
    ends.iter().try_fold(true, |all, spec| Ok(all && measurer.known(spec)?.is_some()))
}
