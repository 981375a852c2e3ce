//! What a model's channel groups are expected to be.

use netspec::{ChannelGroup, IndexMap, Role};
use onnx_surgery::Model;
use std::path::Path;

/// A committed model, of `models` or its folder `shapes`, or one that is built by hand.
pub(crate) fn open(name: &str) -> Model {
    let models = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/models");
    let files = [models.join(format!("{name}.onnx")), models.join(format!("shapes/{name}.onnx"))];
    if let Some(path) = files.iter().find(|path| path.exists()) {
        return Model::open(path).unwrap_or_else(|error| panic!("{name}: {error}"));
    }
    let (_, bytes) = super::shapes().into_iter().find(|(known, _)| *known == name).expect(name);
    Model::from_bytes(bytes).expect(name)
}

/// `8 residual: >a.weight@0 .a.bias@0 b.weight@1>+4x16`: producers point in, consumers out, `+` is an offset, `x` a repeat.
pub(crate) fn text(group: &ChannelGroup) -> String {
    let mut text = group.channels.to_string();
    text += if group.residual { " residual" } else { "" };
    text += if group.frozen.is_some() { " frozen:" } else { ":" };
    for member in &group.members {
        let place = format!("{}@{}", member.tensor, member.axis);
        text += &match member.role {
            Role::Producer => format!(" >{place}"),
            Role::Consumer => format!(" {place}>"),
            _ => format!(" .{place}"),
        };
        text += &map_text(&member.map);
    }
    text
}

fn map_text(map: &IndexMap) -> String {
    match map {
        IndexMap::Affine { offset: 0, repeat: 1 } => String::new(),
        IndexMap::Affine { offset, repeat: 1 } => format!("+{offset}"),
        IndexMap::Affine { offset, repeat } => format!("+{offset}x{repeat}"),
        IndexMap::Positions { positions } => format!("{positions:?}"),
    }
}

/// The model's groups, by their names, are exactly these; the order of a group's members is free.
#[track_caller]
pub(crate) fn check(model: &str, expect: &[(&str, &str)]) {
    let model = open(model);
    let list = |groups: Vec<(String, String)>| groups.iter().map(|(n, t)| format!("{n} = {t}\n")).collect::<String>();
    let found: Vec<_> = model.network().groups.iter().map(|g| (g.name.clone(), text(g))).collect();
    let expect: Vec<_> = expect.iter().map(|(n, t)| (n.to_string(), t.to_string())).collect();
    let is_equal =
        found.len() == expect.len() && found.iter().zip(&expect).all(|(f, e)| f.0 == e.0 && words(&f.1) == words(&e.1));
    assert!(is_equal, "found:\n{}expected:\n{}", list(found), list(expect));
}

/// One of the model's groups is this; the order of its members is free.
#[track_caller]
pub(crate) fn check_group(model: &str, name: &str, expect: &str) {
    let model = open(model);
    let found = text(group(&model, name));
    assert!(words(&found) == words(expect), "found:\n{found}\nexpected:\n{expect}");
}

/// One of the model's groups can be pruned, has this many channels, and among its members, in whatever role, these.
#[track_caller]
pub(crate) fn check_members(model: &str, name: &str, channels: usize, expect: &[&str]) {
    let model = open(model);
    let group = group(&model, name);
    let place = |member: &netspec::Member| format!("{}@{}{}", member.tensor, member.axis, map_text(&member.map));
    let places: Vec<String> = group.members.iter().map(place).collect();
    assert_eq!((group.channels, &group.frozen), (channels, &None), "{name}");
    for member in expect {
        assert!(places.iter().any(|place| place == member), "no {member} among {places:#?}");
    }
}

/// These of the model's groups, by their names, are frozen, and all others are not.
#[track_caller]
pub(crate) fn check_frozen(model: &str, expect: &[&str]) {
    let model = open(model);
    let frozen = model.network().groups.iter().filter(|group| group.frozen.is_some());
    assert_eq!(frozen.map(|group| group.name.as_str()).collect::<Vec<_>>(), expect);
}

#[track_caller]
fn group<'m>(model: &'m Model, name: &str) -> &'m ChannelGroup {
    let groups = &model.network().groups;
    let known = || groups.iter().map(|group| group.name.as_str()).collect::<Vec<_>>();
    groups.iter().find(|group| group.name == name).unwrap_or_else(|| panic!("no group {name} among {:?}", known()))
}

/// Members in any order: lists of positions fall apart, too, on both sides alike.
fn words(text: &str) -> Vec<&str> {
    let mut words: Vec<&str> = text.split_whitespace().collect();
    words.sort_unstable();
    words
}
