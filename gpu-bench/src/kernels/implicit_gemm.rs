//! Launching the convolution on tensor cores, by the tiles it is cut into.

use super::{IGEMM, Launch, args, check, grid, unsupported};
use crate::{GpuError, Shape};
use netspec::{ConvSpec, DType};
use std::fmt;

const NAME: &str = "tensor-core";

/// Input channels of one step of the sum.
pub const TILE_K: usize = 32;

/// Bytes of a step's channels in shared memory.
const ROW_BYTES: u32 = 64;

/// Copies of 16 bytes that a row of a step takes.
const CHUNKS: u32 = 4;

/// Channels that rows must be a multiple of to be copied 16 bytes at a time.
pub const ALIGNMENT: usize = 8;

/// The kernel's rows and columns go into one word, half a word each.
const MOST_KERNEL: usize = 16;

/// How the matrix product is cut: a block of threads computes `tile_m` output pixels of `tile_n` output channels, split
/// evenly between `warps_m` by `warps_n` warps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Tiles {
    /// Output pixels of a block.
    pub tile_m: u32,
    /// Output channels of a block.
    pub tile_n: u32,
    /// Warps along the pixels.
    pub warps_m: u32,
    /// Warps along the channels.
    pub warps_n: u32,
    /// Steps of the sum that are in shared memory at a time, at least two.
    pub stages: u32,
}

impl Tiles {
    /// The ones that are tested, from large to small.
    ///
    /// A warp's share of 64 x 64 reads the least from shared memory for each product; smaller tiles waste less on narrow
    /// layers and small images. The first needs more shared memory than a Turing GPU has.
    pub const MENU: [Tiles; 6] = [
        Tiles { tile_m: 256, tile_n: 128, warps_m: 4, warps_n: 2, stages: 3 },
        Tiles { tile_m: 128, tile_n: 128, warps_m: 2, warps_n: 2, stages: 4 },
        Tiles { tile_m: 128, tile_n: 128, warps_m: 2, warps_n: 4, stages: 3 },
        Tiles { tile_m: 128, tile_n: 64, warps_m: 2, warps_n: 2, stages: 4 },
        Tiles { tile_m: 64, tile_n: 64, warps_m: 2, warps_n: 2, stages: 4 },
        Tiles { tile_m: 128, tile_n: 32, warps_m: 4, warps_n: 1, stages: 4 },
    ];

    /// Threads of a block.
    pub fn threads(&self) -> u32 {
        32 * self.warps_m * self.warps_n
    }

    /// Dynamic shared memory of a block in bytes: for each stage, 32 halves for each pixel and each channel; or, if that is
    /// more, for each warp 16 rows of sums in f32, eight of them set apart, on their way out.
    pub fn shared_bytes(&self) -> u32 {
        let stages = self.stages * (self.tile_m + self.tile_n) * ROW_BYTES;
        let sums = 16 * self.warps_m * (self.tile_n + 8 * self.warps_n) * size_of::<f32>() as u32;
        stages.max(sums)
    }

    /// The kernel's name with these template arguments; `is_aligned` where rows are copied 16 bytes at a time.
    pub fn entry(&self, is_aligned: bool) -> String {
        let Tiles { tile_m, tile_n, warps_m, warps_n, stages } = self;
        format!("locp_igemm<{tile_m}, {tile_n}, {warps_m}, {warps_n}, {stages}, {is_aligned}>")
    }

    /// Whether the work splits evenly: a warp multiplies 16 x 16 outputs at a time, and all threads copy as many rows.
    fn is_even(&self) -> bool {
        // A block has at most 1024 threads, by the CUDA programming guide.
        let is_block =
            [self.warps_m, self.warps_n].iter().all(|warps| (1..=32).contains(warps)) && self.threads() <= 1024;
        let splits = |tile: u32, warps: u32| {
            let rows = self.threads() / CHUNKS;
            (1..=1024).contains(&tile) && tile.is_multiple_of(16 * warps) && tile.is_multiple_of(rows)
        };
        is_block
            && (2..=16).contains(&self.stages)
            && splits(self.tile_m, self.warps_m)
            && splits(self.tile_n, self.warps_n)
    }
}

impl Default for Tiles {
    /// 128 x 128 by four warps: the one that suits most layers.
    fn default() -> Tiles {
        Tiles::MENU[1]
    }
}

impl fmt::Display for Tiles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Tiles { tile_m, tile_n, warps_m, warps_n, stages } = self;
        write!(f, "{tile_m}x{tile_n}/{warps_m}x{warps_n}/{stages}")
    }
}

/// The kernel for a convolution without groups in f16, NHWC, with sums in f32; the epilogue may add a bias and a
/// residual and end with ReLU or ReLU6.
///
/// Weights are in the order output channel, row, column, input channel. Any channels will do; where input channels are no
/// multiple of eight, rows are copied value by value, which is several times slower.
pub fn launch(spec: &ConvSpec, tiles: Tiles) -> Result<Launch, GpuError> {
    let activation = check(NAME, spec)?;
    if spec.dtype != DType::F16 {
        return Err(unsupported(NAME, format_args!("the type {:?}; it takes f16", spec.dtype)));
    }
    if spec.groups != 1 {
        return Err(unsupported(NAME, format_args!("{} groups; it takes one", spec.groups)));
    }
    if spec.kernel.iter().any(|&size| size > MOST_KERNEL) {
        return Err(unsupported(NAME, format_args!("kernels of more than {MOST_KERNEL} rows or columns")));
    }
    if !tiles.is_even() {
        return Err(unsupported(NAME, format_args!("the tiles {tiles}, which do not split evenly")));
    }
    let blocks = check_sizes(spec, tiles).ok_or_else(|| unsupported(NAME, "tensors of 2^31 values or more"))?;
    let shape = Shape { grid: grid(NAME, blocks)?, block: [tiles.threads(), 1, 1], shared_bytes: tiles.shared_bytes() };
    Ok(Launch {
        source: IGEMM,
        entry: tiles.entry(spec.c_in.is_multiple_of(ALIGNMENT)),
        shape,
        args: args(NAME, spec, &[spec.c_in, spec.c_out], activation)?,
    })
}

