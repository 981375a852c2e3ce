//! How one reading is taken: slopes, single runs, load before the first, throttling, late hosts.

use crate::device::Ran;
use crate::planted::{LAUNCH_NS, conv_ns, is_planted, node_ns, spec};
use crate::process::on_device;
use gpu_bench::Cuda;
use netspec::CacheState::{Cold, Network, Warm};
use std::time::Duration;
use timing::{Backend, Policy, TimingError, sample, stop};

const SHORT: [&str; 5] = [
    "n1 64>64 56x56 k3 p1 f16 nhwc",
    "n2 40>33 17x13 k3 s2 p1 f16 nhwc",
    "n1 96>96 28x28 k3 p1 g96 f16 nhwc",
    "n1 256>512 7x7 k1 bf16 nhwc",
    "n4 24>100 31x31 k5x3 p2.1.2.1 g2 tf32",
];

#[test]
fn a_slope_is_the_planted_time_of_one_run() {
    on_device(&[("FAKE_RIVAL", "1")], |device| {
        let gpu = Cuda::device(0).unwrap();
        for text in SHORT {
            let of = spec(text);
            let mut conv = gpu.prepare(&of).unwrap();
            // Warm again at the end: its operands have moved meanwhile, and its graphs with them.
            for cache in [Warm, Cold, Network, Warm] {
                let reading = conv.run(cache).unwrap();
                is_planted(reading.ns, node_ns(&of, cache), &format!("{text}, {cache:?}"));
                assert!(!reading.throttled);
                let clock = reading.clock_mhz.expect("100 us are long enough to tell a clock");
                assert!((clock / 1980.0 - 1.0).abs() < 2e-3, "{text}: {clock} MHz");
            }
            let [warm, network, cold] = [Warm, Network, Cold].map(|cache| conv.run(cache).unwrap().ns);
            assert!(warm < network && network < cold, "{text}: {warm} {network} {cold}");
        }
        assert_eq!(device.counted("forbidden in capture"), 0, "nothing is allocated while a stream is captured");
    });
}

#[test]
fn what_launches_and_events_cost_drops_out() {
    on_device(&[("FAKE_GRAPH_NS", "55000"), ("FAKE_LAUNCH_NS", "9000")], |device| {
        let gpu = Cuda::device(0).unwrap();
        let of = spec(SHORT[0]);
        let mut conv = gpu.prepare(&of).unwrap();
        is_planted(conv.run(Warm).unwrap().ns, node_ns(&of, Warm), "slow launches");
        // Events on a raster of 500 ns: two ends of two readings over at least 7 runs.
        device.set("FAKE_EVENT_NS", "500");
        let off = (conv.run(Warm).unwrap().ns - node_ns(&of, Warm)).abs();
        assert!(off <= 1000.0 / 7.0, "{off} ns off");
    });
}

#[test]
fn long_runs_are_timed_one_by_one() {
    on_device(&[("FAKE_L2", "64e6")], |device| {
        let gpu = Cuda::device(0).unwrap();
        let of = spec("n24 256>256 28x28 k3 p1 f16 nhwc");
        let mut conv = gpu.prepare(&of).unwrap();
        for cache in [Warm, Network, Cold] {
            // A launch outside of a graph is part of it, and small beside 400 us.
            is_planted(conv.run(cache).unwrap().ns, LAUNCH_NS + conv_ns(&of, cache, 1.0), &format!("{cache:?}"));
        }
        assert_eq!(device.counted("graphs"), 0, "no graph is made of long runs");
    });
}

/// Load before each reading, in nanoseconds.
fn busy_before_readings(ran: &[Ran]) -> Vec<f64> {
    let mut all = vec![0.0];
    for ran in ran {
        match ran.name.as_str() {
            "locp_busy" => *all.last_mut().unwrap() += ran.ns,
            "locp_spin" => all.push(0.0),
            _ => {}
        }
    }
    all.pop();
    all
}

#[test]
fn the_device_is_kept_busy_before_the_first_reading_and_after_a_pause() {
    on_device(&[], |device| {
        let gpu = Cuda::device(0).unwrap();
        let mut conv = gpu.prepare(&spec(SHORT[0])).unwrap();
        conv.run(Warm).unwrap();
        let busy = busy_before_readings(&device.ran());
        assert_eq!(
            busy[0],
            302e6 + 1.0,
            "clocks take 300 ms to rise, and are looked at; every kernel was loaded before"
        );
        let before = busy.len();
        std::thread::sleep(Duration::from_millis(120));
        conv.run(Warm).unwrap();
        let after = busy_before_readings(&device.ran())[before];
        assert!((120e6..=300e6).contains(&after), "a pause of 120 ms is made up for by {after} ns of load");
    });
}

