//! Edits at the level of the wire format.

use super::*;
use crate::proto::{AttributeProto, ModelProto, NodeProto};
use crate::wire::{number_field, put_varint};
use netspec::TensorView;
use prost::Message;

fn text(number: u64, text: &str) -> Rope {
    length_field(number, text.as_bytes().to_vec().into())
}

fn message(fields: impl IntoIterator<Item = Rope>) -> Rope {
    fields.into_iter().fold(Rope::default(), |mut all, field| {
        all.append(field);
        all
    })
}

/// A field that no version of the decoder knows.
fn mark() -> Rope {
    text(1999, "mark")
}

fn model(ir_version: i64, graph: impl IntoIterator<Item = Rope>) -> Bytes {
    message([number_field(1, ir_version), length_field(7, message(graph)), mark()]).to_vec().into()
}

fn node(attributes: impl IntoIterator<Item = Rope>) -> Rope {
    let attributes = attributes.into_iter().map(|attribute| length_field(5, attribute));
    let parts = [text(1, "x"), text(1, "w"), text(2, "y"), text(4, "Conv"), mark()];
    length_field(1, message(parts.into_iter().chain(attributes)))
}

fn tensor(name: &str, values: &[i64]) -> Rope {
    let raw: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
    message([
        number_field(1, values.len() as i64),
        number_field(2, 7),
        mark(),
        text(8, name),
        length_field(9, raw.into()),
    ])
}

fn edit(values: &[i64]) -> TensorEdit {
    let raw: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
    TensorEdit { dims: vec![values.len()], data: raw.into(), element: Some(ElementType::I64) }
}

fn apply(model: &Bytes, edits: &Edits) -> (ModelProto, Vec<u8>) {
    let spliced = splice(model, &External::default(), &Placement::Inside, edits).expect("well formed");
    assert_eq!(spliced.data.len(), 0);
    let bytes = spliced.model.to_vec();
    assert_eq!(bytes.len(), spliced.model.len());
    (ModelProto::decode(bytes.as_slice()).expect("still a message"), bytes)
}

fn marks(bytes: &[u8]) -> usize {
    bytes.windows(4).filter(|w| *w == b"mark").count()
}

fn number(name: &str, element: Option<usize>, value: i64) -> AttributeEdit {
    AttributeEdit { name: name.to_owned(), element, value }
}

#[track_caller]
fn check_attributes(attributes: Vec<Rope>, edits: Vec<AttributeEdit>, expected: &[(&str, i64, &[i64])]) {
    let model = model(8, [node([]), node(attributes)]);
    let edits = Edits { attributes: HashMap::from([(1, edits)]), ..Edits::default() };
    let (after, bytes) = apply(&model, &edits);
    let read = |a: &AttributeProto| (a.name.clone(), a.i, a.ints.clone());
    let found: Vec<_> = after.graph.expect("a graph").node[1].attribute.iter().map(read).collect();
    let expected: Vec<_> = expected.iter().map(|(name, i, ints)| ((*name).to_owned(), *i, ints.to_vec())).collect();
    assert_eq!(found, expected);
    assert_eq!(marks(&bytes), marks(&model));
}

#[test]
fn numbers_in_attributes_change_in_every_encoding() {
    let int = |name: &str, value| message([text(1, name), mark(), number_field(3, value), number_field(20, 2)]);
    let packed = |values: &[i64]| {
        let mut out = Vec::new();
        values.iter().for_each(|&v| put_varint(&mut out, v as u64));
        length_field(8, out.into())
    };
    let alone = |values: &[i64]| message(values.iter().map(|&v| number_field(8, v)));
    let list = |name: &str, ints: Rope| message([text(1, name), ints, mark(), number_field(20, 7)]);

    check_attributes(
        vec![int("axis", 1), int("group", 8)],
        vec![number("group", None, 300)],
        &[("axis", 1, &[]), ("group", 300, &[])],
    );
    // A zero that was left out, and a negative number.
    check_attributes(vec![text(1, "axis")], vec![number("axis", None, -1)], &[("axis", -1, &[])]);
    for ints in [
        packed(&[7, -1, 300]),
        alone(&[7, -1, 300]),
        message([alone(&[7]), packed(&[-1]), alone(&[300])]),
        message([packed(&[7, -1]), packed(&[]), packed(&[300])]),
    ] {
        let two = vec![number("split", Some(0), -5), number("split", Some(2), 9)];
        check_attributes(
            vec![list("other", ints.clone()), list("split", ints)],
            two,
            &[("other", 0, &[7, -1, 300]), ("split", 0, &[-5, -1, 9])],
        );
    }
    // The last edit of one number counts.
    check_attributes(
        vec![int("group", 8)],
        vec![number("group", None, 4), number("group", None, 2)],
        &[("group", 2, &[])],
    );
}

