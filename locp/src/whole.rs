//! Whole networks on the device: one next to its parts, and one next to another.
//!
//! An engine that runs whole models runs the model itself. Any other runs the network's convolutions in their order,
//! as one thing where it can; what such a time covers is in every report.

use crate::model::Model;
use crate::report::{Covers, Interval};
use crate::{Error, Watch, engine};
use netspec::{ConvSpec, Measurement};
use stats::median;
use std::collections::BTreeMap;
use std::time::Duration;
use timing::{Answer, LatencySource, Policy, Prepared, Request, Sampling, StopRule as _, TimingError, Verdict, stop};

/// Times that both models of a comparison are loaded anew.
///
/// Where memory is placed shifts a model's latency by a percent or two for as long as it is loaded, which no number
/// of runs averages out. The extremes of six blocks are a 97 % interval of their median (1 - 2 / 2^6).
const BLOCKS: u32 = 6;

/// Pairs of turns in a block, at least and at most, and the time that one block may take as a rule.
const PAIRS: [u32; 2] = [2, 40];
/// Readings of each network in a block of several, at least and at most.
const READINGS: [u32; 2] = [4, 100];
/// Runs in a turn, those included that settle the caches.
const RUNS: f64 = 8.0;
const BLOCK_TIME: Duration = Duration::from_millis(1500);

/// Two whole-network latencies and their ratio.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pair {
    pub(crate) dense_ns: f64,
    pub(crate) dense_interval_ns: Interval,
    pub(crate) pruned_ns: f64,
    pub(crate) pruned_interval_ns: Interval,
    pub(crate) ratio: f64,
    pub(crate) ratio_interval: Interval,
    pub(crate) samples: u32,
}

/// An interval of nanoseconds in milliseconds.
pub(crate) fn in_ms(interval_ns: Interval) -> Interval {
    interval_ns.map(|ns| ns / 1e6)
}

/// Returns the network as the source runs it; `None` if the source runs nothing.
fn load(source: &dyn LatencySource, model: &Model) -> Result<Option<Box<dyn Prepared + Send>>, Error> {
    match source.models() {
        Some(models) => Ok(Some(Box::new(models.load(model.path(), &model.run_sizes())?))),
        None => Ok(source.chain(&model.network().specs()).transpose()?),
    }
}

/// What a network finds in the caches is what its own last run left there; where an engine runs the layers one by one,
/// each of them finds its weights cold.
fn policy(source: &dyn LatencySource) -> Policy {
    match engine::covers(source) {
        Covers::WholeModel => Policy::warm(),
        Covers::Convolutions => Policy::network(),
    }
}

/// Times two networks in turns, in blocks that load both anew, the other one first each time.
///
/// On a source that runs nothing, both are sums of settled latencies.
pub(crate) fn compare(
    source: &mut dyn LatencySource,
    [dense, pruned]: [&Model; 2],
    watch: &Watch<'_>,
) -> Result<Pair, Error> {
    watch.progress.begin("verify", Some(u64::from(BLOCKS)));
    let mut blocks = Vec::new();
    let mut samples = 0;
    for block in 0..BLOCKS {
        let order = if block % 2 == 0 { [dense, pruned] } else { [pruned, dense] };
        let (Some(first), Some(second)) = (load(source, order[0])?, load(source, order[1])?) else {
            watch.progress.end("");
            return settled(source, [dense, pruned], watch);
        };
        let (mut a, mut b) = if block % 2 == 0 { (first, second) } else { (second, first) };
        let policy = policy(source).warm_up(3).seed(u64::from(block)).cancel(watch.cancel.flag());
        let pairs = pairs_per_block(&mut [&mut a, &mut b], &policy)?;
        blocks.push(timing::compare(&mut a, &mut b, &mut stop::Count::new(pairs), &policy)?);
        samples += pairs;
        watch.progress.advance(1);
    }
    watch.progress.end("");
    let over = |pick: fn(&timing::Comparison) -> f64| -> (f64, Interval) {
        let values: Vec<f64> = blocks.iter().map(pick).collect();
        let extremes = values.iter().fold([f64::INFINITY, 0.0], |[low, high]: Interval, &v| [low.min(v), high.max(v)]);
        (median(&values).expect("there is at least one block"), extremes)
    };
    let (ratio, ratio_interval) = over(|block| block.ratio);
    let (dense_ns, dense_interval_ns) = over(|block| block.a.median_ns);
    let (pruned_ns, pruned_interval_ns) = over(|block| block.b.median_ns);
    Ok(Pair { dense_ns, dense_interval_ns, pruned_ns, pruned_interval_ns, ratio, ratio_interval, samples })
}

/// Two networks as sums of the latencies of their convolutions, on a source that only knows settled ones.
fn settled(source: &mut dyn LatencySource, models: [&Model; 2], watch: &Watch<'_>) -> Result<Pair, Error> {
    let mut sum = |model: &Model| -> Result<(f64, Interval), Error> {
        let how = Sampling::default().policy(Policy::network().cancel(watch.cancel.flag()));
        let mut sums = (0.0, [0.0, 0.0]);
        for answer in source.latencies(&model.network().specs(), &how) {
            let Measurement { median_ns, interval_ns: [low, high], .. } = answer?;
            sums = (sums.0 + median_ns, [sums.1[0] + low, sums.1[1] + high]);
        }
        Ok(sums)
    };
    let [(dense_ns, dense_interval_ns), (pruned_ns, pruned_interval_ns)] = [sum(models[0])?, sum(models[1])?];
    let ratio_interval = [pruned_interval_ns[0] / dense_interval_ns[1], pruned_interval_ns[1] / dense_interval_ns[0]];
    let ratio = pruned_ns / dense_ns;
    Ok(Pair { dense_ns, dense_interval_ns, pruned_ns, pruned_interval_ns, ratio, ratio_interval, samples: 0 })
}