#[test]
fn throttled_readings_are_discarded_and_counted() {
    on_device(&[("FAKE_THROTTLE_PERIOD", "20"), ("FAKE_THROTTLE_COUNT", "6")], |device| {
        let gpu = Cuda::device(0).unwrap();
        let of = spec(SHORT[0]);
        let mut conv = gpu.prepare(&of).unwrap();
        let policy = Policy::network().throttle_wait(Duration::ZERO).warm_up(0);
        let samples = sample(&mut conv, &mut stop::Count::new(28), &policy).unwrap();
        for ns in &samples.ns {
            is_planted(*ns, node_ns(&of, Network), "an accepted reading");
        }
        // Three rough ones come first, too short to tell a clock, then a look at the larger graph, then two for each slope;
        // of any twenty in a row the first six are throttled, and a slope is discarded where either of its ends is.
        let readings = device.counted("readings") - 4;
        assert_eq!(readings % 2, 0, "slopes have two ends");
        let slopes = readings / 2;
        let throttled = (0..slopes).filter(|i| [4 + 2 * i, 5 + 2 * i].iter().any(|reading| reading % 20 < 6)).count();
        assert_eq!(samples.discarded as usize, throttled);
        assert_eq!(slopes as usize, 28 + throttled);
        device.set("FAKE_THROTTLE_COUNT", "20");
        let error = sample(&mut conv, &mut stop::Count::new(1), &policy.max_discarded(5)).unwrap_err();
        assert_eq!(error, TimingError::Throttled { discarded: 6 });
    });
}

#[test]
fn a_stream_that_was_released_late_is_read_again() {
    on_device(&[], |device| {
        let gpu = Cuda::device(0).unwrap();
        let of = spec(SHORT[0]);
        let mut conv = gpu.prepare(&of).unwrap();
        device.set("FAKE_LATE_SPINS", "19");
        is_planted(conv.run(Warm).unwrap().ns, node_ns(&of, Warm), "after nineteen late ones");
        device.set("FAKE_LATE_SPINS", "20");
        assert_eq!(
            conv.run(Warm).unwrap_err().to_string(),
            format!(
                "running `{of}` failed: the host was too slow to queue a timed run 20 times in a row; \
                 end other programs, debuggers and profilers on it"
            )
        );
        device.set("FAKE_LATE_SPINS", "0");
        is_planted(conv.run(Warm).unwrap().ns, node_ns(&of, Warm), "after the host has caught up");
    });
}

#[test]
fn threads_take_turns_on_one_device() {
    on_device(&[("FAKE_RIVAL", "1")], |_| {
        let gpu = Cuda::device(0).unwrap();
        std::thread::scope(|scope| {
            for text in &SHORT[..3] {
                let gpu = &gpu;
                scope.spawn(move || {
                    let of = spec(text);
                    let mut conv = gpu.prepare(&of).unwrap();
                    // The others use the caches in between, so only states that a reading sees to itself.
                    for cache in [Network, Cold].into_iter().cycle().take(12) {
                        is_planted(conv.run(cache).unwrap().ns, node_ns(&of, cache), &format!("{text}, {cache:?}"));
                    }
                });
            }
        });
    });
}

#[test]
fn noise_stays_what_it_is() {
    on_device(&[("FAKE_NOISE", "0.02")], |_| {
        let gpu = Cuda::device(0).unwrap();
        let of = spec(SHORT[0]);
        let mut conv = gpu.prepare(&of).unwrap();
        let samples = sample(&mut conv, &mut stop::Count::new(200), &Policy::network()).unwrap();
        let mean = samples.ns.iter().sum::<f64>() / samples.ns.len() as f64;
        // A run's factor is uniform over 1 +- 2 %, of deviation 2 % / sqrt(3); a slope is the difference of sums over N
        // and 2N runs, of deviation sqrt(3 / N) times that, and 200 of them have a mean fourteen times as steady.
        let n = (100_000.0 / (LAUNCH_NS + conv_ns(&of, Network, 1.0))).floor();
        let deviation = 0.02 / 3_f64.sqrt() * (3.0 / n).sqrt() / 200_f64.sqrt();
        let off = (mean / node_ns(&of, Network) - 1.0).abs();
        assert!(off < 4.0 * deviation, "{off} off, where {deviation} is one deviation");
    });
}