/// Blocks of a launch; `None` where the kernel's 32-bit offsets would overflow.
///
/// Offsets reach into the padding, and to the end of tiles that reach past the last pixel or channel.
fn check_sizes(spec: &ConvSpec, tiles: Tiles) -> Option<usize> {
    let product = |sizes: &[usize]| {
        let product = sizes.iter().try_fold(1_usize, |product, &size| product.checked_mul(size))?;
        (product <= i32::MAX as usize).then_some(product)
    };
    let [out_h, out_w] = spec.out_hw();
    let [tile_m, tile_n] = [tiles.tile_m as usize, tiles.tile_n as usize];
    let padded = |size: usize, axis: usize| size.checked_add(spec.padding[axis])?.checked_add(spec.padding[axis + 2]);
    let channels = spec.c_in.checked_next_multiple_of(TILE_K)?;
    product(&[spec.batch, padded(spec.height, 0)?, padded(spec.width, 1)?, channels])?;
    product(&[spec.c_out.checked_next_multiple_of(tile_n)?, spec.kernel[0], spec.kernel[1], channels])?;
    let tiles_m = product(&[spec.batch, out_h, out_w])?.div_ceil(tile_m);
    product(&[tiles_m, tile_m])?;
    tiles_m.checked_mul(spec.c_out.div_ceil(tile_n))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::{Tiles, launch};
    use crate::{Arg, KernelArg, Operand};
    use netspec::{Activation, ConvSpec, DType, Layout};

    fn spec() -> ConvSpec {
        let spec = ConvSpec::new(256, 200, [56, 50], [3, 3]);
        ConvSpec { batch: 2, padding: [1, 1, 1, 1], dtype: DType::F16, layout: Layout::Nhwc, ..spec }
    }

    #[test]
    fn a_launch_by_hand() {
        let launch = launch(&spec(), Tiles::MENU[0]).unwrap();
        assert_eq!(launch.entry, "locp_igemm<256, 128, 4, 2, 3, true>");
        // 2 * 56 * 50 = 5600 pixels are 22 tiles of 256, and 200 channels are 2 of 128.
        assert_eq!((launch.shape.grid, launch.shape.block), ([44, 1, 1], [256, 1, 1]));
        // Three stages of 384 rows of 64 bytes.
        assert_eq!(launch.shape.shared_bytes, 72 << 10);
        let operands = [Operand::Input, Operand::Weights, Operand::Bias, Operand::Residual, Operand::Output];
        let mut args: Vec<KernelArg> = operands.map(KernelArg::Operand).to_vec();
        let fields = vec![2, 256, 200, 56, 50, 56, 50, 3, 3, 1, 1, 1, 1, 1, 1, 0];
        args.push(KernelArg::Value(Arg::Struct(fields)));
        assert_eq!(launch.args, args);
    }

    #[test]
    fn channels_that_are_no_multiple_of_eight_take_the_other_kernel() {
        let entry = |c_in| launch(&ConvSpec { c_in, ..spec() }, Tiles::default()).unwrap().entry;
        assert!(entry(8).ends_with("true>") && entry(12).ends_with("false>"));
    }

    #[test]
    fn the_whole_menu_splits_evenly() {
        assert!(Tiles::MENU.iter().all(Tiles::is_even));
    }

    #[test]
    fn shared_memory_holds_the_stages_or_the_sums() {
        let tiles = Tiles { tile_m: 128, tile_n: 256, warps_m: 8, warps_n: 1, stages: 2 };
        // 2 stages of 384 rows of 64 bytes are 48 KiB; 8 warps of 16 rows of 264 sums are 132 KiB.
        assert_eq!(tiles.shared_bytes(), 132 << 10);
        assert_eq!(Tiles { stages: 8, ..tiles }.shared_bytes(), 192 << 10);
    }

    #[test]
    fn the_rest_is_refused_by_name() {
        let with = |change: &dyn Fn(&mut ConvSpec, &mut Tiles)| {
            let (mut spec, mut tiles) = (spec(), Tiles::default());
            change(&mut spec, &mut tiles);
            launch(&spec, tiles).unwrap_err().to_string()
        };
        let cases = [
            (with(&|spec, _| spec.dtype = DType::Tf32), "Tf32"),
            (with(&|spec, _| spec.layout = Layout::Nchw), "Nchw"),
            (with(&|spec, _| spec.groups = 8), "8 groups"),
            (with(&|spec, _| spec.epilogue.activation = Activation::HardSwish), "HardSwish"),
            (with(&|spec, _| spec.kernel = [17, 1]), "16 rows"),
            (with(&|spec, _| spec.c_out = 0), "c_out is 0"),
            (with(&|spec, _| spec.batch = 1 << 13), "2^31"),
            (with(&|spec, _| spec.c_out = 1 << 20), "2^31"),
            (with(&|_, tiles| tiles.tile_m = 100), "100x128"),
            (with(&|_, tiles| tiles.warps_n = 0), "2x0"),
            (with(&|_, tiles| tiles.stages = 1), "2x2/1"),
        ];
        for (error, word) in cases {
            assert!(error.contains(word), "`{error}` does not say `{word}`");
        }
    }
}
