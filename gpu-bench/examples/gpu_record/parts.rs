//! What is recorded: the convolutions of each part, the most valuable first.

use std::collections::BTreeSet;

use crate::Result;
use gpu_bench::layers;
use netspec::{Axis, ConvSpec, DType, Epilogue, Layout};
use timing::Rng;

/// Convolutions of about the same value; they are timed in random order.
pub(crate) type Stage = Vec<ConvSpec>;

const BATCHES: [usize; 2] = [1, 64];

/// The stages of a part, in their order.
///
/// Sweeps go from a coarse lattice to a fine one, so that what is cut short holds a complete coarser one.
pub(crate) fn stages(part: &str) -> Result<Vec<Stage>> {
    Ok(match part {
        // Three tables, each of a size that can be kept.
        "sweep8" => sweep8(DType::F16, Axis::COut),
        "sweep8-c-in" => sweep8(DType::F16, Axis::CIn),
        "sweep8-tf32" => sweep8(DType::Tf32, Axis::COut),
        "fine" => fine(),
        "grid" => grid(),
        "depthwise" => depthwise(),
        "network" => network(),
        "repeat" => vec![repeat()],
        "versus" => versus(),
        // Its convolutions run on another kernel, which has no table.
        "truth" => Vec::new(),
        _ => return Err(format!("there is no part {part}\n{}", crate::args::USAGE).into()),
    })
}

/// All convolutions of some stages that are not `known`, each once; the order within a stage follows from the seed.
pub(crate) fn order(stages: Vec<Stage>, known: &BTreeSet<ConvSpec>, seed: u64) -> Vec<ConvSpec> {
    let mut rng = Rng::new(seed);
    let mut seen = known.clone();
    let mut ordered = Vec::new();
    for mut stage in stages {
        rng.shuffle(&mut stage);
        ordered.extend(stage.into_iter().filter(|spec| seen.insert(spec.clone())));
    }
    ordered
}

fn full(dtype: DType, batch: usize) -> Vec<ConvSpec> {
    let all: Vec<ConvSpec> = layers::networks().into_iter().flat_map(|(_, specs)| specs).collect();
    layers::at(&layers::dense(&all), batch, dtype, Layout::Nhwc)
}

/// Every width of `widths` along an axis; the three channels of an image stay.
fn along(spec: &ConvSpec, axis: Axis, widths: impl Iterator<Item = usize>) -> Vec<ConvSpec> {
    match axis {
        Axis::COut => widths.map(|width| spec.with_channels(spec.c_in, width)).collect(),
        Axis::CIn if spec.c_in <= 3 => Vec::new(),
        Axis::CIn => widths.map(|width| spec.with_channels(width, spec.c_out)).collect(),
    }
}

fn channels(spec: &ConvSpec, axis: Axis) -> usize {
    match axis {
        Axis::COut => spec.c_out,
        Axis::CIn => spec.c_in,
    }
}

/// The multiples of a lattice up to the full width, and the full width.
fn multiples(full: usize, lattice: usize) -> impl Iterator<Item = usize> {
    (lattice..full).step_by(lattice).chain([full])
}

fn sweep(dtype: DType, batch: usize, axis: Axis) -> Vec<Stage> {
    let specs = full(dtype, batch);
    let stage = |lattice| {
        specs.iter().flat_map(|spec| along(spec, axis, multiples(channels(spec, axis), lattice))).collect::<Stage>()
    };
    [32, 16, 8].map(stage).into()
}

fn sweep8(dtype: DType, axis: Axis) -> Vec<Stage> {
    BATCHES.into_iter().flat_map(|batch| sweep(dtype, batch, axis)).collect()
}

/// Layers of several kinds, each width within 64 of the full one.
fn fine() -> Vec<Stage> {
    const CHOSEN: [&str; 8] = [
        "64>64 56x56 k3 p1",
        "128>128 28x28 k3 p1",
        "256>256 14x14 k3 p1",
        "512>512 7x7 k3 p1",
        "256>64 56x56",
        "1024>256 14x14",
        "512>2048 7x7",
        "96>576 14x14",
    ];
    let stage = |axis: Axis, batch: usize| -> Stage {
        let chosen = CHOSEN.iter().filter_map(|shape| {
            let shape: ConvSpec = shape.parse().ok()?;
            let is_it =
                |spec: &ConvSpec| (spec.kernel, spec.stride, spec.height) == (shape.kernel, shape.stride, shape.height);
            let same = |spec: &&ConvSpec| is_it(spec) && (spec.c_in, spec.c_out) == (shape.c_in, shape.c_out);
            full(DType::F16, batch).iter().find(same).cloned()
        });
        chosen
            .flat_map(|spec| {
                let width = channels(&spec, axis);
                along(&spec, axis, width.saturating_sub(64).max(1)..=width)
            })
            .collect()
    };
    let axes = [Axis::COut, Axis::CIn];
    axes.into_iter().flat_map(|axis| BATCHES.map(|batch| stage(axis, batch))).collect()
}

fn grid() -> Vec<Stage> {
    let stage = |lattice, batch| -> Stage {
        let specs = layers::at(&layers::dense(&layers::resnet50()), batch, DType::F16, Layout::Nhwc);
        let inner = specs.into_iter().filter(|spec| spec.c_in > 3);
        inner
            .flat_map(|spec| {
                let rows = along(&spec, Axis::CIn, multiples(spec.c_in, lattice));
                rows.into_iter().flat_map(move |row| along(&row, Axis::COut, multiples(row.c_out, lattice)))
            })
            .collect()
    };
    [128, 64, 32].into_iter().flat_map(|lattice| BATCHES.map(|batch| stage(lattice, batch))).collect()
}

/// At most twelve widths of a layer, evenly spread over the multiples of 8.
fn depthwise() -> Vec<Stage> {
    const WIDTHS: usize = 12;
    let stage = |batch| -> Stage {
        let specs = layers::at(&layers::depthwise(&layers::mobilenet_v2()), batch, DType::F16, Layout::Nhwc);
        let widths = |spec: &ConvSpec| {
            let all: Vec<usize> = multiples(spec.c_out, 8).collect();
            let n = all.len().min(WIDTHS);
            (1..=n).map(|i| all[i * all.len() / n - 1]).collect::<Vec<usize>>()
        };
        specs.iter().flat_map(|spec| widths(spec).into_iter().map(|c| spec.with_channels(c, c))).collect()
    };
    BATCHES.map(stage).into()
}

fn network() -> Vec<Stage> {
    let parts = |batch| {
        layers::networks().into_iter().flat_map(move |(_, specs)| layers::at(&specs, batch, DType::F16, Layout::Nhwc))
    };
    BATCHES.map(|batch| parts(batch).collect()).into()
}

/// Always the same ones, half of each batch size, so that two runs can be compared.
fn repeat() -> Stage {
    const EACH: usize = 20;
    let mut rng = Rng::new(40);
    let chosen = BATCHES.map(|batch| {
        let mut all: Stage = sweep(DType::F16, batch, Axis::COut).into_iter().flatten().collect();
        all.sort();
        all.dedup();
        rng.shuffle(&mut all);
        all.truncate(EACH);
        all
    });
    chosen.concat()
}

/// Full widths without an epilogue, so that another library can be asked for exactly the same work.
fn versus() -> Vec<Stage> {
    let plain = |spec: ConvSpec| ConvSpec { epilogue: Epilogue::default(), ..spec };
    let stage = |dtype, batch| full(dtype, batch).into_iter().map(plain).collect();
    [DType::F16, DType::Tf32].into_iter().flat_map(|dtype| BATCHES.map(|batch| stage(dtype, batch))).collect()
}
