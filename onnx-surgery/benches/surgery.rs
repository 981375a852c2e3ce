//! Grouping and applying, on a tiny export, on deep synthetic networks, and on any model named by `LOCP_BENCH_MODEL`.

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
    let mut models = vec![
        ("tiny-resnet".to_owned(), tiny),
        ("1000-convs-of-64".to_owned(), support::deep(1000, 64)),
        // Narrow, for it is the number of layers that counts.
        ("1000-convs-of-8".to_owned(), support::deep(1000, 8)),
        ("10000-convs-of-8".to_owned(), support::deep(10_000, 8)),
    ];
    if let Some(path) = std::env::var_os("LOCP_BENCH_MODEL") {
        models.push((path.to_string_lossy().into_owned(), std::fs::read(&path).expect("a readable model")));
    }
    for (name, bytes) in models {
        c.bench_function(&format!("open and group/{name}"), |b| {
            b.iter_batched(|| bytes.clone(), |bytes| Model::from_bytes(black_box(bytes)), BatchSize::LargeInput);
        });
        let model = Model::from_bytes(bytes.clone()).expect("a good model");
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
