//! The steps of this crate's own tensor-core kernel, measured, against the formula that says where they are.
//!
//! How that kernel cuts its work is known, so what a measured staircase shows can be right or wrong here.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::args::Options;
use crate::engine::Engine;
use crate::environment::{Environment, Run};
use crate::folder::{lines, rows, write};
use crate::formula::{Cause, Occupancy, edges};
use crate::planted::Planted;
use crate::{Result, progress, record};
use gpu_bench::kernels::implicit_gemm::{Tiles, launch};
use gpu_bench::{Bound, Cuda, Kernel, reference};
use netspec::{Axis, ConvSpec};
use serde_json::{Value, json};
use timing::{Prepared, Samples, interleave, stop};

pub(crate) const FILE: &str = "truth.jsonl";

/// What a step has to be at least: a wave or a step of the sum more is over 5 % in all cases here, and a tread rises by
/// less, because wider layers move more bytes.
const STEP: f64 = 0.02;

/// A layer whose widths are measured along one axis.
struct Case {
    text: &'static str,
    axis: Axis,
    tiles: Tiles,
    from: usize,
    step: usize,
}

/// Few waves, so that each is seen; both axes; several tiles; and one across the widths that lose alignment.
fn cases() -> Vec<Case> {
    let case = |text, axis, tiles: usize, from, step| Case { text, axis, tiles: Tiles::MENU[tiles], from, step };
    vec![
        case("n64 256>128 28x28 k3 p1 f16 nhwc", Axis::CIn, 1, 8, 8),
        case("n32 128>768 28x28 k3 p1 f16 nhwc", Axis::COut, 3, 8, 8),
        case("n16 256>1024 28x28 k3 p1 f16 nhwc", Axis::COut, 1, 64, 16),
        case("n64 512>128 14x14 k3 p1 f16 nhwc", Axis::CIn, 4, 8, 8),
        case("n32 256>1024 14x14 k3 p1 f16 nhwc", Axis::COut, 4, 8, 8),
        case("n64 72>128 28x28 k3 p1 f16 nhwc", Axis::CIn, 1, 48, 1),
        case("n32 512>2048 14x14 k1 f16 nhwc", Axis::COut, 0, 64, 16),
    ]
}

impl Case {
    fn spec(&self) -> Result<ConvSpec> {
        Ok(self.text.parse::<ConvSpec>()?)
    }

    fn full(&self, spec: &ConvSpec) -> usize {
        if self.axis == Axis::CIn { spec.c_in } else { spec.c_out }
    }

    fn at(&self, spec: &ConvSpec, width: usize) -> ConvSpec {
        if self.axis == Axis::CIn {
            spec.with_channels(width, spec.c_out)
        } else {
            spec.with_channels(spec.c_in, width)
        }
    }
}

/// Measures every case that the folder lacks; how many are left.
pub(crate) fn steps(options: &Options, engine: &Engine, alarm: &Arc<AtomicBool>) -> Result<usize> {
    std::fs::create_dir_all(&options.out).map_err(|error| format!("{}: {error}", options.out.display()))?;
    let path = options.out.join(FILE);
    let known = rows(&path)?;
    let is_known =
        |case: &Case| known.iter().any(|row| row["spec"] == case.text && row["tiles"] == case.tiles.to_string());
    let todo: Vec<Case> = cases().into_iter().filter(|case| !is_known(case)).collect();
    if todo.is_empty() {
        return Ok(0);
    }
    let mut environment = Environment::open(options, &engine.backend.check()?, engine)?;
    let mut run = Run::start(engine);
    environment.write(&run)?;
    let mut file = lines(&path)?;
    let mut left = 0;
    for case in todo {
        match measure(&case, options, engine, alarm) {
            Ok(row) => {
                run.measured += 1;
                progress(&line(&row));
                write(&mut file, &row)?;
            }
            Err(_) if alarm.load(Ordering::Relaxed) => left += 1,
            Err(error) => {
                run.failed += 1;
                left += 1;
                progress(&format!("{}: {error}", case.text));
            }
        }
    }
    run.end(engine, None);
    environment.write(&run)?;
    if run.measured == 0 && run.failed > 0 { Err("no case could be measured".into()) } else { Ok(left) }
}

