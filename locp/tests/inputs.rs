//! Models of free sizes, of several inputs and of bytes: sizes that are stated, and arrays for every input.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[path = "../../onnx-surgery/tests/support/onnx.rs"]
mod onnx;

use locp::netspec::{GroupPlan, InputShape, InputSizes, PrunePlan};
use locp::{Calib, Damage, Engine, Error, HeldOut, Images, Model, Parameter, Watch};
use onnx::{Attr, F32, Onnx, U8, value};
use onnx_surgery::Patch;
use rawzip::{CompressionMethod, ZipArchiveWriter};
use std::io::Write as _;
use std::path::{Path, PathBuf};

fn engine() -> Engine {
    locp::engine("tract", 1, 0).unwrap()
}

fn saved(folder: &Path, bytes: Vec<u8>) -> PathBuf {
    let path = folder.join("model.onnx");
    std::fs::write(&path, bytes).unwrap();
    path
}

/// A `.npy` file of bytes or of f32.
fn npy(shape: &[usize], element: &str, data: Vec<u8>) -> Vec<u8> {
    let shape: Vec<String> = shape.iter().map(|d| format!("{d},")).collect();
    let mut header = format!("{{'descr': '{element}', 'fortran_order': False, 'shape': ({}), }}", shape.join(" "));
    header += &" ".repeat(63 - (header.len() + 10) % 64);
    header.push('\n');
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend((header.len() as u16).to_le_bytes());
    bytes.extend(header.bytes());
    bytes.extend(data);
    bytes
}

fn noise(shape: &[usize]) -> Vec<f32> {
    onnx::noise(shape.iter().product(), shape.len() as u64).into_iter().map(|v| 2.0 * v).collect()
}

fn floats(shape: &[usize]) -> Vec<u8> {
    npy(shape, "<f4", noise(shape).into_iter().flat_map(f32::to_le_bytes).collect())
}

/// Convolutions on images of any size, a sum of pixels, and a fully connected layer.
fn any_size() -> Onnx {
    let model = Onnx::default().input(value("images", F32, &["N", "3", "H", "W"]));
    let model = model.conv("a", "images", 3, 8).relu("a.act", "a");
    model.conv("b", "a.act", 8, 6).relu("b.act", "b").head("b.act", 6)
}

fn sized(shape: &str) -> InputSizes {
    InputSizes::new([shape.parse::<InputShape>().unwrap()])
}

/// Keeps half of the first group's channels.
fn half(model: &Model) -> PrunePlan {
    let group = model.network().groups.iter().find(|group| group.frozen.is_none()).unwrap();
    PrunePlan { groups: vec![GroupPlan::new(group, (0..group.channels / 2).collect())] }
}

#[test]
fn free_sizes_are_an_error_that_says_what_to_state() {
    let folder = tempfile::tempdir().unwrap();
    let error = |bytes: Vec<u8>| {
        let model = Model::open(&saved(folder.path(), bytes), None).unwrap();
        // What needs no size works without one.
        assert_eq!(locp::inspect(&model).inputs[0].shape[1..], [Some(3), None, None]);
        locp::apply(&model, &half(&model), Some(&folder.path().join("out.onnx"))).unwrap();
        let mut source = engine();
        let error = locp::verify(&mut *source, [&model, &model], 1.0, &Watch::default()).unwrap_err();
        assert_eq!((error.code(), error.parameters()), ("free-sizes", vec![Parameter::Input]));
        error.to_string()
    };
    let said = error(any_size().bytes());
    assert!(said.contains("the input `images` has free dimensions (height, width)"), "{said}");
    assert!(said.ends_with("state their sizes in `input`, for example images=1x3x224x224 (a guess)"), "{said}");
    let said = error(any_size().bytes_with(&[("imgsz", "[640, 480]")]));
    assert!(said.ends_with("images=1x3x640x480 (640x480 is what the file's metadata says)"), "{said}");
}

