//! Models that keep data in a file beside them: read, pruned and written, and refused where that would be unsafe.

#[path = "support/external.rs"]
mod external;
mod support;

use external::{DataFile, outside, save};
use netspec::{GroupPlan, PrunePlan, Weights};
use onnx_surgery::{ExternalProblem, Model, ModelError, Patch, SurgeryError};
use std::path::Path;
use support::{Attr, Message, Onnx};

fn halved(model: &Model) -> PrunePlan {
    let prunable = model.network().groups.iter().filter(|group| group.frozen.is_none());
    PrunePlan { groups: prunable.map(|g| GroupPlan::new(g, (0..g.channels).step_by(2).collect())).collect() }
}

fn conv(model: Onnx, name: &str, input: &str) -> Onnx {
    let (weight, bias) = (format!("{name}.weight"), format!("{name}.bias"));
    model.node("Conv", name, &[input, &weight, &bias], &[("pads", Attr::Ints(vec![1; 4]))])
}

/// The same network with all data inside, and with those of four tensors outside: two that are pruned, one in a
/// Constant node, and one in a graph inside a node, which surgery does not look at.
fn twins(location: &str) -> (Vec<u8>, Vec<u8>, Vec<u8>) {
    let mut data = DataFile::default();
    let mut pair = |name: &str, shape: &[usize]| {
        let outside = data.weights(location, name, shape);
        let raw = &data.0[data.0.len() - 4 * shape.iter().product::<usize>()..];
        let inside = shape.iter().fold(Message::default(), |m, &d| m.int(1, d as i64)).int(2, 1).text(8, name);
        (inside.bytes(9, raw), outside)
    };
    let tensors = [
        pair("a.weight", &[8, 3, 3, 3]),
        pair("b.weight", &[6, 8, 3, 3]),
        pair("scale", &[8, 1, 1]),
        pair("hidden", &[7]),
    ];
    let build = |pick: fn(&(Message, Message)) -> &Message| {
        let branch = Message::default().text(2, "branch").inner(5, pick(&tensors[3]).clone());
        let model = Onnx::new(3, 6)
            .initializer(pick(&tensors[0]).clone())
            .initializer(support::weights("a.bias", &[8]))
            .initializer(pick(&tensors[1]).clone())
            .initializer(support::weights("b.bias", &[6]));
        conv(model, "a", "image")
            .node("Constant", "scale", &[], &[("value", Attr::Tensor(pick(&tensors[2]).clone()))])
            .node("Mul", "scaled", &["a", "scale"], &[])
            .node_with("Identity", "same", &["scaled"], &[], |node| {
                node.inner(5, Message::default().text(1, "body").inner(6, branch.clone()).int(20, 5))
            })
            .node("Relu", "relu", &["scaled"], &[])
            .node("Conv", "b", &["relu", "b.weight", "b.bias"], &[("pads", Attr::Ints(vec![1; 4]))])
            .head("b", 6)
            .bytes()
    };
    let (inside, outside) = (build(|(inside, _)| inside), build(|(_, outside)| outside));
    (inside, outside, data.0)
}

fn assert_same(a: &Model, b: &Model) {
    assert_eq!(a.network(), b.network());
    for member in a.network().groups.iter().flat_map(|group| &group.members) {
        assert_eq!(a.get(&member.tensor), b.get(&member.tensor), "{}", member.tensor);
    }
}

#[test]
fn data_beside_the_model_are_read_as_if_they_were_inside() {
    let folder = tempfile::tempdir().expect("a folder");
    let (inside, outside, data) = twins("m.onnx.data");
    let path = save(folder.path(), "m.onnx", &outside, &data);
    let (inside, outside) = (Model::from_bytes(inside).expect("fine"), Model::open(&path).expect("fine"));
    assert_same(&inside, &outside);
    assert!(inside.data_files().is_empty());
    assert_eq!(outside.data_files(), [folder.path().join("m.onnx.data").canonicalize().expect("it is there")]);
    let weight = outside.get("a.weight").expect("it is there");
    assert!(matches!(weight.bytes, std::borrow::Cow::Borrowed(_)), "no copy of the map");
}

