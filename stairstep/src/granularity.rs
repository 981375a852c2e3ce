//! Where steps may be expected: channel granularities, and what speaks for each.

use crate::Config;
use std::fmt;

/// A channel granularity: latency steps after the widths that leave the remainder `offset` when divided by `step`.
///
/// An engine that computes 16 output channels at a time has steps after 16, 32, 48, ... channels (step 16, offset 0).
/// One whose kernels end at other places has an offset: 6, 18, 30, ... is step 12, offset 6.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Granularity {
    /// Channels from one step to the next; 1 if there is no granularity.
    pub step: usize,
    /// The remainder, less than `step`.
    pub offset: usize,
}

impl Granularity {
    /// No granularity: a step may follow any width.
    pub const NONE: Granularity = Granularity { step: 1, offset: 0 };

    /// Steps after the multiples of `step`; a step of 0 counts as 1.
    pub fn multiples(step: usize) -> Granularity {
        Granularity { step: step.max(1), offset: 0 }
    }

    /// Returns whether a step after this width is on the granularity.
    ///
    /// ```
    /// use stairstep::Granularity;
    /// assert!(Granularity::multiples(16).contains(48));
    /// assert!(Granularity { step: 12, offset: 6 }.contains(30));
    /// assert!(!Granularity { step: 12, offset: 6 }.contains(36));
    /// ```
    pub fn contains(self, channels: usize) -> bool {
        channels % self.step.max(1) == self.offset
    }

    /// The widths on the granularity in a range of widths, ascending.
    fn within(self, from: usize, to: usize) -> impl Iterator<Item = usize> {
        let step = self.step.max(1);
        let first = from + (self.offset + step - from % step) % step;
        (first..=to).step_by(step)
    }
}

impl fmt::Display for Granularity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.offset {
            0 => write!(f, "{}", self.step),
            offset => write!(f, "{} + {offset}", self.step),
        }
    }
}

/// Steps that engines are known to use, and their relatives.
const STEPS: [usize; 9] = [64, 48, 32, 24, 16, 12, 8, 6, 4];
/// Prior probability of no granularity, and of one that starts at another place than 0.
const NO_GRANULARITY: f64 = 0.35;
const WITH_OFFSET: f64 = 0.15;
/// Probability that a step of a line with a granularity lies off it.
const STRAY: f64 = 0.03;
/// Probability from which on a granularity is believed.
const BELIEVED: f64 = 0.8;

/// The probabilities of all granularities of a line.
#[derive(Clone, Debug)]
pub(crate) struct Belief {
    /// Granularities with their probabilities.
    of: Vec<(Granularity, f64)>,
    /// The probability of none.
    none: f64,
}

impl Belief {
    /// By the granularities of earlier lines and the steps that were located on this one.
    ///
    /// A step at a width tells by how much likelier it is there: `step` times on the granularity, [`STRAY`] times off
    /// it, against anywhere without one. Earlier lines count as much as one assumed line.
    pub(crate) fn new(config: &Config, steps: &[usize]) -> Belief {
        if let Some(step) = config.granularity {
            return Belief { of: vec![(Granularity::multiples(step), 1.0)], none: 0.0 };
        }
        let mut of: Vec<(Granularity, f64)> = Vec::new();
        for step in STEPS.into_iter().filter(|step| 2 * step <= config.max_channels) {
            of.push((Granularity::multiples(step), (1.0 - NO_GRANULARITY - WITH_OFFSET) / STEPS.len() as f64));
            let prior = WITH_OFFSET / STEPS.len() as f64 / (step - 1) as f64;
            of.extend((1..step).map(|offset| (Granularity { step, offset }, prior)));
        }
        let mut none = NO_GRANULARITY;
        for seen in &config.granularities {
            match of.iter_mut().find(|(granularity, _)| granularity == seen) {
                Some((_, weight)) => *weight += 1.0,
                None if seen.step == 1 => none += 1.0,
                None => of.push((*seen, 1.0)),
            }
        }
        // In logarithms, against the likeliest: with many steps the likelihoods leave the range of numbers.
        let ln_likelihood = |granularity: Granularity| {
            let on = steps.iter().filter(|&&width| granularity.contains(width)).count();
            on as f64 * ((1.0 - STRAY) * granularity.step as f64 + STRAY).ln() + (steps.len() - on) as f64 * STRAY.ln()
        };
        let likelihoods: Vec<f64> = of.iter().map(|(granularity, _)| ln_likelihood(*granularity)).collect();
        let most = likelihoods.iter().copied().fold(0.0, f64::max);
        none *= (-most).exp();
        of.iter_mut().zip(&likelihoods).for_each(|((_, weight), likelihood)| *weight *= (likelihood - most).exp());
        let all = none + of.iter().map(|(_, weight)| weight).sum::<f64>();
        of.iter_mut().for_each(|(_, weight)| *weight /= all);
        Belief { of, none: none / all }
    }

    /// The granularity that is believed; [`Granularity::NONE`] if there is none.
    pub(crate) fn granularity(&self) -> Granularity {
        let best = self.of.iter().copied().max_by(|a, b| a.1.total_cmp(&b.1).then(a.0.cmp(&b.0)));
        best.filter(|(_, weight)| *weight > BELIEVED).map_or(Granularity::NONE, |(granularity, _)| granularity)
    }

    /// The probability of each place for a step that lies after one of the widths `from..to`, ascending.
    pub(crate) fn places(&self, from: usize, to: usize) -> Vec<f64> {
        let n = (to - from) as f64;
        let mut places = vec![self.none / n; to - from];
        for &(granularity, weight) in self.of.iter().filter(|(_, weight)| *weight > 1e-6) {
            let on = granularity.within(from, to - 1).count();
            let stray = if on == 0 { 1.0 } else { STRAY };
            places.iter_mut().for_each(|place| *place += weight * stray / n);
            granularity.within(from, to - 1).for_each(|c| places[c - from] += weight * (1.0 - STRAY) / on as f64);
        }
        places
    }
}
