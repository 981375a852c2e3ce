//! Kernels of this crate, run on the CPU by the emulator beside this file.

use gpu_bench::kernels::Launch;
use gpu_bench::{Arg, KernelArg, Operand};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use tempfile::TempDir;

/// The beginning that all sources share.
pub(crate) const PORTABLE: &str = include_str!("../../src/kernels/portable.cuh");

/// The rest of a source.
pub(crate) fn body(source: &str) -> &str {
    source.strip_prefix(PORTABLE).unwrap()
}

/// An argument of a launch.
pub(crate) enum JobArg {
    /// Bytes of the parameter's size.
    Value(Vec<u8>),
    /// Bytes in memory, which the kernel may change.
    Operand(Vec<u8>),
    /// A null pointer.
    Null,
}

/// One launch.
pub(crate) struct Job {
    pub(crate) entry: String,
    pub(crate) blocks: u32,
    pub(crate) threads: u32,
    pub(crate) shared_bytes: u32,
    /// Whether the last warp runs first.
    pub(crate) is_backward: bool,
    pub(crate) args: Vec<JobArg>,
}

impl Job {
    /// A launch with these operands in the place of its tensors.
    pub(crate) fn of(launch: &Launch, is_backward: bool, mut operand: impl FnMut(Operand) -> JobArg) -> Job {
        let arg = |arg: &KernelArg| match arg {
            KernelArg::Operand(which) => operand(*which),
            KernelArg::Value(value) => JobArg::Value(bytes(value)),
            other => panic!("an argument of a new kind: {other:?}"),
        };
        assert_eq!([&launch.shape.grid[1..], &launch.shape.block[1..]], [[1; 2]; 2], "the emulator knows one axis");
        Job {
            entry: launch.entry.clone(),
            blocks: launch.shape.grid[0],
            threads: launch.shape.block[0],
            shared_bytes: launch.shape.shared_bytes,
            is_backward,
            args: launch.args.iter().map(arg).collect(),
        }
    }

    fn write(&self, to: &mut Vec<u8>) {
        to.extend(self.entry.as_bytes());
        to.push(b'\n');
        let words = [self.blocks, self.threads, self.shared_bytes, u32::from(self.is_backward)];
        let mut word = |word: usize| to.extend((word as u64).to_le_bytes());
        words.iter().for_each(|&value| word(value as usize));
        word(self.args.len());
        for arg in &self.args {
            let (kind, bytes): (u64, &[u8]) = match arg {
                JobArg::Value(bytes) => (0, bytes),
                JobArg::Operand(bytes) => (1, bytes),
                JobArg::Null => (2, &[]),
            };
            to.extend(kind.to_le_bytes());
            to.extend((bytes.len() as u64).to_le_bytes());
            to.extend(bytes);
        }
    }
}

/// The bytes of a parameter.
pub(crate) fn bytes(arg: &Arg) -> Vec<u8> {
    match arg {
        Arg::U64(value) => value.to_le_bytes().to_vec(),
        Arg::U32(value) => value.to_le_bytes().to_vec(),
        Arg::I32(value) => value.to_le_bytes().to_vec(),
        Arg::F32(value) => value.to_le_bytes().to_vec(),
        Arg::Struct(fields) => fields.iter().flat_map(|field| field.to_le_bytes()).collect(),
        other => panic!("a value of a new kind: {other:?}"),
    }
}

/// A compiled emulator, deleted when dropped.
pub(crate) struct Emulator {
    folder: TempDir,
    program: PathBuf,
}

impl Emulator {
    /// Compiles it with these kernels of a source that begins with `portable.cuh`; says why not where no compiler does.
    pub(crate) fn build(entries: &[String], source: &str) -> Result<Emulator, String> {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
        write("sources.cu", source);
        write("kernels.inc", &entries.iter().map(|entry| format!("KERNEL({entry})\n")).collect::<String>());
        let program = folder.path().join("emulate");
        let compilers =
            std::env::var("CXX").map_or_else(|_| vec!["c++".into(), "g++".into(), "clang++".into()], |cxx| vec![cxx]);
        let checks: &[&str] = &["-fsanitize=address,undefined", "-fno-sanitize-recover=all"];
        let mut tried = Vec::new();
        for compiler in compilers {
            if !Command::new(&compiler).arg("--version").output().is_ok_and(|output| output.status.success()) {
                tried.push(format!("there is no `{compiler}`"));
                continue;
            }
            let mut errors = String::new();
            // A compiler may come without the checks' libraries.
            for checks in [checks, &[]] {
                let here = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/emulate");
                let output = Command::new(&compiler)
                    .args(["-O1", "-std=c++17", "-Wall", "-Werror", "-Wno-unknown-pragmas", "-fno-strict-aliasing"])
                    .args(checks)
                    .arg("-I")
                    .args([folder.path(), Path::new("-I"), &here, &here.join("main.cpp"), Path::new("-o"), &program])
                    .output()
                    .unwrap();
                if output.status.success() {
                    eprintln!("emulator built by `{compiler} {}`", checks.join(" "));
                    return Ok(Emulator { folder, program });
                }
                errors = String::from_utf8_lossy(&output.stderr).into_owned();
            }
            // Kernels that do not compile are no reason to skip their tests.
            panic!("`{compiler}` does not compile the kernels:\n{errors}");
        }
        Err(tried.join(", "))
    }

    /// What the operands of each launch hold afterwards, in order and without null pointers; else which launch failed
    /// and how.
    pub(crate) fn run(&self, jobs: &[Job]) -> Result<Vec<Vec<Vec<u8>>>, String> {
        let mut text = Vec::new();
        jobs.iter().for_each(|job| job.write(&mut text));
        let file = tempfile::NamedTempFile::new_in(self.folder.path()).unwrap();
        fs::write(file.path(), text).unwrap();
        let output = Command::new(&self.program)
            .stdin(Stdio::from(File::open(file.path()).unwrap()))
            // Coroutines have stacks of their own, which only the leak checker would search for pointers.
            .env("ASAN_OPTIONS", "detect_leaks=0:detect_stack_use_after_return=0")
            .output()
            .unwrap();
        let mut rest = output.stdout.as_slice();
        let mut all = Vec::new();
        for job in jobs {
            let mut operands = Vec::new();
            for arg in &job.args {
                if let JobArg::Operand(bytes) = arg {
                    let Some((head, tail)) = rest.split_at_checked(bytes.len()) else {
                        let words = String::from_utf8_lossy(&output.stderr).into_owned();
                        return Err(format!(
                            "launch {} (`{}`) ended with {}: {words}",
                            all.len(),
                            job.entry,
                            output.status
                        ));
                    };
                    operands.push(head.to_vec());
                    rest = tail;
                }
            }
            all.push(operands);
        }
        assert!(rest.is_empty(), "the emulator answered more than it was asked");
        Ok(all)
    }
}
