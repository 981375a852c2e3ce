//! The channel groups of decoders and necks: `tools/python/tiny_shapes.py` has the models.

mod support;

use support::groups::check;

const LOGITS: (&str, &str) = ("logits", "5 frozen: >logits.weight@0 .logits.bias@0");

#[test]
fn unet() {
    check(
        "unet",
        &[
            ("e1", "4: >e1.weight@0 .e1.bias@0 e2.weight@1> d1.weight@1>+4"),
            ("e2", "6: >e2.weight@0 .e2.bias@0 m.weight@1> d2.weight@1>+6"),
            ("m", "8: >m.weight@0 .m.bias@0 u2.weight@0>"),
            ("u2", "6: >u2.weight@1 .u2.bias@0 d2.weight@1>"),
            ("d2", "6: >d2.weight@0 .d2.bias@0 u1.weight@0>"),
            ("u1", "4: >u1.weight@1 .u1.bias@0 d1.weight@1>"),
            ("d1", "4: >d1.weight@0 .d1.bias@0 mask.weight@1>"),
            ("mask", "2 frozen: >mask.weight@0 .mask.bias@0"),
        ],
    );
}

#[test]
fn fpn() {
    check(
        "fpn",
        &[
            ("c3", "6: >c3.weight@0 .c3.bias@0 c4.weight@1> l3.weight@1>"),
            ("c4", "8: >c4.weight@0 .c4.bias@0 c5.weight@1> l4.weight@1>"),
            ("c5", "10: >c5.weight@0 .c5.bias@0 l5.weight@1>"),
            ("l3", "6 residual: >l3.weight@0 .l3.bias@0 >up4.weight@1 .up4.bias@0 s3.weight@1>"),
            ("l4", "6 residual: >l4.weight@0 .l4.bias@0 >l5.weight@0 .l5.bias@0 up4.weight@0> s4.weight@1>"),
            ("s3", "4 frozen: >s3.weight@0 .s3.bias@0"),
            ("s4", "4 frozen: >s4.weight@0 .s4.bias@0"),
        ],
    );
}

#[test]
fn pan() {
    check(
        "pan",
        &[
            ("c3", "6: >c3.weight@0 .c3.bias@0 c4.weight@1> t3.weight@1>+8"),
            ("c4", "8: >c4.weight@0 .c4.bias@0 t3.weight@1> t4.weight@1>+6"),
            ("t3", "6: >t3.weight@0 .t3.bias@0 down.weight@1> o3.weight@1>"),
            ("down", "6: >down.weight@0 .down.bias@0 t4.weight@1>"),
            ("t4", "8: >t4.weight@0 .t4.bias@0 o4.weight@1>"),
            ("o3", "4 frozen: >o3.weight@0 .o3.bias@0"),
            ("o4", "4 frozen: >o4.weight@0 .o4.bias@0"),
        ],
    );
}

#[test]
fn c2f() {
    // `cv2` reads left, right, and two sums into the right half's stream.
    check(
        "c2f",
        &[
            ("stem", "6: >stem.weight@0 .stem.bias@0 cv1.weight@1>"),
            ("cv1", "4: >cv1.weight@0 .cv1.bias@0 cv2.weight@1>"),
            (
                "cv1 (2)",
                "4 residual: >cv1.weight@0+4 .cv1.bias@0+4 m1.weight@1> >m2.weight@0 .m2.bias@0 m3.weight@1> \
                 >m4.weight@0 .m4.bias@0 cv2.weight@1>[[4, 8, 12], [5, 9, 13], [6, 10, 14], [7, 11, 15]]",
            ),
            ("m1", "4: >m1.weight@0 .m1.bias@0 m2.weight@1>"),
            ("m3", "6: >m3.weight@0 .m3.bias@0 m4.weight@1>"),
            ("cv2", "8: >cv2.weight@0 .cv2.bias@0 logits.weight@1>"),
            LOGITS,
        ],
    );
}

#[test]
fn c3() {
    check(
        "c3",
        &[
            ("stem", "6: >stem.weight@0 .stem.bias@0 cv1.weight@1> cv2.weight@1>"),
            ("cv1", "4 residual: >cv1.weight@0 .cv1.bias@0 m1.weight@1> >m2.weight@0 .m2.bias@0 cv3.weight@1>"),
            ("cv2", "4: >cv2.weight@0 .cv2.bias@0 cv3.weight@1>+4"),
            ("m1", "4: >m1.weight@0 .m1.bias@0 m2.weight@1>"),
            ("cv3", "8: >cv3.weight@0 .cv3.bias@0 logits.weight@1>"),
            LOGITS,
        ],
    );
}
