//! Named layers of well-known networks.
//!
//! Each list holds the convolutions in the order in which they run, as an inference engine runs them: normalization is
//! folded into a bias, the activation and a block's addition are the epilogue. A fully connected layer is a 1x1
//! convolution on a 1x1 image. All are f32 NCHW at batch 1 on images of the size that the network was published for;
//! [`at`] changes that.
//!
//! ```
//! use gpu_bench::layers;
//! use netspec::{DType, Layout};
//!
//! let convs = layers::dense(&layers::resnet50());
//! let convs = layers::at(&convs, 64, DType::F16, Layout::Nhwc);
//! assert_eq!(convs[1].to_string(), "n64 64>256 56x56 k1 f16 nhwc bias");
//! ```

use netspec::{Activation, ConvSpec, DType, Epilogue, Layout};
use std::collections::BTreeSet;

/// The networks that sweeps cover, with their names.
pub fn networks() -> [(&'static str, Vec<ConvSpec>); 3] {
    [("resnet50", resnet50()), ("mobilenet_v2", mobilenet_v2()), ("vgg16", vgg16())]
}

/// ResNet-50 with the stride in the 3x3 convolutions, as torchvision has it: 53 convolutions and the classifier.
///
/// A block's shortcut convolution stands first, because the block's last convolution adds its result.
pub fn resnet50() -> Vec<ConvSpec> {
    let mut net = Net::new(3, 224);
    net.conv(64, 7, 2, RELU);
    net.pool();
    for (width, blocks, stride) in [(64, 3, 1), (128, 4, 2), (256, 6, 2), (512, 3, 2)] {
        for block in 0..blocks {
            let stride = if block == 0 { stride } else { 1 };
            if block == 0 {
                net.aside(4 * width, 1, stride, BIAS);
            }
            net.conv(width, 1, 1, RELU);
            net.conv(width, 3, stride, RELU);
            net.conv(4 * width, 1, 1, Epilogue { residual: true, ..RELU });
        }
    }
    net.classify(&[1000])
}

/// MobileNetV2 at width 1: 52 convolutions, of which 17 are depthwise, and the classifier.
pub fn mobilenet_v2() -> Vec<ConvSpec> {
    let mut net = Net::new(3, 224);
    net.conv(32, 3, 2, RELU6);
    for (expansion, c_out, blocks, stride) in
        [(1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1)]
    {
        for block in 0..blocks {
            let stride = if block == 0 { stride } else { 1 };
            let residual = block > 0;
            if expansion > 1 {
                net.conv(expansion * net.channels, 1, 1, RELU6);
            }
            net.depthwise(3, stride, RELU6);
            net.conv(c_out, 1, 1, Epilogue { residual, ..BIAS });
        }
    }
    net.conv(1280, 1, 1, RELU6);
    net.classify(&[1000])
}

/// VGG-16: 13 convolutions and three fully connected layers.
pub fn vgg16() -> Vec<ConvSpec> {
    let mut net = Net::new(3, 224);
    for (width, convs) in [(64, 2), (128, 2), (256, 3), (512, 3), (512, 3)] {
        for _ in 0..convs {
            net.conv(width, 3, 1, RELU);
        }
        net.pool();
    }
    // The first fully connected layer reads all 7x7 pixels.
    net.channels *= net.size * net.size;
    net.classify(&[4096, 4096, 1000])
}

/// ResNet-20 for images of 32x32, with shortcuts that hold no convolution: 19 convolutions and the classifier.
pub fn resnet20() -> Vec<ConvSpec> {
    let mut net = Net::new(3, 32);
    net.conv(16, 3, 1, RELU);
    for (width, stride) in [(16, 1), (32, 2), (64, 2)] {
        for block in 0..3 {
            net.conv(width, 3, if block == 0 { stride } else { 1 }, RELU);
            net.conv(width, 3, 1, Epilogue { residual: true, ..RELU });
        }
    }
    net.classify(&[10])
}

/// The distinct dense convolutions of a list, each once, in the order in which they come first: no grouped ones, and
/// none on 1x1 images, which are matrix products by vectors and bound by reading weights.
///
/// Two convolutions that differ in their epilogue alone count as one, for it moves no stairs; the first one's stands.
/// ResNet-50 has 23 such convolutions, MobileNetV2 20 and VGG-16 9. None is shared, so that the three have 52; among
/// these are the three first layers, whose three input channels nothing narrows.
pub fn dense(specs: &[ConvSpec]) -> Vec<ConvSpec> {
    distinct(specs.iter().filter(|spec| spec.groups == 1 && (spec.height, spec.width) != (1, 1)))
}

/// The distinct depthwise convolutions of a list.
pub fn depthwise(specs: &[ConvSpec]) -> Vec<ConvSpec> {
    distinct(specs.iter().filter(|spec| spec.is_depthwise()))
}

fn distinct<'a>(specs: impl Iterator<Item = &'a ConvSpec>) -> Vec<ConvSpec> {
    let mut seen = BTreeSet::new();
    let shape = |spec: &ConvSpec| ConvSpec { epilogue: Epilogue::default(), ..spec.clone() };
    specs.filter(|spec| seen.insert(shape(spec))).cloned().collect()
}

