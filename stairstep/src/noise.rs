//! What readings of a line scatter by, and the uncontaminated latency of each width.
//!
//! Noise on a shared processor is one-sided: most readings scatter around the latency that a width has by itself, and
//! some take longer, because the run was preempted or its cache evicted. So the logarithm of a reading is taken for a
//! mixture of a normal distribution (the core) and a shifted exponential one (the contamination):
//!
//! `ln ns = level + block + core * N(0, 1)` with probability `1 - share`, and otherwise `level + block + Exp(tail)`.
//!
//! The level is the uncontaminated latency of the width. A block is what was read in one turn of all widths: what drifts
//! from block to block is estimated, and cancels. Core, share and tail are those of the whole line, estimated together
//! with the levels by expectation maximization (Dempster, Laird and Rubin, "Maximum likelihood from incomplete data via
//! the EM algorithm", 1977), starting from weak assumptions that a few dozen readings outweigh.

use std::collections::BTreeMap;

/// The noise of a line.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Noise {
    /// Standard deviation of uncontaminated readings, in ln.
    pub(crate) core: f64,
    /// Share of contaminated readings.
    pub(crate) share: f64,
    /// Mean excess of contaminated readings, in ln.
    pub(crate) tail: f64,
}

/// The assumption that estimates start from, and the number of readings that it counts for.
const ASSUMED: Noise = Noise { core: 0.01, share: 0.1, tail: 0.3 };
const ASSUMED_READINGS: f64 = 6.0;
/// Below this no clock resolves a difference.
const LEAST_CORE: f64 = 1e-4;
/// Readings that the scatter of the line counts for, beside a width's own.
const LINE_READINGS: f64 = 8.0;
/// Assumed standard deviation of the drift between blocks, in ln, and the number of blocks that it counts for.
const DRIFT: f64 = 0.01;
const DRIFT_BLOCKS: f64 = 4.0;
/// Drift that is always possible.
const LEAST_DRIFT: f64 = 0.002;
/// Assumed standard deviation of a width's turns beside what the readings of a turn scatter by, in ln, and the number of
/// turns that it counts for: the readings of one turn share the place in memory and the state of the machine.
const TURN: f64 = 0.007;
const TURNS: f64 = 6.0;
/// Readings of a block from which on it tells of the drift.
const FULL_BLOCK: f64 = 6.0;
const ITERATIONS: usize = 12;

/// A reading: the block in which it was taken, its nanoseconds and their logarithm.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reading {
    pub(crate) block: (u32, usize),
    pub(crate) ns: f64,
    pub(crate) ln: f64,
}

/// The uncontaminated latency of one width.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Level {
    /// Its logarithm.
    pub(crate) ln: f64,
    /// The variance of that by its own readings.
    pub(crate) variance: f64,
    /// The variance by the drift of the blocks in which it was read.
    pub(crate) drift: f64,
    /// Readings.
    pub(crate) readings: usize,
}

/// All levels of a line.
#[derive(Clone, Debug, Default)]
pub(crate) struct Levels {
    pub(crate) of: BTreeMap<usize, Level>,
    blocks: BTreeMap<(u32, usize), Block>,
    /// The share of contaminated readings.
    pub(crate) share: f64,
}

#[derive(Clone, Copy, Debug, Default)]
struct Block {
    shift: f64,
    /// Weight of the readings that it rests on.
    weight: f64,
}

impl Levels {
    /// Estimates the levels of all widths with readings. Without noise (`is_exact`) a level is its smallest reading.
    pub(crate) fn estimate(readings: &BTreeMap<usize, Vec<Reading>>, is_exact: bool) -> Levels {
        let mut levels = Levels::default();
        let mut noise = first_guess(readings);
        let mut drift = DRIFT;
        for (&channels, of) in readings.iter().filter(|(_, of)| !of.is_empty()) {
            let least = || of.iter().map(|reading| reading.ln).fold(f64::INFINITY, f64::min);
            let ln = if is_exact { least() } else { most_likely(of, &noise) };
            levels.of.insert(channels, Level { ln, variance: 0.0, drift: 0.0, readings: of.len() });
            of.iter().for_each(|reading| _ = levels.blocks.entry(reading.block).or_default());
        }
        if is_exact {
            return levels;
        }
        for _ in 0..ITERATIONS {
            levels.shift_blocks(readings, &noise, drift);
            levels.move_levels(readings, &noise);
            noise = levels.noise(readings, &noise);
            drift = levels.drift(&noise);
        }
        levels.take_variances(readings, &noise, drift);
        levels.share = noise.share;
        levels
    }

    /// Deviation of a reading from the level of its width.
    fn deviation(&self, channels: usize, reading: &Reading) -> f64 {
        reading.ln - self.of[&channels].ln - self.blocks[&reading.block].shift
    }

