//! The kernels compute what they should: run on the CPU by an emulator, held against a convolution in double precision.
//!
//! Needs a C++ compiler, and says `skipped` without one; `LOCP_REQUIRE_CXX=1` makes that a failure.
#![allow(clippy::unwrap_used, clippy::print_stderr)]

mod emulate;

use emulate::{Emulator, Job, JobArg, PORTABLE, body, bytes};
use gpu_bench::kernels::implicit_gemm::{self, ALIGNMENT, Tiles};
use gpu_bench::kernels::{DEPTHWISE, EPILOGUE, HELPER_NAMES, HELPERS, IGEMM, Launch, depthwise, epilogue};
use gpu_bench::reference::{self, Operands, convolve, from_bytes, relative_error, round_to, to_bytes, tolerance};
use gpu_bench::{Arg, Operand};
use netspec::{Activation, ConvSpec, DType, Layout};
use std::collections::BTreeMap;
use std::sync::OnceLock;

/// Larger convolutions take the reference too long.
const MOST_MACS: u64 = 4_000_000;

const DEPTHWISE_ENTRIES: [&str; 4] = [
    "locp_depthwise<half_bits, 8>",
    "locp_depthwise<half_bits, 1>",
    "locp_depthwise<float, 4>",
    "locp_depthwise<float, 1>",
];

/// The smallest tiles, whose kernel is broken on purpose.
const BROKEN: Tiles = Tiles::MENU[4];

/// What is written for what, the last time it occurs: a barrier and a wait that are missing or too weak, an edge of the
/// image that is not looked at, channels that are summed twice, a pixel too many.
const BREAKS: [(&str, &str); 6] = [
    ("__syncthreads();\n                stage =", "stage ="),
    ("copies_wait<STAGES - 2>()", "copies_wait<STAGES - 1>()"),
    ("if (step + STAGES - 1 < steps)", "if (true)"),
    ("h >= 0 && h < g.height", "h >= 0"),
    ("c += TILE_K", "c += TILE_K - 8"),
    ("if (m < pixels && n < g.c_out)", "if (m <= pixels && n < g.c_out)"),
];

/// The name of the `i`-th broken kernel, in a namespace of its own.
fn broken_entry(i: usize) -> String {
    format!("broken{i}::{}", BROKEN.entry(true))
}

/// All kernels as they are, then the broken ones.
fn source() -> String {
    let whole = [PORTABLE, body(IGEMM), body(DEPTHWISE), body(EPILOGUE), body(HELPERS)].concat();
    BREAKS.into_iter().enumerate().fold(whole, |all, (i, (from, to))| {
        let (head, tail) = body(IGEMM).rsplit_once(from).unwrap_or_else(|| panic!("`{from}` is not in the kernel"));
        format!("{all}\nnamespace broken{i} {{\n{head}{to}{tail}\n}}\n")
    })
}

/// The emulator with every kernel, compiled once for all tests.
fn emulator() -> Option<&'static Emulator> {
    static EMULATOR: OnceLock<Result<Emulator, String>> = OnceLock::new();
    let built = EMULATOR.get_or_init(|| {
        let fixed = DEPTHWISE_ENTRIES.into_iter().chain(HELPER_NAMES).chain([epilogue::ENTRY]).map(str::to_owned);
        let tiles = Tiles::MENU.iter().flat_map(|tiles| [tiles.entry(true), tiles.entry(false)]);
        let broken = (0..BREAKS.len()).map(broken_entry);
        Emulator::build(&fixed.chain(tiles).chain(broken).collect::<Vec<_>>(), &source())
    });
    built.as_ref().map_err(|why| skip(why)).ok()
}

fn skip(why: &str) {
    assert!(!std::env::var("LOCP_REQUIRE_CXX").is_ok_and(|value| value == "1"), "no emulator: {why}");
    eprintln!("skipped: {why}");
}

/// Small convolutions without groups that the tensor-core kernel takes, every third one of more channels than a tile has,
/// every other one of aligned channels.
fn dense(seed: u64) -> impl Iterator<Item = ConvSpec> {
    let wider = plain(seed, DType::F16).enumerate().map(|(i, spec)| {
        let more = if i % 3 == 0 { 100 } else { 0 };
        ConvSpec { c_in: spec.c_in + more / 2, c_out: spec.c_out + more, groups: 1, ..spec }
    });
    wider.filter(is_small).enumerate().map(|(i, spec)| {
        let c_in = spec.c_in.next_multiple_of(ALIGNMENT);
        ConvSpec { c_in: if i % 2 == 0 { c_in } else { c_in - 1 - i % 7 }, ..spec }
    })
}

