//! Which of several runners stays.
//!
//! The library's first choice is replaced only where another one is clearly faster: whoever is the fastest of many on
//! the same readings is partly lucky, and a choice that flips with noise puts risers where there are none.

use super::memory::Memory;
use super::runner::Runner;
use crate::GpuError;
use crate::cudnn::Pointers;
use crate::session::{Lane, Session};
use netspec::CacheState;
use stats::{median, ratio_interval};

/// Readings of every runner to find the challenger, and fresh pairs to judge it by.
const FIRST: usize = 7;
const FRESH: usize = 15;

/// Runs in a row that one reading holds at least; their time together is compared.
const LEAST_NS: f64 = 50_000.0;
const MOST_RUNS: f64 = 64.0;

/// How much faster a challenger has to be.
const MARGIN: f64 = 0.02;

/// Leaves one runner: of those that run at all the first, or whichever is clearly faster.
pub(super) fn keep_fastest(
    session: &mut Session,
    runners: &mut Vec<Box<dyn Runner>>,
    memory: &Memory,
) -> Result<(), GpuError> {
    let at = memory.pointers(0, CacheState::Warm);
    let mut why = None;
    let mut i = 0;
    while i < runners.len() {
        // The first launch loads kernels, and shows engines that promise more than they hold.
        match session.settle(|session| runners[i].queue(&mut session.lane(), &at)) {
            Ok(()) => i += 1,
            Err(error) if error.is_fatal() => return Err(error),
            Err(error) => {
                why = Some(error);
                runners.remove(i);
            }
        }
    }
    match runners.len() {
        0 => Err(why.expect("whoever is not here any more has failed")),
        1 => Ok(()),
        _ => {
            let best = fastest(session, runners, &at)?;
            runners.swap(0, best);
            runners.truncate(1);
            Ok(())
        }
    }
}

/// The position of the runner that stays.
fn fastest(session: &mut Session, runners: &[Box<dyn Runner>], at: &Pointers) -> Result<usize, GpuError> {
    let mut read = |which: usize, runs: usize| -> Result<f64, GpuError> {
        let run = |session: &mut Session| {
            let mut lane: Lane<'_> = session.lane();
            (0..runs).try_for_each(|_| runners[which].queue(&mut lane, at))
        };
        Ok(session.time_steady(|_| Ok(()), run)?.ns)
    };
    let rough_ns = (0..3).map(|_| read(0, 1)).collect::<Result<Vec<_>, _>>()?;
    let rough_ns = rough_ns.into_iter().fold(f64::INFINITY, f64::min);
    let runs = (LEAST_NS / rough_ns.max(1.0)).ceil().clamp(1.0, MOST_RUNS) as usize;
    let mut readings = vec![Vec::with_capacity(FIRST); runners.len()];
    for _ in 0..FIRST {
        for (which, readings) in readings.iter_mut().enumerate() {
            readings.push(read(which, runs)?);
        }
    }
    let medians: Vec<f64> = readings.iter().map(|of| median(of).unwrap_or(f64::INFINITY)).collect();
    let challenger = (0..medians.len()).min_by(|&a, &b| medians[a].total_cmp(&medians[b])).unwrap_or(0);
    if challenger == 0 {
        return Ok(0);
    }
    let (mut first, mut other) = (Vec::with_capacity(FRESH), Vec::with_capacity(FRESH));
    for _ in 0..FRESH {
        first.push(read(0, runs)?);
        other.push(read(challenger, runs)?);
    }
    Ok(if is_clearly_faster(&first, &other) { challenger } else { 0 })
}

/// Whether the paired ratios of `other` to `first` have a median over the margin below one, and an interval clear of
/// one.
fn is_clearly_faster(first: &[f64], other: &[f64]) -> bool {
    ratio_interval(first, other, 0.95).is_some_and(|ratio| ratio.median < 1.0 - MARGIN && ratio.interval[1] < 1.0)
}

#[cfg(test)]
mod tests {
    use super::is_clearly_faster;

    #[track_caller]
    fn check(ratios: [f64; 9], expect: bool) {
        assert_eq!(is_clearly_faster(&[10.0; 9], &ratios.map(|ratio| 10.0 * ratio)), expect, "{ratios:?}");
    }

    #[test]
    fn only_what_is_clearly_faster_replaces_the_first_choice() {
        check([0.9; 9], true);
        // Faster, but by the margin only.
        check([0.98; 9], false);
        // Of nine pairs the second and eighth bound the median at 95 % (1 - 20 / 512 = 0.961): two above one are many.
        check([0.9, 0.9, 0.9, 0.9, 0.9, 0.9, 0.9, 0.9, 1.1], true);
        check([0.9, 0.9, 0.9, 0.9, 0.9, 0.9, 0.9, 1.1, 1.1], false);
    }
}
