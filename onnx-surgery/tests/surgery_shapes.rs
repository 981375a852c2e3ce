//! The channel groups of every way in which layers hang together: `tools/python/tiny_shapes.py` has the models.

mod support;

use support::groups::{check, check_group, check_members, open};

const LOGITS: (&str, &str) = ("logits", "5 frozen: >logits.weight@0 .logits.bias@0");

#[test]
fn chain() {
    check(
        "chain",
        &[
            ("a", "6: >a.weight@0 .a.bias@0 .a.bn.scale@0 .a.bn.bias@0 .a.bn.mean@0 .a.bn.var@0 b.weight@1>"),
            ("b", "8: >b.weight@0 .b.bias@0 c.weight@1>"),
            ("c", "6: >c.weight@0 .c.bias@0 logits.weight@1>"),
            LOGITS,
        ],
    );
}

#[test]
fn residual() {
    check(
        "residual",
        &[
            ("stem", "8 residual: >stem.weight@0 .stem.bias@0 a.weight@1> >b.weight@0 .b.bias@0 logits.weight@1>"),
            ("a", "6: >a.weight@0 .a.bias@0 b.weight@1>"),
            LOGITS,
        ],
    );
}

#[test]
fn skips_around_skips_are_one_stream() {
    let stream = "8 residual: >stem.weight@0 .stem.bias@0 a.weight@1> >b.weight@0 .b.bias@0 >project.weight@0 \
                  project.weight@1> .project.bias@0 c.weight@1> >d.weight@0 .d.bias@0 logits.weight@1>";
    check(
        "nested_residual",
        &[
            ("stem", stream),
            ("a", "6: >a.weight@0 .a.bias@0 b.weight@1>"),
            ("c", "4: >c.weight@0 .c.bias@0 d.weight@1>"),
            LOGITS,
        ],
    );
}

#[test]
fn concat() {
    check(
        "concat",
        &[
            ("a", "4: >a.weight@0 .a.bias@0 c.weight@1>"),
            ("b", "6: >b.weight@0 .b.bias@0 c.weight@1>+4"),
            ("c", "8: >c.weight@0 .c.bias@0 logits.weight@1>"),
            LOGITS,
        ],
    );
}

#[test]
fn concat_of_concats() {
    // `d` reads a, b, c, a, b.
    check(
        "dense_concat",
        &[
            ("a", "4: >a.weight@0 .a.bias@0 b.weight@1> c.weight@1> d.weight@1>[[0, 12], [1, 13], [2, 14], [3, 15]]"),
            ("b", "4: >b.weight@0 .b.bias@0 c.weight@1>+4 d.weight@1>[[4, 16], [5, 17], [6, 18], [7, 19]]"),
            ("c", "4: >c.weight@0 .c.bias@0 d.weight@1>+8"),
            ("d", "6: >d.weight@0 .d.bias@0 logits.weight@1>"),
            LOGITS,
        ],
    );
}

#[test]
fn inception() {
    check(
        "inception",
        &[
            (
                "stem",
                "6: >stem.weight@0 .stem.bias@0 one.weight@1> reduce.weight@1> project.weight@1> logits.weight@1>+14",
            ),
            ("one", "4: >one.weight@0 .one.bias@0 logits.weight@1>"),
            ("reduce", "4: >reduce.weight@0 .reduce.bias@0 three.weight@1>"),
            ("three", "6: >three.weight@0 .three.bias@0 logits.weight@1>+4"),
            ("project", "4: >project.weight@0 .project.bias@0 logits.weight@1>+10"),
            LOGITS,
        ],
    );
}

/// A producer `a` of 8 channels whose first `left` go to `b`, and the others to `c`.
#[track_caller]
fn check_split(model: &str, left: usize) {
    check(
        model,
        &[
            ("a", &format!("{left}: >a.weight@0 .a.bias@0 b.weight@1>")),
            ("a (2)", &format!("{}: >a.weight@0+{left} .a.bias@0+{left} c.weight@1>", 8 - left)),
            ("b", "4: >b.weight@0 .b.bias@0 logits.weight@1>"),
            ("c", "6: >c.weight@0 .c.bias@0 logits.weight@1>+4"),
            LOGITS,
        ],
    );
}

