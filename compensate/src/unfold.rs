//! A convolution's inputs as rows.

use netspec::ConvSpec;

/// Reads a convolution's windows out of images: one row per output pixel, one number per input that its weights read,
/// in the order of the weights (c_in / groups, kernel height, kernel width).
#[derive(Clone, Debug)]
pub struct Unfold {
    spec: ConvSpec,
    out: [usize; 2],
}

impl Unfold {
    /// For a convolution; its batch size does not matter.
    pub fn new(spec: &ConvSpec) -> Unfold {
        Unfold { out: spec.out_hw(), spec: spec.clone() }
    }

    /// Output pixels of one image.
    pub fn pixels(&self) -> usize {
        self.out[0] * self.out[1]
    }

    /// Inputs of one convolution group.
    pub fn features(&self) -> usize {
        self.spec.fan_in()
    }

    /// Elements of one image's input.
    pub fn input_len(&self) -> usize {
        self.spec.c_in * self.spec.height * self.spec.width
    }

    /// Elements of one image's output.
    pub fn output_len(&self) -> usize {
        self.spec.c_out * self.pixels()
    }

    /// Appends the rows of some output pixels for one convolution group. `image` is (c_in, height, width); pixels outside
    /// of it are 0.
    ///
    /// # Panics
    /// `image` has fewer than [`input_len`](Self::input_len) elements, or there is no such group.
    pub fn rows(&self, image: &[f32], pixels: &[usize], group: usize, rows: &mut Vec<f64>) {
        let ConvSpec { height, width, kernel, stride, dilation, padding, .. } = self.spec;
        let per_group = self.spec.c_in / self.spec.groups;
        let [top, left] = [padding[0], padding[1]];
        for &pixel in pixels {
            let (y, x) = (pixel / self.out[1] * stride[0], pixel % self.out[1] * stride[1]);
            for channel in group * per_group..(group + 1) * per_group {
                let plane = &image[channel * height * width..(channel + 1) * height * width];
                for i in 0..kernel[0] {
                    let row = (y + i * dilation[0]).checked_sub(top).filter(|&row| row < height);
                    for j in 0..kernel[1] {
                        let column = (x + j * dilation[1]).checked_sub(left).filter(|&column| column < width);
                        let value = row.zip(column).map_or(0.0, |(row, column)| plane[row * width + column]);
                        rows.push(f64::from(value));
                    }
                }
            }
        }
    }
}
