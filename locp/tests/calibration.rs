//! Images without labels repair what pruning breaks, and tell what may go.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use benefit::Value as _;
use locp::netspec::{ChannelGroup, GroupPlan, PrunePlan, Tensor, TensorView, Weights as _};
use locp::{Calib, Cancel, Damage, Engine, Error, HeldOut, Magnitude, Model, Scope, Watch};
use onnx_surgery::Patch;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

fn shipped(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../models").join(name)
}

fn engine() -> Engine {
    locp::engine("tract", 1, 0).unwrap()
}

fn group<'m>(model: &'m Model, name: &str) -> &'m ChannelGroup {
    model.network().groups.iter().find(|group| group.name.contains(name)).unwrap()
}

/// A `.npy` file of f32.
fn npy(path: &Path, shape: &[usize], values: impl Iterator<Item = f32>) {
    let shape: Vec<String> = shape.iter().map(|d| format!("{d},")).collect();
    let mut header = format!("{{'descr': '<f4', 'fortran_order': False, 'shape': ({}), }}", shape.join(" "));
    header += &" ".repeat(63 - (header.len() + 10) % 64);
    header.push('\n');
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend((header.len() as u16).to_le_bytes());
    bytes.extend(header.bytes());
    bytes.extend(values.flat_map(f32::to_le_bytes));
    std::fs::write(path, bytes).unwrap();
}

/// The shipped model where the second half of one group's channels repeats the first.
fn with_twins(folder: &Path) -> Model {
    let model = Model::open(&shipped("fashion.onnx"), None).unwrap();
    let layer = model.network().layers.iter().position(|layer| layer.name.contains("block1/conv1")).unwrap();
    let wiring = model.onnx().wiring(layer).unwrap();
    let twins = |tensor: &String| {
        let mut values = model.onnx().get(tensor).unwrap().to_f32().unwrap();
        let half = values.len() / 2;
        values.copy_within(..half, half);
        (tensor.clone(), values)
    };
    let values = [&model.network().layers[layer].weight, wiring.bias.as_ref().unwrap()].map(twins);
    let path = folder.join("twins.onnx");
    Patch::exchange(model.onnx(), BTreeMap::from(values)).unwrap().write(&path).unwrap();
    Model::open(&path, None).unwrap()
}

fn outputs(path: &Path, images: &Tensor) -> Vec<f32> {
    engine().models().unwrap().load(path, &16.into()).unwrap().infer(std::slice::from_ref(images)).unwrap()[0]
        .to_f32()
        .unwrap()
}

/// The relative squared error of a model's outputs.
fn error(dense: &[f32], found: &[f32]) -> f32 {
    let square = |values: &mut dyn Iterator<Item = f32>| values.map(|v| v * v).sum::<f32>();
    square(&mut dense.iter().zip(found).map(|(a, b)| a - b)) / square(&mut dense.iter().copied())
}

fn noise(n: usize) -> impl Iterator<Item = f32> {
    (0..n).map(|i| 255.0 * ((i as f32 * 12.9898).sin() * 43_758.547).fract().abs())
}

