//! The channel groups of models written in other ways, and around what has no rule: `tools/python/tiny_forms.py` has them.

mod support;

use netspec::Weights as _;
use support::groups::{check, check_frozen, check_group, open};

const LOGITS: (&str, &str) = ("logits", "5 frozen: >logits.weight@0 .logits.bias@0");

#[test]
fn attributes_of_opset_9() {
    let stem = "8: >stem.weight@0 .stem.bias@0 .stem.bn.scale@0 .stem.bn.bias@0 .stem.bn.mean@0 .stem.bn.var@0 \
                a.weight@1>";
    // The parts of a Split stay two groups even where they meet again: each one keeps a channel.
    check(
        "opset9",
        &[
            ("stem", stem),
            ("a", "2: >a.weight@0 .a.bias@0 c.weight@1>"),
            ("a (2)", "4: >a.weight@0+2 .a.bias@0+2 b.weight@1>"),
            ("b", "4: >b.weight@0 .b.bias@0 c.weight@1>+2"),
            ("c", "3: >c.weight@0 .c.bias@0 logits.weight@1>+5"),
            ("c (2)", "5: >c.weight@0+3 .c.bias@0+3 logits.weight@1>"),
            LOGITS,
        ],
    );
}

#[test]
fn slices_and_sizes_of_opset_10() {
    check(
        "opset10",
        &[
            ("a", "5: >a.weight@0 .a.bias@0 c.weight@1>"),
            ("a (2)", "3: >a.weight@0+5 .a.bias@0+5 b.weight@1> c.weight@1>+5"),
            ("b", "4: >b.weight@0 .b.bias@0 logits.weight@1>"),
            ("c", "6: >c.weight@0 .c.bias@0 logits.weight@1>+4"),
            LOGITS,
        ],
    );
}

#[test]
fn inputs_of_opset_11() {
    check(
        "opset11",
        &[
            ("a", "8: >a.weight@0 .a.bias@0 b.weight@1>"),
            ("b", "6: >b.weight@0 .b.bias@0 c.weight@1>"),
            ("c", "8: >c.weight@0 .c.bias@0 logits.weight@1>"),
            LOGITS,
        ],
    );
}

#[test]
fn operators_of_opset_23() {
    check(
        "opset23",
        &[
            ("a", "8: >a.weight@0 .a.bias@0 .a.bn.scale@0 .a.bn.bias@0 .a.bn.mean@0 .a.bn.var@0 b.weight@1>"),
            // A Split into two equal parts, without sizes.
            (
                "b",
                "4: >b.weight@0[[0, 4], [1, 5], [2, 6], [3, 7]] .b.bias@0[[0, 4], [1, 5], [2, 6], [3, 7]] \
                 c.weight@1> d.weight@1>",
            ),
            ("c", "6: >c.weight@0 .c.bias@0 d.weight@1>+4"),
            ("d", "4: >d.weight@0+0x2 .d.bias@0+0x2 .gn.scale@0+0x2 .gn.bias@0+0x2 logits.weight@1>+0x2"),
            LOGITS,
        ],
    );
}

#[test]
fn weights_in_constant_nodes() {
    check(
        "constants",
        &[("a", "6: >a.weight@0 .a.bias@0 b.weight@1>"), ("b", "8: >b.weight@0 .b.bias@0 logits.weight@1>"), LOGITS],
    );
}

#[test]
fn weights_that_are_a_shape_and_a_value() {
    check(
        "constant_of_shape",
        &[
            ("a", "6: >a.weight@0 .a.bias@0 b.weight@1>"),
            ("b", "8: >b.weight@0 .scale@1 .shift@0 c.weight@1>"),
            ("c", "6: >c.weight@0 .c.bias@0 logits.weight@1>"),
            LOGITS,
        ],
    );
}

