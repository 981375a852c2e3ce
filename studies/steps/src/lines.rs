//! The lines of the study: one axis of one convolution each.

use anyhow::Context as _;
use netspec::ConvSpec;

/// Layers and the axes along which they are narrowed.
///
/// Each takes at most about 1.5 ms on one core, so that every width can be read often. Of VGG-16 only the first
/// convolution is that small. YOLOv8n's SiLU is an operator of its own, so its convolutions have a bias alone.
const LAYERS: [(&str, &[&str]); 14] = [
    // ResNet-50
    ("256>64 56x56 k1 bias relu", &["c_out", "c_in"]),
    ("1024>256 14x14 k1 bias relu", &["c_out"]),
    ("512>128 28x28 k1 bias relu", &["c_out", "c_in"]),
    ("64>64 56x56 k3 p1 bias relu", &["c_out", "c_in"]),
    ("128>128 28x28 k3 p1 bias relu", &["c_out", "c_in"]),
    ("256>256 14x14 k3 p1 bias relu", &["c_out", "c_in"]),
    ("128>128 56x56 k3 s2 p1 bias relu", &["c_out"]),
    // MobileNetV2
    ("64>384 14x14 k1 bias relu6", &["c_out"]),
    ("144>144 56x56 k3 s2 p1 g144 bias relu6", &["c_out"]),
    ("384>384 14x14 k3 p1 g384 bias relu6", &["c_out"]),
    // VGG-16
    ("3>64 224x224 k3 p1 bias relu", &["c_out"]),
    // YOLOv8n on images of 320x320
    ("32>64 80x80 k3 s2 p1 bias", &["c_out"]),
    ("80>80 40x40 k3 p1 bias", &["c_out", "c_in"]),
    ("384>256 10x10 k1 bias", &["c_out", "c_in"]),
];

/// One axis of one convolution, with the convolution at each width from a quarter of the full one.
pub(crate) struct Line {
    pub(crate) layer: String,
    pub(crate) axis: &'static str,
    pub(crate) widths: Vec<(usize, ConvSpec)>,
}

/// Returns all lines.
///
/// # Errors
/// A layer above that is not a convolution.
pub(crate) fn all() -> anyhow::Result<Vec<Line>> {
    let mut lines = Vec::new();
    for (layer, axes) in LAYERS {
        let spec: ConvSpec = layer.parse().with_context(|| layer.to_owned())?;
        lines.extend(axes.iter().map(|&axis| line(&spec, axis)));
    }
    Ok(lines)
}

fn line(spec: &ConvSpec, axis: &'static str) -> Line {
    let is_input = axis == "c_in";
    let full = if is_input { spec.c_in } else { spec.c_out };
    let at = |channels| match (is_input, spec.groups > 1) {
        (true, _) => spec.with_channels(channels, spec.c_out),
        (false, true) => spec.with_channels(channels, channels),
        (false, false) => spec.with_channels(spec.c_in, channels),
    };
    Line { layer: spec.to_string(), axis, widths: (full / 4..=full).map(|channels| (channels, at(channels))).collect() }
}
