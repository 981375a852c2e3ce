//! The conv spec: everything that fixes a convolution's latency.

use std::fmt;

/// Element type of a convolution's activations and weights.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "lowercase"))]
#[non_exhaustive]
pub enum DType {
    /// 32-bit IEEE floating point.
    #[default]
    F32,
    /// 32-bit storage, multiplied with a 10-bit mantissa on tensor cores.
    Tf32,
    /// 16-bit IEEE floating point.
    F16,
    /// 16-bit floating point with an 8-bit exponent.
    Bf16,
}

impl DType {
    /// Bytes that one element takes in memory.
    pub fn bytes(self) -> usize {
        match self {
            DType::F32 | DType::Tf32 => 4,
            DType::F16 | DType::Bf16 => 2,
        }
    }

    /// The memory order in which libraries have their fastest kernels for it: channels last for tensor cores.
    pub fn usual_layout(self) -> Layout {
        match self {
            DType::F32 => Layout::Nchw,
            DType::Tf32 | DType::F16 | DType::Bf16 => Layout::Nhwc,
        }
    }
}

/// Order of an activation's axes in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "lowercase"))]
#[non_exhaustive]
pub enum Layout {
    /// Batch, channels, height, width.
    #[default]
    Nchw,
    /// Batch, height, width, channels.
    Nhwc,
}

/// The activation that an engine may fuse into a convolution.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "lowercase"))]
#[non_exhaustive]
pub enum Activation {
    /// Nothing follows.
    #[default]
    None,
    /// max(x, 0).
    Relu,
    /// min(max(x, 0), 6).
    Relu6,
    /// x * sigmoid(x).
    Silu,
    /// 1 / (1 + exp(-x)).
    Sigmoid,
    /// x * min(max(x / 6 + 0.5, 0), 1).
    HardSwish,
}

/// A side of a convolution.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
pub enum Axis {
    /// Input channels.
    CIn,
    /// Output channels; in a depthwise or grouped convolution both sides move together.
    COut,
}

/// What follows a convolution before its result is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(default))]
pub struct Epilogue {
    /// One value per output channel is added.
    pub bias: bool,
    /// Another tensor of the output's shape is added, before the activation.
    pub residual: bool,
    /// The activation, applied last.
    pub activation: Activation,
}

/// Everything that fixes a convolution's latency on a given machine.
///
/// A fully connected layer is a 1x1 convolution on a 1x1 image.
/// Its text form (`Display` and `FromStr`) is canonical: equal specs print the same text.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct ConvSpec {
    /// Images per run.
    pub batch: usize,
    /// Input channels, over all convolution groups.
    pub c_in: usize,
    /// Output channels, over all convolution groups.
    pub c_out: usize,
    /// Input height in pixels.
    pub height: usize,
    /// Input width in pixels.
    pub width: usize,
    /// Kernel height and width.
    pub kernel: [usize; 2],
    /// Vertical and horizontal stride.
    pub stride: [usize; 2],
    /// Zero rows and columns added at the top, left, bottom and right.
    pub padding: [usize; 4],
    /// Vertical and horizontal dilation.
    pub dilation: [usize; 2],
    /// Convolution groups; `c_in` and `c_out` are multiples of it.
    pub groups: usize,
    /// Element type.
    pub dtype: DType,
    /// Memory order of activations.
    pub layout: Layout,
    /// What follows before the result is stored.
    pub epilogue: Epilogue,
}

/// Sizes of one dimension, elements of one tensor and products of one run: larger ones are in no device, and below them
/// nothing that is computed from a spec overflows.
const MOST_SIZE: usize = (1 << 31) - 1;
const MOST_ELEMENTS: usize = 1 << 44;
const MOST_MACS: usize = 1 << 62;

/// Why a conv spec makes no sense.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SpecError {
    /// A dimension that must be positive is zero.
    Zero {
        /// The dimension's name.
        field: &'static str,
    },
    /// Channels are no multiple of the convolution groups.
    Groups {
        /// Input channels.
        c_in: usize,
        /// Output channels.
        c_out: usize,
        /// Convolution groups.
        groups: usize,
    },
    /// The dilated kernel is larger than the padded image.
    KernelTooLarge {
        /// `vertical` or `horizontal`.
        axis: &'static str,
    },
    /// A size, a tensor or the work is so large that no device holds it, and that arithmetic on it would overflow.
    TooLarge {
        /// What is too large.
        what: &'static str,
    },
    /// The text form could not be read.
    Text {
        /// The word that could not be read.
        word: String,
        /// What is expected.
        expected: &'static str,
    },
}

impl fmt::Display for SpecError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SpecError::Zero { field } => write!(f, "{field} is 0; it must be at least 1"),
            SpecError::Groups { c_in, c_out, groups } => {
                write!(f, "c_in {c_in} and c_out {c_out} must both be multiples of the {groups} convolution groups")
            }
            SpecError::KernelTooLarge { axis } => {
                write!(f, "the dilated kernel is larger than the padded image ({axis})")
            }
            SpecError::TooLarge { what } => {
                write!(
                    f,
                    "{what}: sizes must be below 2^31, tensors at most 2^44 elements, the work below 2^62 products"
                )
            }
            SpecError::Text { word, expected } => write!(f, "cannot read `{word}` in a conv spec; expected {expected}"),
        }
    }
}

impl std::error::Error for SpecError {}