/// As many pairs as the block's time allows. Their number is fixed before they are taken: a comparison that stops
/// when it looks settled stops too often where it happens to look good.
fn pairs_per_block(runs: &mut [&mut Box<dyn Prepared + Send>; 2], policy: &Policy) -> Result<u32, Error> {
    let mut pair_ns = 0.0;
    for run in runs {
        pair_ns += timing::measure(*run, &mut stop::Count::new(3), policy)?.median_ns;
    }
    let fit = BLOCK_TIME.as_nanos() as f64 / (RUNS * pair_ns);
    Ok((fit as u32).clamp(PAIRS[0], PAIRS[1]))
}

/// Times networks in turns, all loaded anew, and returns their latencies in nanoseconds; `None` on a source that runs
/// nothing.
pub(crate) fn in_turns(
    source: &dyn LatencySource,
    models: &[&Model],
    seed: u64,
    watch: &Watch<'_>,
) -> Result<Option<Vec<f64>>, Error> {
    let loaded = models.iter().map(|model| load(source, model)).collect::<Result<Option<Vec<_>>, Error>>()?;
    let Some(mut loaded) = loaded else { return Ok(None) };
    let policy = policy(source).warm_up(2).seed(seed).cancel(watch.cancel.flag());
    let mut once_ns = 0.0;
    for run in &mut loaded {
        once_ns += timing::measure(run, &mut stop::Count::new(3), &policy)?.median_ns;
    }
    let bursts = BLOCK_TIME.as_nanos() as f64 / (RUNS * once_ns);
    let readings = ((f64::from(BURST) * bursts) as u32).clamp(READINGS[0], READINGS[1]);
    let samples = timing::interleave(&mut loaded, &stop::Count::new(readings), &policy.warmed_up()).into_iter();
    let medians = samples.map(|samples| Ok(samples?.measurement().median_ns));
    Ok(Some(medians.collect::<Result<_, Error>>()?))
}

/// Readings of everything in one round of [`with_parts`].
const BURST: u32 = 4;

/// Returns the whole network's latency, and that of its convolutions one by one, in nanoseconds.
///
/// All of them take turns, so that a busy neighbor slows the whole and its parts alike: what counts is their ratio.
/// On a source that runs nothing, both are the sum of the convolutions.
pub(crate) fn with_parts(source: &mut dyn LatencySource, model: &Model, watch: &Watch<'_>) -> Result<[f64; 2], Error> {
    let network = model.network();
    let mut whole = load(source, model)?;
    watch.progress.begin("whole", None);
    let rule = stop::Relative::new(0.005).min_samples(8).max_samples(100).limit_ms(1500.0);
    // Their errors partly cancel in the sum.
    let of_part = stop::Relative::new(0.02).min_samples(8).max_samples(60).limit_ms(1000.0);
    let mut parts: BTreeMap<&ConvSpec, Part> = network.layers.iter().map(|l| (&l.spec, Part::new(&of_part))).collect();
    let mut of_whole = Part::new(&rule);
    // Each finds its weights cold, as the layers of a network do; the whole model does not care.
    let policy = Policy::network().warm_up(2).cancel(watch.cancel.flag());
    for round in 0.. {
        let how = Sampling::default().policy(policy.clone().seed(round));
        let open: Vec<&ConvSpec> = parts.iter().filter(|(_, part)| !part.is_done()).map(|(spec, _)| *spec).collect();
        let requests: Vec<Request> = open.iter().map(|spec| Request::further((*spec).clone(), BURST)).collect();
        let mut answers = source.read(&requests, &how).into_iter();
        for spec in open {
            let answer = answers.next().unwrap_or_else(|| Err(TimingError::unanswered(spec)))?;
            parts.get_mut(spec).expect("what is open is one of the parts").add(&answer);
        }
        if let Some(whole) = whole.as_mut().filter(|_| !of_whole.is_done()) {
            // After the first round a run only brings the caches back.
            let policy = if round == 0 { policy.clone() } else { policy.clone().warmed_up() };
            let samples = timing::sample(whole, &mut stop::Count::new(BURST), &policy)?;
            of_whole.add(&Answer::Readings(samples));
        }
        if (whole.is_none() || of_whole.is_done()) && parts.values().all(Part::is_done) {
            break;
        }
    }
    source.forget();
    watch.progress.end("");
    let parts_ns = network.layers.iter().map(|layer| parts[&layer.spec].median_ns()).sum();
    Ok([if whole.is_some() { of_whole.median_ns() } else { parts_ns }, parts_ns])
}

/// What is known of one of the things that take turns.
struct Part {
    ns: Vec<f64>,
    rule: stop::Relative,
    settled_ns: Option<f64>,
}

impl Part {
    fn new(rule: &stop::Relative) -> Part {
        Part { ns: Vec::new(), rule: rule.clone(), settled_ns: None }
    }

    fn add(&mut self, answer: &Answer) {
        match answer {
            Answer::Readings(samples) => {
                samples.ns.iter().for_each(|&ns| self.rule.add(ns));
                self.ns.extend(&samples.ns);
            }
            settled => self.settled_ns = Some(settled.measurement().median_ns),
        }
    }

    fn is_done(&self) -> bool {
        self.settled_ns.is_some() || self.rule.verdict() != Verdict::Continue
    }

    fn median_ns(&self) -> f64 {
        self.settled_ns.or_else(|| median(&self.ns)).unwrap_or(f64::NAN)
    }
}
