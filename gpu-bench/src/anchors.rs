//! Convolutions that tell whether the device itself has changed speed.

use netspec::ConvSpec;

/// One convolution that is bound by arithmetic and one that is bound by memory, to be timed between others: a clock that
/// falls moves the first, a memory that is shared or slowed moves the second.
///
/// At 64 images, 3x3 over 256 channels does 1,152 products for each element that it reads or writes; 1x1 over 64 channels
/// does 32, and its 206 MB pass every last-level cache of today.
pub fn anchors() -> [ConvSpec; 2] {
    ["n64 256>256 14x14 k3 p1 f16 nhwc", "n64 64>64 112x112 k1 f16 nhwc"]
        .map(|text| text.parse().expect("both are canonical texts of valid convolutions"))
}

#[cfg(test)]
mod tests {
    use super::anchors;

    #[test]
    fn one_is_bound_by_arithmetic_and_one_by_memory() {
        let intensity = anchors().map(|spec| {
            let [out_h, out_w] = spec.out_hw();
            let moved = spec.batch * (spec.c_in * spec.height * spec.width + spec.c_out * out_h * out_w);
            spec.macs() as f64 / moved as f64
        });
        // 256 * 9 / 2 = 1,152 products for each of the elements moved, and 64 / 2 = 32.
        assert_eq!(intensity, [1152.0, 32.0]);
        assert!(anchors().iter().all(|spec| spec.validate().is_ok()));
    }
}
