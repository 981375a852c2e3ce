//! The staircase that the tensor-core kernel makes of a layer's widths, by formula.
//!
//! It is the ground truth for whoever looks for steps in measured latencies: how this kernel cuts the work is known.
//!
//! ```text
//! blocks  = ceil(batch * out_h * out_w / tile_m) * ceil(c_out / tile_n)
//! waves   = ceil(blocks / (multiprocessors * blocks_per_multiprocessor))
//! k_steps = kernel_h * kernel_w * ceil(c_in / 32)
//! cost    = waves * k_steps
//! ```
//!
//! The first and third line follow from `igemm.cu`: every block runs its whole sum, also where its tile reaches past the
//! last channel. The second is the CUDA programming guide's model of execution: blocks wait until a multiprocessor has
//! room. Input channels that are no multiple of eight are copied value by value; those widths are a class of their own,
//! dearer than the next multiple of eight at the same number of steps.
//!
//! # Limits
//!
//! - A cost is no time: to fill the first stages and to store the results takes as long at any width, so a step from `n`
//!   to `n + 1` is lower than by a factor of `(n + 1) / n`.
//! - Edges along `c_in` are sharp: each block's sum grows, whatever the other blocks do.
//! - Edges along `c_out` are as sharp as the waves are separate. Blocks of one multiprocessor share its tensor cores, so
//!   blocks of a last wave that is not full run faster, with fewer beside them; where tensor cores are the limit, what
//!   counts is `ceil(blocks / multiprocessors)`, which is this formula with one block per multiprocessor. An edge that
//!   the formula gives for the true number of blocks also is one for a single block, so it exists in either case; those
//!   that it gives for a single block only are soft, and lower.
//! - An edge along `c_out` is one wave of several: past some twenty waves it is lost in the noise, and blocks no longer
//!   end at the same time.
//! - Where memory is the limit (1x1 kernels with few channels), latency follows the bytes, not the blocks.

use gpu_bench::kernels::implicit_gemm::{ALIGNMENT, TILE_K, Tiles};
use netspec::{Axis, ConvSpec};
use std::ops::RangeInclusive;

/// How many blocks a device holds at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Occupancy {
    /// Multiprocessors of the device.
    pub(crate) multiprocessors: u32,
    /// Blocks that one of them holds, as `gpu_bench::Kernel::blocks_per_multiprocessor` tells.
    pub(crate) blocks_per_multiprocessor: u32,
}

/// What a convolution is cut into.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Work {
    /// Blocks of threads.
    pub(crate) blocks: u64,
    /// Rounds in which the device runs them.
    pub(crate) waves: u64,
    /// Steps of 32 input channels at one kernel position, that each block runs.
    pub(crate) k_steps: u64,
    /// Whether rows are copied 16 bytes at a time.
    pub(crate) is_aligned: bool,
}

impl Work {
    /// By the formula above.
    pub(crate) fn of(spec: &ConvSpec, tiles: Tiles, occupancy: Occupancy) -> Work {
        let [out_h, out_w] = spec.out_hw();
        let tiles_m = (spec.batch * out_h * out_w).div_ceil(tiles.tile_m as usize);
        let blocks = (tiles_m * spec.c_out.div_ceil(tiles.tile_n as usize)) as u64;
        let room = u64::from(occupancy.multiprocessors) * u64::from(occupancy.blocks_per_multiprocessor);
        Work {
            blocks,
            waves: blocks.div_ceil(room.max(1)),
            k_steps: (spec.kernel[0] * spec.kernel[1] * spec.c_in.div_ceil(TILE_K)) as u64,
            is_aligned: spec.c_in.is_multiple_of(ALIGNMENT),
        }
    }

    /// Steps that the device runs one after the other.
    pub(crate) fn cost(&self) -> u64 {
        self.waves * self.k_steps
    }
}

/// Why the next width costs more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cause {
    /// It takes more waves or steps of the sum.
    Steps,
    /// It takes as many, but its rows can no longer be copied 16 bytes at a time.
    Alignment,
}

/// The right end of a tread: the widest layer of its cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Edge {
    /// Channels.
    pub(crate) width: usize,
    /// Why one channel more costs more.
    pub(crate) cause: Cause,
}