#[test]
fn a_pruned_model_has_its_own_data_file_or_none() {
    let (source, target) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
    let (inside, outside, data) = twins("m.onnx.data");
    let path = save(source.path(), "m.onnx", &outside, &data);
    let (twin, model) = (Model::from_bytes(inside).expect("fine"), Model::open(&path).expect("fine"));
    let (twin_patch, patch) =
        (Patch::build(&twin, &halved(&twin)).expect("fine"), Patch::build(&model, &halved(&model)).expect("fine"));

    let out = target.path().join("out.onnx");
    patch.write(&out).expect("fine");
    let mut names: Vec<_> =
        std::fs::read_dir(target.path()).expect("readable").map(|e| e.expect("an entry").file_name()).collect();
    names.sort();
    assert_eq!(names, ["out.onnx", "out.onnx.data"], "and no temporary file");
    let (pruned, expected) =
        (Model::open(&out).expect("fine"), Model::from_bytes(twin_patch.to_bytes()).expect("fine"));
    assert_same(&pruned, &expected);
    assert_eq!(pruned.network().parameters, patch.parameters());
    assert_eq!(twin.network().parameters, model.network().parameters);

    let written = std::fs::read(&out).expect("readable");
    let has = |text: &str| written.windows(text.len()).any(|w| w == text.as_bytes());
    assert!(has("out.onnx.data") && !has("m.onnx.data"), "every tensor names the new file, those of branches too");
    assert!(!has("checksum"), "a checksum of other bytes is worse than none");
    // Half of the channels of both layers: scale and hidden, which nodes hold, then the two weights; each at a
    // multiple of 64 bytes.
    let extents = [4 * 4, 7 * 4, 4 * 3 * 9 * 4, 3 * 4 * 9 * 4];
    let expected = extents[..3].iter().map(|n: &usize| n.next_multiple_of(64)).sum::<usize>() + extents[3];
    assert_eq!(std::fs::metadata(target.path().join("out.onnx.data")).expect("there").len(), expected as u64);

    // In memory there is no second file: the data are inside, as in the twin.
    let together = patch.to_bytes();
    assert!(!together.windows(4).any(|w| w == b"data"), "nothing names a data file");
    assert_same(&Model::from_bytes(together).expect("it needs no folder"), &pruned);
    assert_eq!(std::fs::read(source.path().join("m.onnx.data")).expect("readable"), data, "the source is untouched");
}

#[test]
fn changing_nothing_moves_every_tensor_to_the_new_file() {
    let folder = tempfile::tempdir().expect("a folder");
    let (_, outside, data) = twins("m.onnx.data");
    let model = Model::open(save(folder.path(), "m.onnx", &outside, &data)).expect("fine");
    let nothing = Patch::build(&model, &PrunePlan { groups: vec![] }).expect("fine");
    let out = folder.path().join("copy.onnx");
    nothing.write(&out).expect("fine");
    // The sources are gone: nothing may still be read from them.
    std::fs::rename(folder.path().join("m.onnx.data"), folder.path().join("elsewhere")).expect("renamed");
    assert_same(&model, &Model::open(&out).expect("complete"));
    // Once more the layout is the same already, so every byte is.
    let copy = Model::open(&out).expect("fine");
    let again = folder.path().join("again").join("copy.onnx");
    std::fs::create_dir(folder.path().join("again")).expect("made");
    Patch::build(&copy, &PrunePlan { groups: vec![] }).expect("fine").write(&again).expect("fine");
    let read = |path: &Path| std::fs::read(path).expect("readable");
    assert!(read(&out) == read(&again));
    assert!(read(&folder.path().join("copy.onnx.data")) == read(&folder.path().join("again/copy.onnx.data")));
}