    /// How far the blocks lie apart: drawn towards 0, where few readings tell.
    fn shift_blocks(&mut self, readings: &BTreeMap<usize, Vec<Reading>>, noise: &Noise, drift: f64) {
        let mut sums: BTreeMap<(u32, usize), (f64, f64)> = BTreeMap::new();
        for (channels, of) in readings {
            for reading in of {
                let deviation = self.deviation(*channels, reading);
                let weight = noise.weight(deviation);
                let sum = sums.entry(reading.block).or_default();
                sum.0 += weight * (deviation + self.blocks[&reading.block].shift);
                sum.1 += weight;
            }
        }
        let prior = (noise.core / drift).powi(2);
        for (block, (sum, weight)) in sums {
            self.blocks.insert(block, Block { shift: sum / (weight + prior), weight });
        }
    }

    fn move_levels(&mut self, readings: &BTreeMap<usize, Vec<Reading>>, noise: &Noise) {
        for (channels, of) in readings.iter().filter(|(_, of)| !of.is_empty()) {
            let (mut sum, mut weights) = (0.0, 0.0);
            for reading in of {
                let weight = noise.weight(self.deviation(*channels, reading));
                sum += weight * (reading.ln - self.blocks[&reading.block].shift);
                weights += weight;
            }
            if let Some(level) = self.of.get_mut(channels).filter(|_| weights > 1e-9) {
                level.ln = sum / weights;
            }
        }
    }

    /// The noise around these levels.
    fn noise(&self, readings: &BTreeMap<usize, Vec<Reading>>, before: &Noise) -> Noise {
        let (mut squares, mut freedom) = (ASSUMED.core * ASSUMED.core * ASSUMED_READINGS, ASSUMED_READINGS);
        let (mut clean, mut all) = (ASSUMED_READINGS * (1.0 - ASSUMED.share), ASSUMED_READINGS);
        let (mut excess, mut contaminated) = (ASSUMED_READINGS * ASSUMED.share * ASSUMED.tail, all - clean);
        for (channels, of) in readings.iter().filter(|(_, of)| of.len() > 1) {
            let mut weights = 0.0;
            for reading in of {
                let deviation = self.deviation(*channels, reading);
                let weight = before.weight(deviation);
                squares += weight * deviation * deviation;
                weights += weight;
                excess += (1.0 - weight) * deviation.max(0.0);
                contaminated += 1.0 - weight;
            }
            // The level took one of them.
            freedom += (weights - 1.0).max(0.0);
            clean += (weights - 1.0).max(0.0);
            all += of.len() as f64 - 1.0;
        }
        Noise {
            core: (squares / freedom).sqrt().max(LEAST_CORE),
            share: (1.0 - clean / all).clamp(0.005, 0.6),
            tail: (excess / contaminated).max(3.0 * LEAST_CORE),
        }
    }

    /// How far blocks drift, by those that many widths were read in.
    fn drift(&self, noise: &Noise) -> f64 {
        let full = self.blocks.values().filter(|block| block.weight >= FULL_BLOCK);
        let (sum, n) = full.fold((DRIFT_BLOCKS * DRIFT * DRIFT, DRIFT_BLOCKS), |(sum, n), block| {
            (sum + (block.shift.powi(2) - noise.core.powi(2) / block.weight).max(0.0), n + 1.0)
        });
        (sum / n).sqrt().max(LEAST_DRIFT)
    }

    /// The turns of a width: the weight of each, its weighted mean deviation, and the squares around that.
    fn turns(&self, channels: usize, of: &[Reading], noise: &Noise) -> Vec<[f64; 3]> {
        let mut turns: BTreeMap<u32, [f64; 3]> = BTreeMap::new();
        for reading in of {
            let deviation = self.deviation(channels, reading);
            let weight = noise.weight(deviation);
            let turn = turns.entry(reading.block.0).or_default();
            *turn = [turn[0] + weight, turn[1] + weight * deviation, turn[2] + weight * deviation * deviation];
        }
        let sound = turns.into_values().filter(|[weight, ..]| *weight > 0.5);
        sound.map(|[weight, sum, squares]| [weight, sum / weight, squares - sum * sum / weight]).collect()
    }

    /// The variance of readings within a turn, and of turns beside that.
    fn components(&self, readings: &BTreeMap<usize, Vec<Reading>>, noise: &Noise) -> [f64; 2] {
        let all: Vec<_> = readings.iter().map(|(channels, of)| self.turns(*channels, of, noise)).collect();
        let mut within = (ASSUMED_READINGS * ASSUMED.core * ASSUMED.core, ASSUMED_READINGS);
        for [weight, _, squares] in all.iter().flatten() {
            within = (within.0 + squares, within.1 + (weight - 1.0).max(0.0));
        }
        let within = within.0 / within.1;
        let mut between = (TURNS * TURN * TURN, TURNS);
        for turns in all.iter().filter(|turns| turns.len() > 1) {
            // The level lies at their weighted mean, which took one of them.
            let squares: f64 = turns.iter().map(|[weight, mean, _]| mean * mean - within / weight).sum();
            let of_mean = within / turns.iter().map(|[weight, ..]| weight).sum::<f64>();
            between = (between.0 + squares + of_mean, between.1 + turns.len() as f64 - 1.0);
        }
        [within, (between.0 / between.1).max(0.0)]
    }

