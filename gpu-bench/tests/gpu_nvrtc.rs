//! Every kernel compiles for every architecture, by the compiler that users have, and fits on a multiprocessor.
//!
//! Needs NVRTC (`LOCP_NVRTC` names its folder) but no GPU, and says `skipped` without it; `LOCP_REQUIRE_NVRTC=1` makes
//! that a failure.
#![allow(clippy::unwrap_used, clippy::print_stderr)]

use gpu_bench::GpuError;
use gpu_bench::kernels::implicit_gemm::Tiles;
use gpu_bench::kernels::{DEPTHWISE, EPILOGUE, HELPER_NAMES, HELPERS, IGEMM, epilogue};
use gpu_bench::nvrtc::{Nvrtc, Resources};

/// Architectures, and the most shared memory of a block in KiB that each allows (CUDA programming guide, "Technical
/// Specifications per Compute Capability").
const ARCHS: [(&str, u32); 7] =
    [("sm_75", 64), ("sm_80", 163), ("sm_86", 99), ("sm_87", 163), ("sm_89", 99), ("sm_90", 227), ("sm_100", 227)];

/// Static shared memory of a block in bytes, and registers of a multiprocessor, on all of them.
const STATIC_SHARED: u32 = 48 << 10;
const REGISTERS: u32 = 64 << 10;

const DEPTHWISE_NAMES: [&str; 4] = [
    "locp_depthwise<half_bits, 8>",
    "locp_depthwise<half_bits, 1>",
    "locp_depthwise<float, 4>",
    "locp_depthwise<float, 1>",
];

fn nvrtc() -> Option<Nvrtc> {
    match Nvrtc::find() {
        Ok(nvrtc) => Some(nvrtc),
        Err(error) => {
            assert!(!std::env::var("LOCP_REQUIRE_NVRTC").is_ok_and(|value| value == "1"), "no NVRTC: {error}");
            eprintln!("skipped: {error}");
            None
        }
    }
}

/// A kernel, the threads of its blocks and their dynamic shared memory in bytes.
struct Asked {
    entry: String,
    threads: u32,
    shared_bytes: u32,
}

/// What each kernel of a source takes on an architecture, in the order asked for; `None` where the compiler itself says
/// that it does not know the architecture.
fn compile(nvrtc: &Nvrtc, source: &str, asked: &[Asked], arch: &str) -> Option<Vec<Resources>> {
    let names: Vec<&str> = asked.iter().map(|asked| asked.entry.as_str()).collect();
    let cubin = match nvrtc.compile(source, &names, arch, &[]) {
        Ok(cubin) => cubin,
        Err(GpuError::Compile { log, .. }) if is_about_the_architecture(&log) => {
            eprintln!("skipped: {arch}, which NVRTC {:?} does not know: {log}", nvrtc.version());
            return None;
        }
        Err(error) => panic!("{arch}: {error}"),
    };
    assert!(cubin.image.starts_with(b"\x7fELF"), "{arch}: the image is no ELF file");
    assert_eq!(cubin.entries.len(), names.len(), "{arch}");
    let of = |entry: &String| cubin.resources.iter().find(|of| of.entry == *entry).cloned();
    let found: Option<Vec<Resources>> = cubin.entries.iter().map(of).collect();
    Some(found.unwrap_or_else(|| panic!("{arch}: {:?} are not all in {:?}", cubin.entries, cubin.resources)))
}

/// The words of an invalid `--gpu-architecture`, and no others.
fn is_about_the_architecture(log: &str) -> bool {
    log.contains("invalid value for --gpu-architecture")
}

/// Compiles for all architectures, and checks what is true of every kernel; `exception` gives the bytes that one may
/// spill, and whether it may need more shared memory than there is.
fn check(source: &str, asked: &[Asked], exception: impl Fn(&str, &str) -> (u32, bool) + Sync) {
    let Some(nvrtc) = nvrtc() else { return };
    let check = |(arch, shared_kib): (&str, u32)| {
        let Some(all) = compile(&nvrtc, source, asked, arch) else { return false };
        for (asked, taken) in asked.iter().zip(all) {
            let name = format!("`{}` on {arch}: {taken:?}", asked.entry);
            let (spill_bytes, is_too_large) = exception(&asked.entry, arch);
            assert!((1..=255).contains(&taken.registers), "{name}");
            assert!(taken.spill_bytes <= spill_bytes, "{name} spills more than {spill_bytes} bytes");
            assert!(taken.shared_bytes <= STATIC_SHARED, "{name}");
            // Registers are given to a warp in units of 256, eight for each thread.
            let registers = taken.registers.next_multiple_of(8) * asked.threads.next_multiple_of(32);
            assert!(registers <= REGISTERS, "{name}: {registers} registers");
            let fits = taken.shared_bytes + asked.shared_bytes <= shared_kib << 10;
            assert_eq!(fits, !is_too_large, "{name} and {} bytes, of {shared_kib} KiB", asked.shared_bytes);
            eprintln!("{arch} {} {} registers, {} spilled", asked.entry, taken.registers, taken.spill_bytes);
        }
        true
    };
    // The compiler is single-threaded.
    let compiled = std::thread::scope(|scope| {
        let halves = ARCHS.chunks(ARCHS.len().div_ceil(2));
        let running: Vec<_> =
            halves.map(|half| scope.spawn(|| half.iter().filter(|&&arch| check(arch)).count())).collect();
        running.into_iter().map(|half| half.join().unwrap()).sum::<usize>()
    });
    assert!(compiled > 0, "NVRTC knows none of the architectures");
}

