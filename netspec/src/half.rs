//! Conversion between f32 and the 16-bit floating-point formats.

/// The value of an IEEE binary16 number.
pub(crate) fn f16_to_f32(bits: u16) -> f32 {
    let sign = u32::from(bits >> 15) << 31;
    let (exponent, fraction) = (u32::from(bits >> 10 & 31), u32::from(bits & 0x3ff));
    match exponent {
        0 => (fraction as f32 / 16_777_216.0).copysign(f32::from_bits(sign | 1)),
        31 => f32::from_bits(sign | 0x7f80_0000 | fraction << 13),
        _ => f32::from_bits(sign | (exponent + 112) << 23 | fraction << 13),
    }
}

/// The nearest IEEE binary16 number, ties to even; what is too large becomes infinite.
pub(crate) fn f32_to_f16(value: f32) -> u16 {
    let sign = (value.to_bits() >> 16) as u16 & 0x8000;
    let magnitude = value.abs();
    let bits = magnitude.to_bits();
    if magnitude.is_nan() {
        sign | 0x7e00
    } else if magnitude >= 65_520.0 {
        sign | 0x7c00
    } else if magnitude < 1.0 / 16_384.0 {
        // Below 2^-14 steps are 2^-24 each. The largest ones become the smallest normal number, which follows them.
        sign | (magnitude * 16_777_216.0).round_ties_even() as u16
    } else {
        let rounded = bits + 0xfff + (bits >> 13 & 1);
        sign | ((rounded - 0x3800_0000) >> 13) as u16
    }
}

/// The value of a bfloat16 number.
pub(crate) fn bf16_to_f32(bits: u16) -> f32 {
    f32::from_bits(u32::from(bits) << 16)
}

/// The nearest bfloat16 number, ties to even.
pub(crate) fn f32_to_bf16(value: f32) -> u16 {
    let bits = value.to_bits();
    if value.is_nan() { (bits >> 16) as u16 | 0x40 } else { ((bits + 0x7fff + (bits >> 16 & 1)) >> 16) as u16 }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All numbers come back, and what lies between two of them goes to the nearer one, to the even one from the middle.
    #[track_caller]
    fn check(to: fn(u16) -> f32, from: fn(f32) -> u16, infinity: u16) {
        for bits in 0..infinity {
            let (low, high) = (to(bits), to(bits + 1));
            assert!(low < high, "{bits:#x}");
            assert_eq!((from(low), from(-low)), (bits, bits | 0x8000), "{bits:#x}");
            if bits + 1 < infinity {
                let middle = low / 2.0 + high / 2.0;
                let [below, above] = [f32::from_bits(middle.to_bits() - 1), f32::from_bits(middle.to_bits() + 1)];
                let even = bits + (bits & 1);
                assert_eq!([from(below), from(middle), from(above)], [bits, even, bits + 1], "{bits:#x}");
            }
        }
        assert_eq!((to(infinity), from(f32::INFINITY), from(f32::MAX)), (f32::INFINITY, infinity, infinity));
        assert!(to(from(f32::NAN)).is_nan() && to(from(-f32::NAN)).is_nan());
    }

    #[test]
    fn binary16() {
        check(f16_to_f32, f32_to_f16, 0x7c00);
        let known = [0x3c00, 0xc000, 0x7bff, 0x0001, 0x3555].map(f16_to_f32);
        assert_eq!(known, [1.0, -2.0, 65504.0, 5.960_464_5e-8, 0.333_251_95]);
    }

    #[test]
    fn bfloat16() {
        check(bf16_to_f32, f32_to_bf16, 0x7f80);
        assert_eq!([0x3f80, 0xc000, 0x4049].map(bf16_to_f32), [1.0, -2.0, 3.140_625]);
    }
}
