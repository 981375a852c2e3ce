//! Records exhaustive sweeps: every width of some layers of well-known networks, both axes, raw readings.
//!
//! What `steps_judge` holds searches against: run it twice, in two processes, so that the recording can be held
//! against itself.
//!
//! ```text
//! steps_record --engine tract --out tract-1.jsonl --seed 1 [--readings 10] [--layers FIRST:LAST] [--cache warm|network]
//! ```
//!
//! Warm unless told otherwise: on a shared machine a cold reading scatters several times as far as a warm one, and a
//! recording that decides what is true needs to know every width to about 1 %.
//! Widths reach from a quarter of the layer's own to all of it, as `locp steps` searches them.
//! They are measured in random order, in chunks that take turns, in two passes, so that slow drift shows as
//! scatter and not as a step; each takes at least half of `--readings`, and more until the median is known to 1 %.
//! A row is one width: the spec as it was timed, the axis, the
//! readings of both passes in nanoseconds.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "an example prints its result")]
use gpu_bench::layers;
use locp::netspec::ConvSpec;
use locp::{Engine, LatencySource as _};
use stats::Rng;
use std::error::Error;
use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::time::Instant;
use timing::{Policy, Request, Rule, Sampling, stop};

/// Half-width of each pass's interval of the median: a riser of 4.5 % must be told from one of 1.5 % in the recording.
const PRECISION: f64 = 0.01;

/// Widths that take turns: as many as fit into memory whatever the layer.
const CHUNK: usize = 64;

/// Layers from the three networks that sweeps cover, by their place in `layers::dense` of each: every kind of kernel,
/// stride and image size, none so large that a sweep of it takes minutes.
const RESNET: [usize; 10] = [3, 5, 7, 9, 11, 13, 14, 15, 17, 23];
const MOBILENET: [usize; 9] = [1, 4, 6, 11, 12, 16, 19, 22, 24];
const VGG: [usize; 5] = [1, 3, 4, 6, 8];

fn chosen() -> Vec<ConvSpec> {
    let of = |net: Vec<ConvSpec>, places: &[usize]| -> Vec<ConvSpec> {
        let mut distinct: Vec<ConvSpec> = Vec::new();
        for spec in net {
            if !distinct.contains(&spec) && spec.height > 1 {
                distinct.push(spec);
            }
        }
        places.iter().filter_map(|&i| distinct.get(i).cloned()).collect()
    };
    let mut all = of(layers::resnet50(), &RESNET);
    all.extend(of(layers::mobilenet_v2(), &MOBILENET));
    all.extend(of(layers::vgg16(), &VGG));
    all
}

/// One axis of one layer: its name and its widths' specs.
fn lines(spec: &ConvSpec) -> Vec<(&'static str, Vec<(usize, ConvSpec)>)> {
    let widths = |full: usize| (full / 4).max(1)..=full;
    if spec.groups > 1 {
        return vec![("c_out", widths(spec.c_out).map(|c| (c, spec.with_channels(c, c))).collect())];
    }
    let c_out = widths(spec.c_out).map(|c| (c, spec.with_channels(spec.c_in, c))).collect();
    let c_in = widths(spec.c_in).map(|c| (c, spec.with_channels(c, spec.c_out))).collect();
    // Nobody prunes the image's own channels.
    if spec.c_in <= 4 { vec![("c_out", c_out)] } else { vec![("c_out", c_out), ("c_in", c_in)] }
}

struct Row {
    channels: usize,
    spec: ConvSpec,
    ns: Vec<f64>,
}

fn sweep(
    engine: &mut Engine,
    widths: &[(usize, ConvSpec)],
    readings: usize,
    policy: &Policy,
    rng: &mut Rng,
) -> Result<Vec<Row>, Box<dyn Error>> {
    let mut rows: Vec<Row> =
        widths.iter().map(|(channels, spec)| Row { channels: *channels, spec: spec.clone(), ns: Vec::new() }).collect();
    for _pass in 0..2 {
        let mut order: Vec<usize> = (0..rows.len()).collect();
        rng.shuffle(&mut order);
        for chunk in order.chunks(CHUNK) {
            let rule = stop::Relative::new(PRECISION)
                .min_samples(readings.div_ceil(2))
                .max_samples(3 * readings)
                .limit_ms(60.0);
            let policy = policy.clone().warm_up(1).burst(2).seed(rng.below(1 << 30) as u64);
            let how = Sampling::default().policy(policy).rule(Rule::new(rule));
            let requests: Vec<Request> = chunk.iter().map(|&i| Request::settled(rows[i].spec.clone())).collect();
            for (&i, answer) in chunk.iter().zip(engine.read(&requests, &how)) {
                rows[i].ns.extend(answer?.samples().map_or(Vec::new(), |samples| samples.ns.clone()));
            }
        }
    }
    Ok(rows)
}

fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = std::env::args().collect();
    let value = |flag: &str| args.iter().position(|a| a == flag).and_then(|i| args.get(i + 1)).cloned();
    let Some(out) = value("--out") else {
        println!(
            "usage: steps_record --engine NAME --out FILE [--seed N] [--readings N] [--layers FIRST:LAST] [--cache warm|network]"
        );
        for (i, spec) in chosen().iter().enumerate() {
            println!("{i:2}  {:6.1} MMAC  {spec}", spec.macs() as f64 / 1e6);
        }
        return Ok(());
    };
    let mut engine = locp::engine(&value("--engine").unwrap_or_else(|| "auto".to_owned()), 1, 0)?;
    let readings = value("--readings").map_or(Ok(10), |n| n.parse())?;
    let mut rng = Rng::new(value("--seed").map_or(Ok(0), |n| n.parse())?);
    let policy = match value("--cache").as_deref() {
        None | Some("warm") => Policy::warm(),
        Some("network") => Policy::network(),
        Some(other) => return Err(format!("--cache takes warm or network, not {other}").into()),
    };
    let mut file = BufWriter::new(File::create(out)?);
    let machine = engine.machine();
    let layers = chosen();
    let (first, last) = match value("--layers") {
        Some(range) => {
            let (first, last) = range.split_once(':').ok_or("--layers takes FIRST:LAST")?;
            (first.parse()?, last.parse()?)
        }
        None => (0, layers.len()),
    };
    for (i, spec) in layers.iter().enumerate().take(last).skip(first) {
        for (axis, widths) in lines(spec) {
            let start = Instant::now();
            for row in sweep(&mut engine, &widths, readings, &policy, &mut rng)? {
                let ns: Vec<String> = row.ns.iter().map(|ns| format!("{ns:.0}")).collect();
                writeln!(
                    file,
                    "{{\"machine\":\"{machine}\",\"layer\":\"{spec}\",\"axis\":\"{axis}\",\"channels\":{},\"spec\":\"{}\",\"ns\":[{}]}}",
                    row.channels,
                    row.spec,
                    ns.join(",")
                )?;
            }
            file.flush()?;
            eprintln!("{i:2} {axis:5} {spec}: {} widths in {:.1} s", widths.len(), start.elapsed().as_secs_f64());
        }
    }
    Ok(())
}