/// Small depthwise convolutions.
fn channelwise(seed: u64, dtype: DType) -> impl Iterator<Item = ConvSpec> {
    plain(seed, dtype).map(|spec| ConvSpec { groups: spec.c_in, c_out: spec.c_in, ..spec }).filter(is_small)
}

fn is_small(spec: &ConvSpec) -> bool {
    spec.macs() <= MOST_MACS
}

/// Convolutions of every kind, with activations that the kernels know.
fn plain(seed: u64, dtype: DType) -> impl Iterator<Item = ConvSpec> {
    reference::random_specs(seed, 400, dtype, Layout::Nhwc).into_iter().map(|mut spec| {
        if spec.epilogue.activation == Activation::Silu {
            spec.epilogue.activation = Activation::Relu6;
        }
        spec
    })
}

/// A launch on random operands, its output poisoned.
fn job(spec: &ConvSpec, launch: &Launch, seed: u64) -> (Job, Operands) {
    let operands = Operands::random(spec, seed);
    let given = |values: &[f32]| match values {
        [] => JobArg::Null,
        _ => JobArg::Operand(to_bytes(spec.dtype, values)),
    };
    let [out_h, out_w] = spec.out_hw();
    let output = spec.batch * out_h * out_w * spec.c_out * spec.dtype.bytes();
    let job = Job::of(launch, seed % 2 == 1, |operand| match operand {
        Operand::Input => given(&operands.input),
        Operand::Weights => given(&operands.weights),
        Operand::Bias => given(&operands.bias),
        Operand::Residual => given(&operands.residual),
        _ => JobArg::Operand(vec![0xff; output]),
    });
    (job, operands)
}

/// Runs the launches and answers the first error of any, in words.
fn check(emulator: &Emulator, launches: &[(ConvSpec, Launch)]) -> Result<(), String> {
    let jobs = launches.iter().enumerate().map(|(seed, (spec, launch))| job(spec, launch, seed as u64));
    let (jobs, operands): (Vec<Job>, Vec<Operands>) = jobs.unzip();
    let answers = emulator.run(&jobs)?;
    for (((spec, launch), operands), (job, after)) in launches.iter().zip(&operands).zip(jobs.iter().zip(&answers)) {
        let before = job.args.iter().filter_map(|arg| match arg {
            JobArg::Operand(bytes) => Some(bytes),
            _ => None,
        });
        let (output, inputs) = after.split_last().unwrap();
        if before.zip(inputs).any(|(before, after)| before != after) {
            return Err(format!("`{}` changed its input for `{spec}`", launch.entry));
        }
        let error = relative_error(&from_bytes(spec.dtype, output), &convolve(spec, operands));
        if error >= tolerance(spec.dtype) {
            return Err(format!("`{}` is off by {error:e} for `{spec}`", launch.entry));
        }
    }
    Ok(())
}

/// The same on two threads: reference and emulator take turns otherwise.
fn check_all(emulator: &Emulator, launches: &[(ConvSpec, Launch)]) {
    std::thread::scope(|scope| {
        let halves = launches.chunks(launches.len().div_ceil(2).max(1));
        let running: Vec<_> = halves.map(|half| scope.spawn(|| check(emulator, half))).collect();
        running.into_iter().for_each(|half| half.join().unwrap().unwrap());
    });
}

#[test]
fn the_tensor_core_kernel_convolves() {
    let Some(emulator) = emulator() else { return };
    let mut launches = Vec::new();
    for (seed, tiles) in Tiles::MENU.into_iter().enumerate() {
        launches.extend(dense(seed as u64).take(14).map(|spec| {
            let launch = implicit_gemm::launch(&spec, tiles).unwrap();
            (spec, launch)
        }));
    }
    // Whatever the seeds: each kernel ran, each part of the epilogue and everything that moves an index was there.
    let mut runs = BTreeMap::<&str, usize>::new();
    launches.iter().for_each(|(_, launch)| *runs.entry(&launch.entry).or_default() += 1);
    assert_eq!((runs.len(), runs.values().min()), (2 * Tiles::MENU.len(), Some(&7)), "{runs:?}");
    let has = |what: &dyn Fn(&ConvSpec) -> bool| launches.iter().filter(|(spec, _)| what(spec)).count() > 4;
    assert!(has(&|spec| spec.epilogue.bias) && has(&|spec| spec.epilogue.residual));
    assert!(
        [Activation::None, Activation::Relu, Activation::Relu6].map(|a| has(&|s| s.epilogue.activation == a))
            == [true; 3]
    );
    assert!(has(&|spec| spec.batch > 1) && has(&|spec| spec.stride[0] != spec.stride[1]));
    assert!(has(&|spec| spec.dilation == [2, 2]) && has(&|spec| spec.padding[0] != spec.padding[2]));
    assert!(has(&|spec| spec.c_out % 2 == 1) && has(&|spec| spec.c_in > 64) && has(&|spec| spec.c_out > 64));
    check_all(emulator, &launches);
}