#[test]
fn what_others_know_is_given_back_and_nothing_else_is_missed() {
    let folder = tempfile::tempdir().unwrap();
    let model = with_twins(folder.path());
    let mut calib = Calib::read(&shipped("calib_images.npy"), &model, None).unwrap();
    calib.effort = 2;
    let (engine, watch) = (engine(), Watch::default());
    let twins = group(&model, "block1/conv1");
    let half = twins.channels / 2;

    let damage = Damage::new(&*locp::runner(&*engine, "calibration").unwrap(), &model, &calib, false, &watch).unwrap();
    let curve = damage.curve(twins.id).unwrap();
    let (without_twins, further) = (curve.value(half), curve.value(half / 2));
    assert!(without_twins > 0.01 * further && further < 0.0, "{without_twins} {further}");
    // Of each pair one channel stays.
    let mut kept: Vec<usize> = curve.keep(half).iter().map(|channel| channel % half).collect();
    kept.sort_unstable();
    assert_eq!(kept, (0..half).collect::<Vec<_>>());
    // Streams were not to be pruned.
    let stream = model.network().groups.iter().find(|group| group.residual).unwrap();
    assert!(damage.curve(stream.id).unwrap_err().to_string().contains(&stream.name));

    let plan = PrunePlan { groups: vec![GroupPlan::new(twins, (0..half).collect())] };
    let [bare, fitted] = ["bare.onnx", "fitted.onnx"].map(|name| folder.path().join(name));
    Patch::build(model.onnx(), &plan).unwrap().write(&bare).unwrap();
    let report =
        locp::apply_fitted(&model, &plan, &fitted, &*locp::runner(&*engine, "calibration").unwrap(), &calib, &watch)
            .unwrap();
    let repair = report.repair.unwrap();
    assert!(repair.skipped.is_empty() && repair.layers.len() > 15, "{repair:?}");
    let first = &repair.layers[0];
    assert!(first.layer.contains("block1/conv2") && first.lost_before > 0.05 && first.lost_after < 0.02, "{first:?}");
    // On images that calibrated nothing.
    let images = TensorView::from_f32(vec![16, 1, 28, 28], &noise(16 * 784).collect::<Vec<f32>>()).unwrap();
    let dense = outputs(model.path(), &images);
    let (of_bare, of_fitted) = (error(&dense, &outputs(&bare, &images)), error(&dense, &outputs(&fitted, &images)));
    assert!(of_fitted < 0.1 * of_bare && of_fitted < 0.02, "{of_fitted} of {of_bare}");
}

#[test]
fn the_means_of_a_normalization_absorb_what_a_bias_would() {
    let folder = tempfile::tempdir().unwrap();
    let tiny = Path::new(env!("CARGO_MANIFEST_DIR")).join("../onnx-surgery/tests/models/resnet_bn_ts.onnx");
    let model = Model::open(&tiny, None).unwrap();
    let shape = [64, 3, 32, 32];
    npy(&folder.path().join("calib.npy"), &shape, noise(shape.iter().product()).map(|v| v / 50.0 - 2.5));
    let calib = Calib::read(&folder.path().join("calib.npy"), &model, None).unwrap();
    let inner = |group: &&ChannelGroup| group.frozen.is_none() && !group.residual;
    let halved = |group: &ChannelGroup| GroupPlan::new(group, (0..group.channels / 2).collect());
    let plan = PrunePlan { groups: model.network().groups.iter().filter(inner).map(halved).collect() };
    let [bare, fitted, mixed] = ["bare.onnx", "fitted.onnx", "mixed.onnx"].map(|name| folder.path().join(name));
    Patch::build(model.onnx(), &plan).unwrap().write(&bare).unwrap();
    locp::apply_fitted(
        &model,
        &plan,
        &fitted,
        &*locp::runner(&*engine(), "calibration").unwrap(),
        &calib,
        &Watch::default(),
    )
    .unwrap();
    // The fitted model with the means as they were.
    let [old, new] = [&bare, &fitted].map(|path| Model::open(path, None).unwrap());
    let means = old.onnx().wirings().into_iter().flatten().filter_map(|wiring| Some(wiring.norm?.mean));
    let of = |model: &Model, name: &String| model.onnx().get(name).unwrap().to_f32().unwrap();
    let means: BTreeMap<_, _> = means.map(|name| (name.clone(), of(&old, &name))).collect();
    assert!(means.iter().filter(|(name, old)| of(&new, name) != **old).count() > 2, "{means:?}");
    Patch::exchange(new.onnx(), means).unwrap().write(&mixed).unwrap();
    let values: Vec<f32> = noise(20 * 3072).skip(4 * 3072).map(|v| v / 50.0 - 2.5).collect();
    let images = TensorView::from_f32(vec![16, 3, 32, 32], &values).unwrap();
    let dense = outputs(model.path(), &images);
    let [bare, fitted, mixed] = [bare, fitted, mixed].map(|path| error(&dense, &outputs(&path, &images)));
    assert!(fitted < 0.5 * bare && fitted < 0.5 * mixed, "{fitted} fitted, {mixed} with old means, {bare} bare");
}

