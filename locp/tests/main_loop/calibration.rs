//! Calibration on a device that runs whole models: outputs come from it, and cost none of its readings.

use crate::scripted::{Device, Event, Script, shipped};
use locp::{Budget, Calib};
use std::path::Path;

#[test]
fn calibration_runs_the_models_of_the_device() {
    let model = shipped("fashion-vgg.onnx");
    let images = Path::new(env!("CARGO_MANIFEST_DIR")).join("../models/calib_images.npy");
    let mut calib = Calib::read(&images, &model, None).unwrap();
    calib.effort = 1;
    let device = Device::new(Script::default());
    let pruned = device.pipeline().calib(calib).run(&model, Budget::ratio(0.7)).unwrap();
    let repair = pruned.repair.as_ref().unwrap();
    assert!(!repair.layers.is_empty());
    // Shapes, and so the latency, stay as they were timed.
    let ratio = device.true_ratio(&model, pruned.path());
    assert!((pruned.ratio() - ratio).abs() < 1e-9, "{} {ratio}", pruned.ratio());
    assert!((0.97..=1.0 + 1e-9).contains(&(ratio / 0.7)), "{ratio}");
    // What was loaded after the last timing was only asked for outputs.
    let last_run = device.log().iter().rposition(|event| matches!(event, Event::RanModel(_))).unwrap();
    let loaded = device.log()[last_run..].iter().filter(|event| matches!(event, Event::Loaded(_))).count();
    assert!(loaded > 0);
}
