//! What the model knows of a GPU.

use netspec::DType;

/// A block of outputs that one multiprocessor computes at a time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Tile {
    /// Pixels, over all images.
    pub pixels: usize,
    /// Output channels.
    pub channels: usize,
    /// Share of the multiprocessor's peak that it reaches; larger blocks load less per product.
    pub efficiency: f64,
}

/// A GPU as its data sheet describes it.
///
/// Start from a known one and change what differs; peak rates are dense (without structured sparsity).
///
/// | name | device | source |
/// |---|---|---|
/// | `h100` | H100 SXM5 80 GB | "NVIDIA H100 Tensor Core GPU" data sheet: 67 TFLOPS f32, 989 TF32 and 1979 f16 with sparsity (half of it without), 3.35 TB/s; "NVIDIA H100 Tensor Core GPU Architecture" white paper: 132 multiprocessors |
/// | `t4` | Tesla T4 | "NVIDIA T4 Tensor Core GPU" data sheet: 8.1 TFLOPS f32, 65 f16, 320 GB/s; "NVIDIA Turing GPU Architecture" white paper: 40 multiprocessors, neither TF32 nor bf16 |
/// | `orin` | Jetson AGX Orin 64 GB | "Jetson AGX Orin Series Technical Brief": 16 multiprocessors, 5.3 TFLOPS f32, 170 sparse int8 TOPS (a quarter of it in dense f16, an eighth in TF32), 204.8 GB/s |
///
/// Launch floors are not on data sheets; 2, 4 and 6 us are assumptions.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Gpu {
    /// The name in the engine's name: `h100` in `simulated:h100`.
    pub name: String,
    /// Product name.
    pub device: String,
    /// Compute capability.
    pub compute: String,
    /// Multiprocessors.
    pub multiprocessors: usize,
    /// Operations per second (a product and a sum are two) outside of tensor cores.
    pub f32_flops: f64,
    /// The same on tensor cores for TF32, where there are such.
    pub tf32_flops: Option<f64>,
    /// The same on tensor cores for f16.
    pub f16_flops: f64,
    /// The same on tensor cores for bf16, where there are such.
    pub bf16_flops: Option<f64>,
    /// Bytes per second to and from memory.
    pub bytes_per_s: f64,
    /// What any launch takes at least, in nanoseconds.
    pub launch_ns: f64,
    /// Blocks that the library has kernels for.
    pub tiles: Vec<Tile>,
}

impl Gpu {
    /// All that have a name, in the order `h100`, `t4`, `orin`.
    pub fn known() -> Vec<Gpu> {
        vec![Gpu::h100(), Gpu::t4(), Gpu::orin()]
    }

    /// H100 SXM5.
    pub fn h100() -> Gpu {
        Gpu {
            name: "h100".to_owned(),
            device: "NVIDIA H100 80GB HBM3".to_owned(),
            compute: "sm_90".to_owned(),
            multiprocessors: 132,
            f32_flops: 67e12,
            tf32_flops: Some(494.5e12),
            f16_flops: 989.5e12,
            bf16_flops: Some(989.5e12),
            bytes_per_s: 3.35e12,
            launch_ns: 2e3,
            tiles: usual_tiles(),
        }
    }

    /// Tesla T4.
    pub fn t4() -> Gpu {
        Gpu {
            name: "t4".to_owned(),
            device: "Tesla T4".to_owned(),
            compute: "sm_75".to_owned(),
            multiprocessors: 40,
            f32_flops: 8.1e12,
            tf32_flops: None,
            f16_flops: 65e12,
            bf16_flops: None,
            bytes_per_s: 320e9,
            launch_ns: 4e3,
            tiles: usual_tiles(),
        }
    }

    /// Jetson AGX Orin 64 GB.
    pub fn orin() -> Gpu {
        Gpu {
            name: "orin".to_owned(),
            device: "Jetson AGX Orin 64GB".to_owned(),
            compute: "sm_87".to_owned(),
            multiprocessors: 16,
            f32_flops: 5.3e12,
            tf32_flops: Some(21.25e12),
            f16_flops: 42.5e12,
            bf16_flops: Some(42.5e12),
            bytes_per_s: 204.8e9,
            launch_ns: 6e3,
            tiles: usual_tiles(),
        }
    }

    /// Operations per second in this type, `None` where the GPU has no units for it.
    pub fn flops(&self, dtype: DType) -> Option<f64> {
        match dtype {
            DType::F32 => Some(self.f32_flops),
            DType::Tf32 => self.tf32_flops,
            DType::F16 => Some(self.f16_flops),
            DType::Bf16 => self.bf16_flops,
            _ => None,
        }
    }
}

/// A small menu as convolution libraries have it; the efficiencies are assumptions.
fn usual_tiles() -> Vec<Tile> {
    let tile = |pixels, channels, efficiency| Tile { pixels, channels, efficiency };
    vec![tile(256, 128, 0.80), tile(128, 128, 0.75), tile(128, 64, 0.65), tile(64, 64, 0.55), tile(64, 32, 0.40)]
}
