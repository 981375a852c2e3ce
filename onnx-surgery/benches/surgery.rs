//! Grouping and applying, on a tiny export and on a deep synthetic network.

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use netspec::{GroupPlan, PrunePlan};
use onnx_surgery::{Model, Patch};
use std::hint::black_box;

#[path = "../tests/support/mod.rs"]
mod support;

fn half(model: &Model) -> PrunePlan {
    let prunable = model.network().groups.iter().filter(|group| group.frozen.is_none());
    PrunePlan { groups: prunable.map(|g| GroupPlan::new(g, (0..g.channels).step_by(2).collect())).collect() }
}

fn surgery(c: &mut Criterion) {
    let tiny = support::exported().into_iter().find(|(name, _)| name == "resnet_ts").expect("it is committed").1;
    for (name, bytes) in [("tiny-resnet", tiny), ("1000-convs-of-64", support::deep(1000, 64))] {
        c.bench_function(&format!("open and group/{name}"), |b| {
            b.iter_batched(|| bytes.clone(), |bytes| Model::from_bytes(black_box(bytes)), BatchSize::LargeInput);
        });
        let model = Model::from_bytes(bytes.clone()).expect("a good model");
        c.bench_function(&format!("group/{name}"), |b| b.iter(|| model.network_at(black_box(2))));
        let plan = half(&model);
        c.bench_function(&format!("build and audit/{name}"), |b| b.iter(|| Patch::build(&model, black_box(&plan))));
        let patch = Patch::build(&model, &plan).expect("a good plan");
        c.bench_function(&format!("apply/{name}"), |b| b.iter(|| black_box(patch.to_bytes())));
    }
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(10).measurement_time(std::time::Duration::from_secs(2));
    targets = surgery
}
criterion_main!(benches);
