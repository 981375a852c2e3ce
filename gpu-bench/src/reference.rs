//! Convolutions in double precision on the host, to check every other one against.
//!
//! Activations are in the spec's layout. Weights are in the order that the layout suggests: output channel, input
//! channel, row, column for NCHW, and output channel, row, column, input channel for NHWC.

use netspec::{Activation, ConvSpec, DType, Epilogue, Layout};
use timing::Rng;

/// The tensors that go into a convolution, as f32 values that the spec's type represents exactly.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Operands {
    /// Batch times input channels times height times width.
    pub input: Vec<f32>,
    /// Output channels times input channels per group times kernel height times kernel width.
    pub weights: Vec<f32>,
    /// One per output channel; empty where the spec has none.
    pub bias: Vec<f32>,
    /// Of the output's size; empty where the spec has none.
    pub residual: Vec<f32>,
}

impl Operands {
    /// Normal weights whose sums keep the input's scale, half-zero activations, normal bias and residual, all rounded
    /// to the spec's type.
    pub fn random(spec: &ConvSpec, seed: u64) -> Operands {
        let mut rng = Rng::new(seed);
        let mut normal = |n: usize, scale: f64| -> Vec<f32> {
            (0..n).map(|_| round_to(spec.dtype, (rng.normal() * scale) as f32)).collect()
        };
        let [n_input, n_weights, n_output] = spec.elements();
        let mut input = normal(n_input, 1.0);
        input.iter_mut().for_each(|x| *x = x.max(0.0));
        Operands {
            input,
            weights: normal(n_weights, weight_scale(spec)),
            bias: normal(if spec.epilogue.bias { spec.c_out } else { 0 }, 1.0),
            residual: normal(if spec.epilogue.residual { n_output } else { 0 }, 1.0),
        }
    }
}

/// The deviation of weights that keeps the input's scale: half of the inputs are zero and the rest have a mean square of
/// one, so sums come out at about one.
pub(crate) fn weight_scale(spec: &ConvSpec) -> f64 {
    (2.0 / spec.fan_in() as f64).sqrt()
}

/// Elements between neighbors in batch, channel, row and column.
fn strides(layout: Layout, [c, h, w]: [usize; 3]) -> [usize; 4] {
    match layout {
        Layout::Nhwc => [h * w * c, 1, w * c, c],
        _ => [c * h * w, h * w, w, 1],
    }
}

/// The convolution with its epilogue, every sum in f64; the result is in the spec's layout.
///
/// # Panics
/// Where an operand is shorter than the spec asks for.
pub fn convolve(spec: &ConvSpec, operands: &Operands) -> Vec<f64> {
    let [out_h, out_w] = spec.out_hw();
    let (group_in, group_out) = (spec.c_in / spec.groups, spec.c_out / spec.groups);
    let input_at = strides(spec.layout, [spec.c_in, spec.height, spec.width]);
    let weight_at = strides(spec.layout, [group_in, spec.kernel[0], spec.kernel[1]]);
    let output_at = strides(spec.layout, [spec.c_out, out_h, out_w]);
    let at = |of: &[usize; 4], place: [usize; 4]| -> usize { of.iter().zip(place).map(|(s, i)| s * i).sum() };
    let mut output = vec![0.0; spec.batch * spec.c_out * out_h * out_w];
    for n in 0..spec.batch {
        for k in 0..spec.c_out {
            let first_c = k / group_out * group_in;
            for p in 0..out_h {
                for q in 0..out_w {
                    let mut sum = 0.0;
                    for r in 0..spec.kernel[0] {
                        let Some(h) = inside(p, r, [spec.stride[0], spec.dilation[0], spec.padding[0]], spec.height)
                        else {
                            continue;
                        };
                        for s in 0..spec.kernel[1] {
                            let Some(w) = inside(q, s, [spec.stride[1], spec.dilation[1], spec.padding[1]], spec.width)
                            else {
                                continue;
                            };
                            for c in 0..group_in {
                                let x = operands.input[at(&input_at, [n, first_c + c, h, w])];
                                let by = operands.weights[at(&weight_at, [k, c, r, s])];
                                sum += f64::from(x) * f64::from(by);
                            }
                        }
                    }
                    let place = at(&output_at, [n, k, p, q]);
                    if spec.epilogue.bias {
                        sum += f64::from(operands.bias[k]);
                    }
                    if spec.epilogue.residual {
                        sum += f64::from(operands.residual[place]);
                    }
                    output[place] = activate(spec.epilogue.activation, sum);
                }
            }
        }
    }
    output
}

/// The input position of an output one and a kernel one, where it is inside of the image.
fn inside(out: usize, kernel: usize, [stride, dilation, padding]: [usize; 3], size: usize) -> Option<usize> {
    (out * stride + kernel * dilation).checked_sub(padding).filter(|&at| at < size)
}

fn activate(activation: Activation, x: f64) -> f64 {
    let sigmoid = |x: f64| 1.0 / (1.0 + (-x).exp());
    match activation {
        Activation::Relu => x.max(0.0),
        Activation::Relu6 => x.clamp(0.0, 6.0),
        Activation::Silu => x * sigmoid(x),
        Activation::Sigmoid => sigmoid(x),
        Activation::HardSwish => x * (x / 6.0 + 0.5).clamp(0.0, 1.0),
        _ => x,
    }
}

/// The norm of the difference over the norm of the reference; infinite where any value is not a number or the lengths
/// differ, so that neither ever passes.
pub fn relative_error(output: &[f32], reference: &[f64]) -> f64 {
    if output.len() != reference.len() || output.iter().any(|x| !x.is_finite()) {
        return f64::INFINITY;
    }
    let norm = |values: &mut dyn Iterator<Item = f64>| values.map(|x| x * x).sum::<f64>().sqrt();
    let difference = norm(&mut output.iter().zip(reference).map(|(&x, r)| f64::from(x) - r));
    let scale = norm(&mut reference.iter().copied());
    if difference == 0.0 { 0.0 } else { difference / scale }
}