#[test]
fn the_parts_of_a_split_are_groups_of_their_own() {
    check_split("split_input", 3);
    check_split("split_attribute", 2);
}

#[test]
fn the_halves_of_a_split_without_sizes_stay_halves() {
    let pairs = "[[0, 4], [1, 5], [2, 6], [3, 7]]";
    check(
        "split_even",
        &[
            ("a", &format!("4: >a.weight@0{pairs} .a.bias@0{pairs} b.weight@1> c.weight@1>")),
            ("b", "4: >b.weight@0 .b.bias@0 logits.weight@1>"),
            ("c", "6: >c.weight@0 .c.bias@0 logits.weight@1>+4"),
            LOGITS,
        ],
    );
}

#[test]
fn slices_that_overlap_make_a_group_of_what_both_read() {
    check(
        "slices",
        &[
            ("a", "3: >a.weight@0 .a.bias@0 b.weight@1>"),
            ("a (2)", "2: >a.weight@0+3 .a.bias@0+3 b.weight@1>+3 c.weight@1>"),
            ("a (3)", "3: >a.weight@0+5 .a.bias@0+5 c.weight@1>+2"),
            ("b", "4: >b.weight@0 .b.bias@0 logits.weight@1>"),
            ("c", "6: >c.weight@0 .c.bias@0 logits.weight@1>+4"),
            LOGITS,
        ],
    );
}

#[test]
fn a_channel_shuffle_ties_the_halves() {
    // The first unit keeps s0..s3 and computes q0..q3; its shuffle ties s_j to q_j and answers s0 q0 s1 q1 | s2 q2 s3 q3.
    // The second unit keeps the left half and computes r0..r3: its shuffle ties s0 r0, q0 r1, s1 r2, q1 r3.
    // Which unites {s0 q0 r0 r1} and {s1 q1 r2 r3}, read last as s0 r0 q0 r1 s1 r2 q1 r3; and {s2 q2}, {s3 q3} are left.
    check(
        "shuffle",
        &[
            (
                "stem",
                "2: >stem.weight@0 .stem.bias@0 >one.b.weight@0 .one.b.bias@0 >two.b.weight@0+0x2 .two.b.bias@0+0x2 \
                 logits.weight@1>+0x4",
            ),
            ("stem (2)", "2: >stem.weight@0+2 .stem.bias@0+2 >one.b.weight@0+2 .one.b.bias@0+2 two.a.weight@1>+0x2"),
            ("stem (3)", "4: >stem.weight@0+4 .stem.bias@0+4 one.a.weight@1>"),
            ("one.a", "4: >one.a.weight@0 .one.a.bias@0 .one.dw.weight@0 .one.dw.bias@0 one.b.weight@1>"),
            ("two.a", "4: >two.a.weight@0 .two.a.bias@0 .two.dw.weight@0 .two.dw.bias@0 two.b.weight@1>"),
            LOGITS,
        ],
    );
}

#[test]
fn grouped() {
    check(
        "grouped",
        &[
            ("stem", "4: >stem.weight@0+0x2 .stem.bias@0+0x2 .g.weight@0+0x3 .g.bias@0+0x3 logits.weight@1>+0x3"),
            LOGITS,
        ],
    );
}

#[test]
fn depthwise() {
    let bn = |name: &str| ["scale", "bias", "mean", "var"].map(|key| format!(".{name}.bn.{key}@0")).join(" ");
    let stem = format!(
        "6 residual: >stem.weight@0 .stem.bias@0 expand.weight@1> >project.weight@0 {} logits.weight@1>",
        bn("project")
    );
    let inner = format!("12: >expand.weight@0 {} .dw.weight@0 {} project.weight@1>", bn("expand"), bn("dw"));
    check("depthwise", &[("stem", &stem), ("expand", &inner), LOGITS]);
}

