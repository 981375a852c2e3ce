//! What the searches themselves cost, the latencies being free.
use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use stairstep::{Ask, Config, Readings, Sample, Staircase, Strategy};
use std::hint::black_box;

fn search(strategy: Strategy, config: &Config) -> Staircase {
    let mut search = strategy.into_search(config);
    while let Ask::Probe(probe) = search.ask() {
        // Treads of 64 and a little deterministic noise, so that some decisions ask for further readings.
        let ns = 1000.0 * (4 + probe.channels.div_ceil(64)) as f64;
        let readings =
            (0..probe.readings).map(|i| ns * (1.0 + 0.01 * ((i * 37 + probe.channels) % 7) as f64)).collect();
        search.tell(Sample { channels: probe.channels, readings: Readings::Raw(readings) });
    }
    search.stairs()
}

fn searches(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("search");
    for channels in [512, 2048] {
        for (name, strategy) in
            [("exhaustive", Strategy::Exhaustive), ("grid-8", Strategy::Grid(8)), ("three-point", Strategy::ThreePoint)]
        {
            let config = Config::new(channels);
            group.bench_with_input(BenchmarkId::new(name, channels), &config, |bencher, config| {
                bencher.iter(|| search(black_box(strategy), config));
            });
        }
    }
    group.finish();
}

criterion_group!(benches, searches);
criterion_main!(benches);