/// A convolution whose weight has these entries, in a folder with `m.onnx.data` of 1000 bytes.
fn with_entries(folder: &Path, entries: &[(&str, &str)]) -> Result<Model, ModelError> {
    let model = conv(Onnx::new(3, 6).initializer(outside("a.weight", 1, &[8, 3, 3, 3], entries)), "a", "image")
        .initializer(support::weights("a.bias", &[8]))
        .head("a", 8);
    Model::open(save(folder, "m.onnx", &model.bytes(), &[0; 1000]))
}

fn problem(result: Result<Model, ModelError>) -> ExternalProblem {
    let error = result.expect_err("this must not open");
    let text = error.to_string();
    assert!(text.contains("`a.weight`") && text.contains("; ") && !text.contains('\n'), "{text}");
    match error {
        ModelError::ExternalData { problem, .. } => problem,
        other => panic!("{other}"),
    }
}

#[test]
fn offsets_and_lengths_must_be_in_the_file_and_fit_the_dims() {
    let folder = tempfile::tempdir().expect("a folder");
    let open = |offset: &str, length: &str| {
        with_entries(folder.path(), &[("location", "m.onnx.data"), ("offset", offset), ("length", length)])
    };
    assert!(open("0", "864").is_ok());
    assert!(open("136", "864").is_ok());
    let past = |offset, length| ExternalProblem::PastTheEnd { offset, length, file_bytes: 1000 };
    assert_eq!(problem(open("137", "864")), past(137, 864));
    assert_eq!(problem(open("18446744073709551615", "864")), past(usize::MAX, 864));
    assert_eq!(problem(open("0", "860")), ExternalProblem::Length { length: 860, expected: 864 });
    assert_eq!(problem(open("0", "1000")), ExternalProblem::Length { length: 1000, expected: 864 });
    for bad in ["-1", "+1", "", "1e3", "0x10", "99999999999999999999", " 1"] {
        assert_eq!(problem(open(bad, "864")), ExternalProblem::Number { key: "offset", value: bad.to_owned() });
        assert_eq!(problem(open("0", bad)), ExternalProblem::Number { key: "length", value: bad.to_owned() });
    }
    // Both may be left out.
    assert!(with_entries(folder.path(), &[("location", "m.onnx.data")]).is_ok());
    assert!(with_entries(folder.path(), &[("location", "./m.onnx.data"), ("offset", "136")]).is_ok());
    assert_eq!(problem(with_entries(folder.path(), &[("location", "m.onnx.data"), ("offset", "137")])), past(137, 864));
    assert_eq!(problem(with_entries(folder.path(), &[("offset", "0")])), ExternalProblem::NoLocation);
}

#[test]
fn nothing_outside_the_folder_is_read() {
    let outer = tempfile::tempdir().expect("a folder");
    let folder = outer.path().join("model");
    std::fs::create_dir_all(folder.join("sub")).expect("made");
    // It would fit: what keeps it from being read is its place alone.
    let secret = outer.path().join("secret");
    std::fs::write(&secret, [0; 1000]).expect("writable");
    let open = |location: &str| with_entries(&folder, &[("location", location)]);
    assert_eq!(problem(open(secret.to_str().expect("text"))), ExternalProblem::Absolute);
    assert_eq!(problem(open("C:\\secret")), ExternalProblem::Absolute);
    for climbing in ["../secret", "sub/../../secret", "sub/../m.onnx.data", "..\\secret"] {
        assert_eq!(problem(open(climbing)), ExternalProblem::Climbs, "{climbing}");
    }
    assert_eq!(problem(open("sub\\x")), ExternalProblem::NotPortable);
    let expected = folder.canonicalize().expect("there").join("nowhere.data");
    assert_eq!(problem(open("nowhere.data")), ExternalProblem::Missing { expected });
    assert!(matches!(problem(open("m.onnx.data/x")), ExternalProblem::Missing { .. }));
    assert_eq!(problem(open("sub")), ExternalProblem::NoFile);
    assert_eq!(problem(open(".")), ExternalProblem::NoFile);
    let (_, outside, _) = twins("m.onnx.data");
    assert!(matches!(
        Model::from_bytes(outside).err(),
        Some(ModelError::ExternalData { problem: ExternalProblem::NoFolder, .. })
    ));
}