#[test]
fn a_branch_that_goes_leaves_its_mean() {
    let folder = tempfile::tempdir().unwrap();
    let model = Model::open(&shipped("fashion.onnx"), None).unwrap();
    let mut calib = Calib::read(&shipped("calib_images.npy"), &model, None).unwrap();
    calib.effort = 2;
    let (engine, watch) = (engine(), Watch::default());
    let images = HeldOut::read(&shipped("test_images.npy"), None, &model, None).unwrap();
    let off = |path: &Path| {
        let comparison = images.compare(&*engine, &model, path, &watch).unwrap();
        comparison.agreement.outputs[0].relative_error
    };
    let damage = Damage::new(&*locp::runner(&*engine, "calibration").unwrap(), &model, &calib, false, &watch).unwrap();
    let inside = group(&model, "block3/conv1");
    assert!(inside.removable && !group(&model, "branches/a").removable);
    let curve = damage.curve(inside.id).unwrap();
    let gone = PrunePlan { groups: vec![GroupPlan::new(inside, vec![])] };
    let [bare, fitted] = ["bare.onnx", "fitted.onnx"].map(|name| folder.path().join(name));
    let plain = locp::apply(&model, &gone, Some(&bare)).unwrap();
    let report =
        locp::apply_fitted(&model, &gone, &fitted, &*locp::runner(&*engine, "calibration").unwrap(), &calib, &watch)
            .unwrap();
    assert!(report.params_after == plain.params_after && report.params_after < report.params_before);
    let repair = report.repair.unwrap();
    assert_eq!((repair.branches.len(), repair.skipped.len()), (1, 0), "{repair:?}");
    assert!(repair.branches[0].contains("block3/conv2"), "{repair:?}");
    assert!(repair.layers.iter().all(|layer| !layer.layer.contains("block3")), "{repair:?}");
    let (bare, fitted) = (off(&bare), off(&fitted));
    assert!(fitted < 0.7 * bare, "{fitted} of {bare}");
    // What was predicted is the squared error with this branch's mean, and nothing behind it fitted.
    let predicted = (0.0 - curve.value(0)).sqrt();
    assert!(curve.value(0) <= curve.value(1) && (0.5..2.0).contains(&(predicted / bare)), "{predicted} for {bare}");
    // Others may be narrower at the same time, and what ends the branch with them.
    let stream = model.network().groups.iter().find(|group| group.residual && group.channels == 128).unwrap();
    let narrow = GroupPlan::new(stream, (0..96).collect());
    let both = PrunePlan { groups: vec![GroupPlan::new(inside, vec![]), narrow] };
    let path = folder.path().join("both.onnx");
    let report =
        locp::apply_fitted(&model, &both, &path, &*locp::runner(&*engine, "calibration").unwrap(), &calib, &watch)
            .unwrap();
    assert_eq!(report.repair.unwrap().branches.len(), 1);
    assert!(off(&path) < 1.0);
}

