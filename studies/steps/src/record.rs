//! Times every width of every line.

use crate::lines::{self, Line};
use crate::load::Load;
use crate::recording::{Row, write};
use clap::ValueEnum;
use cpu_bench::{OnnxRuntime, Provider, Tract};
use stats::Rng;
use std::path::Path;
use std::time::Instant;
use timing::{Backend, Policy, Prepared, TimingError, sample, stop};

/// How often all lines are recorded one after the other, with convolutions that are prepared anew.
const ROUNDS: usize = 2;
/// Turns of each width in a round.
const PASSES: usize = 8;
/// Readings of a turn, as the pipeline takes them.
const BURST: u32 = 4;
/// Runs of a convolution that was just prepared, and before each of its turns, as the pipeline has them.
const WARM_UP: u32 = 2;
const REWARM: u32 = 1;
/// Convolutions that are kept ready at the same time.
const CHUNK: usize = 200;

/// The engines of this study.
#[derive(Clone, Copy, ValueEnum)]
pub(crate) enum Engine {
    /// Compiled in.
    Tract,
    /// Found at run time.
    #[value(name = "onnxruntime")]
    OnnxRuntime,
}

/// What each run finds in the caches.
#[derive(Clone, Copy, ValueEnum)]
pub(crate) enum Cache {
    /// Its inputs, as in a network.
    Network,
    /// All that the last run left.
    Warm,
}

/// Records all lines, and writes them when all are done.
///
/// # Errors
/// The engine cannot run here, a convolution failed, or the file could not be written.
pub(crate) fn record(engine: Engine, load: Load, cache: Cache, seed: u64, out: &Path) -> anyhow::Result<()> {
    let engine: Box<dyn Backend> = match engine {
        Engine::Tract => Box::new(Tract::new()),
        Engine::OnnxRuntime => Box::new(OnnxRuntime::find(Provider::Cpu, 1)?),
    };
    let (policy, cache) = match cache {
        Cache::Network => (Policy::network(), "network"),
        Cache::Warm => (Policy::warm(), "warm"),
    };
    let policy = policy.warm_up(REWARM);
    let machine = engine.check()?.to_string();
    let lines = lines::all()?;
    let mut rows: Vec<Vec<Row>> = lines.iter().map(|line| empty(line, &machine, load.name(), cache)).collect();
    let mut recorder = Recorder { engine, policy, rng: Rng::new(seed), start: Instant::now() };
    let running = load.start(seed)?;
    for round in 0..ROUNDS {
        for (line, rows) in lines.iter().zip(&mut rows) {
            recorder.line(line, rows)?;
            let seconds = recorder.start.elapsed().as_secs_f64();
            eprintln!("{seconds:6.1} s  round {round}  {} {}", line.layer, line.axis);
        }
    }
    drop(running);
    write(out, &rows.concat())
}

fn empty(line: &Line, machine: &str, load: &str, cache: &str) -> Vec<Row> {
    let row = |(channels, spec): &(usize, netspec::ConvSpec)| Row {
        machine: machine.to_owned(),
        load: load.to_owned(),
        cache: cache.to_owned(),
        layer: line.layer.clone(),
        axis: line.axis.to_owned(),
        channels: *channels,
        spec: spec.to_string(),
        prepare_ns: Vec::new(),
        blocks: Vec::new(),
    };
    line.widths.iter().map(row).collect()
}

struct Recorder {
    engine: Box<dyn Backend>,
    policy: Policy,
    rng: Rng,
    start: Instant,
}

impl Recorder {
    /// Adds the blocks of one round to the rows of a line: all widths in turns, in another random order in each pass, so
    /// that drift is scatter and not a step.
    fn line(&mut self, line: &Line, rows: &mut [Row]) -> Result<(), TimingError> {
        let mut order: Vec<usize> = (0..rows.len()).collect();
        self.rng.shuffle(&mut order);
        for chunk in order.chunks(CHUNK) {
            let mut ready: Vec<(usize, Box<dyn Prepared + Send>)> = Vec::with_capacity(chunk.len());
            for &i in chunk {
                let start = Instant::now();
                let mut prepared = self.engine.prepare(&line.widths[i].1)?;
                rows[i].prepare_ns.push(start.elapsed().as_nanos() as u64);
                for _ in 0..WARM_UP {
                    prepared.run(self.policy.cache())?;
                }
                ready.push((i, prepared));
            }
            for _pass in 0..PASSES {
                self.rng.shuffle(&mut ready);
                for (i, prepared) in &mut ready {
                    let samples = sample(&mut **prepared, &mut stop::Count::new(BURST), &self.policy)?;
                    rows[*i].blocks.push(samples.ns.iter().map(|&ns| four_digits(ns)).collect());
                }
            }
        }
        Ok(())
    }
}

/// Rounds to four digits: the rest is noise, and most of a compressed file.
fn four_digits(ns: f64) -> u64 {
    let unit = 10_f64.powf((ns.log10().floor() - 3.0).max(0.0));
    ((ns / unit).round() * unit) as u64
}