    fn take_variances(&mut self, readings: &BTreeMap<usize, Vec<Reading>>, noise: &Noise, drift: f64) {
        let prior = (noise.core / drift).powi(2);
        let [within, between] = self.components(readings, noise);
        for (channels, of) in readings.iter().filter(|(_, of)| !of.is_empty()) {
            let turns = self.turns(*channels, of, noise);
            // Not a single sound reading is still one: the least.
            let weights = turns.iter().map(|[weight, ..]| weight).sum::<f64>().max(0.3);
            let squares: f64 = turns.iter().map(|[.., squares]| squares).sum();
            let freedom: f64 = turns.iter().map(|[weight, ..]| (weight - 1.0).max(0.0)).sum();
            // A width that is read at a busy moment must not look certain.
            let own = (LINE_READINGS * within + squares) / (LINE_READINGS + freedom);
            let blocks: f64 = of.iter().map(|r| noise.core.powi(2) / (self.blocks[&r.block].weight + prior)).sum();
            let n = of.len() as f64;
            if let Some(level) = self.of.get_mut(channels) {
                level.variance = own / weights + between / turns.len().max(1) as f64;
                level.drift = blocks / (n * n);
            }
        }
    }
}

impl Noise {
    /// The probability that a reading with this deviation is not contaminated.
    fn weight(&self, deviation: f64) -> f64 {
        let core = (1.0 - self.share) * self.core_density(deviation);
        let contaminated = self.share * self.tail_density(deviation);
        if core + contaminated > 0.0 { core / (core + contaminated) } else { 0.0 }
    }

    fn core_density(&self, deviation: f64) -> f64 {
        (-0.5 * (deviation / self.core).powi(2)).exp() / (self.core * (2.0 * std::f64::consts::PI).sqrt())
    }

    /// Exponential above 0, and falling fast below: no reading is faster than the latency without noise.
    fn tail_density(&self, deviation: f64) -> f64 {
        if deviation >= 0.0 { (-deviation / self.tail).exp() / self.tail } else { 0.0 }
    }

    fn ln_density(&self, deviation: f64) -> f64 {
        let density = (1.0 - self.share) * self.core_density(deviation) + self.share * self.tail_density(deviation);
        density.max(1e-30).ln()
    }
}

/// The noise by the differences between the smallest readings of each width, which are mostly uncontaminated.
fn first_guess(readings: &BTreeMap<usize, Vec<Reading>>) -> Noise {
    let mut gaps: Vec<f64> = Vec::new();
    for of in readings.values().filter(|of| of.len() > 1) {
        let mut ln: Vec<f64> = of.iter().map(|reading| reading.ln).collect();
        ln.sort_unstable_by(f64::total_cmp);
        // Expected gap between neighbors in the lower half of n normal readings: about 1.7 / n of their deviation,
        // but for the two smallest of few, which lie further apart.
        let n = ln.len();
        let (low, middle) = (ln[0], ln[(n - 1) / 2 + usize::from(n == 2)]);
        gaps.push((middle - low) / expected_gap(n));
    }
    gaps.sort_unstable_by(f64::total_cmp);
    let core = stats::median(&gaps).unwrap_or(ASSUMED.core);
    let n = gaps.len() as f64;
    let core = ((n * core * core + 4.0 * ASSUMED.core.powi(2)) / (n + 4.0)).sqrt();
    Noise { core: core.max(LEAST_CORE), ..ASSUMED }
}

/// The expected distance from the smallest to the middle one of `n` standard normal readings (of two, to the other).
fn expected_gap(n: usize) -> f64 {
    match n {
        0..=2 => 1.128,
        3 => 0.846,
        4 => 0.732,
        5 => 1.163,
        _ => 1.3,
    }
}

/// The level around which a width's readings are most likely: one of them, since the likelihood has several maxima.
fn most_likely(readings: &[Reading], noise: &Noise) -> f64 {
    let likelihood = |level: f64| readings.iter().map(|reading| noise.ln_density(reading.ln - level)).sum::<f64>();
    let candidates = readings.iter().map(|reading| (likelihood(reading.ln), reading.ln));
    candidates.max_by(|a, b| a.0.total_cmp(&b.0).then(b.1.total_cmp(&a.1))).map_or(0.0, |(_, level)| level)
}