#[test]
fn half_of_the_inner_channels_may_go() {
    let folder = tempfile::tempdir().unwrap();
    let model = Model::open(&shipped("fashion.onnx"), None).unwrap();
    let mut calib = Calib::read(&shipped("calib_images.npy"), &model, None).unwrap();
    calib.effort = 2;
    let (engine, watch) = (engine(), Watch::default());
    let value = Magnitude::new(model.network(), model.onnx(), locp::Criterion::L2, Scope::PerLayer);
    let inner = model.network().groups.iter().filter(|group| group.frozen.is_none() && !group.residual);
    let groups = inner.map(|g| GroupPlan::new(g, value.curve(g.id).unwrap().keep(g.channels / 2))).collect();
    let plan = PrunePlan { groups };
    let [bare, fitted] = ["bare.onnx", "fitted.onnx"].map(|name| folder.path().join(name));
    Patch::build(model.onnx(), &plan).unwrap().write(&bare).unwrap();
    locp::apply_fitted(&model, &plan, &fitted, &*locp::runner(&*engine, "calibration").unwrap(), &calib, &watch)
        .unwrap();
    let labels = shipped("test_labels.npy");
    let held_out = HeldOut::read(&shipped("test_images.npy"), Some(&labels), &model, None).unwrap();
    let top1 = |path: &Path| held_out.accuracy(&*engine, path, 50, &watch).unwrap().unwrap().top1;
    let (dense, bare, fitted) = (top1(model.path()), top1(&bare), top1(&fitted));
    let recovered = (fitted - bare) / (dense - bare);
    assert!(recovered > 0.7, "{dense} dense, {bare} pruned, {fitted} fitted");
}

#[test]
fn little_is_asked_of_images_and_mistakes_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let model = Model::open(&shipped("fashion.onnx"), None).unwrap();
    let file = |name: &str| folder.path().join(name);
    npy(&file("wide.npy"), &[2, 1, 28, 30], noise(2 * 840));
    npy(&file("one.npy"), &[1, 1, 28, 28], noise(784));
    npy(&file("nan.npy"), &[1, 1, 28, 28], noise(784).map(|v| if v > 250.0 { f32::NAN } else { v }));
    let wide = Calib::read(&file("wide.npy"), &model, None).unwrap_err();
    assert!(matches!(wide, Error::ImageShape { .. }), "{wide}");
    let nan = Calib::read(&file("nan.npy"), &model, None).unwrap_err();
    assert!(nan.to_string().contains("not finite"), "{nan}");

    // A single image is few rows: the old weights stay nearly as they are, and nothing breaks.
    let one = Calib::read(&file("one.npy"), &model, None).unwrap();
    let group = group(&model, "block4/conv1");
    let plan = PrunePlan { groups: vec![GroupPlan::new(group, (0..group.channels - 1).collect())] };
    let (engine, output) = (engine(), file("fitted.onnx"));
    let report = locp::apply_fitted(
        &model,
        &plan,
        &output,
        &*locp::runner(&*engine, "calibration").unwrap(),
        &one,
        &Watch::default(),
    )
    .unwrap();
    let layers = report.repair.unwrap().layers;
    assert!(layers.iter().all(|layer| layer.lost_after <= layer.lost_before + 1e-3), "{layers:?}");
    let nothing = locp::apply_fitted(
        &model,
        &PrunePlan::default(),
        &output,
        &*locp::runner(&*engine, "calibration").unwrap(),
        &one,
        &Watch::default(),
    );
    assert!(nothing.unwrap().repair.unwrap().layers.is_empty());

    let cancel = Cancel::new();
    cancel.raise();
    let watch = Watch { cancel, ..Watch::default() };
    let stopped = locp::apply_fitted(
        &model,
        &plan,
        &file("never.onnx"),
        &*locp::runner(&*engine, "calibration").unwrap(),
        &one,
        &watch,
    );
    assert!(matches!(stopped, Err(Error::Interrupted)) && !file("never.onnx").exists());
    assert!(matches!(
        Damage::new(&*locp::runner(&*engine, "calibration").unwrap(), &model, &one, false, &watch),
        Err(Error::Interrupted)
    ));
    let calib = shipped("calib_images.npy");
    assert!(locp::check_apart(&calib, &shipped("../models/calib_images.npy")).is_err());
    assert!(locp::check_apart(&calib, &shipped("test_images.npy")).is_ok());
}
