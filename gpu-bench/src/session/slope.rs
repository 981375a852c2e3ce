//! The time of one short run, from two graphs of many. Plain arithmetic.
//!
//! A run of a few microseconds is shorter than what events and launches cost. So graphs of N and of 2N runs are timed:
//! what every launch costs is in both, and (t(2N) - t(N)) / N is the time of one run in the middle of others.

/// Runs at least this long are timed one by one.
///
/// A launch between two events costs one or two microseconds that a slope does not have. Where the method changes this
/// looks like a riser, so it changes where that is half a percent at most.
const SINGLE_NS: f64 = 400_000.0;

/// The larger graph lasts at least this long.
const LARGE_NS: f64 = 200_000.0;

/// Most runs of the smaller graph.
const MOST: f64 = 256.0;

/// Runs of the smaller graph for a run of about this long; `None` where it is timed by itself.
pub(super) fn runs(rough_ns: f64) -> Option<usize> {
    (rough_ns < SINGLE_NS).then(|| (LARGE_NS / 2.0 / rough_ns.max(1.0)).ceil().clamp(1.0, MOST) as usize)
}

/// More runs where the graph of twice as many was too short; at least a fifth more, so that this ends.
pub(super) fn more_runs(runs: usize, large_ns: f64) -> Option<usize> {
    if large_ns >= LARGE_NS || runs as f64 >= MOST {
        return None;
    }
    let wanted = (runs as f64 * LARGE_NS / large_ns.max(1.0)).max(1.2 * runs as f64).ceil();
    Some(wanted.min(MOST) as usize)
}

/// Nanoseconds of one run; `None` where noise swallowed it.
pub(super) fn slope_ns(small_ns: f64, large_ns: f64, runs: usize) -> Option<f64> {
    let ns = (large_ns - small_ns) / runs as f64;
    (ns.is_finite() && ns > 0.0).then_some(ns)
}

#[cfg(test)]
mod tests {
    use super::{more_runs, runs, slope_ns};

    #[test]
    fn the_larger_graph_lasts_long_enough() {
        assert_eq!(runs(400_000.0), None);
        // 2 * 399.999 us are 800 us; 2 * 2 * 99.999 us are 400 us; 2 * 34 * 3 us are 204 us; 2 * 100 * 1 us are 200 us.
        assert_eq!(runs(399_999.0), Some(1));
        assert_eq!(runs(99_999.0), Some(2));
        assert_eq!(runs(3_000.0), Some(34));
        assert_eq!(runs(1_000.0), Some(100));
        assert_eq!(runs(0.0), Some(256));
    }

    #[test]
    fn a_graph_that_is_too_short_gets_more_runs() {
        assert_eq!(more_runs(20, 200_000.0), None);
        // Twice 20 runs took 120 us: twice 34 take 204 us.
        assert_eq!(more_runs(20, 120_000.0), Some(34));
        assert_eq!(more_runs(20, 199_000.0), Some(24));
        assert_eq!(more_runs(200, 50_000.0), Some(256));
        assert_eq!(more_runs(256, 50_000.0), None);
        assert_eq!(more_runs(1, f64::NAN), Some(256));
    }

    #[test]
    fn what_every_launch_costs_drops_out() {
        // 7 us of launch, 5 us a run: 7 + 40 * 5 = 207 and 7 + 80 * 5 = 407.
        assert_eq!(slope_ns(207_000.0, 407_000.0, 40), Some(5_000.0));
        assert_eq!(slope_ns(207_000.0, 207_000.0, 40), None);
        assert_eq!(slope_ns(f64::NAN, 207_000.0, 40), None);
    }
}
