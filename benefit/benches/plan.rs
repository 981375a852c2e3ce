//! Planning time on networks of realistic size, with 16-step stairs as a vector engine shows them.
#![allow(missing_docs, clippy::print_stderr, reason = "criterion makes public functions; a bench prints")]

use benefit::{Budget, Exact, Knot, Planner, Problem, ProblemBuilder, TwoStage, Uniform};
use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use netspec::{Axis, GroupId, Provenance};
use std::hint::black_box;

/// A start-up, then tiles of 16 output channels and 4 input channels.
fn stairs(kernel: usize, pixels: usize) -> impl FnMut(usize, usize) -> f64 {
    let tile_ns = 64.0 * (kernel * kernel * pixels) as f64 / 40.0;
    move |c_in, c_out| 2e3 + tile_ns * (c_in.div_ceil(4) * c_out.div_ceil(16)) as f64
}

/// A group that keeps at least a quarter, at multiples of 16, whose loss is flat at first and steep at the end.
fn group(problem: &mut ProblemBuilder, name: &str, channels: usize, weight: f64) -> GroupId {
    let levels: Vec<usize> = (channels / 4..=channels).filter(|c| c % 16 == 0).collect();
    let loss = |&level: &usize| {
        let share = 0.9 * (1.0 - level as f64 / channels as f64);
        -weight * (share / (1.0 - share)).powi(2)
    };
    let value: Vec<f64> = levels.iter().map(loss).map(|value| if value == 0.0 { 0.0 } else { value }).collect();
    problem.group(name, channels).levels(&levels).value(&value)
}

/// Weights that differ from group to group, the same in every run.
fn weight(i: usize) -> f64 {
    0.5 + (i * 7919 % 97) as f64 / 50.0
}

/// ResNet-50's groups and layers: a stem, four residual streams and two inner groups in each of 16 blocks.
fn resnet50() -> Problem {
    let mut problem = Problem::builder();
    let stem = group(&mut problem, "stem", 64, 2.0);
    problem.layer("stem", 3, stem, stairs(7, 112 * 112));
    let (mut before, mut i) = (stem, 0);
    for (stage, blocks) in [3, 4, 6, 3].into_iter().enumerate() {
        let (inner, side) = (64 << stage, 56 >> stage);
        let stream = group(&mut problem, &format!("stage{stage}"), 4 * inner, 20.0);
        for block in 0..blocks {
            i += 2;
            let name = format!("stage{stage}.{block}");
            let a = group(&mut problem, &format!("{name}.a"), inner, weight(i));
            let b = group(&mut problem, &format!("{name}.b"), inner, weight(i + 1));
            if block == 0 {
                problem.layer(&format!("{name}.down"), before, stream, stairs(1, side * side));
                problem.layer(&format!("{name}.a"), before, a, stairs(1, side * side));
            } else {
                problem.layer(&format!("{name}.a"), stream, a, stairs(1, side * side));
            }
            problem.layer(&format!("{name}.b"), a, b, stairs(3, side * side));
            problem.layer(&format!("{name}.c"), b, stream, stairs(1, side * side));
        }
        before = stream;
    }
    problem.layer("classifier", before, 1000, stairs(1, 1));
    problem.build().expect("the bench's problem is sound")
}

/// DenseNet-121's four blocks: every layer reads the concat of all before it, priced from two sweeps.
fn densenet121() -> Problem {
    let mut problem = Problem::builder();
    let mut heads = vec![group(&mut problem, "stem", 64, 2.0)];
    problem.layer("stem", 3, heads[0], stairs(7, 112 * 112));
    for (block, layers) in [6, 12, 24, 16].into_iter().enumerate() {
        let pixels = (56 >> block) * (56 >> block);
        for i in 0..layers {
            let name = format!("block{block}.{i}");
            let inner = group(&mut problem, &format!("{name}.a"), 128, weight(i));
            let grown = group(&mut problem, &format!("{name}.b"), 64, weight(i + 1));
            swept(&mut problem, &format!("{name}.a"), &heads, inner, pixels);
            problem.layer(&format!("{name}.b"), inner, grown, stairs(3, pixels));
            heads.push(grown);
        }
        let transition = group(&mut problem, &format!("transition{block}"), 64 * (heads.len() / 2), 5.0);
        swept(&mut problem, &format!("transition{block}"), &heads, transition, pixels);
        heads = vec![transition];
    }
    problem.layer("classifier", heads, 1000, stairs(1, 1));
    problem.build().expect("the bench's problem is sound")
}

