//! Other work on the machine while an engine is timed.

use anyhow::Context as _;
use clap::ValueEnum;
use stats::Rng;
use std::hint::black_box;
use std::io::Read as _;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Elements that are worked on at a time.
const PIECE: usize = 8 << 10;

/// What else the machine does.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Load {
    /// Nothing.
    Quiet,
    /// One process of low priority.
    Busy1,
    /// Two processes of low priority.
    Busy2,
    /// One process of low priority that works and pauses in turns of 5 to 200 ms.
    Bursts,
}

impl Load {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Load::Quiet => "quiet",
            Load::Busy1 => "busy1",
            Load::Busy2 => "busy2",
            Load::Bursts => "bursts",
        }
    }

    /// Starts the load; it ends when the value is dropped.
    ///
    /// # Errors
    /// `nice` or this program could not be started.
    pub(crate) fn start(self, seed: u64) -> anyhow::Result<Running> {
        let program = std::env::current_exe().context("this program's own path")?;
        let mut running = Running(Vec::new());
        let processes = [0, 1, 2, 1][self as usize];
        for process in 0..processes {
            let mut command = Command::new("nice");
            command.args(["-n", "19"]).arg(&program).args(["load", "--seed", &(seed + process).to_string()]);
            command.args((self == Load::Bursts).then_some("--bursts"));
            running.0.push(command.stdin(Stdio::piped()).spawn().context("nice")?);
        }
        Ok(running)
    }
}

/// Processes that end with this value, and with this process, because their standard input closes then.
pub(crate) struct Running(Vec<Child>);

impl Drop for Running {
    fn drop(&mut self) {
        for child in &mut self.0 {
            drop(child.stdin.take());
            // A child that has already ended leaves nothing to wait for.
            let _ = child.wait();
        }
    }
}

/// Keeps a core busy until standard input closes.
pub(crate) fn run(bursts: bool, seed: u64) -> ! {
    std::thread::spawn(|| {
        let _ = std::io::stdin().read(&mut [0]);
        std::process::exit(0);
    });
    let mut rng = Rng::new(seed);
    let mut turn = move || Duration::from_millis(5 + rng.below(196) as u64);
    // As large as a usual last-level cache, worked on in pieces that fit into the nearest one.
    let mut memory = vec![1.0_f32; 8 << 20];
    let pieces = memory.len() / PIECE;
    let mut next = 0;
    loop {
        let (start, length) = (Instant::now(), turn());
        while start.elapsed() < length {
            let piece = &mut memory[next * PIECE..][..PIECE];
            for _ in 0..8 {
                piece.iter_mut().for_each(|x| *x = *x * 0.999 + 0.001);
            }
            black_box(piece);
            next = (next + 1) % pieces;
        }
        if bursts {
            std::thread::sleep(turn());
        }
    }
}