/// The error that a type's arithmetic explains, by [`relative_error`].
pub fn tolerance(dtype: DType) -> f64 {
    match dtype {
        DType::F32 => 1e-5,
        DType::Tf32 | DType::F16 => 1e-3,
        _ => 4e-3,
    }
}

/// The nearest value that the type stores, ties to even. TF32 is stored as f32: only the multiplication rounds.
pub fn round_to(dtype: DType, x: f32) -> f32 {
    match dtype {
        DType::F16 => from_f16(to_f16(x)),
        DType::Bf16 => from_bf16(to_bf16(x)),
        _ => x,
    }
}

/// The bytes of values in the type's storage, little-endian.
pub fn to_bytes(dtype: DType, values: &[f32]) -> Vec<u8> {
    match dtype {
        DType::F16 => values.iter().flat_map(|&x| to_f16(x).to_le_bytes()).collect(),
        DType::Bf16 => values.iter().flat_map(|&x| to_bf16(x).to_le_bytes()).collect(),
        _ => values.iter().flat_map(|x| x.to_le_bytes()).collect(),
    }
}

/// The values that such bytes hold; a rest that is no whole value is left out.
pub fn from_bytes(dtype: DType, bytes: &[u8]) -> Vec<f32> {
    let halves = || bytes.chunks_exact(2).map(|b| u16::from_le_bytes([b[0], b[1]]));
    match dtype {
        DType::F16 => halves().map(from_f16).collect(),
        DType::Bf16 => halves().map(from_bf16).collect(),
        _ => bytes.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect(),
    }
}

/// The bits of the nearest IEEE half, ties to even.
fn to_f16(x: f32) -> u16 {
    let sign = ((x.to_bits() >> 16) & 0x8000) as u16;
    let magnitude = x.abs();
    if magnitude.is_nan() {
        return sign | 0x7e00;
    }
    // Half the gap above 65504, the largest half, rounds to infinity.
    if magnitude >= 65_520.0 {
        return sign | 0x7c00;
    }
    // Adding and subtracting a power of two rounds to the half's last place, by the host's own ties to even: below
    // 2^-14 halves are 2^-24 apart, above they have ten bits after the first.
    let exponent = ((magnitude.to_bits() >> 23) as i32 - 127).max(-14);
    let unit = 2.0_f64.powi(exponent - 10);
    let steps = (f64::from(magnitude) / unit).round_ties_even() as u32;
    // Steps past the first bit carry into the exponent by themselves.
    let bits = (((exponent + 14) as u32) << 10) + steps;
    sign | bits as u16
}

fn from_f16(bits: u16) -> f32 {
    let sign = if bits & 0x8000 == 0 { 1.0 } else { -1.0 };
    let (exponent, fraction) = (i32::from(bits >> 10 & 0x1f), f32::from(bits & 0x3ff));
    sign * match exponent {
        0 => fraction * 2.0_f32.powi(-24),
        31 if fraction == 0.0 => f32::INFINITY,
        31 => f32::NAN,
        _ => (1024.0 + fraction) * 2.0_f32.powi(exponent - 25),
    }
}

fn to_bf16(x: f32) -> u16 {
    let bits = x.to_bits();
    if x.is_nan() {
        return (bits >> 16) as u16 | 0x40;
    }
    ((bits + 0x7fff + (bits >> 16 & 1)) >> 16) as u16
}

fn from_bf16(bits: u16) -> f32 {
    f32::from_bits(u32::from(bits) << 16)
}

/// Small random convolutions of every kind: grouped, depthwise, dilated, strided, padded unevenly, 1x1, with odd
/// channel counts, with every epilogue.
pub fn random_specs(seed: u64, n: usize, dtype: DType, layout: Layout) -> Vec<ConvSpec> {
    let mut rng = Rng::new(seed);
    let mut specs = Vec::with_capacity(n);
    while specs.len() < n {
        let mut below = |n: usize| rng.below(n);
        let aligned = below(2) == 0;
        let mut width = || if aligned { 8 * (1 + below(6)) } else { 1 + below(40) };
        let (mut c_in, mut c_out) = (width(), width());
        let groups = match below(4) {
            0 => {
                // Depthwise.
                c_out = c_in;
                c_in
            }
            1 => {
                let groups = 2 + below(3);
                c_in *= groups;
                c_out *= groups;
                groups
            }
            _ => 1,
        };
        let kernel = [[1, 1], [3, 3], [3, 3], [5, 5], [1, 7], [2, 3]][below(6)];
        let mut spec = ConvSpec::new(c_in, c_out, [3 + below(14), 3 + below(14)], kernel);
        spec.batch = 1 + below(3);
        spec.groups = groups;
        spec.stride = [1 + below(2), 1 + below(2)];
        spec.dilation = [1 + below(2), 1 + below(2)];
        let reach = [0, 1].map(|axis| spec.dilation[axis] * (spec.kernel[axis] - 1));
        spec.padding = [0, 1, 0, 1].map(|axis| below(reach[axis] + 1));
        if below(2) == 0 {
            spec.padding = [reach[0] / 2, reach[1] / 2, reach[0] / 2, reach[1] / 2];
        }
        spec.dtype = dtype;
        spec.layout = layout;
        spec.epilogue = Epilogue {
            bias: below(3) > 0,
            residual: below(3) == 0,
            activation: [Activation::None, Activation::Relu, Activation::Relu6, Activation::Silu][below(4)],
        };
        if spec.validate().is_ok() {
            specs.push(spec);
        }
    }
    specs
}