fn swept(problem: &mut ProblemBuilder, name: &str, inputs: &[GroupId], output: GroupId, pixels: usize) {
    let layer = problem.bare_layer(name, inputs, output, false);
    let mut ns = stairs(1, pixels);
    let mut knots = |at: fn(usize) -> (usize, usize)| -> Vec<Knot> {
        let knot = |channels, ns| Knot { channels, ns, provenance: Provenance::Simulated };
        (1..=256).map(|i| knot(16 * i, ns(at(16 * i).0, at(16 * i).1))).collect()
    };
    let (by_in, by_out) = (knots(|channels| (channels, 128)), knots(|channels| (256, channels)));
    problem.sweep(layer, Axis::CIn, by_in).sweep(layer, Axis::COut, by_out);
}

/// A chain of 3x3 convolutions.
fn chain(layers: usize) -> Problem {
    let mut problem = Problem::builder();
    let mut before = None;
    for i in 0..layers {
        let next = group(&mut problem, &format!("conv{i}"), 128 + 16 * (i % 5), weight(i));
        match before {
            None => problem.layer("conv0", 3, next, stairs(3, 196)),
            Some(before) => problem.layer(&format!("conv{i}"), [before], next, stairs(3, 196)),
        };
        before = Some(next);
    }
    problem.build().expect("the bench's problem is sound")
}

fn plan(c: &mut Criterion) {
    let mut bench = c.benchmark_group("plan");
    bench.sample_size(10);
    let problems = [
        ("resnet50", resnet50()),
        ("densenet121", densenet121()),
        ("chain-100", chain(100)),
        ("chain-1000", chain(1000)),
    ];
    for (name, problem) in &problems {
        for ratio in [0.8, 0.6, 0.4] {
            let budget = Budget::ratio(ratio);
            // Printed once, beside the times: how good the plans are.
            let solution = TwoStage::default().plan(problem, budget).expect("the budget can be reached");
            let uniform = Uniform.plan(problem, budget).expect("the budget can be reached");
            let groups = problem.groups().len();
            let gap = solution.gap().map_or("unknown".to_owned(), |gap| format!("{:.3} %", 100.0 * gap));
            let levels: usize = problem.groups().iter().map(|group| group.levels.len()).sum();
            let loss = solution.value / uniform.value;
            let exact = Exact::default().plan(problem, budget).expect("the budget can be reached");
            let saved = 100.0 * (1.0 - exact.value / solution.value);
            let (proven, stopped) = (100.0 * exact.gap().unwrap_or(f64::NAN), exact.stopped);
            eprintln!("{name} {ratio}x: {groups} groups, {levels} levels, gap {gap}, loss {loss:.3} of uniform's");
            eprintln!("    exact loses {saved:.3} % less, gap {proven:.5} %, {stopped}");
            let id = |planner: &str| BenchmarkId::new(format!("{name}/{planner}"), ratio);
            let uncertified = TwoStage::default().certify(false);
            bench.bench_function(id("two-stage"), |b| b.iter(|| uncertified.plan(black_box(problem), budget)));
            bench.bench_function(id("exact"), |b| b.iter(|| Exact::default().plan(black_box(problem), budget)));
            bench.bench_function(id("with-bound"), |b| b.iter(|| TwoStage::default().plan(black_box(problem), budget)));
        }
    }
    bench.finish();
}

criterion_group!(benches, plan);
criterion_main!(benches);