/// The widths in the range, but for its last, of which the next one costs more; the spec's other axis stays.
///
/// Who tries multiples of eight only finds those whose cause is [`Cause::Steps`].
pub(crate) fn edges(
    spec: &ConvSpec,
    tiles: Tiles,
    occupancy: Occupancy,
    axis: Axis,
    widths: RangeInclusive<usize>,
) -> Vec<Edge> {
    let work = |width| {
        let spec = match axis {
            Axis::CIn => ConvSpec { c_in: width, ..spec.clone() },
            Axis::COut => ConvSpec { c_out: width, ..spec.clone() },
        };
        Work::of(&spec, tiles, occupancy)
    };
    let edge = |width| {
        let (here, next) = (work(width), work(width + 1));
        let cause = if next.cost() > here.cost() {
            Cause::Steps
        } else if here.is_aligned && !next.is_aligned {
            Cause::Alignment
        } else {
            return None;
        };
        Some(Edge { width, cause })
    };
    (*widths.start()..*widths.end()).filter_map(edge).collect()
}

#[cfg(test)]
mod tests {
    use super::{Axis, Cause, Edge, Occupancy, Work, edges};
    use gpu_bench::kernels::implicit_gemm::Tiles;
    use netspec::ConvSpec;

    fn room(multiprocessors: u32, blocks_per_multiprocessor: u32) -> Occupancy {
        Occupancy { multiprocessors, blocks_per_multiprocessor }
    }

    fn steps(widths: &[usize]) -> Vec<Edge> {
        widths.iter().map(|&width| Edge { width, cause: Cause::Steps }).collect()
    }

    #[test]
    fn work_by_hand() {
        let spec = ConvSpec { batch: 64, padding: [1; 4], ..ConvSpec::new(256, 256, [56, 56], [3, 3]) };
        // 64 * 56 * 56 / 128 = 1568 tiles of pixels, twice; 3136 / 264 = 11.9; 9 positions of 8 steps.
        let work = Work::of(&spec, Tiles::default(), room(132, 2));
        assert_eq!(work, Work { blocks: 3136, waves: 12, k_steps: 72, is_aligned: true });
        assert_eq!(work.cost(), 12 * 72);
    }

    #[test]
    fn output_channels_step_where_a_wave_is_full() {
        // 28 * 28 / 128 makes 7 tiles of pixels, of 64 channels each; 20 blocks fit at a time.
        let spec = ConvSpec::new(64, 64, [28, 28], [1, 1]);
        let tiles = Tiles { tile_m: 128, tile_n: 64, warps_m: 2, warps_n: 2, stages: 4 };
        // 2 * 7 blocks are one wave, 3 * 7 = 21 two, 5 * 7 = 35 two, 6 * 7 = 42 three, 8 * 7 = 56 three, 9 * 7 = 63 four.
        let found = edges(&spec, tiles, room(10, 2), Axis::COut, 1..=600);
        assert_eq!(found, steps(&[128, 320, 512]));
        // With 7 at a time, every tile of channels is a wave.
        let found = edges(&spec, tiles, room(7, 1), Axis::COut, 60..=257);
        assert_eq!(found, steps(&[64, 128, 192, 256]));
        // With more room than blocks there is no step at all.
        assert_eq!(edges(&spec, tiles, room(132, 2), Axis::COut, 1..=1024), []);
    }

    #[test]
    fn every_edge_is_one_with_a_single_block_too() {
        let spec = ConvSpec { batch: 3, ..ConvSpec::new(64, 64, [30, 17], [1, 1]) };
        for tiles in Tiles::MENU {
            for multiprocessors in [5, 13, 46] {
                let find = |blocks| edges(&spec, tiles, room(multiprocessors, blocks), Axis::COut, 1..=2048);
                let single = find(1);
                assert!(find(3).iter().all(|edge| single.contains(edge)), "{tiles} on {multiprocessors}");
            }
        }
    }

    #[test]
    fn input_channels_step_every_32_and_lose_alignment_every_8() {
        let spec = ConvSpec { padding: [1; 4], ..ConvSpec::new(64, 64, [28, 28], [3, 3]) };
        let found = edges(&spec, Tiles::default(), room(132, 2), Axis::CIn, 1..=72);
        let at = |width, cause| Edge { width, cause };
        let expected = (1..9).map(|n| at(8 * n, if n % 4 == 0 { Cause::Steps } else { Cause::Alignment }));
        assert_eq!(found, expected.collect::<Vec<_>>());
    }
}