#[test]
fn the_depthwise_kernel_convolves() {
    let Some(emulator) = emulator() else { return };
    let mut launches = Vec::new();
    for dtype in [DType::F16, DType::F32] {
        launches.extend(channelwise(7, dtype).take(24).map(|spec| {
            let launch = depthwise::launch(&spec).unwrap();
            (spec, launch)
        }));
    }
    let runs = |entry: &str| launches.iter().filter(|(_, launch)| launch.entry == entry).count();
    assert!(DEPTHWISE_ENTRIES.iter().all(|entry| runs(entry) > 4));
    check_all(emulator, &launches);
}

/// A convolution that changes nothing leaves the epilogue: its input, in the place of the output, is what the pass gets.
#[test]
fn the_epilogue_pass_does_what_fusion_would() {
    let Some(emulator) = emulator() else { return };
    let mut jobs = Vec::new();
    let mut expected = Vec::new();
    for (dtype, layout) in
        [DType::F32, DType::F16, DType::Bf16].into_iter().zip([Layout::Nchw, Layout::Nhwc, Layout::Nchw])
    {
        for activation in [
            Activation::None,
            Activation::Relu,
            Activation::Relu6,
            Activation::Silu,
            Activation::Sigmoid,
            Activation::HardSwish,
        ] {
            for (bias, residual) in [(true, true), (true, false), (false, true)] {
                let mut spec = ConvSpec { batch: 2, dtype, layout, ..ConvSpec::new(7, 7, [5, 3], [1, 1]) };
                (spec.epilogue.bias, spec.epilogue.residual, spec.epilogue.activation) = (bias, residual, activation);
                let mut operands = Operands::random(&spec, jobs.len() as u64);
                operands.weights = (0..49).map(|i| if i % 8 == 0 { 1.0 } else { 0.0 }).collect();
                let given = |values: &[f32]| match values {
                    [] => JobArg::Null,
                    _ => JobArg::Operand(to_bytes(dtype, values)),
                };
                jobs.push(Job::of(&epilogue::launch(&spec, 1).unwrap(), false, |operand| match operand {
                    Operand::Output => given(&operands.input),
                    Operand::Bias => given(&operands.bias),
                    Operand::Residual => given(&operands.residual),
                    other => panic!("the pass takes no {other:?}"),
                }));
                expected.push((spec.clone(), convolve(&spec, &operands)));
            }
        }
    }
    for ((spec, expected), after) in expected.iter().zip(emulator.run(&jobs).unwrap()) {
        let error = relative_error(&from_bytes(spec.dtype, &after[0]), expected);
        assert!(error < tolerance(spec.dtype), "off by {error:e} for `{spec}`");
    }
}

/// What the emulator is for: each of these kernels is broken in one place, and that is noticed.
#[test]
fn broken_kernels_are_noticed() {
    let Some(emulator) = emulator() else { return };
    let specs: Vec<ConvSpec> = dense(3).filter(|spec| spec.c_in % 8 == 0 && spec.c_in > 64).take(8).collect();
    for (i, (from, to)) in BREAKS.into_iter().enumerate() {
        let launch = |spec: &ConvSpec| {
            let mut launch = implicit_gemm::launch(spec, BROKEN).unwrap();
            launch.entry = broken_entry(i);
            (spec.clone(), launch)
        };
        let launches: Vec<_> = specs.iter().map(launch).collect();
        let error = check(emulator, &launches).expect_err(&format!("`{to}` for `{from}` was not noticed"));
        eprintln!("`{to}` for `{from}`: {}", error.lines().take(3).collect::<Vec<_>>().join(" "));
    }
}

/// A helper on 256 threads a block.
fn helper(emulator: &Emulator, name: &str, blocks: u32, args: Vec<JobArg>) -> Vec<u8> {
    let job = Job { entry: name.to_owned(), blocks, threads: 256, shared_bytes: 0, is_backward: false, args };
    let mut answers = emulator.run(&[job]).unwrap();
    answers.remove(0).remove(0)
}

fn values(args: &[Arg]) -> impl Iterator<Item = JobArg> {
    args.iter().map(|arg| JobArg::Value(bytes(arg)))
}

fn with(operand: Vec<u8>, args: &[Arg]) -> Vec<JobArg> {
    [JobArg::Operand(operand)].into_iter().chain(values(args)).collect()
}