#[cfg(unix)]
#[test]
fn links_may_not_lead_out_of_the_folder() {
    use std::os::unix::fs::symlink;
    let outer = tempfile::tempdir().expect("a folder");
    let folder = outer.path().join("model");
    // Its name begins like the folder's: comparing text would let it pass.
    let beside = outer.path().join("model-secrets");
    std::fs::create_dir_all(folder.join("sub")).expect("made");
    std::fs::create_dir_all(&beside).expect("made");
    std::fs::write(beside.join("secret"), [0; 1000]).expect("writable");
    symlink(beside.join("secret"), folder.join("file")).expect("linked");
    symlink(&beside, folder.join("way")).expect("linked");
    symlink("file", folder.join("twice")).expect("linked");
    symlink("../m.onnx.data", folder.join("sub/inside")).expect("linked");
    symlink("loop", folder.join("loop")).expect("linked");
    symlink("nothing", folder.join("dangling")).expect("linked");
    let open = |location: &str| with_entries(&folder, &[("location", location)]);
    for out in ["file", "way/secret", "twice", "way"] {
        assert_eq!(problem(open(out)), ExternalProblem::LeadsOut, "{out}");
    }
    assert!(matches!(open("loop"), Err(ModelError::Read { .. })));
    assert!(matches!(problem(open("dangling")), ExternalProblem::Missing { .. }));
    assert!(open("sub/inside").is_ok(), "a link within the folder is fine");
    // The whole folder behind a link is fine, too.
    symlink(&folder, outer.path().join("alias")).expect("linked");
    assert!(Model::open(outer.path().join("alias/m.onnx")).is_ok());
}

#[test]
fn tensors_share_all_of_their_bytes_or_none() {
    let folder = tempfile::tempdir().expect("a folder");
    fn at(name: &str, offset: &str) -> Message {
        outside(name, 1, &[8], &[("location", "m.onnx.data"), ("offset", offset), ("length", "32")])
    }
    let open = |offsets: [&str; 3]| {
        let model = Onnx::new(3, 6)
            .initializer(support::weights("a.weight", &[8, 3, 3, 3]))
            .initializer(at("a.bias", offsets[0]))
            .initializer(at("s", offsets[1]))
            .initializer(at("t", offsets[2]));
        let model = conv(model, "a", "image").head("a", 8);
        Model::open(save(folder.path(), "m.onnx", &model.bytes(), &[7; 200]))
    };
    let tied = open(["0", "32", "32"]).expect("tied weights are fine");
    Patch::build(&tied, &PrunePlan { groups: vec![] })
        .expect("fine")
        .write(folder.path().join("o.onnx"))
        .expect("fine");
    let length = std::fs::metadata(folder.path().join("o.onnx.data")).expect("there").len();
    assert_eq!(length, 64 + 32, "they share their bytes in the result, too");
    for bad in [["0", "32", "31"], ["4", "100", "0"], ["0", "1", "0"]] {
        let error = open(bad).expect_err("partial overlap");
        assert!(
            matches!(&error, ModelError::ExternalData { problem: ExternalProblem::Overlap { .. }, .. }),
            "{bad:?}: {error}"
        );
    }
}