#[test]
fn gates_are_united_with_what_they_scale() {
    check(
        "se_conv",
        &[
            ("stem", "8: >stem.weight@0 .stem.bias@0 down.weight@1> >up.weight@0 .up.bias@0 b.weight@1>"),
            ("down", "4: >down.weight@0 .down.bias@0 up.weight@1>"),
            ("b", "6: >b.weight@0 .b.bias@0 logits.weight@1>"),
            LOGITS,
        ],
    );
    check(
        "se_gemm",
        &[
            ("stem", "8: >stem.weight@0 .stem.bias@0 one.down.weight@1> >one.up.weight@0 .one.up.bias@0 b.weight@1>"),
            ("one.down", "4: >one.down.weight@0 .one.down.bias@0 one.up.weight@1>"),
            ("b", "6: >b.weight@0 .b.bias@0 two.down.weight@1> >two.up.weight@0 .two.up.bias@0 logits.weight@1>"),
            ("two.down", "4: >two.down.weight@0 .two.down.bias@0 two.up.weight@1>"),
            LOGITS,
        ],
    );
}

#[test]
fn flatten() {
    check(
        "flatten",
        &[
            ("a", "6: >a.weight@0 .a.bias@0 fc.weight@1>+0x16"),
            ("fc", "8: >fc.weight@0 .fc.bias@0 logits.weight@1>"),
            LOGITS,
        ],
    );
}

#[test]
fn outputs_keep_their_channels() {
    check(
        "multi_output",
        &[
            ("stem", "8: >stem.weight@0 .stem.bias@0 aux.weight@1> a.weight@1>"),
            ("aux", "4 frozen: >aux.weight@0 .aux.bias@0"),
            ("a", "6 frozen: >a.weight@0 .a.bias@0 b.weight@1>"),
            ("b", "8: >b.weight@0 .b.bias@0 logits.weight@1>"),
            LOGITS,
        ],
    );
}

#[test]
fn branches_of_two_inputs_meet() {
    check(
        "multi_input",
        &[
            ("a", "8 residual: >a.weight@0 .a.bias@0 >b.weight@0 .b.bias@0 c.weight@1>"),
            ("c", "6: >c.weight@0 .c.bias@0 logits.weight@1>"),
            LOGITS,
        ],
    );
}

#[test]
fn channels_of_zeros_follow_what_they_are_added_to() {
    // The stem's channels are channels 2 to 5 of the sum; the zeros on either side go with those of `c`, each side by itself.
    check(
        "pad_channels",
        &[
            (
                "stem",
                "4 residual: >stem.weight@0 .stem.bias@0 b.weight@1> >c.weight@0+2 .c.bias@0+2 logits.weight@1>+2",
            ),
            ("b", "8: >b.weight@0 .b.bias@0 c.weight@1>"),
            ("c", "2: >c.weight@0 .c.bias@0 logits.weight@1>"),
            ("c (2)", "2: >c.weight@0+6 .c.bias@0+6 logits.weight@1>+6"),
            LOGITS,
        ],
    );
}

#[test]
fn weights_that_are_shared_by_name_tie_both_uses() {
    check(
        "shared_weights",
        &[
            ("stem", "6: >stem.weight@0 .stem.bias@0 l1.weight@1> l2.weight@1>"),
            ("l1", "8: >l1.weight@0 .l1.bias@0 >l2.weight@0 .l2.bias@0 h.weight@1>"),
            ("h1", "6: >h.weight@0 .h.bias@0 o.weight@1>"),
            ("o1", "4 frozen: >o.weight@0 .o.bias@0"),
        ],
    );
}

#[test]
fn weights_that_an_exporter_found_equal_tie_nothing() {
    let model = open("shared_identity");
    for (group, consumer) in [("l1", "h.weight"), ("l2", "h.weight.alias")] {
        let found = model.network().groups.iter().find(|g| g.name == group).expect(group);
        assert!(found.members.iter().any(|member| member.tensor == consumer), "{found:#?}");
    }
}

#[test]
fn shared_parameters_tie_nothing() {
    check_members("shared_parameters", "a", 8, &["a.weight@0", "a.mean@0", "b.weight@1"]);
    check_members("shared_parameters", "b", 8, &["b.weight@0", "b.mean@0", "c.weight@1"]);
    check_group("shared_parameters", "c", "6: >c.weight@0 .c.bias@0 logits.weight@1>");
    let model = open("shared_parameters");
    let a = &model.network().groups[0];
    assert!(a.members.iter().all(|member| member.tensor != "b.mean"), "{a:#?}");
}