#[test]
fn an_edit_of_what_is_not_there_is_an_error() {
    let model = model(8, [node([message([text(1, "split"), number_field(8, 7)])])]);
    for edit in [number("group", None, 1), number("split", Some(1), 1)] {
        let edits = Edits { attributes: HashMap::from([(0, vec![edit])]), ..Edits::default() };
        let result = splice(&model, &External::default(), &Placement::Inside, &edits);
        assert_eq!(result.err(), Some(WireError::Malformed));
    }
}

#[test]
fn inputs_are_renamed_nodes_vanish_and_places_are_those_of_the_source() {
    let numbered =
        |i: usize| length_field(1, message([text(1, "x"), text(1, ""), text(1, "z"), text(3, &i.to_string())]));
    let model = model(8, (0..4).map(numbered));
    let edits = Edits {
        inputs: HashMap::from([((2, 0), "first".to_owned()), ((2, 2), "third".to_owned()), ((0, 1), "new".to_owned())]),
        dropped: HashSet::from([1]),
        attributes: HashMap::new(),
        ..Edits::default()
    };
    let (after, _) = apply(&model, &edits);
    let nodes = after.graph.expect("a graph").node;
    let found: Vec<(&str, Vec<&str>)> =
        nodes.iter().map(|n| (n.name.as_str(), n.input.iter().map(String::as_str).collect())).collect();
    assert_eq!(found, [("0", vec!["x", "new", "z"]), ("2", vec!["first", "", "third"]), ("3", vec!["x", "", "z"])]);
}

fn constant_node(attribute: Rope) -> Rope {
    length_field(1, message([text(2, "c"), text(4, "Constant"), length_field(5, attribute)]))
}

/// Names and elements of the initializers.
fn initializers(model: &ModelProto) -> Vec<(&str, Vec<i64>)> {
    let graph = model.graph.as_ref().expect("a graph");
    let read = |raw: &Bytes, n| TensorView::new(ElementType::I64, vec![n], (&**raw).into()).expect("fits").to_i64();
    graph
        .initializer
        .iter()
        .map(|t| {
            let raw = t.raw_data.as_ref().expect("raw elements");
            (t.name.as_str(), read(raw, t.dims[0] as usize).expect("integers"))
        })
        .collect()
}

#[test]
fn new_initializers_follow_the_last_one() {
    let value = |t: Rope| message([text(1, "value"), length_field(5, t), number_field(20, 4)]);
    let list = message([text(1, "value_ints"), number_field(8, 5), number_field(8, 6)]);
    let model = model(
        8,
        [
            constant_node(value(tensor("", &[4, 5]))),
            length_field(5, tensor("a", &[1, 2, 3])),
            length_field(5, tensor("b", &[9])),
            constant_node(list),
            mark(),
        ],
    );
    let added = |from, name: &str, values: &[i64]| Added { from, name: name.to_owned(), edit: edit(values) };
    let edits = Edits {
        constants: HashMap::from([(Home::Initializer(1), edit(&[8, 8]))]),
        added: vec![
            added(Home::Initializer(0), "a2", &[3]),
            added(Home::Node { node: 0, attribute: 0 }, "c2", &[5]),
            added(Home::Node { node: 1, attribute: 0 }, "l2", &[6, 7]),
        ],
        ..Edits::default()
    };
    let (after, bytes) = apply(&model, &edits);
    let expected = [("a", vec![1, 2, 3]), ("b", vec![8, 8]), ("a2", vec![3]), ("c2", vec![5]), ("l2", vec![6, 7])];
    assert_eq!(initializers(&after), expected);
    let graph = after.graph.as_ref().expect("a graph");
    assert!(graph.initializer.iter().all(|t| t.data_type == 7));
    assert!(graph.input.is_empty(), "since version 4 an initializer need not be an input");
    // Each copy has the unknown field of its source.
    assert_eq!(marks(&bytes), marks(&model) + 2);
}