#[test]
fn both_files_are_written_or_none() {
    let folder = tempfile::tempdir().expect("a folder");
    let (_, outside, data) = twins("m.onnx.data");
    let model = Model::open(save(folder.path(), "m.onnx", &outside, &data)).expect("fine");
    let patch = Patch::build(&model, &halved(&model)).expect("fine");
    let count = || std::fs::read_dir(folder.path()).expect("readable").count();

    // Its own files are never replaced, whichever of the two would meet them.
    for own in ["m.onnx", "m.onnx.data"] {
        assert!(matches!(patch.write(folder.path().join(own)), Err(SurgeryError::SameFile { .. })), "{own}");
    }
    std::fs::rename(folder.path().join("m.onnx"), folder.path().join("n.onnx")).expect("renamed");
    let renamed = Model::open(folder.path().join("n.onnx")).expect("fine");
    let meets_data = Patch::build(&renamed, &halved(&renamed)).expect("fine").write(folder.path().join("m.onnx"));
    assert!(matches!(&meets_data, Err(SurgeryError::SameFile { path }) if path.ends_with("m.onnx.data")));
    assert_eq!(count(), 2);

    // The model's rename fails: the data of an earlier run are back.
    std::fs::create_dir(folder.path().join("out.onnx")).expect("made");
    assert!(matches!(patch.write(folder.path().join("out.onnx")), Err(SurgeryError::Write { .. })));
    assert_eq!(count(), 3, "neither a data file nor a temporary one is left");
    std::fs::write(folder.path().join("out.onnx.data"), "earlier").expect("writable");
    assert!(matches!(patch.write(folder.path().join("out.onnx")), Err(SurgeryError::Write { .. })));
    assert_eq!(std::fs::read(folder.path().join("out.onnx.data")).expect("there"), b"earlier");
    assert_eq!(count(), 4);

    // The data's rename fails.
    std::fs::create_dir(folder.path().join("other.onnx.data")).expect("made");
    assert!(matches!(patch.write(folder.path().join("other.onnx")), Err(SurgeryError::Write { .. })));
    assert_eq!(count(), 5);
    assert!(!folder.path().join("other.onnx").exists());

    // An earlier pair is replaced.
    std::fs::write(folder.path().join("good.onnx"), "earlier").expect("writable");
    std::fs::write(folder.path().join("good.onnx.data"), "earlier").expect("writable");
    patch.write(folder.path().join("good.onnx")).expect("fine");
    assert_same(
        &Model::open(folder.path().join("good.onnx")).expect("fine"),
        &Model::from_bytes(patch.to_bytes()).expect("fine"),
    );
    assert_eq!(count(), 7);
}

#[test]
fn every_element_type_is_sliced_by_its_width() {
    let folder = tempfile::tempdir().expect("a folder");
    // ONNX's numbers and widths; float8 is none that surgery knows.
    for (number, width) in
        [(1, 4), (2, 1), (3, 1), (4, 2), (5, 2), (6, 4), (7, 8), (9, 1), (10, 2), (11, 8), (12, 4), (13, 8), (16, 2)]
    {
        let bytes: Vec<u8> = (0..8 * width).map(|i| i as u8).collect();
        let tensor = outside("scale", number, &[8, 1, 1], &[("location", "m.onnx.data")]);
        let model = conv(Onnx::new(3, 6).initializer(support::weights("a.weight", &[8, 3, 3, 3])), "a", "image")
            .initializer(support::weights("a.bias", &[8]))
            .initializer(tensor)
            .node("Mul", "scaled", &["a", "scale"], &[])
            .head("scaled", 8);
        let model = Model::open(save(folder.path(), "m.onnx", &model.bytes(), &bytes)).expect("fine");
        let patch = Patch::build(&model, &halved(&model)).expect("fine");
        let pruned = Model::from_bytes(patch.to_bytes()).expect("fine");
        let expected: Vec<u8> = bytes.chunks_exact(width).step_by(2).flatten().copied().collect();
        assert_eq!(&*pruned.get("scale").expect("a known type").bytes, &*expected, "type {number}");
    }
}