fn measure(case: &Case, options: &Options, engine: &Engine, alarm: &Arc<AtomicBool>) -> Result<Value> {
    let spec = case.spec()?;
    let widths: Vec<usize> = (case.from..=case.full(&spec)).step_by(case.step).collect();
    let (error, room, mut prepared) = match engine.cuda() {
        Some(cuda) => ours(cuda, case, &spec, &widths)?,
        None => {
            let room = Occupancy { multiprocessors: 132, blocks_per_multiprocessor: 2 };
            let seed = options.seed;
            let plant = |&width: &usize| Planted::boxed(&case.at(&spec, width), case.tiles, room, seed);
            (0.0, room, widths.iter().map(plant).collect::<Vec<_>>())
        }
    };
    let rule = stop::Relative::new(record::TARGET).max_samples(100);
    let samples = interleave(&mut prepared, &rule, &record::policy(options, alarm));
    let samples = samples.into_iter().collect::<Result<Vec<Samples>, _>>()?;
    let intervals: Vec<[f64; 2]> = samples.iter().map(|samples| samples.measurement().interval_ns).collect();

    let steps = widths.iter().zip(intervals.windows(2));
    let is_step = |pair: &[[f64; 2]]| pair[1][0] > (1.0 + STEP) * pair[0][1];
    let found: Vec<usize> = steps.filter(|(_, pair)| is_step(pair)).map(|(&width, _)| width).collect();
    let predict = |room| -> Vec<usize> {
        let edges = edges(&spec, case.tiles, room, case.axis, case.from..=case.full(&spec));
        // Who looks at multiples of eight only does not see what happens between them.
        let seen = edges.iter().filter(|edge| case.step == 1 || edge.cause == Cause::Steps);
        seen.map(|edge| edge.width).filter(|width| widths.contains(width)).collect()
    };
    let predicted = predict(room);
    let soft = predict(Occupancy { blocks_per_multiprocessor: 1, ..room });
    let without = |a: &[usize], b: &[usize]| a.iter().filter(|width| !b.contains(width)).copied().collect::<Vec<_>>();
    let unpredicted = without(&found, &predicted);
    Ok(json!({
        "spec": case.text,
        "axis": case.axis.to_string(),
        "tiles": case.tiles.to_string(),
        "multiprocessors": room.multiprocessors,
        "blocks_per_multiprocessor": room.blocks_per_multiprocessor,
        "relative_error": error,
        "widths": widths,
        "median_ns": samples.iter().map(|samples| samples.measurement().median_ns.round()).collect::<Vec<f64>>(),
        "interval_ns": intervals.iter().map(|interval| interval.map(f64::round)).collect::<Vec<_>>(),
        "samples": samples.iter().map(|samples| samples.ns.len()).collect::<Vec<_>>(),
        "predicted": predicted,
        "found": found,
        "missed": without(&predicted, &found),
        "soft": unpredicted.iter().filter(|width| soft.contains(width)).collect::<Vec<_>>(),
        "spurious": without(&unpredicted, &soft),
    }))
}

type Ready = (f64, Occupancy, Vec<Box<dyn Prepared + Send>>);

/// The kernel at every width, once its results have been seen to be right.
fn ours(cuda: &Cuda, case: &Case, spec: &ConvSpec, widths: &[usize]) -> Result<Ready> {
    let bind = |spec: &ConvSpec| -> Result<(Kernel, Bound)> {
        let launch = launch(spec, case.tiles)?;
        let kernel = Kernel::compile(cuda, launch.source, &launch.entry)?;
        let bound = kernel.bind(spec, launch.shape, &launch.args)?;
        Ok((kernel, bound))
    };
    let mut error = 0.0_f64;
    // Small, because the reference takes its time; with rows of both kinds, and tiles that reach past the end.
    for c_in in [40, 43] {
        let small = ConvSpec { batch: 2, height: 9, width: 11, ..spec.with_channels(c_in, 137) };
        error = error.max(bind(&small)?.1.error()?);
    }
    let limit = reference::tolerance(spec.dtype);
    if error > limit {
        return Err(format!("the kernel is wrong: its error is {error:e}, over {limit:e}").into());
    }
    let (kernel, _) = bind(spec)?;
    let room = Occupancy {
        multiprocessors: cuda.environment().multiprocessors,
        blocks_per_multiprocessor: kernel.blocks_per_multiprocessor(launch(spec, case.tiles)?.shape)?,
    };
    let mut prepared: Vec<Box<dyn Prepared + Send>> = Vec::with_capacity(widths.len());
    // Compiled once for each of the two ways in which rows are copied.
    let mut compiled: Vec<(String, Kernel)> = Vec::new();
    for &width in widths {
        let spec = case.at(spec, width);
        let launch = launch(&spec, case.tiles)?;
        if !compiled.iter().any(|(entry, _)| *entry == launch.entry) {
            compiled.push((launch.entry.clone(), Kernel::compile(cuda, launch.source, &launch.entry)?));
        }
        let kernel = compiled.iter().find(|(entry, _)| *entry == launch.entry).map(|(_, kernel)| kernel);
        prepared.push(Box::new(kernel.ok_or("it was compiled")?.bind(&spec, launch.shape, &launch.args)?));
    }
    Ok((error, room, prepared))
}

fn line(row: &Value) -> String {
    let count = |key: &str| row[key].as_array().map_or(0, Vec::len);
    let [predicted, found] = [count("predicted"), count("found")];
    let text = |key: &str| row[key].as_str().unwrap_or_default();
    format!(
        "| {} | {} | {} | {} | {predicted} | {found} | {} | {} | {} |",
        text("spec"),
        text("axis"),
        text("tiles"),
        count("widths"),
        row["missed"],
        row["soft"],
        row["spurious"]
    )
}

/// What a folder of this part shows.
pub(crate) fn summary(folder: &Path) -> Result<String> {
    let rows = rows(&folder.join(FILE))?;
    let head = "| layer | axis | tiles | widths | predicted | found | missed | soft | spurious |\n\
                |---|---|---|---|---|---|---|---|---|\n";
    let table: String = rows.iter().map(|row| line(row) + "\n").collect();
    let all = |key: &str| rows.iter().map(|row| row[key].as_array().map_or(0, Vec::len)).sum::<usize>();
    let [predicted, found, missed, soft, spurious] = ["predicted", "found", "missed", "soft", "spurious"].map(all);
    Ok(format!(
        "This crate's own kernel. An edge is the widest layer of its cost: the next width that was measured takes over {} % \
         longer, and both intervals say so.\n\
         Predicted are those of the formula with the blocks that fit on a multiprocessor; soft are those found that it gives \
         with a single block only; spurious are the rest of those found.\n\n{head}{table}\n\
         In all {predicted} predicted, {found} found, {missed} missed, {soft} soft, {spurious} spurious.\n",
        100.0 * STEP
    ))
}