#[test]
fn whole_models_run_at_the_stated_size() {
    let folder = tempfile::tempdir().unwrap();
    let path = saved(folder.path(), any_size().bytes());
    let model = Model::open(&path, sized("2x3x12x10")).unwrap();
    assert_eq!((model.batch(), model.network().layers[0].spec.height), (2, 12));
    let out = folder.path().join("out.onnx");
    locp::apply(&model, &half(&model), Some(&out)).unwrap();
    let pruned = Model::open(&out, sized("images=2x3x12x10")).unwrap();
    let report = locp::verify(&mut *engine(), [&model, &pruned], 1.0, &Watch::default()).unwrap();
    assert!(report.dense_ms > 0.0 && report.samples > 0, "{report:?}");

    // Images have a size of their own.
    let images = folder.path().join("images.npy");
    std::fs::write(&images, floats(&[5, 3, 9, 7])).unwrap();
    let free = Model::open(&path, None).unwrap();
    let held_out = HeldOut::read(&images, None, &free, None).unwrap();
    let compared = held_out.compare(&*engine(), &free, &path, &Watch::default()).unwrap();
    assert_eq!((compared.agreement.n, compared.agreement.classes.unwrap().top1), (5, 1.0));
    // Calibration looks at layers, whose sizes must be known and those of the images.
    assert_eq!(Calib::read(&images, &free, None).unwrap_err().code(), "free-sizes");
    assert_eq!(Calib::read(&images, &model, None).unwrap_err().code(), "image-shape");
    let fits = Model::open(&path, sized("1x3x9x7")).unwrap();
    let calib = Calib::read(&images, &fits, None).unwrap();
    let engine = engine();
    let runner = locp::runner(&*engine, "calibration").unwrap();
    let fitted = locp::apply_fitted(&fits, &half(&fits), &out, &*runner, &calib, &Watch::default()).unwrap();
    assert_eq!(fitted.repair.unwrap().layers[0].layer, "b");
}

/// A convolution on bytes, channels last, as models with preprocessing inside have it.
fn of_bytes() -> Onnx {
    Onnx::default()
        .input(value("pixels", U8, &["N", "6", "6", "3"]))
        .node("Cast", "float", &["pixels"], &[("to", Attr::Int(1))])
        .node("Transpose", "planes", &["float"], &[("perm", Attr::Ints(vec![0, 3, 1, 2]))])
        .conv("a", "planes", 3, 8)
        .relu("a.act", "a")
        .conv("b", "a.act", 8, 6)
        .head("b", 6)
}

#[test]
fn bytes_go_in_as_they_are() {
    let folder = tempfile::tempdir().unwrap();
    let model = Model::open(&saved(folder.path(), of_bytes().bytes()), None).unwrap();
    let images = folder.path().join("images.npy");
    let shape = [16, 6, 6, 3];
    let bytes: Vec<u8> = noise(&shape).iter().map(|v| (127.0 * v + 128.0) as u8).collect();
    std::fs::write(&images, npy(&shape, "|u1", bytes)).unwrap();
    let calib = Calib::read(&images, &model, None).unwrap();
    let engine = engine();
    let runner = locp::runner(&*engine, "calibration").unwrap();
    let damage = Damage::new(&*runner, &model, &calib, false, &Watch::default()).unwrap();
    let curve = benefit::Value::curve(&damage, model.network().groups[0].id).unwrap();
    assert!(curve.value(4) < 0.0, "{curve:?}");
    let out = folder.path().join("out.onnx");
    let report = locp::apply_fitted(&model, &half(&model), &out, &*runner, &calib, &Watch::default()).unwrap();
    let layers = report.repair.unwrap().layers;
    assert!(layers[0].layer == "b" && layers[0].lost_after < layers[0].lost_before, "{layers:?}");
    let held_out = HeldOut::read(&images, None, &model, None).unwrap();
    let agreement = held_out.compare(&*engine, &model, model.path(), &Watch::default()).unwrap().agreement;
    assert_eq!((agreement.n, agreement.outputs[0].relative_error), (16, 0.0));

    std::fs::write(&images, floats(&shape)).unwrap();
    let error = Images::open(&images, &model, None).unwrap_err().to_string();
    assert!(error.contains("`pixels` takes whole numbers from 0 to 255"), "{error}");
}

/// An image, and numbers that are joined to what is made of it.
fn two_inputs() -> Onnx {
    Onnx::default()
        .input(value("images", F32, &["N", "3", "6", "6"]))
        .input(value("meta", F32, &["M", "5"]))
        .conv("a", "images", 3, 8)
        .relu("a.act", "a")
        .node("GlobalAveragePool", "pooled", &["a.act"], &[])
        .node("Flatten", "flat", &["pooled"], &[])
        .fc("m", "meta", 5, 4)
        .node("Concat", "joined", &["flat", "m"], &[("axis", Attr::Int(1))])
        .fc("logits", "joined", 12, 5)
        .output("logits", &[0, 5])
}