#[test]
fn fill_is_normal_and_rounds_as_the_reference_does() {
    let Some(emulator) = emulator() else { return };
    let n = 20_000;
    let fill = |dtype: DType, is_rectified: bool, seed: u64, scale: f32| {
        let kind = [DType::F32, DType::F16, DType::Bf16].iter().position(|&of| of == dtype).unwrap();
        let args = [Arg::U64(n), Arg::U32(kind as u32), Arg::U32(is_rectified.into()), Arg::U64(seed), Arg::F32(scale)];
        // Room for one value more, which stays as it was.
        let bytes = helper(emulator, "locp_fill", 3, with(vec![0xff; (n as usize + 1) * dtype.bytes()], &args));
        let (head, tail) = bytes.split_at(n as usize * dtype.bytes());
        assert!(tail.iter().all(|&byte| byte == 0xff), "one value too many was written");
        from_bytes(dtype, head)
    };
    let plain = fill(DType::F32, false, 5, 0.25);
    let mean = |power: i32| plain.iter().map(|&x| f64::from(x).powi(power)).sum::<f64>() / n as f64;
    // Of 20,000 normal values with deviation 0.25, the mean deviates by 0.0018, the mean square by 1 %. A sum of twelve
    // uniform values has a fourth moment of 2.9 squares of the second, whose estimate deviates by 2 %.
    assert!(mean(1).abs() < 0.009, "mean {}", mean(1));
    assert!((mean(2) / 0.0625 - 1.0).abs() < 0.05, "variance {}", mean(2));
    assert!((mean(4) / mean(2).powi(2) - 2.9).abs() < 0.3, "fourth moment {}", mean(4));
    for dtype in [DType::F32, DType::F16, DType::Bf16] {
        let rounded = |x: &f32| round_to(dtype, *x);
        assert_eq!(fill(dtype, false, 5, 0.25), plain.iter().map(rounded).collect::<Vec<_>>(), "{dtype:?}");
        // Half of them are zero, the others as before.
        let half: Vec<f32> = plain.iter().map(|x| round_to(dtype, x.max(0.0))).collect();
        assert_eq!(fill(dtype, true, 5, 0.25), half, "{dtype:?}");
    }
    let zeros = plain.iter().filter(|&&x| x < 0.0).count() as f64 / n as f64;
    assert!((zeros - 0.5).abs() < 0.02, "{zeros} are negative");
    let same = plain.iter().zip(fill(DType::F32, false, 6, 0.25)).filter(|(a, b)| **a == *b).count();
    assert!(same < 20, "another seed repeats {same} values");
}

#[test]
fn flush_writes_and_touch_does_not() {
    let Some(emulator) = emulator() else { return };
    let before: Vec<u8> = (0..16 * 3000).map(|i| (i % 251) as u8).collect();
    let touched = helper(emulator, "locp_touch", 4, with(before.clone(), &[Arg::U64(3000)]));
    assert_eq!(touched, before);
    let flushed = helper(emulator, "locp_flush", 4, with(before, &[Arg::U64(3000), Arg::U32(0x0102_0304)]));
    assert!(flushed.chunks(4).all(|word| word == [4, 3, 2, 1]));
}

#[test]
fn spin_ends_by_itself_and_says_so() {
    let Some(emulator) = emulator() else { return };
    let spin = |flag: u32| {
        let args = with(flag.to_le_bytes().to_vec(), &[Arg::U64(50_000)]);
        let job = Job { entry: "locp_spin".into(), blocks: 1, threads: 1, shared_bytes: 0, is_backward: false, args };
        emulator.run(&[job]).unwrap()[0][0].clone()
    };
    assert_eq!(spin(1), [1, 0, 0, 0], "a flag that is set lets it pass");
    assert_eq!(spin(0), [2, 0, 0, 0], "it gives up after its limit");
}

#[test]
fn busy_ends_and_clocks_are_noted() {
    let Some(emulator) = emulator() else { return };
    let args = values(&[Arg::U64(3_000)]).chain([JobArg::Operand(vec![7; 4])]).collect();
    assert_eq!(helper(emulator, "locp_busy", 1, args), [7; 4]);
    // The emulator's block b is on multiprocessor b; the third and fourth have no room in the table.
    let table = helper(emulator, "locp_clocks", 4, with(vec![0xff; 64], &[Arg::U32(2)]));
    let words: Vec<u64> = table.chunks(8).map(|word| u64::from_le_bytes(word.try_into().unwrap())).collect();
    // Its clock ticks with every look; cycles are a thousand times its nanoseconds.
    assert!(words[0] == 1000 * (words[1] - 1000) && words[2] == 1000 * (words[3] - 1000), "{words:?}");
    assert!(words[1] < words[3] && words[4..].iter().all(|&word| word == u64::MAX), "{words:?}");
}