#[test]
fn helpers_fit() {
    let asked = HELPER_NAMES.map(|name| Asked { entry: name.to_owned(), threads: 256, shared_bytes: 0 });
    check(HELPERS, &asked, |_, _| (0, false));
}

#[test]
fn depthwise_fits() {
    let asked = DEPTHWISE_NAMES.map(|name| Asked { entry: name.to_owned(), threads: 256, shared_bytes: 0 });
    check(DEPTHWISE, &asked, |_, _| (0, false));
}

#[test]
fn epilogue_fits() {
    check(EPILOGUE, &[Asked { entry: epilogue::ENTRY.to_owned(), threads: 256, shared_bytes: 0 }], |_, _| (0, false));
}

#[test]
fn the_examples_kernel_fits() {
    let asked = [Asked { entry: "my_conv".to_owned(), threads: 256, shared_bytes: 0 }];
    check(include_str!("../examples/own_kernel.cu"), &asked, |_, _| (0, false));
}

#[test]
fn every_tiling_fits() {
    let asked = |tiles: &Tiles, is_aligned| Asked {
        entry: tiles.entry(is_aligned),
        threads: tiles.threads(),
        shared_bytes: tiles.shared_bytes(),
    };
    let asked: Vec<Asked> = Tiles::MENU.iter().flat_map(|tiles| [asked(tiles, true), asked(tiles, false)]).collect();
    // A warp's share of 64 x 64 outputs leaves few registers, and values that are copied one by one pass through those.
    let crowded = [Tiles::MENU[0].entry(false), Tiles::MENU[1].entry(false)];
    // Turing has less shared memory than the largest tiles take.
    let largest = [Tiles::MENU[0].entry(true), Tiles::MENU[0].entry(false)];
    check(IGEMM, &asked, |entry, arch| {
        let spill_bytes = if crowded.iter().any(|name| name == entry) { 96 } else { 0 };
        (spill_bytes, arch == "sm_75" && largest.iter().any(|name| name == entry))
    });
}

#[test]
fn a_broken_source_is_answered_in_the_compilers_words() {
    let Some(nvrtc) = nvrtc() else { return };
    let broken = "extern \"C\" __global__ void mine(float* y) { y[0] = nowhere; }";
    match nvrtc.compile(broken, &["mine"], "sm_90", &[]) {
        Err(GpuError::Compile { entry, log }) => {
            assert_eq!(entry, "mine");
            assert!(log.contains("nowhere") && log.contains("undefined"), "{log}");
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_entry_that_is_not_there_is_a_typed_error() {
    let Some(nvrtc) = nvrtc() else { return };
    let source = "template <int N> __global__ void mine(float* y) { y[0] = N; }";
    for entry in ["yours<3>", "mine<oops>"] {
        match nvrtc.compile(source, &[entry], "sm_90", &[]) {
            Err(GpuError::Compile { entry: named, log }) => {
                assert!(named == entry && !log.is_empty(), "{named}: {log}");
            }
            Err(GpuError::Call { call, text, .. }) => {
                assert!(call == "nvrtcGetLoweredName" && !text.is_empty(), "{text}")
            }
            other => panic!("{entry}: {other:?}"),
        }
    }
    assert_eq!(nvrtc.compile(source, &["mine<3>"], "sm_90", &[]).unwrap().entries.len(), 1);
}

#[test]
fn an_unknown_architecture_is_told_from_an_error_in_the_source() {
    let Some(nvrtc) = nvrtc() else { return };
    let log = |arch: &str, source: &str| match nvrtc.compile(source, &["mine"], arch, &[]) {
        Err(GpuError::Compile { log, .. }) => log,
        other => panic!("{other:?}"),
    };
    let good = "extern \"C\" __global__ void mine() {}";
    // Kepler, which no NVRTC of CUDA 12 or later knows.
    assert!(is_about_the_architecture(&log("sm_30", good)), "{}", log("sm_30", good));
    assert!(!is_about_the_architecture(&log("sm_90", "extern \"C\" __global__ void mine() { oops; }")));
}