impl ConvSpec {
    /// A dense f32 NCHW convolution at batch 1, stride 1, without padding or epilogue.
    pub fn new(c_in: usize, c_out: usize, [height, width]: [usize; 2], kernel: [usize; 2]) -> ConvSpec {
        ConvSpec {
            batch: 1,
            c_in,
            c_out,
            height,
            width,
            kernel,
            stride: [1, 1],
            padding: [0; 4],
            dilation: [1, 1],
            groups: 1,
            dtype: DType::default(),
            layout: Layout::default(),
            epilogue: Epilogue::default(),
        }
    }

    /// Checks what no engine could run.
    pub fn validate(&self) -> Result<(), SpecError> {
        let positive = [
            ("batch", self.batch),
            ("c_in", self.c_in),
            ("c_out", self.c_out),
            ("height", self.height),
            ("width", self.width),
            ("kernel", self.kernel[0].min(self.kernel[1])),
            ("stride", self.stride[0].min(self.stride[1])),
            ("dilation", self.dilation[0].min(self.dilation[1])),
            ("groups", self.groups),
        ];
        if let Some((field, _)) = positive.into_iter().find(|&(_, n)| n == 0) {
            return Err(SpecError::Zero { field });
        }
        let sizes =
            positive.map(|(_, n)| n).into_iter().chain([self.kernel, self.stride, self.dilation].into_iter().flatten());
        if sizes.chain(self.padding).any(|n| n > MOST_SIZE) {
            return Err(SpecError::TooLarge { what: "a size is too large" });
        }
        if !self.c_in.is_multiple_of(self.groups) || !self.c_out.is_multiple_of(self.groups) {
            return Err(SpecError::Groups { c_in: self.c_in, c_out: self.c_out, groups: self.groups });
        }
        for (axis, name) in ["vertical", "horizontal"].into_iter().enumerate() {
            if self.padded(axis) < self.reach(axis) {
                return Err(SpecError::KernelTooLarge { axis: name });
            }
        }
        let product = |sizes: &[usize]| sizes.iter().try_fold(1_usize, |product, &size| product.checked_mul(size));
        let [out_h, out_w] = self.out_hw();
        let group_in = self.c_in / self.groups;
        let tensors = [
            [self.batch, self.c_in, self.height, self.width],
            [self.c_out, group_in, self.kernel[0], self.kernel[1]],
            [self.batch, self.c_out, out_h, out_w],
        ];
        if tensors.iter().any(|sizes| product(sizes).is_none_or(|elements| elements > MOST_ELEMENTS)) {
            return Err(SpecError::TooLarge { what: "a tensor is too large" });
        }
        let work = [self.batch, self.c_out, out_h, out_w, group_in, self.kernel[0], self.kernel[1]];
        if product(&work).is_none_or(|macs| macs > MOST_MACS) {
            return Err(SpecError::TooLarge { what: "the work is too much" });
        }
        Ok(())
    }

    fn padded(&self, axis: usize) -> usize {
        [self.height, self.width][axis] + self.padding[axis] + self.padding[axis + 2]
    }

    fn reach(&self, axis: usize) -> usize {
        self.dilation[axis] * (self.kernel[axis] - 1) + 1
    }

    /// Output height and width in pixels, by ONNX's floor rule.
    pub fn out_hw(&self) -> [usize; 2] {
        [0, 1].map(|axis| (self.padded(axis).saturating_sub(self.reach(axis))) / self.stride[axis] + 1)
    }

    /// Multiply-accumulate operations of one run.
    pub fn macs(&self) -> u64 {
        let [h, w] = self.out_hw();
        [self.batch, self.c_out, h, w, self.c_in / self.groups.max(1), self.kernel[0], self.kernel[1]]
            .into_iter()
            .map(|n| n as u64)
            .product()
    }

    /// Inputs that each output is a sum over.
    pub fn fan_in(&self) -> usize {
        self.c_in / self.groups.max(1) * self.kernel[0] * self.kernel[1]
    }

    /// Elements of the input, the weights and the output; a residual has as many as the output.
    ///
    /// For specs that [`ConvSpec::validate`] accepts, nothing overflows.
    pub fn elements(&self) -> [usize; 3] {
        let [out_h, out_w] = self.out_hw();
        [
            self.batch * self.c_in * self.height * self.width,
            self.c_out * self.fan_in(),
            self.batch * self.c_out * out_h * out_w,
        ]
    }

    /// Returns the bytes of the input, the weights and the output together, each stored in [`ConvSpec::dtype`].
    ///
    /// ```
    /// let spec = netspec::ConvSpec::new(3, 8, [10, 10], [1, 1]);
    /// assert_eq!(spec.bytes(), 4 * (300 + 24 + 800));
    /// ```
    pub fn bytes(&self) -> usize {
        self.elements().iter().sum::<usize>() * self.dtype.bytes()
    }

    /// Whether each input channel is convolved alone.
    pub fn is_depthwise(&self) -> bool {
        self.groups > 1 && self.groups == self.c_in
    }

    /// The same convolution at other widths.
    ///
    /// A grouped convolution loses whole convolution groups: their number follows `c_in`, and the
    /// caller keeps `c_in` a multiple of the channels in one of them.
    pub fn with_channels(&self, c_in: usize, c_out: usize) -> ConvSpec {
        let groups = if self.groups == 1 { 1 } else { self.groups * c_in / self.c_in.max(1) };
        ConvSpec { c_in, c_out, groups, ..self.clone() }
    }
}