/// The residual block that several forms hold.
#[track_caller]
fn check_small(model: &str) {
    let stem = "8 residual: >stem.weight@0 .stem.bias@0 .stem.bn.scale@0 .stem.bn.bias@0 .stem.bn.mean@0 \
                .stem.bn.var@0 a.weight@1> >b.weight@0 .b.bias@0 logits.weight@1>";
    check(model, &[("stem", stem), ("a", "6: >a.weight@0 .a.bias@0 b.weight@1>"), LOGITS]);
}

#[test]
fn stated_shapes_and_halves() {
    check_small("stated");
    check_small("f16");
}

#[test]
fn weights_in_another_file() {
    check_small("external");
    let model = open("external");
    let weight = model.get("stem.weight").expect("the other file is read").to_f32().expect("numbers");
    assert_eq!(weight.len(), 8 * 3 * 3 * 3);
    assert!(weight.iter().all(|v| v.is_finite()) && weight.iter().any(|v| *v != 0.0));
}

#[test]
fn doubles() {
    check(
        "f64",
        &[
            ("a", "6: >a.weight@0 .a.bias@0 b.weight@1>+0x16"),
            ("b", "8: >b.weight@0 .b.bias@0 c.weight@1>"),
            ("c", "5 frozen: >c.weight@0 .c.bias@0"),
        ],
    );
}

#[test]
fn weights_that_are_cast_where_they_are_used() {
    check(
        "bf16",
        &[
            ("a", "6: >a.weight.bf16@0 .a.bias.bf16@0 b.weight.bf16@1>"),
            ("b", "8: >b.weight.bf16@0 .b.bias.bf16@0 logits.weight.bf16@1>"),
            ("logits", "5 frozen: >logits.weight.bf16@0 .logits.bias.bf16@0"),
        ],
    );
}

#[test]
fn typed_fields() {
    check(
        "typed_fields",
        &[
            ("a", "6: >a.weight@0 .a.bias@0 b.weight@1>+0x16"),
            ("b", "8: >b.weight@0 .b.bias@0 logits.weight@1>"),
            LOGITS,
        ],
    );
}

/// `b` meets something without a rule; `a` in front of it and `last` behind it can be pruned.
#[track_caller]
fn check_around(model: &str, (last, expect): (&str, &str)) {
    check_group(model, "a", "6: >a.weight@0 .a.bias@0 b.weight@1>");
    check_group(model, last, expect);
    let model = open(model);
    let b = model.network().groups.iter().find(|group| group.name == "b").expect("b");
    assert!(b.frozen.is_some(), "{b:#?}");
}

#[test]
fn what_has_no_rule_freezes_what_reaches_it_and_nothing_else() {
    check_around("qdq", ("d", "8: >d.weight@0 .d.bias@0 logits.weight@1>"));
    check_around("if_branch", ("c", "6: >c.weight@0 .c.bias@0 logits.weight@1>"));
    check_around("custom_op", ("c", "6: >c.weight@0 .c.bias@0 logits.weight@1>"));
    check_frozen("if_branch", &["b", "logits"]);
    check_frozen("custom_op", &["b", "logits"]);
}

#[test]
fn the_states_of_a_recurrent_layer_stay() {
    check_group("lstm", "b", "8: >b.weight@0 .b.bias@0 w@2>");
    check_frozen("lstm", &["logits"]);
}

#[test]
fn what_also_serves_something_else_stays() {
    // Groups that may lose channels; all others in these models are held by the second use, or are the logits.
    let free = [
        ("split_shape", 1),
        ("filled_sum", 1),
        ("filled_output", 1),
        ("filled_branch", 1),
        ("turned_output", 1),
        ("gate_input", 1),
        ("far_slice", 2),
        ("unread_turn", 2),
        ("stated_copies", 3),
        ("inner_name", 2),
    ];
    for (name, expected) in free {
        let model = open(name);
        let found = model.network().groups.iter().filter(|group| group.frozen.is_none()).count();
        assert_eq!(found, expected, "{name}: {:#?}", model.network().frozen);
    }
}