/// The same convolutions at another batch size, data type and layout.
pub fn at(specs: &[ConvSpec], batch: usize, dtype: DType, layout: Layout) -> Vec<ConvSpec> {
    specs.iter().map(|spec| ConvSpec { batch, dtype, layout, ..spec.clone() }).collect()
}

/// A few convolutions that differ in what bounds them, for benchmarks: f16 NHWC.
pub fn bench() -> Vec<(&'static str, ConvSpec)> {
    let conv = |c_in, c_out, size, kernel, batch| ConvSpec {
        batch,
        padding: [kernel / 2; 4],
        dtype: DType::F16,
        layout: Layout::Nhwc,
        epilogue: RELU,
        ..ConvSpec::new(c_in, c_out, [size; 2], [kernel; 2])
    };
    let wide = conv(144, 144, 56, 3, 1);
    vec![
        ("resnet50-layer1-3x3", conv(64, 64, 56, 3, 1)),
        ("resnet50-layer3-3x3", conv(256, 256, 14, 3, 1)),
        ("resnet50-layer3-1x1", conv(1024, 256, 14, 1, 1)),
        ("resnet50-layer4-1x1", conv(512, 2048, 7, 1, 1)),
        ("resnet50-layer3-3x3-batch64", conv(256, 256, 14, 3, 64)),
        ("resnet50-layer1-1x1-batch64", conv(64, 256, 56, 1, 64)),
        ("vgg16-conv1-2", conv(64, 64, 224, 3, 1)),
        ("mobilenet_v2-depthwise", ConvSpec { groups: wide.c_in, ..wide }),
    ]
}

const BIAS: Epilogue = Epilogue { bias: true, residual: false, activation: Activation::None };
const RELU: Epilogue = Epilogue { activation: Activation::Relu, ..BIAS };
const RELU6: Epilogue = Epilogue { activation: Activation::Relu6, ..BIAS };

/// A network while its layers are written down: what the next one reads.
struct Net {
    channels: usize,
    size: usize,
    specs: Vec<ConvSpec>,
}

impl Net {
    fn new(channels: usize, size: usize) -> Net {
        Net { channels, size, specs: Vec::new() }
    }

    /// A convolution that the next layer does not read.
    fn aside(&mut self, c_out: usize, kernel: usize, stride: usize, epilogue: Epilogue) {
        self.specs.push(ConvSpec {
            stride: [stride; 2],
            padding: [kernel / 2; 4],
            epilogue,
            ..ConvSpec::new(self.channels, c_out, [self.size; 2], [kernel; 2])
        });
    }

    fn conv(&mut self, c_out: usize, kernel: usize, stride: usize, epilogue: Epilogue) {
        self.aside(c_out, kernel, stride, epilogue);
        (self.channels, self.size) = (c_out, self.size.div_ceil(stride));
    }

