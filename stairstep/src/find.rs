//! The ask/tell loop for a closure.

use crate::{Ask, Config, Readings, Sample, Search, Staircase, Strategy};
use std::convert::Infallible;

/// Finds the steps of `latency_ns` by [`Strategy::ThreePoint`].
///
/// The closure is called once for each reading and returns nanoseconds: several times per width, unless
/// [`Config::exact`] says that its answer needs no repetition.
///
/// ```
/// use stairstep::{Config, find_steps};
/// let stairs = find_steps(&Config::new(512).exact(), |channels| 250.0 * channels.div_ceil(16) as f64);
/// assert_eq!((stairs.granularity().step, stairs.edges().len()), (16, 32));
/// ```
pub fn find_steps(config: &Config, mut latency_ns: impl FnMut(usize) -> f64) -> Staircase {
    let Ok(stairs) = try_find_steps(config, |channels| Ok::<f64, Infallible>(latency_ns(channels)));
    stairs
}

/// The same where measuring can fail: the first error ends the search.
///
/// ```
/// use stairstep::{Config, try_find_steps};
/// let failed = try_find_steps(&Config::new(64), |channels| if channels < 8 { Err("too narrow") } else { Ok(1.0) });
/// assert_eq!(failed, Err("too narrow"));
/// ```
pub fn try_find_steps<E>(config: &Config, mut latency_ns: impl FnMut(usize) -> Result<f64, E>) -> Result<Staircase, E> {
    let mut search = Strategy::ThreePoint.into_search(config);
    drive(&mut search, &mut latency_ns)?;
    Ok(search.stairs())
}

fn drive<E>(search: &mut dyn Search, latency_ns: &mut dyn FnMut(usize) -> Result<f64, E>) -> Result<(), E> {
    // One probe is outstanding at a time, so that the search is never found waiting.
    while let Ask::Probe(probe) = search.ask() {
        let readings = (0..probe.readings).map(|_| latency_ns(probe.channels)).collect::<Result<_, E>>()?;
        search.tell(Sample { channels: probe.channels, readings: Readings::Raw(readings) });
    }
    Ok(())
}