#[test]
fn every_input_has_an_array_of_its_name() {
    let folder = tempfile::tempdir().unwrap();
    let path = saved(folder.path(), two_inputs().bytes());
    let model = Model::open(&path, None).unwrap();
    let (images, meta) = (floats(&[20, 3, 6, 6]), floats(&[20, 5]));
    let archive = |members: &[(&str, &[u8])]| {
        let mut bytes = Vec::new();
        let mut archive = ZipArchiveWriter::new(&mut bytes);
        for (name, content) in members {
            let (mut entry, config) =
                archive.new_file(name).compression_method(CompressionMethod::STORE).start().unwrap();
            let mut writer = config.wrap(&mut entry);
            writer.write_all(content).unwrap();
            let (_, descriptor) = writer.finish().unwrap();
            entry.finish(descriptor).unwrap();
        }
        archive.finish().unwrap();
        let path = folder.path().join("calib.npz");
        std::fs::write(&path, bytes).unwrap();
        path
    };
    let arrays = folder.path().join("arrays");
    std::fs::create_dir(&arrays).unwrap();
    for (name, content) in [("images.npy", &images), ("meta.npy", &meta)] {
        std::fs::write(arrays.join(name), content).unwrap();
    }
    let (engine, watch) = (engine(), Watch::default());
    let runner = locp::runner(&*engine, "calibration").unwrap();
    let mut written = Vec::new();
    // The order in the archive is not that of the inputs.
    for calib in [archive(&[("meta.npy", &meta), ("images.npy", &images)]), arrays] {
        let read = Calib::read(&calib, &model, None).unwrap();
        assert_eq!(read.len(), 20);
        let out = folder.path().join("out.onnx");
        let report = locp::apply_fitted(&model, &half(&model), &out, &*runner, &read, &watch).unwrap();
        let layers = report.repair.unwrap().layers;
        assert!(layers.len() == 1 && layers[0].lost_after < layers[0].lost_before, "{layers:?}");
        written.push(std::fs::read(&out).unwrap());
        let held_out = HeldOut::read(&calib, None, &model, None).unwrap();
        let agreement = held_out.compare(&*engine, &model, &path, &watch).unwrap().agreement;
        assert_eq!((agreement.n, agreement.classes.unwrap().top1), (20, 1.0));
    }
    assert!(written[0] == written[1], "the same arrays give the same model");

    let refused = |path: &Path, said: &str| {
        let error = Calib::read(path, &model, None).unwrap_err();
        assert!(matches!(error, Error::Array { .. } | Error::ImageShape { .. }), "{error:?}");
        assert!(error.to_string().contains(said), "{error}");
    };
    refused(&archive(&[("images.npy", &images)]), "no array for the model's input `meta`");
    refused(&archive(&[("images.npy", &images), ("meta.npy", &floats(&[19, 5]))]), "different numbers of images");
    refused(&archive(&[("images.npy", &images), ("meta.npy", &floats(&[20, 4]))]), "`meta` takes [5]");
    let alone = folder.path().join("alone.npy");
    std::fs::write(&alone, &images).unwrap();
    refused(&alone, "it is one array, and the model's inputs are images, meta");
}

#[test]
fn what_is_no_image_goes_in_whole() {
    let folder = tempfile::tempdir().unwrap();
    let model = Onnx::default()
        .input(value("images", F32, &["N", "3", "6", "6"]))
        .input(value("scale", F32, &["8", "1", "1"]))
        .conv("a", "images", 3, 8)
        .node("Mul", "scaled", &["a", "scale"], &[])
        .head("scaled", 8);
    let path = saved(folder.path(), model.bytes());
    let model = Model::open(&path, None).unwrap();
    let arrays = folder.path().join("arrays");
    std::fs::create_dir(&arrays).unwrap();
    std::fs::write(arrays.join("images.npy"), floats(&[10, 3, 6, 6])).unwrap();
    std::fs::write(arrays.join("scale.npy"), floats(&[8, 1, 1])).unwrap();
    let held_out = HeldOut::read(&arrays, None, &model, None).unwrap();
    let compared = held_out.compare(&*engine(), &model, &path, &Watch::default()).unwrap();
    assert_eq!(compared.agreement.n, 10);
}

#[test]
fn a_patch_of_a_sized_model_is_that_of_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = saved(folder.path(), any_size().bytes());
    let bytes = |sizes: InputSizes| {
        let model = Model::open(&path, sizes).unwrap();
        Patch::build(model.onnx(), &half(&model)).unwrap().to_bytes()
    };
    assert!(bytes(InputSizes::default()) == bytes(sized("4x3x31x17")));
}