    fn depthwise(&mut self, kernel: usize, stride: usize, epilogue: Epilogue) {
        let groups = self.channels;
        self.conv(groups, kernel, stride, epilogue);
        self.specs.iter_mut().next_back().into_iter().for_each(|spec| spec.groups = groups);
    }

    fn pool(&mut self) {
        self.size = self.size.div_ceil(2);
    }

    /// Fully connected layers of these widths, with a ReLU between any two of them.
    fn classify(mut self, widths: &[usize]) -> Vec<ConvSpec> {
        self.size = 1;
        for (i, &width) in widths.iter().enumerate() {
            self.conv(width, 1, 1, if i + 1 < widths.len() { RELU } else { BIAS });
        }
        self.specs
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn weights(specs: &[ConvSpec]) -> usize {
        specs.iter().map(|spec| spec.elements()[1]).sum()
    }

    fn channels(specs: &[ConvSpec]) -> usize {
        specs.iter().map(|spec| spec.c_out).sum()
    }

    /// `norms` parameters per channel of a convolution beside its weights, one per channel of a classifier layer.
    #[track_caller]
    fn check(specs: &[ConvSpec], classifiers: usize, norms: usize, parameters: usize, gmacs: f64) {
        specs.iter().for_each(|spec| assert_eq!(spec.validate(), Ok(()), "{spec}"));
        let (convs, last) = specs.split_at(specs.len() - classifiers);
        assert_eq!(weights(specs) + norms * channels(convs) + channels(last), parameters, "parameters");
        let total = specs.iter().map(|spec| spec.macs() as f64).sum::<f64>() / 1e9;
        // Half of the last digit that was published.
        assert!((total - gmacs).abs() <= 0.005, "{total} GMACs are not {gmacs}");
    }

    /// Parameters are exactly torchvision's, whose normalization has two per channel; multiply-accumulates are the
    /// GFLOPS that it lists.
    #[test]
    fn networks_are_as_published() {
        check(&resnet50(), 1, 2, 25_557_032, 4.09);
        check(&mobilenet_v2(), 1, 2, 3_504_872, 0.30);
        check(&vgg16(), 3, 1, 138_357_544, 15.47);
        // He et al. (2015) give 0.27 M parameters. Weights: 432 + 6 * 2304 + 4608 + 5 * 9216 + 18432 + 5 * 36864 + 640
        // are 268336; channels: 16 * 7 + 32 * 6 + 64 * 6 are 688. Products: 41 M.
        check(&resnet20(), 1, 2, 268_336 + 2 * 688 + 10, 0.041);
    }

    #[test]
    fn lengths_are_as_the_docs_say() {
        let lists = [resnet50(), mobilenet_v2(), vgg16(), resnet20()].map(|specs| specs.len());
        assert_eq!(lists, [54, 53, 16, 20]);
        assert_eq!(mobilenet_v2().iter().filter(|spec| spec.is_depthwise()).count(), 17);
        let residuals = |specs: Vec<ConvSpec>| specs.iter().filter(|spec| spec.epilogue.residual).count();
        assert_eq!([resnet50(), mobilenet_v2(), vgg16(), resnet20()].map(residuals), [16, 10, 0, 9]);
    }

    #[test]
    fn distinct_convolutions_are_counted() {
        let counts = networks().map(|(_, specs)| (dense(&specs).len(), depthwise(&specs).len()));
        assert_eq!(counts, [(23, 0), (20, 10), (9, 0)]);
        let all: Vec<ConvSpec> = networks().into_iter().flat_map(|(_, specs)| specs).collect();
        assert_eq!(dense(&all).len(), 52);
        let inner: Vec<ConvSpec> = dense(&all).into_iter().filter(|spec| spec.c_in > 3).collect();
        assert_eq!(inner.len(), 49);
    }

    #[test]
    fn benchmarks_have_names_of_their_own() {
        let names: BTreeSet<&str> = bench().iter().map(|&(name, _)| name).collect();
        assert_eq!(names.len(), bench().len());
        assert!(bench().iter().all(|(_, spec)| spec.validate().is_ok() && spec.dtype == DType::F16));
    }
}
