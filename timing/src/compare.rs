//! Two things in turns.

use crate::backend::{Prepared, Reading};
use crate::error::TimingError;
use crate::policy::Policy;
use crate::sample::{Sampler, Taken};
use crate::stop::{StopRule, Verdict};
use netspec::{Measurement, StopReason};
use stats::{Rng, ratio_interval};

/// What came of running two things in turns.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Comparison {
    /// The first one's latency.
    pub a: Measurement,
    /// The second one's latency.
    pub b: Measurement,
    /// The median of the ratios b/a, each of the medians of a pair of turns; below 1 the second one is faster.
    pub ratio: f64,
    /// Its 95 % interval by order statistics.
    pub ratio_interval: [f64; 2],
    /// Pairs of turns that all of this rests on.
    pub pairs: u32,
    /// Pairs of turns that were thrown away because one of their readings was throttled.
    pub discarded: u32,
    /// Why sampling stopped.
    pub stop: StopReason,
}

/// Runs two things in turns, each pair of turns in random order, until the rule says stop.
///
/// Both turns of a pair see the same machine, so clock frequency and neighbors cancel in their ratio, and the random
/// order keeps either one from always running second. A turn is a burst of readings, which begins when the caches have
/// settled ([`Policy::burst`], [`Policy::rewarm`]): single runs in turns would push each other's data out of the caches.
///
/// The rule sees a pair as one sample: its ratio b/a, times a constant that makes a typical one the time of a run of
/// both. So [`crate::stop::Relative`] stops by the half-width of the *ratio*, and its time limit still limits time.
///
/// Fails as [`crate::measure`] does.
pub fn compare(
    a: &mut dyn Prepared,
    b: &mut dyn Prepared,
    rule: &mut dyn StopRule,
    policy: &Policy,
) -> Result<Comparison, TimingError> {
    rule.reset();
    let mut sampler = Sampler::new(policy);
    let mut rng = Rng::new(policy.seed);
    let mut fastest = [f64::INFINITY; 2];
    for _ in 0..policy.warm_up {
        for (fastest, reading) in fastest.iter_mut().zip([sampler.once(a)?, sampler.once(b)?]) {
            *fastest = fastest.min(reading.map_or(f64::INFINITY, |reading| reading.ns));
        }
    }
    let mut sides = [Taken::default(), Taken::default()];
    let mut medians = [Vec::new(), Vec::new()];
    let stop = loop {
        let turns = pair(&mut sampler, a, b, &mut rng)?;
        let [ns_a, ns_b] = turns.each_ref().map(|turn| typical(turn));
        for ((side, medians), (turn, ns)) in sides.iter_mut().zip(&mut medians).zip(turns.into_iter().zip([ns_a, ns_b]))
        {
            turn.into_iter().for_each(|reading| side.push(reading));
            medians.push(ns);
        }
        if fastest.iter().any(|ns| ns.is_infinite()) {
            fastest = [ns_a, ns_b];
        }
        // The time of both, per unit of ratio: one constant for all pairs.
        let scale = (fastest[0] + fastest[1]) * fastest[0] / fastest[1];
        rule.add(ns_b / ns_a * scale);
        if let Verdict::Stop(reason) = rule.verdict() {
            break reason;
        }
    };
    let ratio = ratio_interval(&medians[0], &medians[1], 0.95)
        .ok_or_else(|| TimingError::run("an interleaved comparison", "no pair of readings was accepted"))?;
    let [side_a, side_b] = sides;
    let discarded = sampler.discarded;
    let sum_up =
        |side: Taken, prepared: &dyn Prepared| side.samples(prepared, discarded, policy.cache, stop).measurement();
    Ok(Comparison {
        a: sum_up(side_a, a),
        b: sum_up(side_b, b),
        ratio: ratio.median,
        ratio_interval: ratio.interval,
        pairs: u32::try_from(ratio.pairs).unwrap_or(u32::MAX),
        discarded,
        stop,
    })
}

/// The median of a turn's readings.
fn typical(turn: &[Reading]) -> f64 {
    let ns: Vec<f64> = turn.iter().map(|reading| reading.ns).collect();
    stats::median(&ns).unwrap_or(f64::NAN)
}

/// One accepted pair of turns, both or none.
fn pair(
    sampler: &mut Sampler<'_>,
    a: &mut dyn Prepared,
    b: &mut dyn Prepared,
    rng: &mut Rng,
) -> Result<[Vec<Reading>; 2], TimingError> {
    loop {
        let (reading_a, reading_b) = if rng.below(2) == 0 {
            (sampler.turn(a)?, sampler.turn(b)?)
        } else {
            let reading_b = sampler.turn(b)?;
            (sampler.turn(a)?, reading_b)
        };
        if let (Some(a), Some(b)) = (reading_a, reading_b) {
            sampler.accept();
            return Ok([a, b]);
        }
        sampler.reject()?;
    }
}