#[test]
fn an_added_initializer_needs_no_earlier_one_and_is_an_input_of_old_files() {
    let value = message([text(1, "value"), length_field(5, tensor("", &[4, 5])), number_field(20, 4)]);
    let home = Home::Node { node: 0, attribute: 0 };
    let edits = || Edits {
        dropped: HashSet::from([0]),
        added: vec![Added { from: home, name: "new".to_owned(), edit: edit(&[5]) }],
        ..Edits::default()
    };
    let input = length_field(11, text(1, "image"));
    for (version, inputs) in [(3, vec!["image", "new"]), (4, vec!["image"])] {
        let model = model(version, [constant_node(value.clone()), input.clone(), text(12, "")]);
        let (after, _) = apply(&model, &edits());
        assert_eq!(initializers(&after), [("new", vec![5])]);
        let graph = after.graph.expect("a graph");
        assert!(graph.node.is_empty());
        assert_eq!(graph.input.iter().map(|v| v.name.as_str()).collect::<Vec<_>>(), inputs);
        if let Some(listed) = graph.input.get(1) {
            let t = listed.r#type.as_ref().and_then(|t| t.tensor_type.as_ref()).expect("a tensor");
            let dims: Vec<_> = t.shape.as_ref().expect("a shape").dim.iter().map(|d| d.dim_value).collect();
            assert_eq!((t.elem_type, dims), (7, vec![Some(1)]));
        }
    }
}

#[test]
fn elements_are_replaced_in_every_kind_of_constant() {
    let typed = message([number_field(1, 2), number_field(2, 7), number_field(7, 1), number_field(7, 2), text(8, "t")]);
    let empty = message([number_field(2, 7), text(8, "e")]);
    let list = message([text(1, "value_ints"), number_field(8, 5), number_field(8, 6), mark()]);
    let model = model(8, [length_field(5, typed), length_field(5, empty), constant_node(list), node([])]);
    let edits = Edits {
        constants: HashMap::from([
            (Home::Initializer(0), edit(&[-3])),
            (Home::Initializer(1), edit(&[4, 5])),
            (Home::Node { node: 0, attribute: 0 }, edit(&[6])),
        ]),
        ..Edits::default()
    };
    let (after, bytes) = apply(&model, &edits);
    assert_eq!(initializers(&after), [("t", vec![-3]), ("e", vec![4, 5])]);
    let nodes: Vec<NodeProto> = after.graph.expect("a graph").node;
    assert_eq!(nodes[0].attribute[0].ints, [6]);
    assert_eq!(marks(&bytes), marks(&model));
}

#[test]
fn one_node_takes_every_kind_of_edit_at_once() {
    let value = message([text(1, "value"), length_field(5, tensor("", &[4, 5]))]);
    let group = message([text(1, "group"), number_field(3, 8)]);
    let model = model(8, [node([group, value])]);
    let edits = Edits {
        constants: HashMap::from([(Home::Node { node: 0, attribute: 1 }, edit(&[1]))]),
        attributes: HashMap::from([(0, vec![number("group", None, 4)])]),
        inputs: HashMap::from([((0, 1), "w2".to_owned())]),
        ..Edits::default()
    };
    let (after, _) = apply(&model, &edits);
    let node = &after.graph.expect("a graph").node[0];
    assert_eq!(node.input, ["x", "w2"]);
    assert_eq!(node.attribute[0].i, 4);
    assert_eq!(node.attribute[1].t.as_ref().expect("a tensor").dims, [1]);
}
