//! Clocks: what they were, and how they are kept up. Plain arithmetic.

use std::time::Duration;

/// Below this share of the clock that the device reaches under load a reading is discarded.
///
/// Under the heaviest load a device settles lower by itself, by power; three quarters is what separates that from
/// throttling, the share that NVIDIA's nvbench uses of the rated clock. That one is the highest that the device has at all,
/// and a device whose clocks are locked lower would never reach three quarters of it.
const THROTTLED_BELOW: f64 = 0.75;

/// A span shorter than this tells no clock: the shared time moves in steps of up to a microsecond.
const LEAST_NS: u64 = 20_000;

/// Clocks rise within this time under load; as long is the device kept busy before the first reading.
const RISE: Duration = Duration::from_millis(300);

/// Idle gaps up to this leave the clocks where they are.
const GAP: Duration = Duration::from_millis(5);

/// Least busy time after a longer gap.
const LEAST_BUSY: Duration = Duration::from_millis(20);

/// What one multiprocessor noted: its cycle counter, and the time that all share.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Ticks {
    pub(super) cycles: u64,
    pub(super) ns: u64,
}

/// The median over the multiprocessors that noted both ends, in MHz.
pub(super) fn clock_mhz(before: &[Ticks], after: &[Ticks]) -> Option<f64> {
    let mut clocks: Vec<f64> = before
        .iter()
        .zip(after)
        .filter(|(before, after)| before.ns > 0 && after.ns >= before.ns + LEAST_NS && after.cycles > before.cycles)
        .map(|(before, after)| (after.cycles - before.cycles) as f64 * 1e3 / (after.ns - before.ns) as f64)
        .collect();
    clocks.sort_by(f64::total_cmp);
    stats::median(&clocks)
}

/// How long the clock is looked at to know what the device reaches.
pub(super) const REFERENCE_NS: u64 = 2_000_000;

/// Whether the device was kept busy for so long that its clock has risen.
pub(super) fn tells_reference(busy_ns: u64) -> bool {
    u128::from(busy_ns) >= RISE.as_nanos()
}

/// The clock that readings are held against: the highest that was seen, at most the rated one where the driver tells it.
pub(super) fn reference_mhz(before: Option<f64>, seen: Option<f64>, rated_mhz: f64) -> Option<f64> {
    let capped = seen.map(|seen| if rated_mhz > 0.0 { seen.min(rated_mhz) } else { seen });
    before.into_iter().chain(capped).reduce(f64::max)
}

/// Whether a reading at this clock is to be discarded; one without a clock is taken.
pub(super) fn is_throttled(clock_mhz: Option<f64>, reference_mhz: f64) -> bool {
    clock_mhz.is_some_and(|clock| clock < THROTTLED_BELOW * reference_mhz)
}

/// How long the device is kept busy before a reading, after this idle time; `None` before the first one.
pub(super) fn busy_ns(idle: Option<Duration>) -> u64 {
    let busy = match idle {
        None => RISE,
        Some(idle) if idle <= GAP => Duration::ZERO,
        Some(idle) => idle.clamp(LEAST_BUSY, RISE),
    };
    busy.as_nanos() as u64
}

#[cfg(test)]
mod tests {
    use super::{Ticks, busy_ns, clock_mhz, is_throttled, reference_mhz, tells_reference};
    use std::time::Duration;

    fn ticks(of: &[[u64; 2]]) -> Vec<Ticks> {
        of.iter().map(|&[cycles, ns]| Ticks { cycles, ns }).collect()
    }

    #[test]
    fn the_clock_is_cycles_over_time() {
        // 180,000 cycles in 100 us are 1,800 MHz; the others run at 1,700 and 1,900.
        let before = ticks(&[[1_000, 50_000], [5, 50_000], [7, 50_000]]);
        let after = ticks(&[[181_000, 150_000], [170_005, 150_000], [190_007, 150_000]]);
        assert_eq!(clock_mhz(&before, &after), Some(1_800.0));
    }

    #[test]
    fn multiprocessors_that_noted_one_end_are_left_out() {
        let before = ticks(&[[0, 0], [5, 50_000]]);
        let after = ticks(&[[9, 150_000], [150_005, 150_000]]);
        assert_eq!(clock_mhz(&before, &after), Some(1_500.0));
        assert_eq!(clock_mhz(&ticks(&[[0, 0]]), &ticks(&[[9, 150_000]])), None);
    }

    #[test]
    fn a_short_span_tells_nothing() {
        assert_eq!(clock_mhz(&ticks(&[[1, 1]]), &ticks(&[[20_000, 20_000]])), None);
    }

    #[test]
    fn the_reference_is_the_highest_clock_under_load() {
        // Clocks that are locked lower, one that falls later, one that the driver does not tell.
        assert_eq!(reference_mhz(None, Some(1200.0), 1980.0), Some(1200.0));
        assert_eq!(reference_mhz(Some(1980.0), Some(1200.0), 1980.0), Some(1980.0));
        assert_eq!(reference_mhz(None, Some(1990.0), 1980.0), Some(1980.0));
        assert_eq!(reference_mhz(None, Some(1200.0), 0.0), Some(1200.0));
        assert_eq!(reference_mhz(None, None, 1980.0), None);
        assert!(tells_reference(300_000_000) && !tells_reference(299_000_000));
    }

    #[test]
    fn three_quarters_of_the_reference_will_do() {
        assert!(!is_throttled(Some(1_485.0), 1_980.0));
        assert!(is_throttled(Some(1_484.9), 1_980.0));
        assert!(!is_throttled(None, 1_980.0));
    }

    #[test]
    fn pauses_are_made_up_for() {
        let ms = |n: u64| n * 1_000_000;
        assert_eq!(busy_ns(None), ms(300));
        assert_eq!(busy_ns(Some(Duration::from_millis(5))), 0);
        assert_eq!(busy_ns(Some(Duration::from_millis(6))), ms(20));
        assert_eq!(busy_ns(Some(Duration::from_millis(90))), ms(90));
        assert_eq!(busy_ns(Some(Duration::from_secs(9))), ms(300));
    }
}
